//! Logins that are bound to the device of their client, through HTTP: a registration, refreshes, and
//! what a client without the key gets.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::Memory;
use silverback::session::binding::BindingOptions;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Error, Factor, Lifetime, ServerOptions, ServerStore,
    Session, Sessions, Stores,
};

use super::client::{Browser, Response};
use super::device::{Device, quoted};
use super::server::test_backend::TestBackend;
use super::site::{Framework, Site};
use super::support::{Clock, fresh_codecs, store};

for_each_framework!(
    a_login_offers_a_binding_and_a_registration_binds_it,
    a_copied_jar_is_refused_once_the_bound_cookie_is_over,
    a_bound_cookie_of_another_login_is_no_proof,
    without_a_requirement_an_unproven_client_goes_on,
    a_client_that_never_registers_goes_on,
    a_refresh_without_a_proof_gets_a_challenge,
    a_proof_counts_once,
    a_key_is_registered_once,
    a_registration_has_five_minutes,
    an_old_challenge_is_refused,
    each_end_of_a_session_ends_its_binding,
    a_renewal_keeps_the_binding,
    a_new_login_offers_a_new_binding,
    a_user_who_lost_the_key_can_log_in_again,
    a_user_who_lost_the_key_can_log_in_in_two_steps,
    an_outage_ends_no_binding,
    a_logout_removes_the_bound_cookie,
    endpoints_answer_only_same_origin_posts,
);

const COOKIE_LIFE: u64 = 600;

/// A site, its store, and the clock of both.
struct Bound {
    browser: Browser,
    clock: Clock,
    store: Option<ServerStore>,
}

fn options(is_required: bool) -> BindingOptions {
    let options = BindingOptions::new("/session").unwrap();
    match is_required {
        true => options.required(["/login", "/token"]),
        false => options,
    }
}

fn server_store(clock: &Clock, is_required: bool) -> ServerStore {
    let now = clock.clone();
    let options = ServerOptions::new()
        .binding(options(is_required))
        .clock(move || now.now());
    ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap()
}

fn site(stores: impl Into<Stores>) -> Site {
    let session = async |sessions: Sessions| sessions.session().await;
    let owner = |session: &Session| session.owner().unwrap_or_else(|| "stranger".to_owned());
    Site::new(stores)
        .on("/login", move |sessions: Sessions| async move {
            let session = session(sessions).await?;
            let before = format!("{:?}", session.refusal());
            session.login("ape")?;
            Ok(before)
        })
        .on("/login/", move |sessions: Sessions| async move {
            session(sessions).await?;
            Ok("never")
        })
        .on("/token", move |sessions: Sessions| async move {
            let session = session(sessions).await?;
            let seen = format!("{:?} {:?}", session.refusal(), session.get::<u8>("token")?);
            session.insert("token", 7)?;
            Ok(seen)
        })
        .on("/", move |sessions: Sessions| async move {
            let session = session(sessions).await?;
            Ok(format!("{} {:?}", owner(&session), session.binding()))
        })
        .on("/count", move |sessions: Sessions| async move {
            let session = session(sessions).await?;
            session.update("count", |count: &mut u32| *count += 1)
        })
        .on("/bound", move |sessions: Sessions| async move {
            let session = session(sessions).await?;
            session.require_bound()?;
            Ok(owner(&session))
        })
        .on("/renew", move |sessions: Sessions| async move {
            session(sessions).await?.renew()?;
            Ok("renewed")
        })
        .on("/confirm", move |sessions: Sessions| async move {
            session(sessions).await?.authenticate([Factor::Otp])?;
            Ok("confirmed")
        })
        .on("/logout", move |sessions: Sessions| async move {
            session(sessions).await?.logout()?;
            Ok("bye")
        })
}

fn bound(framework: Framework, is_required: bool) -> Bound {
    let clock = Clock::starting_now();
    let store = server_store(&clock, is_required);
    Bound {
        browser: site(store.clone()).browse(framework),
        clock,
        store: Some(store),
    }
}

/// The same with the session in its cookie.
fn bound_in_cookie(framework: Framework) -> Bound {
    let clock = Clock::starting_now();
    let store = clock.of(store()).binding(options(false)).unwrap();
    Bound {
        browser: site(store).browse(framework),
        clock,
        store: None,
    }
}

/// Returns a site for each kind of store and each policy.
fn sites(framework: Framework) -> [Bound; 3] {
    [
        bound(framework, false),
        bound(framework, true),
        bound_in_cookie(framework),
    ]
}

/// What a browser keeps of a binding.
struct Known {
    id: String,
    challenge: String,
}

fn challenge_of(response: &Response) -> String {
    quoted(response.all("secure-session-challenge")[0], "")
}

fn register(browser: &mut Browser, device: &Device, challenge: &str) -> Response {
    let proof = device.registration(challenge);
    browser.post_with(
        "/session/registration",
        [("secure-session-response", proof.as_str())],
    )
}

/// Logs in, and registers the key of the device.
fn log_in(browser: &mut Browser, device: &Device) -> Known {
    let login = browser.get("/login");
    let offer = login.all("secure-session-registration");
    assert_eq!(offer.len(), 1, "{}", login.status);
    assert!(offer[0].starts_with("(ES256);path=\"/session/registration\";"));
    let response = register(browser, device, &quoted(offer[0], "challenge"));
    assert_eq!(response.status, 200);
    let instructions: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    let id = instructions["session_identifier"].as_str().unwrap();
    assert_eq!(
        quoted(response.all("secure-session-challenge")[0], "id"),
        id
    );
    assert_eq!(instructions["refresh_url"], "/session/refresh");
    assert_eq!(instructions["credentials"][0]["name"], "__Host-id_bound");
    assert_eq!(
        instructions["credentials"][0]["attributes"],
        "Path=/; HttpOnly; Secure; SameSite=Lax"
    );
    Known {
        id: id.to_owned(),
        challenge: challenge_of(&response),
    }
}

fn refresh(browser: &mut Browser, id: &str, proof: Option<&str>) -> Response {
    let proof = proof.map(|proof| ("secure-session-response", proof));
    let id = ("sec-secure-session-id", id);
    browser.post_with("/session/refresh", std::iter::once(id).chain(proof))
}

/// Returns whether the answer to a refresh ends the binding in the browser.
fn ends(response: &Response) -> bool {
    response.status == 200 && response.body.contains("\"continue\":false")
}

fn a_login_offers_a_binding_and_a_registration_binds_it(framework: Framework) {
    for mut site in sites(framework) {
        assert_eq!(site.browser.get("/").body, "stranger NotOffered");
        let known = log_in(&mut site.browser, &Device::new(1));
        assert_eq!(site.browser.get("/").body, "ape Bound");
        assert_eq!(site.browser.get("/bound").body, "ape");
        // Another request offers nothing, and needs no challenge.
        let page = site.browser.get("/");
        assert!(page.all("secure-session-registration").is_empty());
        assert!(page.all("secure-session-challenge").is_empty());
        site.clock.pass(COOKIE_LIFE);
        let proof = Device::new(1).proof(&known.challenge);
        let next = refresh(&mut site.browser, &known.id, Some(&proof));
        assert_eq!(next.status, 200);
        site.clock.pass(COOKIE_LIFE);
        assert_eq!(site.browser.get("/").body, "ape Bound");
        let proof = Device::new(1).proof(&challenge_of(&next));
        assert_eq!(
            refresh(&mut site.browser, &known.id, Some(&proof)).status,
            200
        );
    }
}

fn a_copied_jar_is_refused_once_the_bound_cookie_is_over(framework: Framework) {
    let mut site = bound(framework, true);
    let known = log_in(&mut site.browser, &Device::new(1));
    let mut thief = site.browser.clone();
    assert_eq!(thief.get("/").body, "ape Bound", "a copy works for a while");
    site.clock.pass(COOKIE_LIFE + COOKIE_LIFE / 10);
    let refused = thief.get("/count");
    assert_eq!((refused.status, refused.body.as_str()), (403, ""));
    assert_eq!(refused.cache_control(), ["no-store"]);
    // A browser refreshes only a cookie that is missing.
    assert_eq!(thief.jar.get("__Host-id_bound"), None);
    assert!(thief.jar.get("__Host-id").is_some());
    // The challenge helps only the device.
    let challenge = challenge_of(&refused);
    let forged = Device::new(2).proof(&challenge);
    let answer = refresh(&mut thief, &known.id, Some(&forged));
    assert_eq!(answer.status, 403);
    assert!(answer.set_cookies().is_empty());
    assert_eq!(thief.get("/").status, 403);
    let proof = Device::new(1).proof(&challenge);
    assert_eq!(
        refresh(&mut site.browser, &known.id, Some(&proof)).status,
        200
    );
    assert_eq!(site.browser.get("/").body, "ape Bound");
    assert_eq!(site.browser.get("/count").body, "1");
    assert_eq!(thief.get("/").status, 403);
}

fn a_bound_cookie_of_another_login_is_no_proof(framework: Framework) {
    let mut site = bound(framework, true);
    let mut other = site.browser.another();
    log_in(&mut site.browser, &Device::new(1));
    // The same device and the same owner.
    log_in(&mut other, &Device::new(1));
    let pairs = |browser: &Browser| {
        let cookie = browser.jar.cookie();
        let mut pairs: Vec<String> = cookie.split("; ").map(str::to_owned).collect();
        pairs.sort();
        pairs
    };
    let mixed = format!("{}; {}", pairs(&site.browser)[0], pairs(&other)[1]);
    assert!(mixed.contains("__Host-id=") && mixed.contains("__Host-id_bound="));
    let response = site.browser.get_with("/", [("Cookie", mixed.as_str())]);
    assert_eq!(response.status, 403);
}

fn without_a_requirement_an_unproven_client_goes_on(framework: Framework) {
    let mut site = bound(framework, false);
    log_in(&mut site.browser, &Device::new(1));
    site.clock.pass(COOKIE_LIFE + COOKIE_LIFE / 10);
    assert_eq!(site.browser.get("/").body, "ape Unproven");
    assert_eq!(site.browser.get("/count").body, "1");
    let refused = site.browser.get("/bound");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.all("secure-session-challenge").len(), 1);
}

fn a_client_that_never_registers_goes_on(framework: Framework) {
    let mut site = bound(framework, true);
    site.browser.get("/login");
    let page = site.browser.get("/");
    assert_eq!(page.body, "ape Unbound");
    assert!(
        page.all("secure-session-registration").is_empty(),
        "only a login offers it"
    );
    assert_eq!(site.browser.get("/count").body, "1");
    let refused = site.browser.get("/bound");
    assert_eq!(refused.status, 403);
    assert!(
        refused.all("secure-session-challenge").is_empty(),
        "it has no key"
    );
}

fn a_refresh_without_a_proof_gets_a_challenge(framework: Framework) {
    let mut site = bound(framework, true);
    let device = Device::new(1);
    let known = log_in(&mut site.browser, &device);
    let first = refresh(&mut site.browser, &known.id, None);
    assert_eq!(first.status, 403);
    assert!(first.set_cookies().is_empty());
    assert_eq!(
        quoted(first.all("secure-session-challenge")[0], "id"),
        known.id
    );
    // Both forms of the fields are read: the bare one of Chromium, and the draft's sf-string.
    let proof = format!("\"{}\"", device.proof(&challenge_of(&first)));
    let id = format!("\"{}\"", known.id);
    assert_eq!(refresh(&mut site.browser, &id, Some(&proof)).status, 200);
    for wrong in ["", "x", "\"\"", "AAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(
            refresh(&mut site.browser, wrong, Some(&proof)).status,
            400,
            "{wrong}"
        );
    }
}

fn a_proof_counts_once(framework: Framework) {
    let mut site = bound(framework, true);
    let device = Device::new(1);
    let known = log_in(&mut site.browser, &device);
    let proof = device.proof(&known.challenge);
    let mut twin = site.browser.clone();
    let next = refresh(&mut site.browser, &known.id, Some(&proof));
    assert_eq!(next.status, 200);
    for browser in [&mut site.browser, &mut twin] {
        let again = refresh(browser, &known.id, Some(&proof));
        assert_eq!(again.status, 403);
        assert!(again.set_cookies().is_empty());
    }
    let proof = device.proof(&challenge_of(&next));
    assert_eq!(
        refresh(&mut site.browser, &known.id, Some(&proof)).status,
        200
    );
}

fn a_key_is_registered_once(framework: Framework) {
    let mut site = bound(framework, true);
    let login = site.browser.get("/login");
    let challenge = quoted(login.all("secure-session-registration")[0], "challenge");
    assert_eq!(
        register(&mut site.browser, &Device::new(1), &challenge).status,
        200
    );
    for device in [1, 2] {
        let again = register(&mut site.browser, &Device::new(device), &challenge);
        assert_eq!(again.status, 403, "{device}");
        assert!(again.set_cookies().is_empty());
    }
}

fn a_registration_has_five_minutes(framework: Framework) {
    for (seconds, status) in [(300, 200), (301, 403)] {
        let mut site = bound(framework, false);
        let login = site.browser.get("/login");
        let challenge = quoted(login.all("secure-session-registration")[0], "challenge");
        site.clock.pass(seconds);
        let response = register(&mut site.browser, &Device::new(1), &challenge);
        assert_eq!(response.status, status);
    }
}

fn an_old_challenge_is_refused(framework: Framework) {
    for (seconds, status) in [(COOKIE_LIFE + 300, 200), (COOKIE_LIFE + 301, 403)] {
        let mut site = bound(framework, true);
        let known = log_in(&mut site.browser, &Device::new(1));
        site.clock.pass(seconds);
        let proof = Device::new(1).proof(&known.challenge);
        let response = refresh(&mut site.browser, &known.id, Some(&proof));
        assert_eq!(response.status, status);
        // Its answer helps a client that comes back after a long time.
        let proof = Device::new(1).proof(&challenge_of(&response));
        assert_eq!(
            refresh(&mut site.browser, &known.id, Some(&proof)).status,
            200
        );
    }
}

fn each_end_of_a_session_ends_its_binding(framework: Framework) {
    let block_on = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        super::site::RUNTIME.block_on(future);
    };
    let ends_of: [&dyn Fn(&mut Bound); 4] = [
        &|site| {
            site.browser.clone().get("/logout");
        },
        &|site| {
            site.browser.get("/logout");
        },
        &|site| {
            let store = site.store.clone().unwrap();
            block_on(Box::pin(async move { store.end_all("ape").await.unwrap() }));
        },
        &|site| site.clock.pass(1_800),
    ];
    for (index, end) in ends_of.into_iter().enumerate() {
        let mut site = bound(framework, true);
        let known = log_in(&mut site.browser, &Device::new(1));
        end(&mut site);
        let proof = Device::new(1).proof(&known.challenge);
        let answer = refresh(&mut site.browser, &known.id, Some(&proof));
        assert!(ends(&answer), "{index}: {} {}", answer.status, answer.body);
        assert!(
            answer
                .all("set-cookie")
                .iter()
                .all(|set| set.contains("Max-Age=0"))
        );
    }
}

fn a_renewal_keeps_the_binding(framework: Framework) {
    for mut site in sites(framework) {
        let device = Device::new(1);
        let known = log_in(&mut site.browser, &device);
        for path in ["/renew", "/confirm"] {
            assert_eq!(site.browser.get(path).status, 200);
            assert_eq!(site.browser.get("/").body, "ape Bound");
        }
        let proof = device.proof(&known.challenge);
        assert_eq!(
            refresh(&mut site.browser, &known.id, Some(&proof)).status,
            200
        );
    }
}

fn a_new_login_offers_a_new_binding(framework: Framework) {
    let mut site = bound(framework, true);
    let old = log_in(&mut site.browser, &Device::new(1));
    let new = log_in(&mut site.browser, &Device::new(2));
    assert_ne!(old.id, new.id);
    assert_eq!(site.browser.get("/").body, "ape Bound");
    let proof = Device::new(1).proof(&old.challenge);
    assert!(ends(&refresh(&mut site.browser, &old.id, Some(&proof))));
    let proof = Device::new(2).proof(&new.challenge);
    assert_eq!(
        refresh(&mut site.browser, &new.id, Some(&proof)).status,
        200
    );
}

fn a_user_who_lost_the_key_can_log_in_again(framework: Framework) {
    let mut site = bound(framework, true);
    log_in(&mut site.browser, &Device::new(1));
    site.browser.get("/count");
    site.clock.pass(COOKIE_LIFE + COOKIE_LIFE / 10);
    assert_eq!(site.browser.get("/").status, 403);
    let login = site.browser.get("/login");
    assert_eq!((login.status, login.body.as_str()), (200, "Some(Unproven)"));
    assert_eq!(site.browser.get("/").body, "ape Unbound");
    assert_eq!(
        site.browser.get("/count").body,
        "1",
        "it is another session"
    );
}

/// The first step keeps something for the second, such as a token of the form.
fn a_user_who_lost_the_key_can_log_in_in_two_steps(framework: Framework) {
    let mut site = bound(framework, true);
    log_in(&mut site.browser, &Device::new(1));
    site.clock.pass(COOKIE_LIFE + COOKIE_LIFE / 10);
    let before = site.browser.jar.clone();
    assert_eq!(site.browser.get("/token").body, "Some(Unproven) None");
    assert_ne!(site.browser.jar.get("__Host-id"), before.get("__Host-id"));
    assert_eq!(site.browser.get("/token").body, "None Some(7)");
    assert_eq!(site.browser.get("/").body, "stranger NotOffered");
    assert_eq!(site.browser.get("/login").body, "None");
    assert_eq!(site.browser.get("/").body, "ape Unbound");
    // Only the paths of logins let such a request in.
    site.browser.jar = before;
    assert_eq!(site.browser.get("/login/").status, 403);
}

fn an_outage_ends_no_binding(framework: Framework) {
    let clock = Clock::starting_now();
    let backend = TestBackend::new(Arc::new(Memory::new()));
    let now = clock.clone();
    let options = ServerOptions::new()
        .binding(options(true))
        .clock(move || now.now());
    let store = ServerStore::with_options(fresh_codecs(), backend.clone(), options).unwrap();
    let mut browser = site(store).browse(framework);
    let known = log_in(&mut browser, &Device::new(1));
    let proof = Device::new(1).proof(&known.challenge);
    backend.is_down(true);
    let answer = refresh(&mut browser, &known.id, Some(&proof));
    assert_eq!(answer.status, 503);
    assert!(answer.set_cookies().is_empty() && answer.body.is_empty());
    backend.is_down(false);
    assert_eq!(refresh(&mut browser, &known.id, Some(&proof)).status, 200);
}

fn a_logout_removes_the_bound_cookie(framework: Framework) {
    let mut site = bound(framework, true);
    log_in(&mut site.browser, &Device::new(1));
    assert!(site.browser.jar.cookie().contains("__Host-id_bound="));
    site.browser.get("/logout");
    assert_eq!(site.browser.jar.cookie(), "");
}

fn endpoints_answer_only_same_origin_posts(framework: Framework) {
    let mut site = bound(framework, true);
    let known = log_in(&mut site.browser, &Device::new(1));
    for path in ["/session/registration", "/session/refresh"] {
        assert_eq!(site.browser.get(path).status, 405, "{path}");
    }
    let proof = Device::new(1).proof(&known.challenge);
    for (origin, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
    ] {
        let fields = [
            ("sec-fetch-site", origin),
            ("sec-secure-session-id", known.id.as_str()),
            ("secure-session-response", proof.as_str()),
        ];
        let answer = site.browser.post_with("/session/refresh", fields);
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[test]
fn a_binding_that_cannot_work_is_refused() {
    let server = |dialect: Dialect, cookie: CookieOptions, binding: BindingOptions| {
        let options = ServerOptions::new().cookie(cookie).binding(binding);
        ServerStore::with_options(dialect, Memory::new(), options).map(drop)
    };
    let path = |path: &str| BindingOptions::new(path);
    let in_cookies = store().binding(options(true)).map(drop);
    let two = |name: &str| {
        let options = ServerOptions::new()
            .cookie(CookieOptions::new().name(name).unwrap())
            .binding(options(false));
        ServerStore::with_options(fresh_codecs(), Memory::new(), options).unwrap()
    };
    let same_path = Stores::from(two("a")).and(two("b")).map(drop);
    let same_name = Stores::from(two("a")).and(
        CookieStore::with_options(
            fresh_codecs(),
            CookieOptions::new().name("a_bound").unwrap(),
            Lifetime::new(),
        )
        .unwrap(),
    );
    let refused: [Result<(), Error>; 14] = [
        in_cookies,
        same_path,
        same_name.map(drop),
        path("//host/session").map(drop),
        path("/a/../b").map(drop),
        server(
            fresh_codecs().into(),
            CookieOptions::new(),
            options(false).required(["login"]),
        ),
        path("session").map(drop),
        path("/a b").map(drop),
        path("/\"").map(drop),
        path("/session")
            .and_then(|of| of.exclude("static"))
            .map(drop),
        server(Dialect::scs().into(), CookieOptions::new(), options(false)),
        server(
            fresh_codecs().into(),
            CookieOptions::new()
                .name("id")
                .and_then(|of| of.domain("example.com"))
                .unwrap(),
            options(false),
        ),
        server(
            fresh_codecs().into(),
            CookieOptions::new()
                .name("id")
                .and_then(|of| of.path("/shop"))
                .unwrap(),
            options(false),
        ),
        server(
            fresh_codecs().into(),
            CookieOptions::new(),
            options(false).cookie_life(Duration::from_millis(999)),
        ),
    ];
    for (index, refused) in refused.into_iter().enumerate() {
        assert!(refused.is_err_and(|error| error.is_usage()), "{index}");
    }
    let insecure = CookieStore::with_options(
        fresh_codecs(),
        CookieOptions::new().insecure_http(),
        Lifetime::new(),
    );
    assert!(insecure.unwrap().binding(options(false)).is_ok());
}
