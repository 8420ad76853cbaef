//! The calls of scs's `SessionManager`: a Go program and Silverback make a thousand random calls in
//! turn, and both always see the state of a model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use silverback::backend::{GoKeys, GoRedis};
use silverback::codec::UnixTime;
use silverback::session::testing::Jar;
use silverback::session::{
    Dialect, Lifetime, Lookup, ScsDialect, ServerOptions, ServerStore, Session, SessionStatus,
};

use crate::any::Random;
use crate::gorilla::Gorilla;
use crate::redis::server;
use crate::sessions::seeds;
use crate::store::{RUNTIME, SharedStore, cookie};

/// The number of calls.
const STEPS: u64 = 400;

const LIFETIME: Duration = Duration::from_secs(3_600);

/// The name of the session's cookie.
const NAME: &str = "session";

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Contents {
    values: BTreeMap<String, String>,
    remembered: bool,
    /// In Unix seconds.
    deadline: u64,
}

/// One call in a handler.
#[derive(Clone, Debug)]
enum Call {
    Put(String, String),
    Pop(String),
    Remove(String),
    Clear,
    Renew,
    Remember(bool),
    SetDeadline(u64),
    Merge(String),
}

impl Call {
    /// Returns a random call. `other` is the token of another session. A deadline is always an earlier
    /// one: ours refuses one after the lifetime.
    fn random(random: &mut Random, other: &str, model: &Contents) -> Self {
        let key = format!("key {}", random.below(7));
        let number = random.next();
        match random.below(12) {
            0..4 => Call::Put(key, format!("value {number}")),
            4 => Call::Pop(key),
            5 => Call::Remove(key),
            6 => Call::Clear,
            7 => Call::Renew,
            8 => Call::Remember(number.is_multiple_of(2)),
            9 => Call::SetDeadline(model.deadline - 60 - number % 60),
            _ => Call::Merge(other.to_owned()),
        }
    }

    /// Returns the name of the call in Go.
    fn name(&self) -> String {
        let question = self.in_go();
        question["call"].as_str().unwrap().to_owned()
    }

    /// Returns the call as a question to the Go program.
    fn in_go(&self) -> Value {
        match self {
            Call::Put(key, value) => json!({"call": "Put", "key": key, "value": value}),
            Call::Pop(key) => json!({"call": "PopString", "key": key}),
            Call::Remove(key) => json!({"call": "Remove", "key": key}),
            Call::Clear => json!({"call": "Clear"}),
            Call::Renew => json!({"call": "RenewToken"}),
            Call::Remember(remembered) => json!({"call": "RememberMe", "remember": remembered}),
            Call::SetDeadline(deadline) => json!({"call": "SetDeadline", "deadline": deadline}),
            Call::Merge(token) => json!({"call": "MergeSession", "token": token}),
        }
    }

    /// Makes the call in Silverback, and returns the popped value.
    async fn in_silverback(&self, session: &Session) -> Option<String> {
        match self {
            Call::Put(key, value) => session.insert(key, value).unwrap(),
            Call::Pop(key) => return session.take(key).unwrap(),
            Call::Remove(key) => drop(session.remove(key).unwrap()),
            Call::Clear => session.clear().unwrap(),
            Call::Renew => session.renew().unwrap(),
            Call::Remember(remembered) => session.remember(*remembered).unwrap(),
            Call::SetDeadline(deadline) => session
                .set_deadline(UnixTime::from_secs(*deadline))
                .unwrap(),
            Call::Merge(token) => {
                let merged = session.merge(token).await.unwrap();
                assert_eq!(merged, Lookup::Found(()));
            }
        }
        None
    }

    /// Makes the call in the model. `other` is what the other session holds. Returns the popped
    /// value. In Go, whether a session is remembered is one of the values that `Clear` removes.
    fn in_model(&self, model: &mut Contents, other: &Contents, is_in_go: bool) -> Option<String> {
        match self.clone() {
            Call::Put(key, value) => drop(model.values.insert(key, value)),
            Call::Pop(key) => return model.values.remove(&key),
            Call::Remove(key) => drop(model.values.remove(&key)),
            Call::Clear => {
                model.values.clear();
                model.remembered &= !is_in_go;
            }
            Call::Renew => model.deadline = now() + LIFETIME.as_secs(),
            Call::Remember(remembered) => model.remembered = remembered,
            Call::SetDeadline(deadline) => model.deadline = deadline,
            Call::Merge(_) => {
                model.values.extend(other.values.clone());
                model.remembered |= other.remembered;
                model.deadline = model.deadline.max(other.deadline);
            }
        }
        None
    }
}

fn now() -> u64 {
    UnixTime::now().as_secs()
}

/// The two programs, and a browser with the session that both change.
struct Programs {
    shared: SharedStore,
    go: Gorilla,
    jar: Jar,
}

impl Programs {
    /// Makes a call in the Go program, and returns its answer.
    fn call_in_go(&mut self, action: &Value) -> Value {
        let action = json!({"action": action});
        let answer = self.shared.ask(&mut self.go, "act", &self.jar, &action);
        self.jar.set(NAME, answer["cookie"].as_str().unwrap());
        answer
    }

    fn call_in_silverback(&mut self, call: &Call) -> Option<String> {
        RUNTIME.block_on(async {
            let sessions = self.jar.sessions(self.shared.stores.clone());
            let session = sessions.session().await.unwrap();
            let popped = call.in_silverback(&session).await;
            for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
                self.jar.receive(set_cookie);
            }
            popped
        })
    }

    fn call(&mut self, call: &Call, is_in_go: bool) -> Option<String> {
        match is_in_go {
            true => {
                let answer = self.call_in_go(&call.in_go());
                let popped = answer["value"].as_str();
                popped.map(str::to_owned)
            }
            false => self.call_in_silverback(call),
        }
    }

    fn contents_in_silverback(&self) -> Contents {
        let session = RUNTIME.block_on(self.jar.session(self.shared.stores.clone()));
        let session = session.unwrap();
        assert_eq!(session.refusal(), None);
        assert_eq!(session.status(), SessionStatus::Unmodified);
        let mut keys = session.keys();
        keys.retain(|key| key != "__rememberMe");
        let value = |key: &String| session.get(key).unwrap().unwrap();
        Contents {
            values: keys.iter().map(|key| (key.clone(), value(key))).collect(),
            remembered: session.is_remembered(),
            deadline: session.deadline().unwrap().as_secs(),
        }
    }

    fn contents_in_go(&mut self) -> Contents {
        let answer = self.call_in_go(&json!({}));
        let values = answer["values"].as_object();
        let values = values
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .filter(|(key, _)| key != "_session");
        Contents {
            values: values.collect(),
            remembered: answer["remembered"].as_bool().unwrap(),
            deadline: answer["deadline"].as_u64().unwrap(),
        }
    }

    /// Begins the session of another browser, and returns its token and what it holds.
    fn begin_another(&mut self, number: u64, is_in_go: bool) -> (String, Contents) {
        let own = std::mem::take(&mut self.jar);
        let mut contents = Contents {
            deadline: now() + LIFETIME.as_secs(),
            ..Contents::default()
        };
        let put = Call::Put(format!("key {}", number % 5), format!("other {number}"));
        self.call(&put, is_in_go);
        put.in_model(&mut contents, &Contents::default(), is_in_go);
        let other = std::mem::replace(&mut self.jar, own);
        (other.get(NAME).unwrap().to_owned(), contents)
    }

    /// Checks that a token opens no session in either program.
    fn is_ended(&mut self, token: &str) {
        let own = std::mem::take(&mut self.jar);
        self.jar.set(NAME, token);
        let session = RUNTIME.block_on(self.jar.session(self.shared.stores.clone()));
        assert!(session.unwrap().is_new());
        assert_eq!(self.contents_in_go().values, BTreeMap::new());
        self.jar = own;
    }
}

/// Compares what a session holds. A program may have set a deadline some seconds before the model.
fn assert_same(found: &Contents, model: &Contents, seed: i64) {
    assert_eq!(found.values, model.values, "seed {seed}");
    assert_eq!(found.remembered, model.remembered, "seed {seed}");
    assert!(
        found.deadline.abs_diff(model.deadline) < 30,
        "seed {seed}: {found:?}, {model:?}"
    );
}

/// Makes random calls in both programs, and compares the session with a model after each of them.
fn both_programs_make_the_same_calls(dialect: ScsDialect, settings: &Value) {
    let Some(redis) = server() else { return };
    let Some(go) = Gorilla::start() else { return };
    let url = redis.url();
    let backend = GoRedis::connect(&url, GoKeys::scs_redisstore());
    let backend = RUNTIME.block_on(backend).unwrap();
    let lifetime = Lifetime::new().absolute(LIFETIME);
    let lifetime = match settings["idle_seconds"].as_u64() {
        Some(idle) => lifetime.idle(Duration::from_secs(idle)),
        None => lifetime.without_idle(),
    };
    let options = ServerOptions::new().cookie(cookie()).lifetime(lifetime);
    let store = ServerStore::with_options(dialect, Arc::new(backend), options).unwrap();
    let place = json!({
        "database": format!("127.0.0.1:{}", redis.port()), "store": "redis", "manager": settings,
    });
    let shared = SharedStore {
        stores: store.into(),
        go: "scs",
        place,
    };
    let mut programs = Programs {
        shared,
        go,
        jar: Jar::new(),
    };
    let (token, mut model) = programs.begin_another(0, true);
    programs.jar.set(NAME, &token);
    let mut counts = BTreeMap::new();
    for seed in seeds(STEPS) {
        let mut random = Random::of(seed);
        let is_in_go = random.below(2) == 0;
        let begins_in_go = random.below(2) == 0;
        let (other, others) = programs.begin_another(random.next(), begins_in_go);
        let call = Call::random(&mut random, &other, &model);
        *counts.entry((call.name(), is_in_go)).or_insert(0) += 1;
        let before = programs.jar.get(NAME).unwrap().to_owned();
        let popped = programs.call(&call, is_in_go);
        let expected = call.in_model(&mut model, &others, is_in_go);
        assert_eq!(popped, expected, "seed {seed}");
        assert_same(&programs.contents_in_silverback(), &model, seed);
        assert_same(&programs.contents_in_go(), &model, seed);
        let is_renewed = programs.jar.get(NAME) != Some(&before);
        assert_eq!(is_renewed, matches!(call, Call::Renew), "seed {seed}");
        match call {
            Call::Renew => programs.is_ended(&before),
            Call::Merge(token) => programs.is_ended(&token),
            _ => {}
        }
    }
    let is_each_tried = counts.len() == 16 && counts.values().all(|count| *count > 0);
    let are_few = counts.values().sum::<u64>() < STEPS; // as the environment wants it
    assert!(is_each_tried || are_few, "{counts:?}");
}

#[test]
fn both_programs_make_the_same_calls_in_scs() {
    both_programs_make_the_same_calls(Dialect::scs(), &json!({}));
}

#[test]
fn both_programs_make_the_same_calls_in_scs_with_hashed_tokens_and_an_idle_timeout() {
    let settings = json!({"hash_tokens": true, "idle_seconds": 600});
    both_programs_make_the_same_calls(Dialect::scs().hash_token_in_store(true), &settings);
}

#[test]
fn both_programs_make_the_same_calls_in_scs_with_rows_of_json() {
    both_programs_make_the_same_calls(Dialect::scs().json_rows(), &json!({"json": true}));
}
