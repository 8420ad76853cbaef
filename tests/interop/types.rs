//! Live tests of the types that Silverback writes: values keep their existing Go types, and
//! programs that register no types read the Go types of serde values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use silverback::backend::{Backend, Expiry, Key, Memory, Record};
use silverback::gob::{SelfEncoded, Time};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieStore, Dialect, Lifetime, ServerOptions, ServerStore, Session, Stores,
};

use crate::any::{Any, KINDS, Random};
use crate::gorilla::{Gorilla, payload};
use crate::in_layout::InLayout;
use crate::sessions::{hex, seeds};
use crate::store::{RUNTIME, SharedStore, codec, cookie};

/// The number of sessions in each test.
const CASES: u64 = 150;

fn in_cookies(known: &[&str]) -> SharedStore {
    let store = CookieStore::with_options(codec(), cookie(), Lifetime::new()).unwrap();
    SharedStore {
        stores: store.known_types(known.iter().copied()).into(),
        go: "http",
        place: json!({}),
    }
}

/// Returns the keys of the session that are strings.
fn keys(session: &Session) -> Vec<String> {
    session
        .keys()
        .into_iter()
        .filter(|key| key != "_session")
        .collect()
}

/// Reads each value and writes it back. Returns the keys for which that succeeded.
fn write_back(session: &Session, change: fn(Any) -> Any) -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for key in keys(session) {
        let updated = session.update(&key, move |value: &mut Any| {
            *value = change(std::mem::take(value));
        });
        match updated {
            Ok(_) => drop(written.insert(key)),
            Err(error) => assert!(error.is_wrong_type() || error.is_usage(), "{error}"),
        }
    }
    written
}

/// Reads each value of a Go session and writes it back. Go finds unchanged values deep-equal, and
/// changed values with their old types.
fn assert_types_are_kept(mut gorilla: Gorilla) {
    let shared = in_cookies(&[]);
    let (mut values, mut written) = (0, 0);
    for seed in seeds(CASES) {
        let mut jar = Jar::new();
        let made = shared.ask(&mut gorilla, "make", &jar, &json!({"seed": seed}));
        jar.set("session", made["cookie"].as_str().unwrap());
        let before = shared.ask(&mut gorilla, "types", &jar, &json!({}));
        shared.visit(&mut jar, |session| {
            assert_eq!(session.refusal(), None, "seed {seed}");
            values += keys(session).len();
            written += write_back(session, |value| value).len();
        });
        let same = json!({"before": hex(&payload(&made)), "changed": "", "seed": seed});
        shared.ask(&mut gorilla, "same", &jar, &same);
        shared.visit(&mut jar, |session| drop(write_back(session, Any::changed)));
        let after = shared.ask(&mut gorilla, "types", &jar, &json!({}));
        assert_eq!(before["values"], after["values"], "seed {seed}");
        // Go can still save the session.
        shared.ask(&mut gorilla, "edit", &jar, &json!({}));
    }
    println!("{written} of {values} values were written back");
    assert!(written * 10 > values * 9, "{written} of {values}");
}

#[test]
fn values_keep_their_types_in_a_stock_program() {
    if let Some(gorilla) = Gorilla::start_stock() {
        assert_types_are_kept(gorilla);
    }
}

#[test]
fn values_keep_their_types_in_a_program_with_its_own_types() {
    if let Some(gorilla) = Gorilla::start() {
        assert_types_are_kept(gorilla);
    }
}

/// The numbers of written and refused values by kind.
#[derive(Default)]
struct Tally {
    written: BTreeMap<u64, u64>,
    refused: BTreeMap<u64, u64>,
}

impl Tally {
    /// Inserts random values into a session. A refusal must be about the value's type.
    fn fill(&mut self, session: &Session, seed: i64) {
        let mut random = Random::of(seed);
        for number in 0..=random.below(6) {
            let kind = random.below(KINDS);
            let value = random.value(kind, 3);
            let inserted = match random.below(4) {
                0 => session.add_flash(&value),
                _ => session.insert(&format!("key {number}"), &value),
            };
            match inserted {
                Ok(()) => *self.written.entry(kind).or_default() += 1,
                Err(error) => {
                    assert!(error.is_usage(), "seed {seed}: {value:?}: {error}");
                    *self.refused.entry(kind).or_default() += 1;
                }
            }
        }
    }

    /// Checks that each kind with a Go type was written.
    fn check(&self, what: &str) {
        let sum = |of: &BTreeMap<u64, u64>| of.values().sum::<u64>();
        let (written, refused) = (sum(&self.written), sum(&self.refused));
        println!("{what}: {written} values written, {refused} refused");
        assert!(refused > 0 && written > refused);
        for kind in 0..=16 {
            assert!(
                self.written.contains_key(&kind),
                "kind {kind} was never written"
            );
        }
    }
}

/// No serde value stops a stock Go program with gorilla/sessions from reading and saving the
/// session.
#[test]
fn a_stock_gorilla_program_reads_serde_values() {
    let Some(mut gorilla) = Gorilla::start_stock() else {
        return;
    };
    let shared = in_cookies(&[]);
    let mut tally = Tally::default();
    for seed in seeds(CASES) {
        let mut jar = Jar::new();
        shared.visit(&mut jar, |session| {
            session.insert("first", true).unwrap();
            tally.fill(session, seed);
        });
        // The second round uses the session that Go saved.
        for _ in 0..2 {
            let edited = shared.ask(&mut gorilla, "edit", &jar, &json!({"seed": seed}));
            jar.set("session", edited["cookie"].as_str().unwrap());
            shared.visit(&mut jar, |session| {
                assert_eq!(session.refusal(), None, "seed {seed}");
                assert_eq!(session.get::<String>("go").unwrap().unwrap(), "was here");
                tally.fill(session, seed.wrapping_add(1));
            });
        }
    }
    tally.check("gorilla");
}

/// A session in scs's rows, which are in memory here and are sent to Go one by one.
struct ScsRow {
    backend: Arc<InLayout>,
    stores: Stores,
    jar: Jar,
}

impl ScsRow {
    fn new(known: &[&str]) -> Self {
        let backend = Arc::new(InLayout::new(
            Memory::new(),
            silverback::backend::Layout::Scs,
        ));
        let options = ServerOptions::new().cookie(cookie());
        let dialect = Dialect::scs().known_types(known.iter().copied());
        let store = ServerStore::with_options(dialect, backend.clone(), options).unwrap();
        ScsRow {
            backend,
            stores: store.into(),
            jar: Jar::new(),
        }
    }

    fn visit(&mut self, handle: impl FnOnce(&Session)) {
        RUNTIME.block_on(async {
            let sessions = self.jar.sessions(self.stores.clone());
            handle(&sessions.session().await.unwrap());
            let fields = sessions.finish().await.unwrap().unwrap();
            for set_cookie in fields.set_cookies() {
                self.jar.receive(set_cookie);
            }
        });
    }

    /// Serves a request of the session in Go, which inserts a value.
    fn visit_in_go(&mut self, scs: &mut Gorilla) -> Json {
        let key = Key::new(self.jar.get("session").unwrap()).unwrap();
        let stored = RUNTIME.block_on(self.backend.load(&key)).unwrap().unwrap();
        let answer = scs.must(&json!({"row": hex(stored.record.value())}));
        assert_eq!(answer["status"], 200);
        let expiry = Expiry::after(std::time::Duration::from_secs(3_600));
        let row = Record::new(payload(&answer), expiry);
        let swapped = self.backend.swap(&key, &stored.revision, &row);
        assert!(RUNTIME.block_on(swapped).is_ok());
        answer
    }
}

#[test]
fn a_stock_scs_program_reads_serde_values() {
    let Some(mut scs) = Gorilla::start_stock_scs() else {
        return;
    };
    let mut tally = Tally::default();
    for seed in seeds(CASES) {
        let mut row = ScsRow::new(&[]);
        row.visit(|session| {
            session.insert("first", true).unwrap();
            tally.fill(session, seed);
        });
        for _ in 0..2 {
            row.visit_in_go(&mut scs);
            row.visit(|session| {
                assert_eq!(session.refusal(), None, "seed {seed}");
                assert_eq!(session.get::<String>("go").unwrap().unwrap(), "was here");
                tally.fill(session, seed.wrapping_add(1));
            });
        }
    }
    tally.check("scs");
}

/// A type that is wrongly named as known damages the program. This shows that the check is
/// necessary.
#[test]
fn an_unknown_type_damages_a_stock_program() {
    let (Some(mut gorilla), Some(mut scs)) = (Gorilla::start_stock(), Gorilla::start_stock_scs())
    else {
        return;
    };
    let map = BTreeMap::from([("a", 1)]);
    let known = ["map[string]interface {}", "[]interface {}"];
    let shared = in_cookies(&known);
    let mut jar = Jar::new();
    shared.visit(&mut jar, |session| session.insert("map", &map).unwrap());
    let question = json!({
        "op": "http-edit", "hash_key": hex(&crate::store::HASH_KEY),
        "block_key": hex(&crate::store::BLOCK_KEY), "cookie": jar.get("session").unwrap(),
    });
    assert!(gorilla.send(&question).get("error").is_some());
    let mut row = ScsRow::new(&known);
    row.visit(|session| session.insert("list", (1, "a")).unwrap());
    let key = Key::new(row.jar.get("session").unwrap()).unwrap();
    let stored = RUNTIME.block_on(row.backend.load(&key)).unwrap().unwrap();
    let answer = scs.send(&json!({"row": hex(stored.record.value())}));
    assert_eq!(answer["status"], 500);
}

/// Go reads the constructed values of types that encode themselves.
#[test]
fn go_reads_values_of_types_that_encode_themselves() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let known = [
        "time.Time",
        "*big.Int",
        "[16]uint8",
        "github.com/google/uuid.UUID",
    ];
    let shared = in_cookies(&known);
    let mut jar = Jar::new();
    shared.visit(&mut jar, |session| {
        let time: Time = "2030-01-01T00:00:00.25+01:00".parse().unwrap();
        session.insert("serde", time).unwrap();
        session.insert_gob("time", time).unwrap();
        session
            .insert_gob("big", SelfEncoded::big_int(true, &[1, 0]))
            .unwrap();
        session.insert_gob("array", [7; 16]).unwrap();
        session
            .insert_gob("uuid", SelfEncoded::uuid([7; 16]))
            .unwrap();
    });
    let types = shared.ask(&mut gorilla, "types", &jar, &json!({}));
    let expected = json!({
        "string serde": "time.Time", "string time": "time.Time", "string big": "*big.Int",
        "string array": "[16]uint8", "string uuid": "uuid.UUID",
    });
    assert_eq!(types["values"], expected);
    let opened = silverback::codec::Codec::open(&codec(), "session", jar.get("session").unwrap());
    let question = json!({"op": "gob-draw", "payload": hex(opened.unwrap().value())});
    let drawn: Json = serde_json::from_slice(&payload(&gorilla.must(&question))).unwrap();
    assert_eq!(drawn["time"], "2030-01-01T00:00:00.25+01:00");
    assert_eq!(drawn["serde"], drawn["time"]);
    assert_eq!(drawn["uuid"]["$bytes"], "BwcHBwcHBwcHBwcHBwcHBw==");
    // version 1, negative: 3; and 256.
    assert_eq!(drawn["big"]["$bytes"], "AwEA");
}

/// The program can set each printed value of a Go session again, without a change.
#[cfg(feature = "cli")]
#[test]
fn the_program_can_set_printed_values() {
    let Some(mut gorilla) = Gorilla::start() else {
        return;
    };
    let shared = in_cookies(&[]);
    let mut set = 0;
    for seed in seeds(CASES / 3) {
        let mut jar = Jar::new();
        let made = shared.ask(&mut gorilla, "make", &jar, &json!({"seed": seed}));
        let cookie = made["cookie"].as_str().unwrap();
        let (picture, _) = silverback(&["decode".into(), cookie.into()]);
        let picture: Json = serde_json::from_str(&picture).unwrap();
        let mut edit = vec!["edit".to_owned()];
        for (key, json) in picture.as_object().unwrap() {
            let json = json.to_string();
            // Text that is not UTF-8 is not printed exactly, and no argument contains a zero byte.
            let is_text = |text: &&String| !text.contains(['\u{fffd}', '\0']);
            // A float that is printed as an integer of more than 64 bits is refused.
            let is_wide = json
                .split(|of: char| !of.is_ascii_digit())
                .any(|digits| digits.len() > 19);
            if !is_wide && [key, &json].iter().all(is_text) {
                edit.extend(["--set".into(), format!("{key}={json}")]);
                set += 1;
            }
        }
        edit.push(cookie.to_owned());
        let (edited, said) = silverback(&edit);
        assert_eq!(said, "", "seed {seed}");
        jar.set("session", edited.trim_end());
        let same = json!({"before": hex(&payload(&made)), "changed": "", "seed": seed});
        shared.ask(&mut gorilla, "same", &jar, &same);
    }
    println!("{set} values were set again");
    assert!(set > 50);
}

/// Runs the program with the keys of the tests, and returns its output and its messages.
#[cfg(feature = "cli")]
fn silverback(arguments: &[String]) -> (String, String) {
    use crate::store::{BLOCK_KEY, HASH_KEY};

    let (command, rest) = arguments.split_first().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_silverback"))
        .args([command, "--name", "session", "--max-length", "0", "--keys"])
        .arg(format!("{}:{}", hex(&HASH_KEY), hex(&BLOCK_KEY)))
        .args(rest)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}
