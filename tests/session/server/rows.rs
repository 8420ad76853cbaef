//! Law 8: a row contains its session's identity, and is valid only in its own place. No other
//! output contains it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use silverback::backend::{Backend, Expiry, Key, Login, Memory, Outcome, Owner, OwnerName, Record};
use silverback::codec::{Codec, Codecs, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, Dialect, Refusal, ServerOptions, ServerStore};

use super::super::site::{Framework, Site};
use super::super::support::codecs;
use super::test_backend::Fault;
use super::{COOKIE, RUNTIME, Request, Server, jar_with, native, read, visit};

/// Replaces a session's row by other bytes, or by another owner.
async fn put(server: &Server, key: &Key, record: Record) {
    let stored = server.backend.load(key).await.unwrap().unwrap();
    let swapped = server.backend.swap(key, &stored.revision, &record).await;
    assert!(matches!(swapped.unwrap(), Outcome::Done(_)));
}

async fn refusal(jar: &Jar, store: &ServerStore) -> Option<Refusal> {
    jar.session(store.clone()).await.unwrap().refusal()
}

/// Returns the ID in a jar's cookie.
fn id(jar: &Jar, codecs: &Codecs) -> Vec<u8> {
    let cookie = jar.get(COOKIE).unwrap();
    codecs.open(COOKIE, cookie).unwrap().into_value()
}

#[test]
fn law_8_the_key_is_the_hash_of_the_id() {
    use sha2::Digest;
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let (key, stored) = server.row(&jar, &store).await;
        let id = id(&jar, &server.codecs());
        assert_eq!(id.len(), 32);
        let hash = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&id));
        assert_eq!(key.as_bytes(), hash.as_bytes());
        // The row contains neither the ID nor an encoding of it.
        let row = stored.record.value();
        let texts = [
            id.clone(),
            URL_SAFE_NO_PAD.encode(&id).into_bytes(),
            jar.get(COOKIE).unwrap().as_bytes().to_vec(),
        ];
        for text in texts {
            assert!(!row.windows(text.len()).any(|part| part == text));
        }
    });
}

#[test]
fn law_8_a_row_is_valid_only_in_its_place() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let rich = jar_with(&store, |session| session.insert("money", 1)).await;
        let poor = jar_with(&store, |session| session.insert("a", 1)).await;
        let (_, stored) = server.row(&rich, &store).await;
        let (key, own) = server.row(&poor, &store).await;
        put(&server, &key, stored.record).await;
        assert_eq!(refusal(&poor, &store).await, Some(Refusal::NotValid));
        put(&server, &key, own.record).await;
        assert_eq!(read(&poor, &store, ["a"]).await, Some([Some(1)]));
    });
}

#[test]
fn law_8_a_row_is_valid_only_in_its_store_and_under_its_name() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let jar = jar_with(&server.store(), |session| session.insert("a", 1)).await;
        let other = native(server.codecs()).store_name("other");
        let other = server.store_of(other, ServerOptions::new());
        assert_eq!(refusal(&jar, &other).await, Some(Refusal::NotValid));
        // The same ID under the name of another cookie.
        let cookie = CookieOptions::new().name("other").unwrap();
        let named = server.store_with(ServerOptions::new().cookie(cookie));
        let id = id(&jar, &server.codecs());
        let mut forged = Jar::new();
        forged.set("other", &server.codecs().seal("other", &id).unwrap());
        assert_eq!(refusal(&forged, &named).await, Some(Refusal::NotValid));
        // Other keys for rows.
        let keys = codecs([KeyPair::generate().unwrap()]);
        let own = native(server.codecs()).row_codec(keys);
        let own = server.store_of(own, ServerOptions::new());
        assert_eq!(refusal(&jar, &own).await, Some(Refusal::NotValid));
        // The cookie's own keys do not open a row.
        let (key, stored) = server.row(&jar, &server.store()).await;
        let name = std::str::from_utf8(key.as_bytes()).unwrap();
        let row = std::str::from_utf8(stored.record.value()).unwrap();
        assert!(server.codecs().open(name, row).is_err());
    });
}

#[test]
fn law_8_a_modified_row_is_refused() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let (key, stored) = server.row(&jar, &store).await;
        let (row, expiry) = (stored.record.value(), stored.record.expiry());
        let mut others = vec![Vec::new(), row[1..].to_vec(), b"\xff".to_vec()];
        for place in 0..row.len() {
            let mut other = row.to_vec();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            others.push(other);
        }
        for other in others {
            put(&server, &key, Record::new(other, expiry)).await;
            assert_eq!(refusal(&jar, &store).await, Some(Refusal::NotValid));
        }
    });
}

#[test]
fn law_8_the_owner_of_a_record_must_match_the_sealed_owner() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let ape = jar_with(&store, |session| session.login("ape")).await;
        let anonymous = jar_with(&store, |session| session.insert("a", 1)).await;
        jar_with(&store, |session| session.login("bonobo")).await;
        let owners = server.backend.owners().unwrap();
        let name = OwnerName::new("bonobo").unwrap();
        let bonobo = Owner {
            login: Login::new(owners.generation(&name).await.unwrap().unwrap(), 1),
            name,
        };
        for jar in [&ape, &anonymous] {
            let (key, stored) = server.row(jar, &store).await;
            let record = stored.record.clone();
            put(&server, &key, record.clone().owned_by(bonobo.clone())).await;
            assert_eq!(refusal(jar, &store).await, Some(Refusal::NotValid));
            assert_eq!(store.list("bonobo").await.unwrap().len(), 1);
            // A row without an owner, so that no revocation would end it.
            let bare = Record::new(record.value(), record.expiry());
            put(&server, &key, bare).await;
            let is_anonymous = record.owner().is_none();
            assert_eq!(refusal(jar, &store).await.is_none(), is_anonymous);
        }
    });
}

#[test]
fn law_8_a_moved_expiry_does_not_extend_the_deadline() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let (key, stored) = server.row(&jar, &store).await;
        let moved = |by: i64| {
            let until = Expiry::from_millis(i64::try_from(server.now().as_secs()).unwrap() * 1_000);
            stored
                .record
                .clone()
                .with_expiry(Expiry::from_millis(until.as_millis() + by * 1_000))
        };
        // A touch would move the expiry to this time.
        server.clock.pass(super::ABSOLUTE - 1);
        put(&server, &key, moved(i64::try_from(super::IDLE).unwrap())).await;
        assert_eq!(refusal(&jar, &store).await, None);
        server.clock.pass(1);
        assert_eq!(refusal(&jar, &store).await, Some(Refusal::Expired));
    });
}

#[test]
fn law_7_a_forged_expiry_does_not_count_as_use() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let (key, stored) = server.row(&jar, &store).await;
        put(&server, &key, stored.record.with_expiry(Expiry::NEVER)).await;
        server.clock.pass(super::IDLE - 1);
        assert_eq!(refusal(&jar, &store).await, None);
        server.clock.pass(1);
        assert_eq!(refusal(&jar, &store).await, Some(Refusal::Idle));
    });
}

#[test]
fn law_2_a_corrupt_record_is_not_valid() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        server.backend.at(0, Fault::IsCorrupt);
        assert_eq!(refusal(&jar, &store).await, Some(Refusal::NotValid));
        let request = Request::of(&jar, &store).await;
        request.session.insert("a", 2).unwrap();
        visit(&mut jar, &store, |session| session.insert("a", 3).unwrap()).await;
        server.backend.at(1, Fault::IsCorrupt);
        assert!(request.finish().await.unwrap_err().is_unavailable());
        assert_eq!(read(&jar, &store, ["a"]).await, Some([Some(3)]));
    });
}

#[test]
fn law_2_a_foreign_row_during_a_save_is_an_outage() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        for ends in [false, true] {
            let request = Request::of(&jar, &store).await;
            let (key, stored) = server.row(&jar, &store).await;
            put(
                &server,
                &key,
                Record::new("foreign", stored.record.expiry()),
            )
            .await;
            match ends {
                true => request.session.end().unwrap(),
                false => request.session.insert("a", 2).unwrap(),
            }
            assert!(request.finish().await.unwrap_err().is_unavailable());
            put(&server, &key, stored.record).await;
        }
    });
}

#[test]
fn rows_have_no_length_limit_of_cookies() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let dialect = native(server.codecs()).max_row_size(0);
        let store = server.store_of(dialect, ServerOptions::new());
        let long = "x".repeat(500_000);
        let mut jar = jar_with(&store, |session| session.insert("long", &long)).await;
        assert!(jar.cookie().len() < 300);
        visit(&mut jar, &store, |session| {
            assert_eq!(session.get::<String>("long").unwrap().unwrap(), long);
            session.renew().unwrap();
        })
        .await;
        assert!(read(&jar, &store, []).await.is_some());
    });
}

#[test]
fn debug_output_contains_no_secret() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| {
            session.login("owner-secret")?;
            session.insert("key-secret", "value-secret")
        })
        .await;
        let session = jar.session(store.clone()).await.unwrap();
        let list = store.list("owner-secret").await.unwrap();
        let (key, stored) = server.row(&jar, &store).await;
        let printed = [
            format!(
                "{store:?} {session:?} {list:?} {:?}",
                jar.sessions(store.clone())
            ),
            format!("{key:?} {stored:?} {:?}", stored.record.owner()),
            format!("{:?}", native(server.codecs()).row_codec(server.codecs())),
            format!("{:?} {jar:?}", list[0].values()),
        ];
        let printed = printed.concat();
        let cookie = jar.get(COOKIE).unwrap();
        for secret in ["secret", cookie, &cookie[..20]] {
            assert!(!printed.contains(secret), "{printed}");
        }
    });
}

for_each_framework!(the_log_contains_no_secret);

fn the_log_contains_no_secret(framework: Framework) {
    use super::super::errors::lines;
    lines("");
    let server = Server::new();
    let name = format!("logged-server-{framework:?}");
    let cookie = CookieOptions::new().name(&*name).unwrap();
    let store = server.store_with(ServerOptions::new().cookie(cookie));
    let mut browser = Site::new(store.clone())
        .on("/login", async |sessions| {
            let session = sessions.session().await?;
            session.login("owner-secret")?;
            session.insert("key-secret", "value-secret")?;
            Ok("")
        })
        .on("/renew", async |sessions| {
            sessions.session().await?.renew()?;
            Ok("")
        })
        .browse(framework);
    browser.get("/login");
    assert_eq!(lines(&name), [""; 0], "nothing is logged");
    let jar = browser.jar.clone();
    let cookie = jar.get(&name).unwrap();
    let id = server.codecs().open(&name, cookie).unwrap().into_value();
    let id = URL_SAFE_NO_PAD.encode(id);
    // A new row without a client, an outage, a corrupt row, and a missing row.
    server.backend.at(2, Fault::Fails);
    server.backend.and_at(3, Fault::Fails);
    assert_eq!(browser.get("/renew").status, 503);
    let left = lines("a session whose ID no client has could not be removed");
    assert!(!left.is_empty());
    server.backend.at(0, Fault::Fails);
    assert_eq!(browser.get("/renew").status, 503);
    let key = RUNTIME.block_on(async {
        let (key, stored) = server.row(&jar, &store).await;
        put(
            &server,
            &key,
            Record::new("row-secret", stored.record.expiry()),
        )
        .await;
        key
    });
    browser.get("/login");
    browser.jar = jar.clone();
    server.backend.calls();
    let said = lines(&name);
    assert!(
        said.iter()
            .any(|line| line.contains("the session's row is not valid"))
    );
    assert!(said.iter().any(|line| line.contains("reason=not valid")));
    let key = std::str::from_utf8(key.as_bytes()).unwrap();
    for line in lines("") {
        for secret in ["secret", cookie, &id, key] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

#[test]
fn a_backend_without_owners_supports_logins() {
    use silverback::backend::async_trait;
    use silverback::backend::{Created, Error, Revision, Stored};

    struct Ownerless(Memory);

    #[async_trait]
    impl Backend for Ownerless {
        async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
            self.0.load(key).await
        }
        async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
            assert!(record.owner().is_none());
            self.0.create(key, record).await
        }
        async fn swap(
            &self,
            key: &Key,
            seen: &Revision,
            record: &Record,
        ) -> Result<Outcome<Revision>, Error> {
            self.0.swap(key, seen, record).await
        }
        async fn touch(
            &self,
            key: &Key,
            seen: &Revision,
            until: Expiry,
        ) -> Result<Outcome<Revision>, Error> {
            self.0.touch(key, seen, until).await
        }
        async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
            self.0.remove(key, seen).await
        }
    }

    RUNTIME.block_on(async {
        let server = Server::over(Arc::new(Ownerless(Memory::new())));
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        visit(&mut jar, &store, |session| {
            assert_eq!(session.owner().as_deref(), Some("ape"));
            session.renew().unwrap();
        })
        .await;
        assert!(store.list("ape").await.unwrap_err().is_usage());
        assert!(store.end_all("ape").await.unwrap_err().is_usage());
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        assert!(request.finish().await.unwrap_err().is_usage());
        assert!(read(&jar, &store, []).await.is_some());
        let backend = store.backend().clone();
        let limited = ServerOptions::new().max_sessions(3);
        let limited = ServerStore::with_options(server.codecs(), backend, limited);
        assert!(limited.unwrap_err().is_usage());
    });
}

/// In this dialect the row's key is the ID itself.
#[test]
fn law_8_a_session_name_opens_no_session_in_any_dialect() {
    RUNTIME.block_on(async {
        let folder = format!("gorilla-name-{}", std::process::id());
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let files = silverback::backend::GorillaFiles::open(&folder).unwrap();
        let server = Server::over(Arc::new(files));
        let cookie = CookieOptions::new().name("session").unwrap();
        let options = ServerOptions::new().cookie(cookie);
        let store = server.store_of(Dialect::gorilla(server.codecs()), options);
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let found = store.find_by_cookie(jar.get("session").unwrap()).await;
        let found = found.unwrap().found().unwrap();
        let session = jar.session(store.clone()).await.unwrap();
        assert!(found.is_same_session(&session));
        let file = std::fs::read_dir(&folder).unwrap().flatten();
        let mut names = file.map(|file| file.file_name().into_string().unwrap());
        let id = names.find_map(|name| Some(name.strip_prefix("session_")?.to_owned()));
        let id = id.unwrap();
        assert_ne!(found.id().as_str(), id);
        assert!(!format!("{found:?}").contains(&id));
        std::fs::remove_dir_all(folder).unwrap();
    });
}
