//! Live tests of the stores of gorilla/sessions and of scs: a Go program and Silverback share a
//! browser's session, in its cookie (CookieStore) and in files (FilesystemStore). The tests of all
//! other stores use the same code.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use silverback::backend::GorillaFiles;
use silverback::codec::{BlockKey, CodecOptions, HashKey, KeyPair, SecureCookie, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Lifetime, ServerOptions, ServerStore, Session, Stores,
};

use crate::gorilla::{Gorilla, payload};
use crate::sessions::{hex, seeds};

pub(crate) const HASH_KEY: [u8; 64] = [7; 64];
pub(crate) const BLOCK_KEY: [u8; 32] = [9; 32];

/// A common runtime, since connections to a database end with their runtime.
pub(crate) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// The sessions of both programs.
pub(crate) struct SharedStore {
    pub(crate) stores: Stores,
    /// The store of the Go program: `http` for gorilla's, or `scs`.
    pub(crate) go: &'static str,
    /// The place of the sessions, in the form of the Go program: empty for cookies.
    pub(crate) place: Value,
}

pub(crate) fn codec() -> SecureCookie {
    let keys = KeyPair::new(HashKey::new(&HASH_KEY).unwrap(), BlockKey::from(BLOCK_KEY));
    SecureCookie::with_options(keys, &CodecOptions::new().max_length(0)).unwrap()
}

pub(crate) fn cookie() -> CookieOptions {
    CookieOptions::new().name("session").unwrap()
}

impl SharedStore {
    fn in_cookies() -> Self {
        let store = CookieStore::with_options(codec(), cookie(), Lifetime::new()).unwrap();
        SharedStore {
            stores: store.shared_with_go().into(),
            go: "http",
            place: json!({}),
        }
    }

    fn in_files(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let backend = Arc::new(GorillaFiles::open(&folder).unwrap());
        let options = ServerOptions::new().cookie(cookie());
        let store = ServerStore::with_options(Dialect::gorilla(codec()), backend, options).unwrap();
        SharedStore {
            stores: store.into(),
            go: "http",
            place: json!({"folder": folder}),
        }
    }

    /// Requests a change of a session from the Go program.
    pub(crate) fn ask(&self, gorilla: &mut Gorilla, op: &str, jar: &Jar, more: &Value) -> Value {
        let mut question = json!({
            "op": format!("{}-{op}", self.go),
            "kind": "session",
            "hash_key": hex(&HASH_KEY),
            "block_key": hex(&BLOCK_KEY),
            "cookie": jar.get("session").unwrap_or_default(),
        });
        for more in [&self.place, more] {
            for (name, value) in more.as_object().unwrap() {
                question[name] = value.clone();
            }
        }
        gorilla.must(&question)
    }

    /// Runs a request with the cookies of the jar, in which `handle` gets the session.
    pub(crate) fn visit(&self, jar: &mut Jar, handle: impl FnOnce(&Session)) {
        RUNTIME.block_on(async {
            let sessions = jar.sessions(self.stores.clone());
            handle(&sessions.session().await.unwrap());
            let fields = sessions.finish().await.unwrap().unwrap();
            for set_cookie in fields.set_cookies() {
                jar.receive(set_cookie);
            }
        });
    }

    pub(crate) fn share_sessions(&self) {
        let Some(mut gorilla) = Gorilla::start() else {
            return;
        };
        for seed in seeds(300) {
            let mut jar = Jar::new();
            let made = self.ask(&mut gorilla, "make", &jar, &json!({"seed": seed}));
            jar.set("session", made["cookie"].as_str().unwrap());
            self.visit(&mut jar, |session| {
                assert_eq!(session.refusal(), None, "seed {seed}");
                session.insert("changed", 42_i64).unwrap();
            });
            let before = json!({"before": hex(&payload(&made)), "changed": "changed"});
            self.ask(&mut gorilla, "same", &jar, &before);
        }
    }

    pub(crate) fn keep_limits(&self) {
        let Some(mut gorilla) = Gorilla::start() else {
            return;
        };
        let mut jar = Jar::new();
        let deadline = UnixTime::from_secs(UnixTime::now().as_secs() + 600);
        self.visit(&mut jar, |session| {
            session.login("ape").unwrap();
            session.set_deadline(deadline).unwrap();
        });
        let edited = self.ask(&mut gorilla, "edit", &jar, &json!({}));
        jar.set("session", edited["cookie"].as_str().unwrap());
        self.visit(&mut jar, |session| {
            let go: Option<String> = session.get("go").unwrap();
            assert_eq!(go.as_deref(), Some("was here"));
            assert_eq!(session.owner().as_deref(), Some("ape"));
            assert_eq!(session.deadline(), Some(deadline));
        });
    }

    /// A session that one program ends does not exist for the other.
    pub(crate) fn end_sessions(&self) {
        let mut jar = Jar::new();
        self.visit(&mut jar, |session| session.insert("here", true).unwrap());
        let mut copy = jar.clone();
        self.visit(&mut copy, |session| {
            session.renew().unwrap();
        });
        assert_ne!(copy.get("session"), jar.get("session"));
        self.visit(&mut jar, |session| assert!(session.is_new()));
        let mut late = copy.clone();
        self.visit(&mut copy, |session| session.end().unwrap());
        assert_eq!(copy.get("session"), None);
        self.visit(&mut late, |session| assert!(session.is_new()));
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session() {
    SharedStore::in_cookies().share_sessions();
}

/// The metadata of a session passes unchanged through a Go program.
#[test]
fn a_go_program_keeps_the_limits() {
    SharedStore::in_cookies().keep_limits();
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_files() {
    SharedStore::in_files("interop-sessions").share_sessions();
}

#[test]
fn a_go_program_keeps_the_limits_in_files() {
    SharedStore::in_files("interop-limits").keep_limits();
}

#[test]
fn an_ended_session_in_files_is_gone() {
    SharedStore::in_files("interop-ended").end_sessions();
}
