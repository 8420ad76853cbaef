//! Nested layers: exactly one layer loads and saves each session, in every order.

use silverback::session::{CookieOptions, CookieStore, Error, Sessions, Stores};

use super::client::Browser;
use super::site::{Framework, Site};
use super::support::{fresh_codecs, store};

for_each_framework!(
    layers_compose_in_every_order,
    layers_without_common_names_compose,
    the_layer_that_gets_an_error_answers_it,
    the_default_session_is_that_of_the_innermost_layer,
    planted_cookies_are_removed_for_each_answering_layer,
);

#[test]
fn a_passive_request_is_passive_in_inner_layers_too() {
    use silverback::session::Lifetime;
    super::site::RUNTIME.block_on(async {
        let clock = super::support::Clock::new();
        let [outer, inner] = ["users", "cart"].map(|name| {
            let options = CookieOptions::new().name(name).unwrap();
            let store = CookieStore::with_options(fresh_codecs(), options, Lifetime::new());
            clock.of(store.unwrap())
        });
        let jar = silverback::session::testing::Jar::with(inner.clone(), |session| {
            session.insert("n", 1)
        });
        let jar = jar.await.unwrap();
        clock.pass(20 * 60);
        for (is_passive, cookies) in [(true, 0), (false, 1)] {
            let outer = jar.sessions(outer.clone());
            if is_passive {
                outer.passive();
            }
            let within = outer.within(&inner.clone().into());
            within.get("cart").await.unwrap();
            let fields = within.finish().await.unwrap().unwrap();
            assert_eq!(fields.set_cookies().len(), cookies);
        }
    });
}

const NAMES: [&str; 3] = ["users", "cart", "seen"];

fn store_of(name: &str) -> CookieStore {
    let options = CookieOptions::new().name(name).unwrap();
    CookieStore::with_options(fresh_codecs(), options, Default::default()).unwrap()
}

/// Returns a site with these layers, the outermost first. The stores are the same in each of them.
fn layered(layers: &[Stores]) -> Site {
    let (outermost, within) = layers.split_first().unwrap();
    let site = Site::new(outermost.clone());
    within.iter().cloned().fold(site, Site::with_layer_within)
}

/// Adds pages that write to all sessions, or read all.
fn pages(site: Site) -> Site {
    async fn describe(sessions: Sessions) -> Result<String, Error> {
        let mut all = Vec::new();
        for name in NAMES {
            let session = sessions.get(name).await?;
            let owner = session.owner().unwrap_or_else(|| "anonymous".to_owned());
            all.push(format!("{owner} {}", session.get::<u8>("n")?.unwrap_or(0)));
        }
        Ok(all.join(", "))
    }
    site.on("/login", async |sessions| {
        for name in NAMES {
            let session = sessions.get(name).await?;
            session.login(name)?;
            session.insert("n", 1)?;
        }
        Ok("")
    })
    .on("/count", async |sessions| {
        for name in NAMES {
            let session = sessions.get(name).await?;
            session.update("n", |n: &mut u8| *n += 1)?;
        }
        Ok("")
    })
    .on("/logout", async |sessions| {
        sessions.get("users").await?.logout()?;
        Ok("")
    })
    .on("/look", describe)
}

fn check(mut browser: Browser, order: &str) {
    let names = |browser: &Browser| {
        let cookies = browser.jar.cookie();
        let mut names: Vec<String> = cookies
            .split("; ")
            .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()))
            .collect();
        names.sort();
        names
    };
    assert_eq!(browser.get("/login").set_cookies().len(), 3, "{order}");
    assert_eq!(names(&browser), ["cart", "seen", "users"]);
    assert_eq!(
        browser.get("/look").body,
        "users 1, cart 1, seen 1",
        "{order}"
    );
    assert_eq!(browser.get("/count").set_cookies().len(), 3, "{order}");
    let looked = browser.get("/look");
    assert_eq!(looked.body, "users 2, cart 2, seen 2", "{order}");
    assert_eq!(looked.cache_control(), ["private, no-cache"]);
    assert_eq!(looked.all("vary"), ["Cookie"]);
    assert_eq!(browser.get("/logout").set_cookies().len(), 1, "{order}");
    assert_eq!(names(&browser), ["cart", "seen"]);
    assert_eq!(
        browser.get("/look").body,
        "anonymous 0, cart 2, seen 2",
        "{order}"
    );
}

fn layers_compose_in_every_order(framework: Framework) {
    let [users, cart, seen] = NAMES.map(|name| Stores::from(store_of(name)));
    let two = users.clone().and(cart.clone()).unwrap();
    let three = two.clone().and(seen).unwrap();
    let layers = [&users, &two, &three];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let layers = order.map(|place| layers[place].clone());
        let browser = pages(layered(&layers)).browse(framework);
        check(browser, &format!("{order:?}"));
    }
}

fn layers_without_common_names_compose(framework: Framework) {
    let layers = NAMES.map(|name| Stores::from(store_of(name)));
    check(pages(layered(&layers)).browse(framework), "apart");
}

fn the_default_session_is_that_of_the_innermost_layer(framework: Framework) {
    let [users, cart, _] = NAMES.map(|name| Stores::from(store_of(name)));
    let both = users.clone().and(cart.clone()).unwrap();
    for (layers, expected) in [
        ([both.clone(), cart.clone()], "cart"),
        ([both.clone(), users.clone()], "users"),
        ([cart, both], "users"),
    ] {
        let name = async |sessions: Sessions| Ok(sessions.session().await?.name().to_owned());
        let mut browser = layered(&layers).on("/", name).browse(framework);
        assert_eq!(browser.get("/").body, expected);
    }
}

/// No layer saves a session then.
fn the_layer_that_gets_an_error_answers_it(framework: Framework) {
    let inner = store_of("cart");
    let mut browser = Site::new(store())
        .with_layer_within(inner.clone())
        .with_layer_within(inner)
        .on("/login", async |sessions| {
            sessions.get("__Host-id").await?.login("ape")?;
            Ok("")
        })
        .on("/who", async |sessions| {
            let owner = sessions.get("__Host-id").await?.owner();
            Ok(owner.unwrap_or_default())
        })
        .on("/fails", async |sessions| {
            sessions.get("__Host-id").await?.logout()?;
            let cart = sessions.session().await?;
            cart.insert("a", 1)?;
            cart.get::<String>("a").map(Option::unwrap_or_default)
        })
        .on("/too-large", async |sessions| {
            sessions.get("__Host-id").await?.logout()?;
            sessions.session().await?.insert("a", "x".repeat(5_000))?;
            Ok("")
        })
        .error_page("sorry")
        .browse(framework);
    assert_eq!(browser.get("/login").set_cookies().len(), 1);
    for path in ["/fails", "/too-large"] {
        let failed = browser.get(path);
        assert_eq!(
            (failed.status, &*failed.body, failed.set_cookies().len()),
            (500, "sorry", 0),
            "{path}"
        );
        assert_eq!(browser.get("/who").body, "ape", "{path}");
    }
}

/// Each name has two valid cookies, and each layer removes the planted cookies of its own names.
fn planted_cookies_are_removed_for_each_answering_layer(framework: Framework) {
    let layers = NAMES.map(|name| Stores::from(store_of(name)));
    let site = pages(layered(&layers)).on("/error", async |sessions| {
        for name in NAMES {
            sessions.get(name).await?;
        }
        Err::<&str, _>(Error::unavailable("a test"))
    });
    let browser = site.browse(framework);
    let (mut one, mut other) = (browser.another(), browser.another());
    one.get("/login");
    other.get("/login");
    let both = format!("{}; {}", one.jar.cookie(), other.jar.cookie());
    for (path, status, asked) in [
        ("/look", 200, &NAMES[..]),
        ("/count", 200, &NAMES),
        ("/error", 503, &NAMES),
        ("/logout", 409, &["users"]),
    ] {
        let response = browser.get_with(path, [("Cookie", &*both), ("Host", "a.example.com")]);
        assert_eq!(response.status, status, "{path}");
        for name in asked {
            let of_name = response.set_cookies().into_iter();
            let of_name: Vec<&str> = of_name.filter(|text| text.starts_with(*name)).collect();
            let whole = format!("{name}=; Path={path}; Domain=example.com; Secure; Max-Age=0");
            assert!(of_name.contains(&&*whole), "{path}: {of_name:?}");
            // The application's own scope.
            let own = format!("{name}=; Path=/; Secure; Max-Age=0");
            assert!(!of_name.contains(&&*own), "{path}: {of_name:?}");
        }
    }
}
