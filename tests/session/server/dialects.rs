//! Stores that share their rows with Go programs: the lifetimes of sessions and cookies, and rows
//! of a Go program that are too long.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{GorillaFiles, Layout, Memory};
use silverback::codec::{Codec, CodecOptions, Codecs, KeyPair};
use silverback::compat::SessionManager;
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Lifetime, Refusal, ServerOptions, ServerStore, Session,
};

use crate::in_layout::InLayout;

use super::super::site::{Framework, Site};
use super::{ABSOLUTE, RUNTIME, Request, Server, count, jar_with, native, visit};

for_each_framework!(a_row_that_is_too_long_ends_no_session);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Returns a server with rows in the layout of a Go program, in memory.
fn go_rows(layout: Layout) -> Server {
    Server::over(Arc::new(InLayout::new(Memory::new(), layout)))
}

/// A folder of gorilla's `FilesystemStore`, which is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("dialects-{name}-{}", std::process::id());
        Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn server(&self) -> Server {
        Server::over(Arc::new(GorillaFiles::open(&self.0).unwrap()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> ServerOptions {
    let cookie = CookieOptions::new().name("session").unwrap();
    ServerOptions::new().cookie(cookie)
}

/// Returns the dialect of gorilla with the keys of that server.
fn gorilla(server: &Server) -> Dialect {
    Dialect::gorilla(server.codecs()).into()
}

/// Returns `None` if the response sets no cookie, and otherwise its Max-Age, if it has one.
fn max_age(set_cookies: &[String]) -> Option<Option<u64>> {
    let set_cookie = set_cookies.first()?;
    let mut parts = set_cookie.split("; ");
    let max_age = parts.find_map(|part| part.strip_prefix("Max-Age="));
    Some(max_age.map(|seconds| seconds.parse().unwrap()))
}

/// Runs a request, and returns the Max-Age of the cookie in its response.
async fn cookie_after(
    jar: &mut Jar,
    store: &ServerStore,
    handle: impl FnOnce(&Session),
) -> Option<Option<u64>> {
    let request = Request::of(jar, store).await;
    assert_eq!(request.session.refusal(), None);
    handle(&request.session);
    let set_cookies = request.finish().await.unwrap();
    for set_cookie in &set_cookies {
        jar.receive(set_cookie);
    }
    max_age(&set_cookies)
}

fn write(session: &Session) {
    count(session, "count").unwrap();
}

fn renew(session: &Session) {
    session.renew().unwrap();
}

fn only_read(_: &Session) {}

#[test]
fn persistent_cookies_last_as_long_as_their_sessions() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let cookie = CookieOptions::new().persistent(true);
        let store = server.store_with(ServerOptions::new().cookie(cookie.clone()));
        let mut jar = Jar::new();
        let new = cookie_after(&mut jar, &store, write).await;
        assert_eq!(new, Some(Some(ABSOLUTE)));
        assert_eq!(cookie_after(&mut jar, &store, write).await, None);
        server.clock.pass(10 * MINUTE);
        assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
        let renewed = cookie_after(&mut jar, &store, renew).await;
        assert_eq!(renewed, Some(Some(ABSOLUTE - 10 * MINUTE)));
        let ends = |session: &Session| {
            let deadline = server.clock.now().as_secs() + HOUR;
            let deadline = silverback::codec::UnixTime::from_secs(deadline);
            session.set_deadline(deadline).unwrap();
        };
        let sooner = cookie_after(&mut jar, &store, ends).await;
        assert_eq!(sooner, Some(Some(HOUR)));

        let in_cookies = CookieStore::with_options(server.codecs(), cookie, Lifetime::new());
        let sessions = jar.sessions(in_cookies.unwrap());
        sessions.session().await.unwrap().insert("a", 1).unwrap();
        let fields = sessions.finish().await.unwrap().unwrap();
        assert_eq!(max_age(fields.set_cookies()), Some(Some(ABSOLUTE)));
    });
}

/// A session without an absolute limit lasts as long as it is used, and so does its cookie.
#[test]
fn persistent_cookies_follow_sessions_that_last_as_long_as_they_are_used() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new()
            .idle(Duration::from_secs(HOUR))
            .without_absolute();
        let options = ServerOptions::new()
            .cookie(CookieOptions::new().persistent(true))
            .lifetime(lifetime);
        let store = server.store_with(options);
        let mut jar = Jar::new();
        let new = cookie_after(&mut jar, &store, write).await;
        assert_eq!(new, Some(Some(HOUR)));
        for _ in 0..3 {
            server.clock.pass(5 * MINUTE);
            assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
            server.clock.pass(MINUTE);
            let touched = cookie_after(&mut jar, &store, only_read).await;
            assert_eq!(touched, Some(Some(HOUR)));
        }
    });
}

/// Go's cookie ends with the row, so the cookie is set again when the row's expiry is extended.
#[test]
fn a_cookie_of_scs_is_set_again_when_its_row_lasts_longer() {
    RUNTIME.block_on(async {
        let server = go_rows(Layout::Scs);
        let lifetime = Lifetime::new()
            .idle(Duration::from_secs(20 * MINUTE))
            .absolute(Duration::from_secs(HOUR));
        let options = options().lifetime(lifetime);
        let store = server.store_of(Dialect::scs(), options.clone());
        let mut jar = Jar::new();
        let idle = Some(Some(20 * MINUTE));
        assert_eq!(cookie_after(&mut jar, &store, write).await, idle);
        server.clock.pass(MINUTE);
        assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
        assert_eq!(cookie_after(&mut jar, &store, write).await, idle);
        server.clock.pass(2 * MINUTE);
        assert_eq!(cookie_after(&mut jar, &store, only_read).await, idle);
        for left in [20, 20, 12] {
            server.clock.pass(15 * MINUTE);
            let touched = cookie_after(&mut jar, &store, only_read).await;
            assert_eq!(touched, Some(Some(left * MINUTE)));
        }
        // It ends with the hour, as the browser expects.
        server.clock.pass(2 * MINUTE);
        assert_eq!(cookie_after(&mut jar, &store, write).await, None);
        server.clock.pass(10 * MINUTE);
        let refusal = jar.session(store).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Expired));

        let cookie = CookieOptions::new().name("session").unwrap();
        let options = options.cookie(cookie.persistent(false));
        let store = server.store_of(Dialect::scs(), options);
        let mut jar = Jar::new();
        assert_eq!(cookie_after(&mut jar, &store, write).await, Some(None));
        server.clock.pass(10 * MINUTE);
        assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
    });
}

/// In scs, `RememberMe` applies only to the cookie.
#[test]
fn a_remembered_session_of_scs_lasts_no_longer() {
    RUNTIME.block_on(async {
        let server = go_rows(Layout::Scs);
        let cookie = CookieOptions::new().name("session").unwrap();
        let options = options().cookie(cookie.persistent(false));
        let store = server.store_of(Dialect::scs(), options);
        let mut jar = Jar::new();
        assert_eq!(cookie_after(&mut jar, &store, write).await, Some(None));
        let deadline = jar.session(store.clone()).await.unwrap().deadline();
        assert!(deadline.is_some());
        server.clock.pass(HOUR);
        for (remembered, expected) in [(true, Some(23 * HOUR)), (false, None)] {
            let remember = |session: &Session| {
                session.remember(remembered).unwrap();
                assert_eq!(session.deadline(), deadline);
            };
            let answer = cookie_after(&mut jar, &store, remember).await;
            assert_eq!(answer, Some(expected));
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.deadline(), deadline);
            let value: Option<bool> = session.get("__rememberMe").unwrap();
            assert_eq!(value, Some(remembered));
            assert_eq!(session.is_remembered(), remembered);
        }
    });
}

/// The session lasts 30 days from the last use, as far as the codec's limits allow. This also holds
/// if the row has a separate expiry, which a touch could move alone.
#[test]
fn a_session_of_gorilla_lasts_as_long_as_it_is_used() {
    RUNTIME.block_on(async {
        let folder = Folder::new("sliding");
        for server in [folder.server(), go_rows(Layout::Gorilla)] {
            // Go's default, with a max_age of 30 days.
            let codecs = Codecs::from_pairs([server.pair.clone()]).unwrap();
            let store = server.store_of(Dialect::gorilla(codecs.clone()), options());
            let month = Some(Some(30 * DAY));
            let mut jar = Jar::new();
            assert_eq!(cookie_after(&mut jar, &store, write).await, month);
            for handle in [write, only_read, only_read, renew, only_read] {
                server.clock.pass(29 * DAY);
                assert_eq!(cookie_after(&mut jar, &store, handle).await, month);
                let cookie = jar.get("session").unwrap();
                let opened = codecs.open_at("session", cookie, server.now()).unwrap();
                assert_eq!(opened.issued_at(), server.now());
            }
            server.clock.pass(2 * DAY);
            assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
            server.clock.pass(28 * DAY);
            assert!(jar.session(store).await.unwrap().refusal().is_some());
        }
    });
}

/// A cookie that is a bare ID has no date, but the row has one.
#[test]
fn a_session_of_dynastore_lasts_as_long_as_it_is_used() {
    RUNTIME.block_on(async {
        let server = go_rows(Layout::Gorilla);
        let codecs = Codecs::from_pairs([server.pair.clone()]).unwrap();
        let cookie = CookieOptions::new().name("session").unwrap();
        let options = options().cookie(cookie.persistent(false));
        let store = server.store_of(Dialect::dynastore(codecs), options);
        let mut jar = Jar::new();
        assert_eq!(cookie_after(&mut jar, &store, write).await, Some(None));
        for _ in 0..4 {
            server.clock.pass(29 * DAY);
            assert_eq!(cookie_after(&mut jar, &store, only_read).await, None);
        }
    });
}

/// The session manager has the Go package's own lifetime and persistence, and safe flags.
#[test]
fn the_session_manager_has_the_defaults_of_scs() {
    RUNTIME.block_on(async {
        let rows = || Arc::new(InLayout::new(Memory::new(), Layout::Scs));
        let set_cookie = async |manager: SessionManager| {
            let store = manager.store().unwrap();
            let request = Request::of(&Jar::new(), &store).await;
            write(&request.session);
            request.finish().await.unwrap().remove(0)
        };
        let flags = "; Path=/; HttpOnly; Secure; SameSite=Lax";
        let by_default = set_cookie(SessionManager::new(rows())).await;
        assert!(by_default.starts_with("session="), "{by_default}");
        assert!(
            by_default.ends_with(&format!("{flags}; Max-Age=86400")),
            "{by_default}"
        );
        let manager = SessionManager::new(rows())
            .lifetime(Duration::from_secs(7 * DAY))
            .idle_timeout(Duration::from_secs(HOUR));
        let idle = set_cookie(manager.clone()).await;
        assert!(idle.ends_with("; Max-Age=3600"), "{idle}");
        let forgets = CookieOptions::new().persistent(false);
        let forgets = set_cookie(manager.cookie(forgets)).await;
        assert!(forgets.ends_with(flags), "{forgets}");
        assert!(
            SessionManager::new(Arc::new(Memory::new()))
                .store()
                .is_err()
        );
    });
}

#[test]
fn a_row_codec_with_a_store_name_is_refused() {
    let server = Server::new();
    let rows = Codecs::from_pairs([KeyPair::generate().unwrap()]).unwrap();
    let named = Dialect::native(server.codecs()).store_name("shop");
    assert!(server.try_store_of(named.clone(), options()).is_ok());
    let refused = server.try_store_of(named.row_codec(rows), options());
    assert!(refused.unwrap_err().is_usage());
}

#[test]
fn a_session_in_a_cookie_lasts_as_long_as_it_is_used() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new()
            .idle(Duration::from_secs(30 * DAY))
            .without_absolute();
        let codecs = Codecs::from_pairs([server.pair.clone()]).unwrap();
        let store = CookieStore::with_options(codecs, CookieOptions::new(), lifetime).unwrap();
        let clock = server.clock.clone();
        let store = store.clock(move || clock.now());
        let mut jar = jar_with_cookie(&store).await;
        for _ in 0..4 {
            server.clock.pass(29 * DAY);
            let sessions = jar.sessions(store.clone());
            assert_eq!(sessions.session().await.unwrap().refusal(), None);
            let fields = sessions.finish().await.unwrap().unwrap();
            jar.receive(&fields.set_cookies()[0]);
        }
        server.clock.pass(30 * DAY);
        let refusal = jar.session(store).await.unwrap().refusal();
        assert!(matches!(refusal, Some(Refusal::Idle)), "{refusal:?}");
    });
}

async fn jar_with_cookie(store: &CookieStore) -> Jar {
    let jar = Jar::with(store.clone(), |session| session.insert("a", 1)).await;
    jar.unwrap()
}

/// Lifetimes that the options set are used, and the defaults are those of the Go package.
#[test]
fn a_dialect_has_the_lifetime_of_its_go_package() {
    RUNTIME.block_on(async {
        let folder = Folder::new("defaults");
        let scs = || go_rows(Layout::Scs);
        let (own, in_files) = (Server::new(), folder.server());
        let of_native = native(own.codecs()).into();
        let of_gorilla = gorilla(&in_files);
        let hashed = Dialect::scs().hash_token_in_store(true);
        for (server, dialect, deadline, expiry) in [
            (own, of_native, Some(ABSOLUTE), 30 * MINUTE),
            (in_files, of_gorilla, None, 0),
            (scs(), Dialect::scs().into(), Some(24 * HOUR), 24 * HOUR),
            (scs(), hashed.into(), Some(24 * HOUR), 24 * HOUR),
        ] {
            let store = server.store_of(dialect.clone(), options());
            let mut jar = Jar::new();
            visit(&mut jar, &store, write).await;
            let found = store.find_by_cookie(jar.get("session").unwrap()).await;
            let found = found.unwrap().found().unwrap();
            let left = |time: silverback::codec::UnixTime| {
                time.saturating_duration_since(server.now()).as_secs()
            };
            assert_eq!(found.deadline().map(left), deadline, "{dialect:?}");
            // A folder has no expiries.
            assert_eq!(found.expires().map_or(0, left), expiry, "{dialect:?}");
        }
    });
}

/// The client did not cause this, and Go can still read the row: the store returns an error, and no
/// new session.
fn a_row_that_is_too_long_ends_no_session(framework: Framework) {
    let folder = Folder::new(&format!("too-long-{framework:?}"));
    let server = folder.server();
    let codecs = |max_length| {
        let options = CodecOptions::new().max_length(max_length);
        Codecs::from_pairs_with([server.pair.clone()], &options).unwrap()
    };
    let (any, short) = (codecs(0), codecs(4096));
    let any = server.store_of(Dialect::gorilla(any), options());
    let short = server.store_of(Dialect::gorilla(short), options());
    let fill = |session: &Session| session.insert("long", "x".repeat(4096));
    let jar = RUNTIME.block_on(jar_with(&any, fill));
    let cookie = jar.get("session").unwrap().to_owned();

    let mut browser = Site::new(short.clone())
        .on("/write", async |sessions| {
            write(&sessions.session().await?);
            Ok("")
        })
        .browse(framework);
    browser.jar = jar;
    let response = browser.get("/write");
    assert_eq!((response.status, response.set_cookies()), (500, vec![]));
    assert_eq!(browser.jar.get("session"), Some(&*cookie));

    RUNTIME.block_on(async {
        let error = browser.jar.session(short.clone()).await.unwrap_err();
        assert!(error.is_too_large());
        let text = error.to_string();
        assert!(
            text.contains("4096") && text.contains("max_length"),
            "{text}"
        );
        let found = short.find_by_cookie(&cookie).await.unwrap();
        assert_eq!(found.into_result().err(), Some(Refusal::TooLong));
        let session = browser.jar.session(any).await.unwrap();
        assert_eq!(session.refusal(), None);
    });
}

/// Go's rows have no tombstones. The process that renewed a session remembers this for as long as a
/// request may take; another process cannot know it.
#[test]
fn the_process_that_renewed_a_session_recognizes_late_requests() {
    let folder = Folder::new("late");
    let in_files = folder.server();
    let of_gorilla = gorilla(&in_files);
    let of_scs = (go_rows(Layout::Scs), Dialect::scs().into());
    RUNTIME.block_on(async {
        for (server, dialect) in [(in_files, of_gorilla), of_scs] {
            let [own, elsewhere] = [(); 2].map(|()| server.store_of(dialect.clone(), options()));
            let old = jar_with(&own, |session| session.insert("count", 1)).await;
            let before = Request::of(&old, &own).await;
            let mut new = old.clone();
            visit(&mut new, &own, renew).await;

            let late = Request::of(&old, &own).await;
            assert_eq!(late.session.refusal(), Some(Refusal::Moved), "{dialect:?}");
            write(&late.session);
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
            // A request that loaded the session before the renewal can still save.
            write(&before.session);
            assert_eq!(before.finish().await.unwrap(), [""; 0]);
            let count = new.session(own.clone()).await.unwrap().get::<u64>("count");
            assert_eq!(count.unwrap(), Some(2), "{dialect:?}");

            // Another process at least removes no cookie.
            let late = Request::of(&old, &elsewhere).await;
            assert_eq!(late.session.refusal(), Some(Refusal::Gone));
            assert_eq!(late.finish().await.unwrap(), [""; 0]);

            // A grace lasts as long as configured, and less than a second more.
            let grace = options().renewal_grace(Duration::from_secs(5));
            let granting = server.store_of(dialect.clone(), grace);
            let before = jar_with(&granting, |session| session.login("ape")).await;
            visit(&mut before.clone(), &granting, renew).await;
            for (passed, owner) in [(5, Some("ape")), (1, None)] {
                server.clock.pass(passed);
                let late = Request::of(&before, &granting).await;
                assert_eq!(late.session.refusal(), Some(Refusal::Moved));
                assert_eq!(late.session.owner().as_deref(), owner, "{dialect:?}");
            }

            // A logout with the old ID ends the session.
            let late = Request::of(&old, &own).await;
            late.session.logout().unwrap();
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
            assert!(new.session(own.clone()).await.unwrap().is_new());
        }
    });
}

/// scs's `RenewToken` sets the deadline to the lifetime from now. In all other dialects, a renewal
/// keeps the limits.
#[test]
fn only_a_renewal_in_scs_restarts_the_limits() {
    RUNTIME.block_on(async {
        type Case = (Server, fn(&Server) -> Dialect, bool);
        let cases: [Case; 3] = [
            (go_rows(Layout::Scs), |_| Dialect::scs().into(), true),
            (go_rows(Layout::Gorilla), gorilla, false),
            (
                Server::new(),
                |server| native(server.codecs()).into(),
                false,
            ),
        ];
        for (server, dialect, restarts) in cases {
            let dialect = dialect(&server);
            let lifetime = Lifetime::new().absolute(Duration::from_secs(10 * HOUR));
            let store = server.store_of(dialect, options().lifetime(lifetime.without_idle()));
            let mut jar = jar_with(&store, |session| session.login("ape")).await;
            let (began, deadline) = (server.now(), server.now() + Duration::from_secs(10 * HOUR));
            server.clock.pass(HOUR);
            let max_age = cookie_after(&mut jar, &store, |session| {
                assert_eq!(session.deadline(), Some(deadline));
                session.renew().unwrap();
            });
            let max_age = max_age.await.unwrap();
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.authenticated_at(), Some(began));
            let restarted = deadline + Duration::from_secs(HOUR);
            match restarts {
                true => {
                    assert_eq!(session.deadline(), Some(restarted));
                    assert_eq!(max_age, Some(10 * HOUR));
                }
                false => assert_eq!(session.deadline(), Some(deadline)),
            }
        }
    });
}

/// A deadline that the program set does not outlast a renewal in scs, as in Go.
#[test]
fn a_renewal_in_scs_replaces_a_deadline() {
    RUNTIME.block_on(async {
        let server = go_rows(Layout::Scs);
        let store = server.store_of(Dialect::scs(), options());
        let soon = server.now() + Duration::from_secs(MINUTE);
        let mut jar = jar_with(&store, |session| session.set_deadline(soon)).await;
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        let session = jar.session(store.clone()).await.unwrap();
        let day = Duration::from_secs(DAY);
        assert_eq!(session.deadline(), Some(server.now() + day));
    });
}
