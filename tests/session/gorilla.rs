//! The tests of gorilla/sessions (v1.4.0: `sessions_test.go`, `store_test.go`, `cookie_test.go`),
//! as test cases for this crate.

use serde::{Deserialize, Serialize};
use silverback::codec::Codec;
use silverback::gob::Value;
use silverback::session::{CookieOptions, CookieStore, Lifetime, SameSite, Stores};

use super::site::{Framework, Site};
use super::support::{fresh_codecs, store, store_with};

for_each_framework!(
    flashes_are_shown_once,
    a_negative_max_age_deletes_the_cookie,
    max_age_works_as_in_gorilla,
    large_sessions_need_a_higher_limit
);

/// `FlashMessage` of `sessions_test.go`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "sessions.FlashMessage", rename_all = "PascalCase")]
struct FlashMessage {
    r#type: i64,
    message: String,
}

/// `TestFlashes`.
fn flashes_are_shown_once(framework: Framework) {
    let mut browser = Site::new(store())
        .on("/round-1", async |sessions| {
            let session = sessions.session().await?;
            assert_eq!(session.flashes::<String>()?, [""; 0]);
            session.add_flash("foo")?;
            session.add_flash("bar")?;
            session.add_flash_to("custom_key", "baz")?;
            Ok("")
        })
        .on("/round-2", async |sessions| {
            let session = sessions.session().await?;
            assert_eq!(session.flashes::<String>()?, ["foo", "bar"]);
            assert_eq!(session.flashes::<String>()?, [""; 0]);
            assert_eq!(session.flashes_from::<String>("custom_key")?, ["baz"]);
            assert_eq!(session.flashes_from::<String>("custom_key")?, [""; 0]);
            Ok("")
        })
        .on("/round-3", async |sessions| {
            let session = sessions.session().await?;
            assert_eq!(session.flashes::<String>()?, [""; 0]);
            let message = "foo".to_owned();
            session.add_flash(FlashMessage {
                r#type: 42,
                message,
            })?;
            Ok("")
        })
        .on("/round-4", async |sessions| {
            let session = sessions.session().await?;
            // gorilla removes a flash of any type; Silverback keeps it until it is read with its
            // own type.
            assert_eq!(session.flashes::<String>()?, [""; 0]);
            let message = "foo".to_owned();
            let expected = FlashMessage {
                r#type: 42,
                message,
            };
            assert_eq!(session.flashes::<FlashMessage>()?, [expected]);
            Ok("")
        })
        .on("/round-5", async |sessions| {
            // All calls in one request get the same session.
            sessions.session().await?.insert("test", "test-value")?;
            let again = sessions.clone().session().await?;
            assert_eq!(again.get::<String>("test")?.as_deref(), Some("test-value"));
            Ok("")
        })
        .browse(framework);
    for path in ["/round-1", "/round-2", "/round-3", "/round-4", "/round-5"] {
        let response = browser.get(path);
        assert_eq!(
            (response.status, response.set_cookies().len()),
            (200, 1),
            "{path}"
        );
    }
    // The name of a session is checked: "invalid character in cookie name".
    assert!(
        CookieOptions::new()
            .name("session:key")
            .unwrap_err()
            .is_usage()
    );
}

/// `TestGH8FilesystemStoreDelete`, of `MaxAge = -1`.
fn a_negative_max_age_deletes_the_cookie(framework: Framework) {
    let mut browser = Site::new(store())
        .on("/save", async |sessions| {
            let session = sessions.session().await?;
            session.insert("data", "hello-world")?;
            session.save().await?;
            Ok("")
        })
        .on("/delete", async |sessions| {
            let session = sessions.session().await?;
            session.save().await?;
            session.end()?;
            assert!(session.insert("data", 1).unwrap_err().is_closed());
            session.save().await?;
            Ok(session.contains("data"))
        })
        .browse(framework);
    assert_eq!(browser.get("/save").set_cookies().len(), 1);
    let deleted = browser.get("/delete");
    assert_eq!((&*deleted.body, deleted.set_cookies().len()), ("false", 1));
    assert!(deleted.set_cookies()[0].contains("; Max-Age=0; Expires=Thu, 01 Jan 1970"));
    assert_eq!(browser.jar.cookie(), "");
}

/// `Options.MaxAge` as gorilla defines it: 0 is a cookie without Max-Age, over 0 one with it.
fn max_age_works_as_in_gorilla(framework: Framework) {
    let save = |remembered| {
        move |sessions: silverback::session::Sessions| async move {
            let session = sessions.session().await?;
            session.insert("data", 1)?;
            session.remember(remembered)?;
            Ok("")
        }
    };
    let lifetime = Lifetime::new();
    let mut browser = Site::new(store_with(CookieOptions::new(), lifetime))
        .on("/zero", save(false))
        .on("/month", save(true))
        .browse(framework);
    assert!(!browser.get("/zero").set_cookies()[0].contains("Max-Age"));
    assert!(browser.get("/month").set_cookies()[0].ends_with("; Max-Age=2592000"));
    assert!(!browser.get("/zero").set_cookies()[0].contains("Max-Age"));
}

/// `TestGH2MaxLength`.
fn large_sessions_need_a_higher_limit(framework: Framework) {
    use silverback::codec::{CodecOptions, Codecs, KeyPair};
    let site = |max_length| {
        let options = CodecOptions::new().max_length(max_length);
        let codecs = Codecs::from_pairs_with([KeyPair::generate().unwrap()], &options).unwrap();
        Site::new(CookieStore::new(codecs).unwrap())
            .on("/save", async |sessions| {
                let session = sessions.session().await?;
                session.insert("big", vec![0_u8; 6_144])?;
                Ok("")
            })
            .browse(framework)
    };
    assert_eq!(site(4096).get("/save").status, 500);
    // Browsers keep 4096 bytes, so the error also occurs at 3 x 4096, and zero removes the limit.
    assert_eq!(site(3 * 4096).get("/save").status, 500);
    assert_eq!(site(0).get("/save").status, 200);
}

/// `TestNewCookieFromOptions`, for the cookies that a browser accepts.
#[test]
fn options_give_the_cookies_of_gorilla() {
    use silverback::session::testing::Jar;
    let full = || {
        let options = CookieOptions::new().name("foo").unwrap();
        options
            .path("/foo/bar")
            .unwrap()
            .domain("foo.example.com")
            .unwrap()
    };
    let cases = [
        (
            full().partitioned(),
            "Path=/foo/bar; Domain=foo.example.com; HttpOnly; Secure; SameSite=Lax; Partitioned",
        ),
        (
            full(),
            "Path=/foo/bar; Domain=foo.example.com; HttpOnly; Secure; SameSite=Lax",
        ),
        (
            full().readable_by_scripts(),
            "Path=/foo/bar; Domain=foo.example.com; Secure; SameSite=Lax",
        ),
        (
            full().insecure_http(),
            "Path=/foo/bar; Domain=foo.example.com; HttpOnly; SameSite=Lax",
        ),
        (
            full().same_site(SameSite::None),
            "Path=/foo/bar; Domain=foo.example.com; HttpOnly; Secure; SameSite=None",
        ),
        (
            CookieOptions::new().name("foo").unwrap(),
            "Path=/; HttpOnly; Secure; SameSite=Lax",
        ),
    ];
    for (options, expected) in cases {
        let stores = Stores::from(store_with(options, Lifetime::new()));
        let sessions = Jar::new().sessions(stores);
        let fields = super::site::RUNTIME.block_on(async {
            sessions.session().await?.insert("foo", "bar")?;
            sessions.finish().await
        });
        let fields = fields.unwrap().unwrap();
        let (pair, attributes) = fields.set_cookies()[0].split_once("; ").unwrap();
        assert!(pair.starts_with("foo="));
        assert_eq!(attributes, expected);
    }
    assert!(CookieOptions::new().name("").is_err());
    assert!(CookieOptions::new().path("").is_err());
}

/// The cookie is a gorilla session: a map of interfaces, with one string of Silverback in it.
#[test]
fn a_gorilla_program_finds_its_own_map() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap();
    let jar =
        super::site::RUNTIME.block_on(silverback::session::testing::Jar::with(store, |session| {
            session.insert_gob("visits", 7_isize)?;
            session.add_flash("hello")
        }));
    let jar = jar.unwrap();
    let payload = codecs
        .open("__Host-id", jar.get("__Host-id").unwrap())
        .unwrap();
    let Value::Composite(map) = Value::from_slice(payload.value()).unwrap() else {
        panic!("a session is a map");
    };
    let name = |key: &str| match map.get(key) {
        Some(Value::Interface(interface)) => interface.name().to_string_lossy().into_owned(),
        _ => String::new(),
    };
    assert_eq!(name("visits"), "int");
    assert_eq!(name("_flash"), "[]interface {}");
    assert_eq!(name("_session"), "string");
    assert_eq!(map.entries().count(), 3);
}
