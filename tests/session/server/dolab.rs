//! Sessions of dolab/session: the way from its forgeable cookie to ours, which is closed behind the
//! client.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Expiry, Key, Layout, Memory, Record};
use silverback::codec::Codec;
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Dialect, DolabDialect, Error, Lifetime, Refusal, ServerOptions, ServerStore,
    Session,
};

use crate::dolab_cookie::forge;
use crate::in_layout::InLayout;

use super::{COOKIE, IDLE, RUNTIME, Request, Server, visit};

const OLD: &str = "gosession";
const SECRET: &str = "the Go program's secret";
pub(super) const ID: &str = "0123456789abcdef0123456789abcdef";
const OTHER_ID: &str = "fedcba9876543210fedcba9876543210";

/// The removal of the old cookie.
const REMOVAL: &str = "gosession=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
                       Expires=Thu, 01 Jan 1970 00:00:00 GMT";

pub(super) fn server() -> Server {
    Server::over(Arc::new(InLayout::new(Memory::new(), Layout::Dolab)))
}

fn dialect(server: &Server) -> DolabDialect {
    Dialect::dolab(server.codecs()).legacy_cookie(OLD, SECRET)
}

pub(super) fn store(server: &Server) -> ServerStore {
    server.store_of(dialect(server), ServerOptions::new())
}

fn key(id: &str) -> Key {
    Key::new(id).unwrap()
}

/// Writes a row as Go does: without an expiry.
pub(super) async fn put(server: &Server, id: &str, row: &str) {
    if let Some(stored) = server.backend.load(&key(id)).await.unwrap() {
        let removed = server.backend.remove(&key(id), &stored.revision).await;
        removed.unwrap().done().unwrap();
    }
    let record = Record::new(row, Expiry::NEVER);
    let created = server.backend.create(&key(id), &record).await.unwrap();
    created.saved().unwrap();
}

async fn row(server: &Server, id: &str) -> Option<Record> {
    let stored = server.backend.load(&key(id)).await.unwrap();
    stored.map(|stored| stored.record)
}

/// Returns a jar with the old cookie of a session.
pub(super) fn old_jar(id: &str) -> Jar {
    dated_jar(id, 1_700_000_000)
}

fn dated_jar(id: &str, ctime: i64) -> Jar {
    let mut jar = Jar::new();
    jar.set(OLD, &forge(OLD, SECRET, id, ctime));
    jar
}

/// Returns the ID in our cookie.
fn id_in(server: &Server, jar: &Jar) -> String {
    server
        .codecs()
        .decode(COOKIE, jar.get(COOKIE).unwrap())
        .unwrap()
}

fn name(session: &Session) -> Option<String> {
    session.get("name").unwrap()
}

fn removes_old(set_cookies: &[String]) -> bool {
    set_cookies.iter().any(|field| field == REMOVAL)
}

fn sets_own(set_cookies: &[String]) -> bool {
    set_cookies
        .iter()
        .any(|field| field.starts_with(&format!("{COOKIE}=")) && !field.contains("Max-Age=0"))
}

#[test]
fn an_old_cookie_without_a_row_opens_nothing_and_is_not_adopted() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        let mut jar = old_jar(ID);
        let request = Request::of(&jar, &store).await;
        assert_eq!(request.session.refusal(), Some(Refusal::Gone));
        assert!(request.session.is_new());
        assert_eq!(request.finish().await.unwrap(), [""; 0]);

        let request = Request::of(&jar, &store).await;
        request.session.insert("name", "Koko").unwrap();
        let set_cookies = request.finish().await.unwrap();
        assert!(sets_own(&set_cookies) && removes_old(&set_cookies));
        request.finish_into(&mut jar).await;
        assert_ne!(id_in(&server, &jar), ID);
        assert_eq!(row(&server, ID).await, None);
    });
}

/// Whatever the date in the cookie is, it proves nothing.
#[test]
fn an_old_cookie_opens_a_row_of_go_without_a_login() {
    RUNTIME.block_on(async {
        for ctime in [0, 1_700_000_000, 100_000_000_000] {
            let server = server();
            let store = store(&server);
            put(&server, ID, r#"{"Data":{"name":"Koko","n":1e400}}"#).await;
            let mut jar = dated_jar(ID, ctime);
            let request = Request::of(&jar, &store).await;
            assert_eq!(request.session.refusal(), None);
            assert!(!request.session.is_new());
            assert_eq!(name(&request.session).as_deref(), Some("Koko"));
            assert_eq!(request.session.owner(), None);
            assert_eq!(request.session.authenticated_at(), None);
            let refused = request.session.require_fresh(Duration::MAX);
            assert!(refused.unwrap_err().is_not_fresh());

            // The response to a request that only reads closes the door.
            let set_cookies = request.finish().await.unwrap();
            assert!(sets_own(&set_cookies) && removes_old(&set_cookies));
            set_cookies.iter().for_each(|field| jar.receive(field));
            assert_eq!(jar.get(OLD), None);
            assert_eq!(id_in(&server, &jar), ID);
            let row = row(&server, ID).await.unwrap();
            assert!(row.expiry() < Expiry::NEVER);
            let text = String::from_utf8(row.value().to_vec()).unwrap();
            assert!(text.starts_with(r#"{"Data":{"_session":""#), "{text}");
            assert!(text.ends_with(r#"","n":1e400,"name":"Koko"}}"#), "{text}");

            let request = Request::of(&jar, &store).await;
            assert_eq!(name(&request.session).as_deref(), Some("Koko"));
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
        }
    });
}

#[test]
fn after_a_login_the_old_cookie_opens_nothing() {
    RUNTIME.block_on(async {
        let server = server();
        let [store, elsewhere] = [store(&server), store(&server)];
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        let mut jar = old_jar(ID);
        visit(&mut jar, &store, |session| {
            session.login_keeping_values("ape").unwrap();
        })
        .await;
        assert_eq!(jar.get(OLD), None);
        let id = id_in(&server, &jar);
        assert_ne!(id, ID);
        assert_eq!(row(&server, ID).await, None);
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("ape"));
        assert_eq!(name(&session).as_deref(), Some("Koko"));

        for (store, refusal) in [(&store, Refusal::Moved), (&elsewhere, Refusal::Gone)] {
            let request = Request::of(&old_jar(ID), store).await;
            assert_eq!(request.session.refusal(), Some(refusal));
            assert_eq!(
                (name(&request.session), request.session.owner()),
                (None, None)
            );
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
        }
        // Not even the new ID helps, which only our signed cookie may carry.
        let request = Request::of(&old_jar(&id), &elsewhere).await;
        assert_eq!(request.session.refusal(), Some(Refusal::NotValid));
        assert_eq!(
            (name(&request.session), request.session.owner()),
            (None, None)
        );
        request.session.logout().unwrap();
        request.finish().await.unwrap();
        let session = jar.session(store).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("ape"));
    });
}

/// Our old cookies still work for late requests. Cookies of Go do not.
#[test]
fn an_old_cookie_neither_reads_nor_ends_a_renewed_session() {
    RUNTIME.block_on(async {
        let server = server();
        let grace = ServerOptions::new().renewal_grace(Duration::from_secs(5));
        let store = server.store_of(dialect(&server), grace);
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
        let before = id_in(&server, &jar);
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        let request = Request::of(&old_jar(&before), &store).await;
        assert_eq!(request.session.refusal(), Some(Refusal::Moved));
        assert_eq!(request.session.owner(), None);
        let _ = request.session.logout();
        let _ = request.finish().await;
        let session = jar.session(store).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("ape"));
    });
}

#[test]
fn our_cookie_counts_before_an_old_one() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        let own = Jar::with(store.clone(), |session| session.insert("name", "Mike")).await;
        let mut jar = own.unwrap();
        jar.set(OLD, &forge(OLD, SECRET, ID, 0));
        let request = Request::of(&jar, &store).await;
        assert_eq!(name(&request.session).as_deref(), Some("Mike"));
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        // Once our cookie is set again, the other one goes.
        let request = Request::of(&jar, &store).await;
        request.session.renew().unwrap();
        let set_cookies = request.finish().await.unwrap();
        assert!(sets_own(&set_cookies) && removes_old(&set_cookies));

        // If our cookie opens nothing, the old one may.
        let request = Request::of(&jar, &store).await;
        assert_eq!(request.session.refusal(), Some(Refusal::Moved));
        assert_eq!(name(&request.session), None);
        jar.set(COOKIE, "forged");
        let request = Request::of(&jar, &store).await;
        assert_eq!(name(&request.session).as_deref(), Some("Koko"));
    });
}

/// The response to the first request may be lost. The row has an expiry by then.
#[test]
fn a_client_without_our_cookie_gets_it_from_each_response() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        for _ in 0..3 {
            let request = Request::of(&old_jar(ID), &store).await;
            let set_cookies = request.finish().await.unwrap();
            assert!(sets_own(&set_cookies) && removes_old(&set_cookies));
            assert!(row(&server, ID).await.unwrap().expiry() < Expiry::NEVER);
        }
        // Not even a request that does not count as use leaves the door open.
        let request = Request::of(&old_jar(ID), &store).await;
        request.session.passive();
        assert!(sets_own(&request.finish().await.unwrap()));

        // Two first requests at once end with one session and both changes.
        put(&server, OTHER_ID, r#"{"Data":{"n":1}}"#).await;
        let requests = [old_jar(OTHER_ID), old_jar(OTHER_ID)];
        let [one, other] = &requests;
        let (one, other) = (
            Request::of(one, &store).await,
            Request::of(other, &store).await,
        );
        one.session.insert("name", "Koko").unwrap();
        super::count(&other.session, "n").unwrap();
        let (mut jar, mut late) = (old_jar(OTHER_ID), old_jar(OTHER_ID));
        one.finish_into(&mut jar).await;
        other.finish_into(&mut late).await;
        for jar in [jar, late] {
            assert_eq!(
                (jar.get(OLD), id_in(&server, &jar)),
                (None, OTHER_ID.to_owned())
            );
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(name(&session).as_deref(), Some("Koko"));
            assert_eq!(session.get::<u64>("n").unwrap(), Some(2));
        }
    });
}

#[test]
fn a_logout_removes_the_row_and_the_old_cookie() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        let request = Request::of(&old_jar(ID), &store).await;
        request.session.logout().unwrap();
        assert!(removes_old(&request.finish().await.unwrap()));
        assert_eq!(row(&server, ID).await, None);
    });
}

/// Go takes the last cookie.
#[test]
fn two_old_cookies_of_two_sessions_open_none() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        for (id, name) in [(ID, "Koko"), (OTHER_ID, "Mike")] {
            put(&server, id, &format!(r#"{{"Data":{{"name":"{name}"}}}}"#)).await;
        }
        let request = |cookies: &[String]| {
            let field = cookies.join("; ");
            let stores = store.clone().into();
            silverback::session::Sessions::of_request(
                &stores,
                [field.as_bytes()],
                Some(b"a.example.com"),
                "/shop/",
            )
        };
        let cookie = |id: &str, ctime| format!("{OLD}={}", forge(OLD, SECRET, id, ctime));
        let two = request(&[cookie(ID, 1), cookie(OTHER_ID, 2)]);
        let session = two.session().await.unwrap();
        assert_eq!(session.refusal(), Some(Refusal::Ambiguous));
        assert_eq!(name(&session), None);
        let error = session.insert("name", "none").and(session.save().await);
        assert!(error.is_err());
        two.abandon();
        // Cookies of the name that another host has planted are removed, and Go's own is not.
        let two = request(&[cookie(ID, 1), cookie(OTHER_ID, 2)]);
        two.session().await.unwrap();
        let fields = two.finish().await.unwrap().unwrap();
        let planted = format!("{OLD}=; Path=/; Domain=example.com; Secure; Max-Age=0");
        assert!(fields.set_cookies().contains(&planted), "{fields:?}");
        let is_old = |field: &String| field.starts_with(OLD);
        assert!(fields.set_cookies().iter().all(is_old), "{fields:?}");
        assert!(!fields.set_cookies().iter().any(|field| {
            field.starts_with(&format!("{OLD}=; Path=/;")) && !field.contains("Domain")
        }));

        // Two cookies of one session, and a cookie of no session.
        let unknown = "0".repeat(32);
        for cookies in [
            [cookie(ID, 1), cookie(ID, 2)],
            [cookie(ID, 1), cookie(&unknown, 2)],
        ] {
            let session = request(&cookies).session().await.unwrap();
            assert_eq!(name(&session).as_deref(), Some("Koko"));
        }
        // More than are read.
        let many: Vec<String> = (0..9).map(|ctime| cookie(ID, ctime)).collect();
        let session = request(&many).session().await.unwrap();
        assert_eq!(session.refusal(), Some(Refusal::TooMany));
        assert_eq!(name(&session), None);
    });
}

#[test]
fn an_old_cookie_may_be_too_old_and_never_too_new() {
    RUNTIME.block_on(async {
        let server = server();
        let hour = Duration::from_secs(3_600);
        let limited = dialect(&server).legacy_max_age(hour);
        let store = server.store_of(limited, ServerOptions::new());
        put(&server, ID, r#"{"Data":{}}"#).await;
        let now = i64::try_from(server.now().as_secs()).unwrap();
        for (ctime, refusal) in [
            (now - 3_600, None),
            (now - 3_601, Some(Refusal::Expired)),
            (now + 1_000_000, None),
            (0, Some(Refusal::Expired)),
        ] {
            let request = Request::of(&dated_jar(ID, ctime), &store).await;
            assert_eq!(request.session.refusal(), refusal, "{ctime}");
        }
    });
}

#[test]
fn other_texts_are_no_old_cookies() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        put(&server, ID, r#"{"Data":{}}"#).await;
        let upper = ID.to_uppercase();
        for id in ["", "user:7", &ID[1..], &upper, "../../etc/passwd"] {
            let session = old_jar(id).session(store.clone()).await.unwrap();
            assert_eq!(session.refusal(), Some(Refusal::NotValid), "{id}");
        }
        let good = forge(OLD, SECRET, ID, 0);
        for (name, value) in [
            (OLD, forge(OLD, "another secret", ID, 0)),
            (OLD, forge("another name", SECRET, ID, 0)),
            (OLD, good[..40].to_owned()),
            (OLD, format!("{good}AAAA")),
            (OLD, format!("{good}=")),
            (OLD, "x".repeat(5_000)),
            (COOKIE, good),
        ] {
            let mut jar = Jar::new();
            jar.set(name, &value);
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.refusal(), Some(Refusal::NotValid), "{value}");
        }
    });
}

/// Go's `SET` removes the expiry of a row.
#[test]
fn a_row_without_an_expiry_is_in_use_and_gets_one() {
    RUNTIME.block_on(async {
        let server = server();
        let store = store(&server);
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        let mut jar = old_jar(ID);
        visit(&mut jar, &store, |_| ()).await;
        let written = row(&server, ID).await.unwrap();
        let left = written.expiry().as_millis() - Expiry::from(server.now()).as_millis();
        assert!(
            (left - 1_000 * i64::try_from(IDLE).unwrap()).abs() < 3_000,
            "{left}"
        );

        server.clock.pass(IDLE + 100);
        let text = String::from_utf8(written.value().to_vec()).unwrap();
        put(&server, ID, &text.replace("Koko", "Mike")).await;
        let request = Request::of(&jar, &store).await;
        assert_eq!(request.session.refusal(), None);
        assert_eq!(name(&request.session).as_deref(), Some("Mike"));
        request.finish_into(&mut jar).await;
        let again = row(&server, ID).await.unwrap();
        assert!(again.expiry() < Expiry::NEVER);

        // The absolute limit holds, whatever Go writes.
        server.clock.pass(super::ABSOLUTE);
        let text = String::from_utf8(again.value().to_vec()).unwrap();
        put(&server, ID, &text).await;
        let request = Request::of(&jar, &store).await;
        assert_eq!(request.session.refusal(), Some(Refusal::Expired));
    });
}

#[test]
fn options_that_open_a_way_back_are_refused() {
    let server = server();
    let refused = |dialect: DolabDialect, options: ServerOptions| -> Error {
        server.try_store_of(dialect, options).unwrap_err()
    };
    let cookie = CookieOptions::new().name(OLD).unwrap();
    let same = refused(dialect(&server), ServerOptions::new().cookie(cookie));
    assert!(
        same.is_usage() && same.to_string().contains("name"),
        "{same}"
    );
    let new = || Dialect::dolab(server.codecs());
    let empty = refused(new().legacy_cookie(OLD, ""), ServerOptions::new());
    assert!(
        empty.is_usage() && empty.to_string().contains("secret"),
        "{empty}"
    );
    let invalid = refused(new().legacy_cookie("a b", SECRET), ServerOptions::new());
    assert!(invalid.is_usage(), "{invalid}");
    let endless = Lifetime::new().without_idle().without_absolute();
    let endless = refused(new(), ServerOptions::new().lifetime(endless));
    assert!(
        endless.is_usage() && endless.to_string().contains("limit"),
        "{endless}"
    );
}

/// Without the option, the old cookie is another program's.
#[test]
fn an_old_cookie_is_not_read_unless_it_is_named() {
    RUNTIME.block_on(async {
        let server = server();
        let store = server.store_of(Dialect::dolab(server.codecs()), ServerOptions::new());
        put(&server, ID, r#"{"Data":{"name":"Koko"}}"#).await;
        let request = Request::of(&old_jar(ID), &store).await;
        assert_eq!(
            (request.session.refusal(), name(&request.session)),
            (None, None)
        );
        request.session.insert("name", "Mike").unwrap();
        let set_cookies = request.finish().await.unwrap();
        assert!(set_cookies.iter().all(|field| !field.starts_with(OLD)));
    });
}
