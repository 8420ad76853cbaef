//! `CookieOptions` to and from cookies of the crate `cookie`: nothing is dropped.

use cookie::time::Duration;
use cookie::{Cookie, CookieBuilder};
use proptest::prelude::*;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieOptions, CookieStore, Lifetime, SameSite, testing::Jar};

fn to_cookie(options: &CookieOptions) -> Result<Cookie<'static>, silverback::session::Error> {
    CookieBuilder::try_from(options).map(CookieBuilder::build)
}

fn any_same_site() -> impl Strategy<Value = SameSite> {
    prop_oneof![
        Just(SameSite::Strict),
        Just(SameSite::Lax),
        Just(SameSite::None)
    ]
}

/// Any options that a cookie can express, and some that do not fit together.
fn any_options() -> impl Strategy<Value = CookieOptions> {
    let names = ["sid", "__Host-id", "__Secure-id", "__Http-id", "__HOST-id"];
    let name = proptest::sample::select(names.to_vec());
    let path = prop_oneof![Just("/".to_owned()), "/[a-z]{1,5}"];
    let domain = proptest::option::of("[a-z]{1,5}\\.example");
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (name, path, domain, any_same_site(), flags).prop_map(
        |(name, path, domain, same_site, flags)| {
            let (secure, http_only, partitioned) = flags;
            let mut options = CookieOptions::new();
            if !secure {
                options = options.insecure_http_everywhere();
            }
            if !http_only {
                options = options.readable_by_scripts();
            }
            if partitioned {
                options = options.partitioned();
            }
            if let Some(domain) = domain {
                options = options.domain(domain).unwrap();
            }
            options
                .name(name)
                .unwrap()
                .path(path)
                .unwrap()
                .same_site(same_site)
        },
    )
}

/// Returns the attributes of a Set-Cookie field, sorted.
fn attributes(set_cookie: &str) -> Vec<String> {
    let mut attributes: Vec<String> = set_cookie.split("; ").skip(1).map(str::to_owned).collect();
    attributes.sort();
    attributes
}

/// Returns the Set-Cookie field of a session with these options.
fn set_by_a_session(options: CookieOptions) -> Result<String, silverback::session::Error> {
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
    let store = CookieStore::with_options(codecs, options, Lifetime::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sessions = Jar::new().sessions(store);
        sessions.session().await?.insert("a", 1)?;
        let fields = sessions.finish().await?.unwrap();
        Ok(fields.set_cookies()[0].clone())
    })
}

#[test]
fn a_cookie_has_exactly_the_attributes_of_a_session() {
    let converted = std::cell::Cell::new(0);
    proptest!(|(options in any_options())| {
        match (to_cookie(&options), set_by_a_session(options.clone())) {
            (Ok(cookie), Ok(set_cookie)) => {
                prop_assert_eq!(attributes(&cookie.to_string()), attributes(&set_cookie));
                prop_assert!(set_cookie.split('=').next() == Some(cookie.name()));
                prop_assert_eq!(CookieOptions::try_from(&cookie).unwrap(), options);
                converted.set(converted.get() + 1);
            }
            (Err(error), Err(other)) => {
                prop_assert!(error.is_usage());
                prop_assert_eq!(error.to_string(), other.to_string());
            }
            (cookie, session) => prop_assert!(false, "{cookie:?} {session:?}"),
        }
    });
    assert!(
        converted.get() > 30,
        "only {} options fitted together",
        converted.get()
    );
}

#[test]
fn options_that_no_cookie_has_are_refused() {
    let sid = || CookieOptions::new().name("sid").unwrap();
    for (options, reason) in [
        (CookieOptions::new().insecure_http(), "insecure_http"),
        (sid().former_scope("/old", None).unwrap(), "former_scope"),
        (sid().remove_not_valid(), "remove_not_valid"),
        (sid().persistent(true), "persistent"),
        (
            sid().insecure_http_everywhere().partitioned(),
            "Partitioned",
        ),
    ] {
        let error = to_cookie(&options).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains(reason),
            "{error}"
        );
    }
    assert!(to_cookie(&sid().persistent(false)).is_ok());
}

#[test]
fn attributes_that_no_options_have_are_refused() {
    let sid = || {
        Cookie::build("sid")
            .path("/")
            .secure(true)
            .same_site(cookie::SameSite::Lax)
    };
    assert!(CookieOptions::try_from(&sid().build()).is_ok());
    let with_value = Cookie::build(("sid", "ape"))
        .path("/")
        .same_site(cookie::SameSite::Lax);
    let session = Cookie::build("sid")
        .path("/")
        .same_site(cookie::SameSite::Lax)
        .expires(None);
    assert!(
        CookieOptions::try_from(&session.build()).is_ok(),
        "it has no Expires"
    );
    for (cookie, reason) in [
        (with_value, "value"),
        (sid().max_age(Duration::hours(1)), "Max-Age"),
        (
            sid().expires(cookie::time::OffsetDateTime::UNIX_EPOCH),
            "Expires",
        ),
        (
            Cookie::build("sid").same_site(cookie::SameSite::Lax),
            "no Path",
        ),
        (Cookie::build("sid").path("/"), "no SameSite"),
        (sid().path("relative"), "path must begin"),
        (sid().domain("com"), "domain must be"),
        (
            sid().same_site(cookie::SameSite::None).secure(false),
            "SameSite=None needs Secure",
        ),
        (
            Cookie::build("a b")
                .path("/")
                .same_site(cookie::SameSite::Lax),
            "token",
        ),
        (
            Cookie::build("__Host-id")
                .path("/")
                .same_site(cookie::SameSite::Lax),
            "Secure",
        ),
    ] {
        let cookie = cookie.build();
        let error = CookieOptions::try_from(&cookie).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains(reason),
            "{cookie}: {error}"
        );
    }
}

/// The crate `cookie` writes Secure in these cases even if it was not set.
#[test]
fn secure_that_is_implied_is_secure() {
    let none = || {
        Cookie::build("sid")
            .path("/")
            .same_site(cookie::SameSite::None)
    };
    let partitioned = none().secure(false).partitioned(true);
    for cookie in [none(), partitioned] {
        let cookie = cookie.build();
        assert!(cookie.to_string().contains("; Secure"));
        let options = CookieOptions::try_from(&cookie).unwrap();
        let again = to_cookie(&options).unwrap();
        assert_eq!(
            attributes(&again.to_string()),
            attributes(&cookie.to_string())
        );
    }
}
