//! Rows of dolab/session that a Go program and Silverback share in Redis and Memcached. The Go program
//! is a port of the package.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use silverback::backend::{Backend, GoKeys, GoMemcached, GoRedis, Key};
use silverback::codec::{Codec, Codecs, KeyPairs};
use silverback::compat::{DolabConfig, DolabStore};
use silverback::session::testing::Jar;
use silverback::session::{ServerStore, Session};

use crate::any::Random;
use crate::dolab_cookie::forge;
use crate::gorilla::{Gorilla, payload};
use crate::required::not_run;
use crate::servers::memcached::MemcachedServer;
use crate::servers::redis::RedisServer;
use crate::sessions::{hex, seeds};
use crate::store::RUNTIME;

const OWN: &str = "__Host-id";
const OLD: &str = "gosession";
const SECRET: &str = "the Go program's secret";

/// The number of attempts to change a session: an attempt to change none is skipped.
const STEPS: u64 = 1_200;

type Model = BTreeMap<String, String>;

/// Both programs.
struct Shared {
    store: ServerStore,
    backend: Arc<dyn Backend>,
    codecs: Codecs,
    gorilla: Gorilla,
    place: Value,
}

impl Shared {
    fn new(backend: Arc<dyn Backend>, store: &str, address: &str) -> Option<Self> {
        let gorilla = Gorilla::start()?;
        let keys = KeyPairs::generate(1).unwrap();
        let config = DolabConfig::new().cookie_name(OLD).cookie_secret(SECRET);
        Some(Shared {
            store: DolabStore::new(backend.clone(), keys.clone(), config)
                .store()
                .unwrap(),
            backend,
            codecs: Codecs::from_pairs(keys).unwrap(),
            gorilla,
            place: json!({"store": store, "database": address}),
        })
    }

    fn ask(&mut self, op: &str, cookie: &str, more: &Value) -> Value {
        let mut question = json!({"op": format!("dolab-{op}"), "cookie": cookie});
        for more in [&self.place, more] {
            for (name, value) in more.as_object().unwrap() {
                question[name] = value.clone();
            }
        }
        self.gorilla.must(&question)
    }

    fn visit(&self, jar: &mut Jar, handle: impl FnOnce(&Session)) {
        RUNTIME.block_on(async {
            let sessions = jar.sessions(self.store.clone());
            handle(&sessions.session().await.unwrap());
            let fields = sessions.finish().await.unwrap().unwrap();
            for set_cookie in fields.set_cookies() {
                jar.receive(set_cookie);
            }
        });
    }

    /// Returns the cookie by which the Go program knows the session in our cookie, as if a request to
    /// it had begun before its cookie was removed.
    fn cookie_for_go(&self, jar: &Jar) -> String {
        if let Some(cookie) = jar.get(OLD) {
            return cookie.to_owned();
        }
        let id: String = self.codecs.decode(OWN, jar.get(OWN).unwrap()).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        forge(OLD, SECRET, &id, i64::try_from(now).unwrap())
    }

    fn values_here(&self, jar: &mut Jar) -> Model {
        let mut model = Model::new();
        self.visit(jar, |session| {
            for key in session.keys() {
                let value = session.get(&key).unwrap().unwrap();
                model.insert(key, value);
            }
        });
        model
    }

    /// Changes the session in the Go program, and returns the values that it then has.
    fn change_in_go(&mut self, jar: &Jar, change: &Value) -> Model {
        let cookie = self.cookie_for_go(jar);
        let answer = self.ask("change", &cookie, &json!({"change": change}));
        let values = answer["values"].as_object().cloned().unwrap_or_default();
        let strings = values.into_iter().map(|(key, value)| {
            let text = value.as_str().unwrap().to_owned();
            (key, text)
        });
        strings.filter(|(key, _)| key != "_session").collect()
    }

    fn row(&self, id: &str) -> Vec<u8> {
        let loaded = RUNTIME.block_on(self.backend.load(&Key::new(id).unwrap()));
        loaded.unwrap().unwrap().record.value().to_vec()
    }

    /// The Go program makes sessions, and we change two of three.
    fn share_sessions(&mut self) {
        let mut untouched = Vec::new();
        for (number, seed) in seeds(300).enumerate() {
            let made = self.ask("make", "", &json!({"seed": seed}));
            let cookie = made["cookie"].as_str().unwrap();
            let mut jar = Jar::new();
            jar.set(OLD, cookie);
            if number % 3 == 0 {
                untouched.push((cookie.to_owned(), payload(&made)));
                continue;
            }
            self.visit(&mut jar, |session| {
                assert_eq!(session.refusal(), None, "seed {seed}");
                assert!(!session.is_new(), "seed {seed}");
                session.insert("changed", "<42>").unwrap();
            });
            assert_eq!(jar.get(OLD), None);
            let before = json!({"before": hex(&payload(&made)), "changed": "changed"});
            self.ask("same", cookie, &before);
        }
        assert!(untouched.len() >= 100 || std::env::var("SILVERBACK_CASES").is_ok());
        for (cookie, row) in untouched {
            let mut jar = Jar::new();
            jar.set(OLD, &cookie);
            // The ID travels in the cookie of a request that does not end.
            let id = self.id_of(&jar);
            assert_eq!(self.row(&id), row);
        }
    }

    /// Returns the ID in the old cookie: the one under which the Go program finds the row.
    fn id_of(&self, jar: &Jar) -> String {
        let reader = silverback::codec::legacy::UnauthenticatedDolabReader::new(OLD, SECRET);
        let gob = reader.read(jar.get(OLD).unwrap()).unwrap();
        let gob = silverback::gob::Value::from_slice(&gob.into_unproven_bytes()).unwrap();
        let silverback::gob::Value::Composite(cookie) = gob else {
            panic!("a cookie is a struct")
        };
        let id = cookie.field("Value").unwrap().as_string().unwrap();
        id.to_str().unwrap().to_owned()
    }

    fn both_programs_see_the_same_values(&mut self) {
        let (mut jar, mut model) = (Jar::new(), Model::new());
        let mut counts = [0_u64; 7];
        for seed in seeds(STEPS) {
            let key = format!("key <{}>", seed.rem_euclid(7));
            let value = format!("value & {seed}");
            let is_there = !model.is_empty();
            let kind = match Random::of(seed).below(11) {
                0..3 => {
                    self.visit(&mut jar, |session| session.insert(&key, &value).unwrap());
                    model.insert(key, value);
                    0
                }
                3..6 if is_there => {
                    let set = json!({"set": {key.clone(): value.clone()}});
                    self.change_in_go(&jar, &set);
                    model.insert(key, value);
                    1
                }
                6 if is_there => {
                    self.visit(&mut jar, |session| {
                        session.remove(&key).unwrap();
                    });
                    model.remove(&key);
                    2
                }
                7 if is_there => {
                    self.change_in_go(&jar, &json!({"unset": [key.clone()]}));
                    model.remove(&key);
                    3
                }
                8 if is_there => {
                    let old = self.cookie_for_go(&jar);
                    self.visit(&mut jar, |session| session.renew().unwrap());
                    let mut late = Jar::new();
                    late.set(OLD, &old);
                    assert_eq!(self.values_here(&mut late), Model::new(), "seed {seed}");
                    4
                }
                9 if is_there => {
                    let cookie = self.cookie_for_go(&jar);
                    let refreshed = self.ask("refresh", &cookie, &json!({}));
                    jar.set(OLD, refreshed["cookie"].as_str().unwrap());
                    5
                }
                10 if is_there => {
                    let ended = jar.clone();
                    match seed % 2 == 0 {
                        true => self.visit(&mut jar, |session| session.end().unwrap()),
                        false => drop(self.change_in_go(&jar, &json!({"end": true}))),
                    }
                    assert_eq!(self.values_here(&mut ended.clone()), Model::new());
                    (jar, model) = (Jar::new(), Model::new());
                    6
                }
                _ => continue,
            };
            counts[kind] += 1;
            assert_eq!(self.values_here(&mut jar), model, "seed {seed}: {kind}");
            if !model.is_empty() {
                assert_eq!(self.change_in_go(&jar, &json!({})), model, "seed {seed}");
            }
        }
        println!("changes of each kind: {counts:?}");
        // Fewer cases may be requested.
        let is_each_tried = counts.iter().all(|count| *count > 20);
        assert!(is_each_tried || counts.iter().sum::<u64>() < STEPS / 2);
    }
}

fn in_redis() -> Option<(RedisServer, Shared)> {
    let server = match RedisServer::start(&[]) {
        Ok(server) => server,
        Err(why) => {
            not_run("redis", &why);
            return None;
        }
    };
    let backend = RUNTIME.block_on(GoRedis::connect(&server.url(), GoKeys::dolab_redis()));
    let address = format!("127.0.0.1:{}", server.port());
    let shared = Shared::new(Arc::new(backend.unwrap()), "dolab-redis", &address)?;
    Some((server, shared))
}

fn in_memcached() -> Option<(MemcachedServer, Shared)> {
    let server = match MemcachedServer::start(&[]) {
        Ok(server) => server,
        Err(why) => {
            not_run("memcached", &why);
            return None;
        }
    };
    let keys = GoKeys::dolab_memcache();
    let backend = RUNTIME.block_on(GoMemcached::connect(&server.url(), keys));
    let address = format!("127.0.0.1:{}", server.port());
    let shared = Shared::new(Arc::new(backend.unwrap()), "dolab-memcache", &address)?;
    Some((server, shared))
}

#[test]
fn a_go_program_and_silverback_share_sessions_of_dolab_in_redis() {
    if let Some((_server, mut shared)) = in_redis() {
        shared.share_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_sessions_of_dolab_in_memcached() {
    if let Some((_server, mut shared)) = in_memcached() {
        shared.share_sessions();
    }
}

#[test]
fn both_programs_see_the_same_values_of_dolab_in_redis() {
    if let Some((_server, mut shared)) = in_redis() {
        shared.both_programs_see_the_same_values();
    }
}

#[test]
fn both_programs_see_the_same_values_of_dolab_in_memcached() {
    if let Some((_server, mut shared)) = in_memcached() {
        shared.both_programs_see_the_same_values();
    }
}
