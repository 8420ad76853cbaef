//! Law 7: the lifetime of a session; law 1: clients that disconnect; and the options of a store.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Expiry};
use silverback::codec::{
    Codec, CodecOptions, Codecs, Error as CodecError, KeyPair, Opened, SecureCookie, UnixTime,
};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session,
};

use super::super::client::Browser;
use super::super::site::{Framework, Site};
use super::{ABSOLUTE, IDLE, RUNTIME, Request, Server, count, jar_with, read, visit};

for_each_framework!(
    law_1_a_save_completes_if_the_client_disconnects,
    law_7_the_idle_limit_counts_from_the_last_use,
    law_7_use_does_not_extend_the_absolute_limit,
    law_7_a_login_restarts_the_limits_and_a_renewal_does_not,
    law_7_remembered_sessions_have_their_own_limits,
);

const DAY: u64 = 86_400;

fn site(store: ServerStore) -> Site {
    type Change = fn(&Session) -> Result<(), Error>;
    let changes: [(&str, Change); 5] = [
        ("/count", |session| count(session, "count").map(drop)),
        ("/login", |session| session.login_keeping_values("ape")),
        ("/renew", |session| session.renew()),
        ("/remember", |session| session.remember(true)),
        ("/forget", |session| session.remember(false)),
    ];
    let site = Site::new(store).on("/read", async |sessions| {
        let session = sessions.session().await?;
        let refusal = session.refusal().map(|refusal| refusal.to_string());
        Ok(refusal.unwrap_or_else(|| session.keys().concat()))
    });
    changes.into_iter().fold(site, |site, (path, change)| {
        site.on(path, move |sessions| async move {
            change(&sessions.session().await?)?;
            Ok("")
        })
    })
}

fn browse(server: &Server, framework: Framework) -> Browser {
    let lifetime = Lifetime::new();
    site(server.store_with(ServerOptions::new().lifetime(lifetime))).browse(framework)
}

const IDLE_FOR_TOO_LONG: &str = "idle for too long";

fn law_7_the_idle_limit_counts_from_the_last_use(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    browser.get("/count");
    for _ in 0..5 {
        server.clock.pass(IDLE - 1);
        assert_eq!(browser.get("/read").body, "count");
    }
    let mut other = browser.clone();
    server.clock.pass(IDLE);
    assert_eq!(browser.get("/read").body, IDLE_FOR_TOO_LONG);
    // A write does not restore it.
    browser.get("/count");
    assert_eq!(other.get("/read").body, IDLE_FOR_TOO_LONG);
}

fn law_7_use_does_not_extend_the_absolute_limit(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    browser.get("/count");
    let step = IDLE / 2;
    for passed in (step..ABSOLUTE).step_by(usize::try_from(step).unwrap()) {
        server.clock.pass(step);
        let path = ["/read", "/count", "/renew"][usize::try_from(passed / step % 3).unwrap()];
        assert_eq!(browser.get(path).status, 200);
        assert_eq!(browser.get("/read").body, "count", "{passed}");
    }
    server.clock.pass(step);
    assert_eq!(browser.get("/read").body, "expired");
}

fn law_7_a_login_restarts_the_limits_and_a_renewal_does_not(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    for path in ["/renew", "/login"] {
        browser.get("/remember");
        browser.get("/forget");
        browser.get("/count");
        for _ in 0..ABSOLUTE / IDLE {
            server.clock.pass(IDLE - 1);
            assert_eq!(browser.get("/read").body, "count");
        }
        browser.get(path);
        server.clock.pass(ABSOLUTE / IDLE);
        let expected = match path {
            "/renew" => "expired",
            _ => "count",
        };
        assert_eq!(browser.get("/read").body, expected);
    }
}

fn law_7_remembered_sessions_have_their_own_limits(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    browser.get("/count");
    browser.get("/remember");
    server.clock.pass(14 * DAY - 1);
    assert_eq!(browser.get("/read").body, "count");
    let mut idle = browser.clone();
    server.clock.pass(14 * DAY - 1);
    assert_eq!(browser.get("/read").body, "count");
    server.clock.pass(2 * DAY + 2);
    assert_eq!(browser.get("/read").body, "expired");
    assert_eq!(idle.get("/read").body, "expired");
    // Without `remember`, it expires at once.
    let mut browser = browser.another();
    browser.get("/count");
    browser.get("/remember");
    server.clock.pass(DAY);
    browser.get("/forget");
    assert_ne!(browser.get("/read").body, "count");
}

#[test]
fn law_7_a_touch_never_passes_the_deadline() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let begin = server.now().as_secs();
        let deadline = begin + 2 * IDLE;
        let mut jar = jar_with(&store, |session| {
            session.set_deadline(UnixTime::from_secs(begin + 2 * IDLE))
        })
        .await;
        let expiry = async |jar: &Jar| {
            let (_, stored) = server.row(jar, &store).await;
            u64::try_from(stored.record.expiry().as_millis() / 1_000).unwrap()
        };
        assert_eq!(expiry(&jar).await, begin + IDLE);
        for passed in [600, 1_200, 1_800, 2_400, 3_000, 3_599] {
            let now = server.now().as_secs();
            server.clock.pass(begin + passed - now);
            visit(&mut jar, &store, |_| ()).await;
            assert_eq!(expiry(&jar).await, deadline.min(begin + passed + IDLE));
        }
        visit(&mut jar, &store, |session| session.insert("a", 1).unwrap()).await;
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        assert_eq!(expiry(&jar).await, deadline);
        server.clock.pass(1);
        let refusal = jar.session(store.clone()).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Expired));
    });
}

#[test]
fn law_7_a_record_that_expired_in_the_server_is_gone() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        let (key, stored) = server.row(&jar, &store).await;
        let touched = server.backend.touch(&key, &stored.revision, Expiry::now());
        touched.await.unwrap().done().unwrap();
        let refusal = jar.session(store.clone()).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Gone));
        request.session.insert("late", 1).unwrap();
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
    });
}

#[test]
fn law_4_a_tombstone_is_kept_as_long_as_a_request_takes() {
    RUNTIME.block_on(async {
        let server = Server::new();
        for seconds in [60, 300] {
            let options = ServerOptions::new().longest_request(Duration::from_secs(seconds));
            let store = server.store_with(options);
            let jar = jar_with(&store, |session| session.login("ape")).await;
            let (key, _) = server.row(&jar, &store).await;
            visit(&mut jar.clone(), &store, |session| session.end().unwrap()).await;
            let record = server.backend.load(&key).await.unwrap().unwrap().record;
            // The clock's second may be almost over.
            let until = server.now().as_secs() + seconds + 1;
            let until = Expiry::from_millis(i64::try_from(until).unwrap() * 1_000);
            assert_eq!((record.expiry(), record.owner()), (until, None));
        }
    });
}

/// Requests end at any moment within a second of the store's clock.
#[test]
fn law_4_no_tombstone_expires_before_the_longest_request_has_passed() {
    RUNTIME.block_on(async {
        for longest in [Duration::from_secs(1), Duration::from_millis(1_500)] {
            let server = Server::new();
            let options = ServerOptions::new().longest_request(longest);
            let backend = Arc::new(server.backend.clone());
            let store = ServerStore::with_options(server.codecs(), backend, options).unwrap();
            let (mut short, tries) = (0, 24);
            for _ in 0..tries {
                let mut jar = jar_with(&store, |session| session.login("ape")).await;
                let (key, _) = server.row(&jar, &store).await;
                let least = Expiry::after(longest);
                visit(&mut jar, &store, |session| session.end().unwrap()).await;
                let tombstone = server.backend.load(&key).await.unwrap().unwrap().record;
                short += u32::from(tombstone.expiry() < least);
                std::thread::sleep(Duration::from_millis(43));
            }
            assert_eq!(short, 0, "of {tries} tombstones expired too early");
        }
    });
}

fn law_1_a_save_completes_if_the_client_disconnects(framework: Framework) {
    let server = Server::new();
    let store = server.store();
    let jar = RUNTIME.block_on(jar_with(&store, |session| session.insert("a", 1)));
    let address = Site::new(store.clone())
        .on("/both", async |sessions| {
            let session = sessions.session().await?;
            session.insert("a", 2)?;
            session.insert("b", 2)?;
            Ok("")
        })
        .serve(framework);
    // The calls are a load and a swap.
    let gate = server.backend.waits_at(1);
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /both HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n",
        jar.cookie()
    );
    connection.write_all(request.as_bytes()).unwrap();
    RUNTIME.block_on(async {
        gate.is_reached().await;
        drop(connection);
        // The server may or may not notice the disconnect.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let drained = tokio::time::timeout(Duration::from_millis(20), store.drain());
        assert!(drained.await.is_err(), "the drain waits");
        gate.open();
        store.drain().await;
        assert_eq!(read(&jar, &store, ["a", "b"]).await, Some([Some(2); 2]));
    });
}

#[test]
fn law_1_a_request_dropped_during_its_save_saves_all() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        for call in 0..2 {
            let jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let request = Request::of(&jar, &store).await;
            request.session.insert("b", 1).unwrap();
            request.session.renew().unwrap();
            let session = request.session.clone();
            let gate = server.backend.waits_at(call);
            let finished = tokio::spawn(async move { request.finish().await });
            gate.is_reached().await;
            finished.abort();
            assert!(finished.await.unwrap_err().is_cancelled());
            gate.open();
            store.drain().await;
            assert_eq!(
                read(&jar, &store, []).await,
                None,
                "the session was renewed"
            );
            assert!(session.id().is_some());
        }
        // After a drain, the store still saves.
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        assert!(read(&jar, &store, []).await.is_some());
    });
}

/// A codec that does not name its keys.
struct KeylessCodec(Codecs);

impl Codec for KeylessCodec {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), CodecError> {
        self.0.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, CodecError> {
        self.0.open_into(name, cookie, now, out)
    }
}

#[test]
fn incompatible_options_build_no_store() {
    let server = Server::new();
    let build = |options| {
        let backend = std::sync::Arc::new(server.backend.clone());
        ServerStore::with_options(server.codecs(), backend, options).map(drop)
    };
    assert!(build(ServerOptions::new()).is_ok());
    let refused = [
        ServerOptions::new().cookie(CookieOptions::new().path("/a").unwrap()),
        ServerOptions::new().cookie(CookieOptions::new().domain("example.com").unwrap()),
        ServerOptions::new().lifetime(Lifetime::new().idle(Duration::ZERO)),
        ServerOptions::new().lifetime(Lifetime::new().absolute(Duration::from_millis(1_500))),
        ServerOptions::new().save_timeout(Duration::ZERO),
        ServerOptions::new().max_concurrent_saves(0),
    ];
    for options in refused {
        assert!(build(options).unwrap_err().is_usage());
    }
}

#[test]
fn a_codec_incompatible_with_the_lifetime_builds_no_store() {
    let server = Server::new();
    let build = |options: &CodecOptions| {
        let backend = std::sync::Arc::new(server.backend.clone());
        let codec = SecureCookie::with_options(server.pair.clone(), options).unwrap();
        ServerStore::new(codec, backend).map(drop)
    };
    let seconds = Duration::from_secs;
    // A remembered session lasts longest.
    let longest = 30 * 24 * 60 * 60;
    assert!(build(&CodecOptions::new().max_age(seconds(longest))).is_ok());
    for options in [
        CodecOptions::new().max_age(seconds(longest - 1)),
        CodecOptions::new().min_age(seconds(1)),
    ] {
        assert!(build(&options).unwrap_err().is_usage());
    }
}

#[test]
fn a_codec_without_named_keys_requires_a_row_codec() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let backend = std::sync::Arc::new(server.backend.clone());
        let nameless = silverback::session::Dialect::native(KeylessCodec(server.codecs()));
        let build = |dialect| ServerStore::new(dialect, backend.clone());
        assert!(build(nameless.clone()).unwrap_err().is_usage());
        let rows = super::super::support::codecs([KeyPair::generate().unwrap()]);
        let store = build(nameless.row_codec(rows)).unwrap();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        assert_eq!(read(&jar, &store, ["a"]).await, Some([Some(1)]));
    });
}

/// Sessions that began under longer limits.
#[test]
fn law_7_shortened_limits_apply_to_existing_sessions() {
    RUNTIME.block_on(async {
        let long = Duration::from_secs(14 * DAY);
        let (remembering, idling) = (
            Lifetime::new(),
            Lifetime::nist_aal2().idle(long).absolute(2 * long),
        );
        for before in [remembering, idling] {
            let server = Server::new();
            let shorter = ServerOptions::new().lifetime(Lifetime::nist_aal2());
            let longer = server.store_with(ServerOptions::new().lifetime(before));
            let jar = jar_with(&longer, |session| {
                session.login("ape")?;
                // Only one of the stores remembers sessions.
                let _ = session.remember(true);
                Ok(())
            })
            .await;
            server.clock.pass(IDLE);
            let shorter = server.store_with(shorter);
            let refusal = jar.session(shorter).await.unwrap().refusal();
            assert_eq!(refusal, Some(Refusal::Idle));
        }
    });
}

/// A folder of gorilla's has no expiries.
#[test]
fn law_7_the_idle_limit_applies_to_rows_without_expiry() {
    RUNTIME.block_on(async {
        let folder = format!("gorilla-idle-{}", std::process::id());
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let server = Server::over(std::sync::Arc::new(
            silverback::backend::GorillaFiles::open(&folder).unwrap(),
        ));
        let cookie = CookieOptions::new().name("session").unwrap();
        let options = ServerOptions::new()
            .cookie(cookie)
            .lifetime(Lifetime::new());
        let dialect = silverback::session::Dialect::gorilla(server.codecs());
        let store = server.store_of(dialect, options);
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        server.clock.pass(IDLE - 1);
        assert_eq!(read(&jar, &store, ["a"]).await, Some([Some(1)]));
        server.clock.pass(1);
        let refusal = jar.session(store.clone()).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Idle));
        std::fs::remove_dir_all(folder).unwrap();
    });
}
