//! Values: types, other serializers, values of Go programs; and no output shows a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use silverback::backend::{Backend, Memory};
use silverback::codec::{
    Codec, CodecOptions, Codecs, CustomSerializer, KeyPair, KeyPairs, Opened, SecureCookie,
    Serializer, UnixTime, erased_serde,
};
use silverback::gob::{self, Interface, Value};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Dialect, Error, Lifetime, Refusal, ServerStore, Session,
    SessionStatus, Stores, TypedValue, Values,
};

use super::site::RUNTIME;
use super::support::{codecs, fresh_codecs, store};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: Vec<Item>,
    coupon: Option<String>,
    by_name: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    id: u64,
    count: i8,
}

fn cart() -> Cart {
    let item = |id, count| Item { id, count };
    Cart {
        items: vec![item(7, 1), item(u64::MAX, -1), item(0, 0)],
        coupon: None,
        by_name: BTreeMap::from([("banana".into(), 0.5), ("leaf".into(), 2.0)]),
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    pages: Vec<String>,
}

impl TypedValue for Seen {
    const KEY: &'static str = "seen";
}

#[test]
fn a_typed_value_is_the_value_under_its_key() {
    let session = RUNTIME.block_on(Jar::new().session(store())).unwrap();
    let seen = session.typed::<Seen>();
    assert_eq!(seen.get().unwrap(), Seen::default());
    assert!(!session.contains("seen"), "a default is not stored");
    let updated = seen.update(|seen| seen.pages.push("a".into())).unwrap();
    assert_eq!(updated, seen.get().unwrap());
    assert_eq!(session.get("seen").unwrap(), Some(updated));
    let pages = vec!["b".to_owned()];
    seen.set(&Seen { pages }).unwrap();
    assert_eq!(seen.take().unwrap().pages, ["b"]);
    assert_eq!(seen.take().unwrap(), Seen::default());
    assert!(!seen.session().contains("seen"));
    session.insert("seen", 7).unwrap();
    assert!(seen.get().unwrap_err().is_wrong_type());
}

/// A store takes key pairs, a codec or a dialect, and a backend, bare or shared.
#[test]
fn stores_are_made_of_keys_and_backends_of_each_form() {
    let pairs = KeyPairs::generate(1).unwrap();
    let codecs = || Codecs::from_pairs(pairs.clone()).unwrap();
    let shared: Arc<dyn Backend> = Arc::new(Memory::new());
    let stores: [Stores; 6] = [
        CookieStore::new(pairs.clone()).unwrap().into(),
        CookieStore::new(codecs()).unwrap().into(),
        ServerStore::new(pairs.clone(), Memory::new())
            .unwrap()
            .into(),
        ServerStore::new(codecs(), Arc::new(Memory::new()))
            .unwrap()
            .into(),
        ServerStore::new(Dialect::native(codecs()), shared.clone())
            .unwrap()
            .into(),
        ServerStore::new(pairs.clone(), shared).unwrap().into(),
    ];
    RUNTIME.block_on(async {
        for store in stores {
            let jar = Jar::with(store.clone(), |session| session.login("ape")).await;
            let session = jar.unwrap().session(store).await.unwrap();
            assert_eq!(session.owner().as_deref(), Some("ape"));
        }
    });
    // A chain refuses two pairs with one hash key.
    let twice = format!("{0}:{0}, {0}", "0123456789abcdef0123456789abcdef");
    let twice = KeyPairs::from_legacy_spec(&twice).unwrap();
    let refused = CookieStore::new(twice.clone()).unwrap_err();
    assert!(refused.is_usage() && refused.to_string().starts_with("the store's keys"));
    let refused = ServerStore::new(twice, Memory::new()).unwrap_err();
    assert!(refused.is_usage() && refused.to_string().starts_with("the store's keys"));
    for error in [
        CookieStore::from_env("SILVERBACK_NOT_SET")
            .unwrap_err()
            .to_string(),
        Codecs::from_env("SILVERBACK_NOT_SET")
            .unwrap_err()
            .to_string(),
    ] {
        assert!(error.contains("SILVERBACK_NOT_SET is not set"), "{error}");
    }
}

fn fill(session: &Session) -> Result<(), Error> {
    session.insert("cart", cart())?;
    session.insert("text", "gorilla")?;
    session.insert("bytes", vec![0_u8, 255])?;
    session.insert("nothing", None::<u8>)?;
    session.insert("list", vec!["a", "b"])?;
    session.add_flash("seen once")
}

fn check(session: &Session) -> Result<(), Error> {
    assert_eq!(session.get::<Cart>("cart")?, Some(cart()));
    assert_eq!(session.get::<String>("text")?.as_deref(), Some("gorilla"));
    assert_eq!(session.get::<Vec<u8>>("bytes")?, Some(vec![0, 255]));
    assert_eq!(session.get::<u8>("nothing")?, None);
    assert_eq!(session.get::<Vec<String>>("list")?.unwrap(), ["a", "b"]);
    assert_eq!(session.flashes::<String>()?, ["seen once"]);
    assert!(session.get::<u64>("text").unwrap_err().is_wrong_type());
    Ok(())
}

fn through(store: &CookieStore) {
    RUNTIME.block_on(async {
        let jar = Jar::with(store.clone(), fill).await.unwrap();
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.refusal(), None);
        check(&session).unwrap();
    });
}

fn with_serializer(keys: KeyPair, serializer: Serializer) -> SecureCookie {
    let options = CodecOptions::new().serializer(serializer).max_length(0);
    SecureCookie::with_options(keys, &options).unwrap()
}

#[test]
fn values_of_all_types_are_read_back_in_gob_and_in_json() {
    through(&store());
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    through(&CookieStore::new(json).unwrap());
}

/// JSON under another name, as a format of the application.
#[derive(Debug)]
struct CustomJson;

impl CustomSerializer for CustomJson {
    fn serialize(
        &self,
        value: &dyn erased_serde::Serialize,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::to_vec(value)?)
    }

    fn deserialize(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(
            &mut dyn erased_serde::Deserializer<'_>,
        ) -> Result<(), erased_serde::Error>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        Ok(read(&mut <dyn erased_serde::Deserializer<'_>>::erase(
            &mut json,
        ))?)
    }
}

#[test]
fn custom_formats_hold_sessions_if_they_declare_their_data_model() {
    let own = with_serializer(KeyPair::generate().unwrap(), Serializer::custom(CustomJson));
    through(&CookieStore::new(own).unwrap());
    let raw = with_serializer(KeyPair::generate().unwrap(), Serializer::Raw);
    assert!(CookieStore::new(raw).unwrap_err().is_usage());
    #[cfg(feature = "bincode")]
    {
        let bincode = with_serializer(KeyPair::generate().unwrap(), Serializer::Bincode);
        assert!(CookieStore::new(bincode).unwrap_err().is_usage());
    }
}

#[test]
fn a_chain_that_mixes_serializers_moves_sessions_from_one_to_the_other() {
    for (from, to) in [
        (Serializer::Json, Serializer::Gob),
        (Serializer::Gob, Serializer::Json),
    ] {
        let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let before = CookieStore::new(with_serializer(old.clone(), from.clone())).unwrap();
        let after = Codecs::new([
            with_serializer(new.clone(), to.clone()),
            with_serializer(old, from),
        ]);
        let after = CookieStore::new(after.unwrap()).unwrap();
        let alone = CookieStore::new(with_serializer(new, to)).unwrap();
        RUNTIME.block_on(async {
            let mut jar = Jar::with(before, fill).await.unwrap();
            let sessions = jar.sessions(after);
            sessions.session().await.unwrap().renew().unwrap();
            for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
                jar.receive(set_cookie);
            }
            check(&jar.session(alone).await.unwrap()).unwrap();
        });
    }
}

/// A Go interface that holds a value of either type.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
enum Either {
    Int(i16),
    Text(&'static str),
}

#[test]
fn values_of_a_go_program_are_kept() {
    let codecs = fresh_codecs();
    let entries = BTreeMap::from([
        (Either::Int(5), Either::Text("five")),
        (Either::Text("width"), Either::Int(7)),
    ]);
    let Value::Composite(mut map) = gob::to_value(&entries).unwrap() else {
        panic!("a map is a map");
    };
    map.insert("named", Interface::of("main.UserID", Value::Int(42)))
        .unwrap();
    let cookie = codecs
        .seal("__Host-id", &Value::Composite(map).to_vec())
        .unwrap();
    let store = CookieStore::new(codecs).unwrap();
    let mut jar = Jar::new();
    jar.set("__Host-id", &cookie);
    RUNTIME.block_on(async {
        let sessions = jar.sessions(store.clone());
        let session = sessions.session().await.unwrap();
        assert!(!session.is_new());
        assert_eq!(session.get::<i16>("width").unwrap(), Some(7));
        assert_eq!(session.keys(), ["width", "named"]);
        session.insert("ours", true).unwrap();
        for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
            jar.receive(set_cookie);
        }
        let values = jar.session(store).await.unwrap().values();
        assert_eq!(values.keys().count(), 3);
        assert_eq!(values.len(), 4, "the key of type int is kept");
        let map = values.to_gob();
        let Some(Value::Interface(named)) = map.get("named") else {
            panic!("the value is missing");
        };
        assert_eq!(*named.name(), *"main.UserID");
    });
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default = "Settings::usual")]
struct Settings {
    on: bool,
    count: u32,
    consent: Option<bool>,
    limit: Option<u8>,
    list: Vec<Settings>,
}

impl Settings {
    fn usual() -> Self {
        Settings {
            on: true,
            count: 10,
            consent: Some(true),
            ..Settings::default()
        }
    }
}

#[test]
fn plain_formats_distinguish_zero_and_none() {
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    let store = CookieStore::new(json).unwrap();
    let settings = Settings {
        consent: Some(false),
        limit: Some(0),
        list: vec![Settings::default(), Settings::usual()],
        ..Settings::default()
    };
    RUNTIME.block_on(async {
        let jar = Jar::with(store.clone(), |session| {
            session.insert("settings", &settings)?;
            // A value that would not be read back is refused at once.
            let refused = [
                session
                    .insert("keys", BTreeMap::from([(1, "a")]))
                    .unwrap_err(),
                session
                    .insert("bool", BTreeMap::from([(true, "a")]))
                    .unwrap_err(),
                session.insert("float", f64::NAN).unwrap_err(),
                session.insert("floats", [0.5, f64::INFINITY]).unwrap_err(),
            ];
            assert!(refused.iter().all(Error::is_usage));
            Ok(())
        });
        let session = jar.await.unwrap().session(store).await.unwrap();
        assert_eq!(session.get("settings").unwrap(), Some(settings));
        assert_eq!(session.keys(), ["settings"]);
    });
}

fn everything() -> Vec<String> {
    vec!["everything".to_owned()]
}

fn seven() -> Option<u8> {
    Some(7)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Grant {
    #[serde(default = "everything")]
    scopes: Vec<String>,
    #[serde(default = "seven")]
    limit: Option<u8>,
    #[serde(default)]
    by_level: BTreeMap<u8, bool>,
}

/// Returns the stores that no Go program shares.
fn native_stores() -> Vec<Stores> {
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    let rows = ServerStore::new(fresh_codecs(), Arc::new(Memory::new())).unwrap();
    vec![
        store().into(),
        CookieStore::new(json).unwrap().into(),
        rows.into(),
    ]
}

/// Returns a session that `fill` wrote and another request loaded.
fn written(stores: &Stores, fill: impl FnOnce(&Session) -> Result<(), Error>) -> Session {
    RUNTIME.block_on(async {
        let mut jar = Jar::new();
        let sessions = jar.sessions(stores.clone());
        fill(&sessions.session().await.unwrap()).unwrap();
        for set_cookie in sessions.finish().await.unwrap().unwrap().set_cookies() {
            jar.receive(set_cookie);
        }
        jar.session(stores.clone()).await.unwrap()
    })
}

#[test]
fn an_empty_value_is_read_back_empty() {
    for stores in native_stores() {
        let grant = || Grant {
            scopes: Vec::new(),
            limit: None,
            by_level: BTreeMap::new(),
        };
        let settings = Settings {
            consent: Some(false),
            limit: Some(0),
            list: vec![Settings::default(), Settings::usual()],
            ..Settings::default()
        };
        let session = written(&stores, |session| {
            session.insert("grant", grant())?;
            session.insert("settings", &settings)?;
            session.insert("empty", Vec::<Grant>::new())?;
            // An empty value also replaces one that was not empty.
            session.insert(
                "again",
                Grant {
                    scopes: everything(),
                    limit: seven(),
                    ..grant()
                },
            )?;
            session.update("again", |again: &mut Option<Grant>| {
                let again = again.as_mut().unwrap();
                again.scopes.clear();
                again.limit = None;
            })?;
            Ok(())
        });
        for key in ["grant", "again"] {
            assert_eq!(session.get(key).unwrap(), Some(grant()), "{key}");
        }
        assert_eq!(session.get("settings").unwrap(), Some(settings));
        assert_eq!(session.get::<Vec<Grant>>("empty").unwrap(), Some(vec![]));
    }
}

/// Other formats refuse these values; gob always holds them.
#[test]
fn native_sessions_in_gob_keep_keys_that_are_no_strings_and_floats_that_are_not_finite() {
    let rows = ServerStore::new(fresh_codecs(), Arc::new(Memory::new())).unwrap();
    for stores in [Stores::from(store()), rows.into()] {
        let levels = BTreeMap::from([(1_u8, true), (2, false)]);
        let session = written(&stores, |session| {
            session.insert("levels", &levels)?;
            session.insert(
                "grant",
                Grant {
                    scopes: vec![],
                    limit: None,
                    by_level: levels.clone(),
                },
            )?;
            session.insert("nan", f64::NAN)
        });
        assert_eq!(session.get("levels").unwrap(), Some(levels.clone()));
        assert_eq!(
            session.get::<Grant>("grant").unwrap().unwrap().by_level,
            levels
        );
        assert!(session.get::<f64>("nan").unwrap().unwrap().is_nan());
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Visitor {
    name: String,
    #[serde(default)]
    age: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Half {
    age: u8,
}

#[test]
fn a_different_struct_is_a_type_error_with_its_name() {
    let go = CookieStore::new(fresh_codecs())
        .unwrap()
        .known_types(["Cart", "Visitor"]);
    for stores in native_stores().into_iter().chain([go.into()]) {
        let session = written(&stores, |session| session.insert("cart", cart()));
        let wrong = session.get::<Visitor>("cart").unwrap_err();
        assert!(wrong.is_wrong_type());
        let text = wrong.to_string();
        assert!(
            text.contains("\"cart\"") && text.contains("Visitor"),
            "{text}"
        );
        assert!(!format!("{wrong:?}").contains("banana"));
        assert_eq!(session.get("cart").unwrap(), Some(cart()));
    }
}

#[test]
fn a_field_that_is_missing_takes_its_default_or_is_an_error() {
    for stores in native_stores() {
        let session = written(&stores, |session| {
            session.insert("half", Half { age: 7 })?;
            let visitor = Visitor {
                name: "ape".into(),
                age: 7,
            };
            session.insert("visitor", visitor)
        });
        assert!(session.get::<Visitor>("half").unwrap_err().is_wrong_type());
        assert_eq!(
            session.get::<Half>("visitor").unwrap(),
            Some(Half { age: 7 })
        );
    }
}

#[test]
fn values_of_an_older_program_can_be_removed() {
    for stores in native_stores() {
        let session = written(&stores, |session| {
            session.insert("cart", "an older program had a string here")?;
            session.insert("visits", 7)
        });
        assert_eq!(session.get_or_remove::<Cart>("cart").unwrap(), None);
        assert!(!session.contains("cart"));
        assert_eq!(session.get_or_remove::<u64>("visits").unwrap(), Some(7));
        assert_eq!(session.get_or_remove::<u64>("nothing").unwrap(), None);
        session.end().unwrap();
        assert_eq!(session.get_or_remove::<u64>("nothing").unwrap(), None);
    }
}

#[test]
fn a_value_is_taken_once() {
    for stores in native_stores() {
        let session = written(&stores, |session| {
            session.insert("cart", cart())?;
            session.insert("visits", 7)
        });
        assert!(session.take::<Cart>("visits").unwrap_err().is_wrong_type());
        assert_eq!(session.get("visits").unwrap(), Some(7));
        assert_eq!(session.status(), SessionStatus::Unmodified);
        assert_eq!(session.take("cart").unwrap(), Some(cart()));
        assert_eq!(session.status(), SessionStatus::Modified);
        assert_eq!(session.take::<Cart>("cart").unwrap(), None);
        assert_eq!(session.keys(), ["visits"]);
        session.end().unwrap();
        assert!(session.take::<u64>("visits").unwrap_err().is_closed());
    }
}

/// As scs's `Status`.
#[test]
fn the_status_shows_whether_the_session_was_changed() {
    for stores in native_stores() {
        let jar = Jar::new();
        let session = RUNTIME.block_on(jar.session(stores.clone())).unwrap();
        assert_eq!(session.status(), SessionStatus::Unmodified);
        session.insert("visits", 7).unwrap();
        assert_eq!(session.status(), SessionStatus::Modified);
        RUNTIME.block_on(session.save()).unwrap();
        assert_eq!(session.status(), SessionStatus::Unmodified);
        session.renew().unwrap();
        assert_eq!(session.status(), SessionStatus::Modified);
        session.logout().unwrap();
        assert_eq!(session.status(), SessionStatus::Ended);
        session.add_flash("goodbye").unwrap();
        assert_eq!(session.status(), SessionStatus::Modified);
        session.end().unwrap();
        assert_eq!(session.status(), SessionStatus::Ended);
    }
}

#[test]
fn a_flash_of_another_type_fails_no_page() {
    for stores in native_stores() {
        let session = written(&stores, |session| {
            session.add_flash("saved")?;
            session.add_flash(Half { age: 7 })?;
            session.add_flash("sent")
        });
        assert_eq!(session.flashes::<String>().unwrap(), ["saved", "sent"]);
        assert_eq!(session.flashes::<String>().unwrap(), [""; 0]);
        assert_eq!(session.flashes::<Half>().unwrap(), [Half { age: 7 }]);
        assert!(!session.contains("_flash"));
        session.insert("_flash", "no list").unwrap();
        let wrong = session.flashes::<String>().unwrap_err();
        assert!(wrong.is_wrong_type() && wrong.to_string().contains("\"_flash\""));
    }
}

#[test]
fn values_that_only_gob_can_hold_are_not_converted() {
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let before = CookieStore::new(with_serializer(old.clone(), Serializer::Gob)).unwrap();
    let after = Codecs::new([
        with_serializer(new, Serializer::Json),
        with_serializer(old, Serializer::Gob),
    ]);
    let after = CookieStore::new(after.unwrap()).unwrap();
    let deep = (0..200).fold(Interface::nil(), |inner, _| {
        Interface::of("[]interface {}", Value::slice_of_interfaces([inner]))
    });
    let latin = gob::GoString::from(vec![0xe4]);
    for only in [f64::NAN.into(), deep, Interface::from(latin)] {
        RUNTIME.block_on(async {
            let jar = Jar::with(before.clone(), |session| session.insert_gob("only", only));
            let sessions = jar.await.unwrap().sessions(after.clone());
            let session = sessions.session().await.unwrap();
            assert!(!session.is_new());
            session.renew().unwrap();
            assert!(session.save().await.unwrap_err().is_usage());
        });
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Small(u8);

#[test]
fn lists_of_bytes_of_all_kinds_are_read_back() {
    RUNTIME.block_on(async {
        let store = store();
        let jar = Jar::with(store.clone(), |session| {
            session.insert("own", vec![Small(0), Small(255)])?;
            session.insert("options", vec![Some(0_u8), Some(7)])?;
            session.insert("some", vec![Some(0_u8), None])
        });
        let session = jar.await.unwrap().session(store).await.unwrap();
        assert_eq!(
            session.get("own").unwrap(),
            Some(vec![Small(0), Small(255)])
        );
        assert_eq!(
            session.get("options").unwrap(),
            Some(vec![Some(0_u8), Some(7)])
        );
        assert_eq!(session.get("some").unwrap(), Some(vec![Some(0_u8), None]));
    });
}

#[test]
fn gob_without_a_session_is_refused() {
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone()).unwrap();
    let others = [
        Value::map_of_strings([("a", 1_i64.into())]),
        Value::slice_of_interfaces([]),
        Value::Int(7),
    ];
    for other in others {
        let mut jar = Jar::new();
        jar.set(
            "__Host-id",
            &codecs.seal("__Host-id", &other.to_vec()).unwrap(),
        );
        let session = RUNTIME.block_on(jar.session(store.clone())).unwrap();
        assert_eq!(session.refusal(), Some(Refusal::NotValid));
    }
    let mut values = Values::new();
    let wrong = Interface::of("int8", Value::Int(1_000));
    assert!(values.insert_gob("a", wrong).unwrap_err().is_usage());
    let named = Interface::of("main.UserID", Value::Int(1_000));
    assert!(values.insert_gob("a", named).is_ok());
}

#[derive(Serialize)]
struct Unnamed {
    #[serde(rename = "")]
    field: u8,
}

#[derive(Serialize)]
#[serde(rename = "")]
struct NoName {
    field: u8,
}

#[derive(Serialize)]
#[serde(tag = "t")]
enum Tagged {
    Variant(Tag),
}

#[derive(Serialize)]
struct Tag {
    t: u8,
}

#[test]
fn an_unreadable_value_is_refused_on_insert() {
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    for store in [store(), CookieStore::new(json).unwrap()] {
        RUNTIME.block_on(async {
            let jar = Jar::with(store.clone(), |session| {
                let refused = [
                    session.insert("a", Unnamed { field: 1 }).unwrap_err(),
                    session.insert("b", vec![NoName { field: 1 }]).unwrap_err(),
                    session
                        .insert("c", Tagged::Variant(Tag { t: 1 }))
                        .unwrap_err(),
                ];
                assert!(refused.iter().all(Error::is_usage));
                session.insert("fine", 1)
            });
            let session = jar.await.unwrap().session(store).await.unwrap();
            assert_eq!(session.get("fine").unwrap(), Some(1));
        });
    }
}

#[test]
fn plain_formats_keep_floats_and_depth() {
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    let store = CookieStore::new(json).unwrap();
    let floats = [
        6.641_569_101_694_668e-8,
        5e-324,
        f64::MAX,
        -0.0,
        0.1 + 0.2,
        1e21,
    ];
    let deep = (0..95).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    RUNTIME.block_on(async {
        let jar = Jar::with(store.clone(), |session| {
            session.insert("floats", floats)?;
            session.insert("f32", f32::MAX)?;
            let deeper = (0..110).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
            assert!(session.insert("deeper", deeper).unwrap_err().is_usage());
            session.insert("deep", &deep)
        });
        let session = jar.await.unwrap().session(store).await.unwrap();
        let again: [f64; 6] = session.get("floats").unwrap().unwrap();
        assert_eq!(again.map(f64::to_bits), floats.map(f64::to_bits));
        assert_eq!(session.get("f32").unwrap(), Some(f32::MAX));
        assert_eq!(session.get("deep").unwrap(), Some(deep));
    });
}

/// A chain that does not name its serializer.
struct NamelessCodec(SecureCookie);

impl Codec for NamelessCodec {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), silverback::codec::Error> {
        self.0.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, silverback::codec::Error> {
        self.0.open_into(name, cookie, now, out)
    }
}

#[test]
fn a_codec_that_does_not_read_its_own_output_builds_no_store() {
    let json = with_serializer(KeyPair::generate().unwrap(), Serializer::Json);
    assert!(
        CookieStore::new(NamelessCodec(json))
            .unwrap_err()
            .is_usage()
    );
    let gob = with_serializer(KeyPair::generate().unwrap(), Serializer::Gob);
    assert!(CookieStore::new(NamelessCodec(gob)).is_ok());
}

#[test]
fn the_sessions_own_key_is_reserved() {
    let mut values = Values::new();
    for own in ["_session", "_silverback"] {
        assert!(values.insert(own, 1).unwrap_err().is_usage());
    }
    RUNTIME.block_on(async {
        let jar = Jar::with(store(), |session| {
            assert!(session.insert("_session", 1).unwrap_err().is_usage());
            assert!(session.insert("_silverback", 1).unwrap_err().is_usage());
            assert!(session.add_flash_to("_session", 1).unwrap_err().is_usage());
            assert!(!session.remove("_session")?);
            session.insert("a", 1)
        });
        assert!(jar.await.is_ok());
    });
}

#[test]
fn no_output_shows_the_values_of_a_session() {
    let keys = KeyPair::generate().unwrap();
    let lifetime = Lifetime::new();
    let store = CookieStore::with_options(codecs([keys]), CookieOptions::new(), lifetime).unwrap();
    RUNTIME.block_on(async {
        let mut shown = format!("{store:?}");
        let jar = Jar::with(store.clone(), |session| {
            session.login("owner-secret")?;
            session.insert("key-secret", "value-secret")?;
            let wrong = session.get::<u64>("key-secret").unwrap_err();
            // The key and the type belong to the program; the value belongs to the owner.
            let wrong = format!("{wrong} {wrong:?}");
            assert!(
                wrong.contains("key-secret") && wrong.contains("u64"),
                "{wrong}"
            );
            assert!(!wrong.contains("value-secret"), "{wrong}");
            Ok(())
        });
        let jar = jar.await.unwrap();
        let sessions = jar.sessions(store);
        let session = sessions.session().await.unwrap();
        session.renew().unwrap();
        let values = session.values();
        let fields = sessions.finish().await.unwrap();
        shown.push_str(&format!(
            "{session:?} {sessions:?} {values:?} {fields:?} {jar:?}"
        ));
        let cookie = jar.get("__Host-id").unwrap();
        assert!(!shown.contains(cookie) && !shown.contains("=M"), "{shown}");
        assert!(
            shown.contains("__Host-id") && !shown.contains("secret"),
            "{shown}"
        );
    });
}
