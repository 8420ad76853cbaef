//! Sessions that a Go program also reads: an existing Go type is kept, and a type that the program
//! does not know is not written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use silverback::backend::Memory;
use silverback::codec::{Codec, Codecs};
use silverback::gob::{
    Int, Interface, SelfEncoded, SelfEncoder, Time, Value, as_time, as_uuid, to_interface, to_value,
};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Dialect, Error, Refusal, ServerStore, Session};

use super::in_layout::InLayout;
use super::site::RUNTIME;
use super::support::fresh_codecs;

/// Returns a jar with a session that a Go program wrote.
fn from_go(codecs: &Codecs, entries: Vec<(&str, Interface)>) -> Jar {
    let session = Value::map_of_interfaces(entries).to_vec();
    let mut jar = Jar::new();
    jar.set("__Host-id", &codecs.seal("__Host-id", &session).unwrap());
    jar
}

/// Returns the values that the Go program finds after a handler has changed the session.
fn values_after(
    store: &CookieStore,
    codecs: &Codecs,
    mut jar: Jar,
    handle: impl FnOnce(&Session) -> Result<(), Error>,
) -> BTreeMap<String, Interface> {
    RUNTIME.block_on(async {
        let sessions = jar.sessions(store.clone());
        handle(&sessions.session().await.unwrap()).unwrap();
        for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
            jar.receive(set_cookie);
        }
    });
    let cookie = jar.get("__Host-id").unwrap();
    let opened = codecs.open("__Host-id", cookie).unwrap();
    let Value::Composite(map) = Value::from_slice(opened.value()).unwrap() else {
        panic!("a session is a map");
    };
    let string = |key: &Value| silverback::gob::from_value::<String>(key).unwrap();
    let interface = |value: &Value| match value {
        Value::Interface(value) => value.clone(),
        _ => panic!("no interface"),
    };
    map.entries()
        .map(|(key, value)| (string(key), interface(value)))
        .collect()
}

fn bytes(interface: &Interface) -> Vec<u8> {
    Value::slice_of_interfaces([interface.clone()]).to_vec()
}

#[track_caller]
fn assert_value(found: &BTreeMap<String, Interface>, key: &str, expected: impl Into<Interface>) {
    let expected = expected.into();
    assert_eq!(*found[key].name(), *expected.name(), "{key}");
    assert_eq!(bytes(&found[key]), bytes(&expected), "{key}");
}

fn named(name: &str, like: impl Into<Interface>) -> Interface {
    Interface::of(name, like.into().value().unwrap().clone())
}

fn time(text: &str) -> Interface {
    text.parse::<Time>().unwrap().into()
}

#[test]
fn an_existing_go_type_is_kept() {
    let codecs = fresh_codecs();
    // The type is kept with and without `shared_with_go`.
    let plain = CookieStore::new(codecs.clone()).unwrap();
    for store in [plain.clone(), plain.shared_with_go()] {
        let jar = from_go(
            &codecs,
            vec![
                ("visits", Int(7).into()),
                ("small", 7_i8.into()),
                ("unsigned", 7_usize.into()),
                ("ratio", 0.5_f32.into()),
                ("lasts", named("time.Duration", 7_i64)),
                ("id", named("main.UserID", 7_i64)),
                ("role", named("main.Role", "user")),
                (
                    "roles",
                    named("main.Roles", to_interface(&["user"].as_slice()).unwrap()),
                ),
                ("uuid", [1_u8; 16].into()),
                ("google", SelfEncoded::uuid([1; 16]).into()),
                ("seen", time("2030-01-01T00:00:00+01:00")),
                ("same", time("2030-01-01T00:00:00+01:00")),
                ("list", to_interface(&[1_i64, 2].as_slice()).unwrap()),
            ],
        );
        let found = values_after(&store, &codecs, jar, |session| {
            // The line of README.
            session.update("visits", |visits: &mut u64| *visits += 1)?;
            session.update("small", |small: &mut u32| *small += 1)?;
            session.insert("unsigned", 8_i64)?;
            session.insert("ratio", 0.25)?;
            session.update("lasts", |lasts: &mut u64| *lasts *= 2)?;
            session.update("id", |id: &mut i32| *id += 1)?;
            session.insert("role", "admin")?;
            session.insert("roles", Vec::<String>::new())?;
            session.insert("uuid", [2_u8; 16])?;
            session.insert("google", "02020202-0202-0202-0202-020202020202")?;
            session.insert("seen", "2031-01-01T00:00:00Z")?;
            // The same moment in another zone.
            session.insert("same", "2029-12-31T23:00:00.000Z")?;
            session.insert("list", Vec::<i64>::new())
        });
        assert_value(&found, "visits", Int(8));
        assert_value(&found, "small", 8_i8);
        assert_value(&found, "unsigned", 8_usize);
        assert_value(&found, "ratio", 0.25_f32);
        assert_value(&found, "lasts", named("time.Duration", 14_i64));
        assert_value(&found, "id", named("main.UserID", 8_i64));
        assert_value(&found, "role", named("main.Role", "admin"));
        let no_roles = to_interface(&["x"; 0].map(str::to_owned).as_slice()).unwrap();
        assert_eq!(*no_roles.name(), *"[]interface {}");
        assert_eq!(*found["roles"].name(), *"main.Roles");
        assert_value(&found, "uuid", [2_u8; 16]);
        assert_value(&found, "google", SelfEncoded::uuid([2; 16]));
        assert_value(&found, "seen", time("2031-01-01T00:00:00Z"));
        assert_value(&found, "same", time("2030-01-01T00:00:00+01:00"));
        assert_eq!(*found["list"].name(), *"[]int64");
    }
}

#[test]
fn a_value_that_does_not_fit_gets_its_own_type() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap().shared_with_go();
    let jar = from_go(
        &codecs,
        vec![
            ("small", 7_i8.into()),
            ("int", Int(7).into()),
            ("single", 0.5_f32.into()),
            ("time", time("2030-01-01T00:00:00Z")),
            ("id", SelfEncoded::uuid([1; 16]).into()),
            (
                "money",
                SelfEncoded::new("main.Money", SelfEncoder::Gob, "7")
                    .unwrap()
                    .into(),
            ),
            ("text", "a".into()),
            ("slice", Interface::from(vec![1_u8])),
        ],
    );
    let found = values_after(&store, &codecs, jar, |session| {
        session.insert("small", 128_u32)?;
        session.insert("int", u64::MAX)?;
        session.insert("single", 0.1)?;
        session.insert("time", "tomorrow")?;
        session.insert("id", vec![1_u8; 15])?;
        session.insert("money", vec![1_u8])?;
        session.insert("text", 7_i64)?;
        session.insert("slice", "text")
    });
    assert_value(&found, "small", 128_u32);
    assert_value(&found, "int", u64::MAX);
    assert_value(&found, "single", 0.1);
    assert_value(&found, "time", "tomorrow");
    assert_value(&found, "id", vec![1_u8; 15]);
    assert_value(&found, "money", vec![1_u8]);
    assert_value(&found, "text", 7_i64);
    assert_value(&found, "slice", "text");
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct GoUser {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Age")]
    age: i16,
    #[serde(rename = "Any", skip_serializing_if = "Option::is_none")]
    any: Option<BTreeMap<String, i64>>,
    #[serde(rename = "Secret")]
    secret: String,
}

/// A type of a program that does not know the field for secrets.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct PartialUser {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Any", skip_serializing_if = "Option::is_none")]
    any: Option<BTreeMap<String, i64>>,
}

#[test]
fn a_struct_and_its_fields_keep_their_types() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap().shared_with_go();
    let user = |name: &str| GoUser {
        name: name.into(),
        age: 7,
        any: Some(BTreeMap::from([("n".into(), 1)])),
        secret: "kept".into(),
    };
    let main_user = |name| {
        named(
            "main.User",
            Interface::of("x", to_value(&user(name)).unwrap()),
        )
    };
    let list =
        Value::slice_of_interfaces([Int(1).into(), 0.5_f32.into(), time("2030-01-01T00:00:00Z")]);
    let inner = Value::map_of_strings([
        ("n", 7_i8.into()),
        ("list", Interface::of("[]interface {}", list)),
    ]);
    let jar = || {
        from_go(
            &codecs,
            vec![
                ("user", main_user("ape")),
                (
                    "map",
                    Interface::of("map[string]interface {}", inner.clone()),
                ),
            ],
        )
    };
    let read = |found: &BTreeMap<String, Interface>| -> GoUser {
        assert_eq!(*found["user"].name(), *"main.User");
        silverback::gob::from_value(found["user"].value().unwrap()).unwrap()
    };
    // An update keeps the fields that the Rust type does not have, and clears those that it skips.
    let found = values_after(&store, &codecs, jar(), |session| {
        session.update("user", |user: &mut PartialUser| user.name.push('s'))?;
        session.update("map", |map: &mut serde_json::Value| {
            map["n"] = 8.into();
            map["list"][2] = "2031-01-01T00:00:00Z".into();
            map["list"].as_array_mut().unwrap().push(9.into());
        })?;
        Ok(())
    });
    assert_eq!(
        read(&found),
        GoUser {
            name: "apes".into(),
            ..user("")
        }
    );
    let map = Interface::of("map[string]interface {}", {
        let list = Value::slice_of_interfaces([
            Int(1).into(),
            0.5_f32.into(),
            time("2031-01-01T00:00:00Z"),
            9_u64.into(),
        ]);
        Value::map_of_strings([
            ("n", 8_i8.into()),
            ("list", Interface::of("[]interface {}", list)),
        ])
    });
    let names = |interface: &Interface| -> Vec<String> {
        let mut names: Vec<_> = interface
            .registered_names()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&found["map"]), names(&map));
    let found = values_after(&store, &codecs, jar(), |session| {
        session.update("user", |user: &mut PartialUser| user.any = None)?;
        Ok(())
    });
    assert_eq!(read(&found).any, None);
    assert_eq!(read(&found).secret, "kept");
    // An insert replaces the whole value: no old field is kept.
    let found = values_after(&store, &codecs, jar(), |session| {
        session.insert(
            "user",
            PartialUser {
                name: "kong".into(),
                any: None,
            },
        )
    });
    assert_eq!(
        read(&found),
        GoUser {
            name: "kong".into(),
            ..GoUser::default()
        }
    );
    // A struct that has no field in common with it is another type.
    let found = values_after(&store.known_types(["Other"]), &codecs, jar(), |session| {
        #[derive(Serialize)]
        struct Other {
            items: u8,
        }
        session.insert("user", Other { items: 1 })
    });
    assert_eq!(*found["user"].name(), *"Other");
}

#[derive(Serialize)]
struct Cart {
    items: Vec<u64>,
}

/// Returns a store for each dialect that a Go program shares, and whether it knows `[]interface
/// {}`.
fn shared_stores(known: &[&str]) -> Vec<(silverback::session::Stores, bool)> {
    let codecs = fresh_codecs();
    let cookies = CookieStore::new(codecs)
        .unwrap()
        .known_types(known.iter().copied());
    let in_scs = Dialect::scs().known_types(known.iter().copied());
    let rows = Arc::new(InLayout::new(
        Memory::new(),
        silverback::backend::Layout::Scs,
    ));
    let scs = ServerStore::new(in_scs, rows).unwrap();
    vec![(cookies.into(), true), (scs.into(), false)]
}

fn in_session(stores: &silverback::session::Stores, handle: impl FnOnce(&Session)) {
    RUNTIME.block_on(async {
        let sessions = Jar::new().sessions(stores.clone());
        handle(&sessions.session().await.unwrap());
        sessions.finish().await.unwrap();
    });
}

#[track_caller]
fn refused(written: Result<(), Error>, name: &str) {
    let error = written.unwrap_err();
    let text = error.to_string();
    assert!(error.is_usage() && text.contains(name), "{text}");
    assert!(
        text.contains("known_types") && text.contains("gob.Register"),
        "{text}"
    );
}

#[test]
fn a_type_unknown_to_the_go_program_is_refused() {
    for (stores, knows_lists) in shared_stores(&[]) {
        in_session(&stores, |session| {
            let map = BTreeMap::from([("a", 1)]);
            refused(session.insert("map", &map), "map[string]interface {}");
            refused(
                session.insert("map", BTreeMap::<String, u8>::new()),
                "map[string]interface {}",
            );
            refused(session.insert("cart", Cart { items: vec![1] }), "Cart");
            refused(
                session.insert_gob("at", time("2030-01-01T00:00:00Z")),
                "time.Time",
            );
            refused(
                session.insert("at", Time::from(std::time::SystemTime::now())),
                "time.Time",
            );
            refused(
                session.insert_gob("id", named("main.UserID", 7_i64)),
                "main.UserID",
            );
            refused(
                session.insert_gob("bytes", named("[]byte", vec![1_u8])),
                "[]byte",
            );
            let first = if knows_lists {
                "map[string]interface {}"
            } else {
                "[]interface {}"
            };
            refused(session.add_flash(&map), first);
            let mixed = session.insert("mixed", (1, "a"));
            let nested = session.insert("nested", vec![vec![1], vec![2]]);
            let bytes = session.insert("bytes", vec![vec![1_u8], vec![2]]);
            let options = session.insert("options", vec![Some("a"), None]);
            for lists in [mixed, nested, bytes, options] {
                match knows_lists {
                    true => lists.unwrap(),
                    false => refused(lists, "[]interface {}"),
                }
            }
            assert!(!session.contains("map") && !session.contains("cart"));
        });
    }
}

#[test]
fn a_type_named_as_known_is_written() {
    let known = [
        "map[string]interface {}",
        "Cart",
        "time.Time",
        "main.UserID",
    ];
    for (stores, _) in shared_stores(&known) {
        in_session(&stores, |session| {
            session.insert("map", BTreeMap::from([("a", "b")])).unwrap();
            session.insert("cart", Cart { items: vec![1] }).unwrap();
            session
                .insert_gob("at", time("2030-01-01T00:00:00Z"))
                .unwrap();
            session
                .insert_gob("id", named("main.UserID", 7_i64))
                .unwrap();
            let names = session.values().registered_names();
            assert!(known.iter().all(|name| names.contains(*name)), "{names:?}");
        });
    }
    // The list type of these values is used if it is the only known one.
    for (stores, _) in shared_stores(&["map[string]string", "[][]uint8"]) {
        in_session(&stores, |session| {
            session.insert("map", BTreeMap::from([("a", "b")])).unwrap();
            assert!(
                session
                    .values()
                    .registered_names()
                    .contains("map[string]string")
            );
            refused(
                session.insert("map", BTreeMap::from([("a", 1)])),
                "map[string]interface {}",
            );
            session.insert("bytes", vec![vec![1_u8], vec![2]]).unwrap();
        });
    }
}

#[test]
fn values_are_written_in_known_types() {
    for (stores, knows_lists) in shared_stores(&[]) {
        in_session(&stores, |session| {
            let name = |key: &str| {
                let map = session.values().to_gob();
                let Some(Value::Interface(value)) = map.get(key) else {
                    panic!("no {key}");
                };
                value.name().to_string_lossy().into_owned()
            };
            let lists = if knows_lists { "[]interface {}" } else { "" };
            session.insert("texts", ["a", "b"]).unwrap();
            session.insert("numbers", vec![1_i64]).unwrap();
            session.insert("pair", (1.5, 2.5)).unwrap();
            session.insert("bytes", [1_u8, 2]).unwrap();
            session.insert("empty", Vec::<String>::new()).unwrap();
            session.insert("nothing", None::<u8>).unwrap();
            assert_eq!(name("texts"), "[]string");
            assert_eq!(name("numbers"), "[]int64");
            assert_eq!(name("pair"), "[]float64");
            assert_eq!(name("bytes"), "[]uint8");
            assert_eq!(name("empty"), lists, "nil if no list type is known");
            assert_eq!(name("nothing"), "");
            assert_eq!(session.get::<[u8; 2]>("bytes").unwrap(), Some([1, 2]));
            assert_eq!(
                session.get::<[String; 2]>("texts").unwrap().unwrap(),
                ["a", "b"]
            );
            assert_eq!(session.get::<(f64, f64)>("pair").unwrap(), Some((1.5, 2.5)));
            session.add_flash("a").unwrap();
            session.add_flash("b").unwrap();
            let flashes = if knows_lists {
                "[]interface {}"
            } else {
                "[]string"
            };
            assert_eq!(name("_flash"), flashes);
            let mixed = session.add_flash(7);
            assert_eq!(mixed.is_ok(), knows_lists, "a list of two types");
            assert_eq!(session.flashes::<String>().unwrap(), ["a", "b"]);
        });
    }
}

#[test]
fn types_that_a_go_program_has_written_are_known() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap().shared_with_go();
    let jar = from_go(&codecs, vec![("seen", time("2030-01-01T00:00:00Z"))]);
    let found = values_after(&store, &codecs, jar, |session| {
        session.insert_gob("again", time("2031-01-01T00:00:00Z"))?;
        session.remove("seen")?;
        session.insert_gob("more", time("2032-01-01T00:00:00Z"))
    });
    assert_value(&found, "more", time("2032-01-01T00:00:00Z"));
    // A session without these types does not make them known.
    let jar = from_go(&codecs, vec![("seen", "never".into())]);
    values_after(&store, &codecs, jar, |session| {
        refused(
            session.insert_gob("at", time("2031-01-01T00:00:00Z")),
            "time.Time",
        );
        session.insert("a", 1)
    });
}

/// In a Go struct `Some(0)` and `None` are the same.
#[test]
fn a_struct_that_would_be_read_back_differently_is_refused() {
    #[derive(Serialize)]
    struct Consent {
        asked: u8,
        given: Option<bool>,
        list: Option<Vec<u8>>,
    }
    let consent = |given, list| Consent {
        asked: 1,
        given,
        list,
    };
    for (stores, _) in shared_stores(&["Consent"]) {
        in_session(&stores, |session| {
            session.insert("a", consent(Some(true), None)).unwrap();
            session.insert("a", consent(None, Some(vec![1]))).unwrap();
            for lost in [consent(Some(false), None), consent(None, Some(vec![]))] {
                let error = session.insert("a", lost).unwrap_err();
                assert!(
                    error.is_usage() && error.to_string().contains("Consent"),
                    "{error}"
                );
            }
        });
    }
}

/// A store without `shared_with_go` also keeps the Go struct, unless a value would be lost.
#[test]
fn a_go_struct_is_kept_if_no_value_is_lost() {
    #[derive(Default, Serialize, Deserialize)]
    struct Limits {
        #[serde(rename = "Name")]
        name: String,
        #[serde(rename = "Limit")]
        limit: Option<u8>,
    }
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap();
    let limits = |limit| Limits {
        name: "ape".into(),
        limit,
    };
    let there = || Interface::of("main.Limits", to_value(&limits(Some(7))).unwrap());
    for (limit, name) in [
        (Some(8), "main.Limits"),
        (None, "main.Limits"),
        (Some(0), "map[string]interface {}"),
    ] {
        let jar = from_go(&codecs, vec![("limits", there())]);
        let found = values_after(&store, &codecs, jar, |session| {
            session.update("limits", move |limits: &mut Limits| limits.limit = limit)?;
            assert_eq!(session.get::<Limits>("limits")?.unwrap().limit, limit);
            Ok(())
        });
        assert_eq!(*found["limits"].name(), *name, "{limit:?}");
    }
}

#[derive(Serialize, Deserialize)]
struct Booking {
    #[serde(with = "as_time")]
    at: String,
    #[serde(with = "as_uuid")]
    by: String,
    until: Time,
    price: SelfEncodedMoney,
}

#[derive(Deserialize)]
struct SelfEncodedMoney(Vec<u8>);

impl Serialize for SelfEncodedMoney {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let money = SelfEncoded::new("example.com/shop.Money", SelfEncoder::Gob, &*self.0);
        money
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[test]
fn go_values_unknown_to_serde_can_be_constructed() {
    let at = "2030-01-01T00:00:00.25+01:00";
    let known = [
        "Booking",
        "time.Time",
        "github.com/google/uuid.UUID",
        "*big.Int",
        "[16]uint8",
    ];
    for (stores, _) in shared_stores(&known) {
        in_session(&stores, |session| {
            let by = "02020202-0202-0202-0202-020202020202".to_owned();
            let booking = Booking {
                at: at.into(),
                by,
                until: at.parse().unwrap(),
                price: SelfEncodedMoney(b"799".to_vec()),
            };
            session.insert("booking", &booking).unwrap();
            let map = session.values().to_gob();
            let Some(Value::Interface(held)) = map.get("booking") else {
                panic!("no booking");
            };
            let Some(Value::Composite(fields)) = held.value() else {
                panic!("no struct");
            };
            let field = |name: &str| fields.field(name).unwrap();
            assert_eq!(Time::of(field("at")).unwrap().to_string(), at);
            assert_eq!(Time::of(field("until")), Time::of(field("at")));
            for (name, go_name) in [("by", "UUID"), ("price", "Money")] {
                let Value::SelfEncoded(of, _) = field(name) else {
                    panic!("{name} encodes itself");
                };
                assert_eq!(*of.name(), *go_name);
            }
            let again: Booking = session.get("booking").unwrap().unwrap();
            assert_eq!((again.at, again.until), (booking.at, booking.until));
            assert_eq!(again.price.0, b"799");
            session
                .insert_gob("balance", SelfEncoded::big_int(true, &[0, 1, 0]))
                .unwrap();
            session.insert_gob("id", [7; 16]).unwrap();
            session
                .insert_gob("by", SelfEncoded::uuid([7; 16]))
                .unwrap();
            assert_eq!(session.get::<[u8; 16]>("by").unwrap(), Some([7; 16]));
        });
    }
}

/// Metadata of a later version, or with a mark or an owner that this version refuses, may be that of
/// a session that was revoked. It is never read as a Go program's value in a session without a login.
#[test]
fn a_cookie_with_unreadable_metadata_is_refused() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap();
    let refusal = |text: &str| {
        let jar = from_go(
            &codecs,
            vec![("_session", text.into()), ("a", 1_i64.into())],
        );
        let session = RUNTIME.block_on(jar.session(store.clone())).unwrap();
        session.refusal()
    };
    for unreadable in [
        "1 1700000000 1700000000 - r 1700000000 v7 ape",
        "2 1700000000 1700000000 - r 1700000000 x 1 - - ape",
        "3 1700000000 1700000000 - r",
    ] {
        assert_eq!(refusal(unreadable), Some(Refusal::NotValid), "{unreadable}");
    }
    for of_go in ["", "ape", "1 2 3", "a word and four more words"] {
        assert_eq!(refusal(of_go), None, "{of_go}");
    }
}
