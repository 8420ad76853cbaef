//! `SealedJar` compared with `SignedJar` of the crate `cookie`: random calls have the same effects in
//! both. Each difference is a test.

use cookie::{Cookie, CookieJar, Key};
use proptest::prelude::*;
use silverback::codec::{Codec, Codecs, Opened, UnixTime};
use silverback::jar::{CookieCodec, CookieJarExt, safe_cookie};

use super::servers::{KEYS, codecs};

const NAMES: [&str; 3] = ["sid", "cart", "__Host-id"];

/// A call to a jar. A number is the index of a name.
#[derive(Clone, Debug)]
enum Call {
    Add(usize, String, bool),
    AddOriginal(usize, String),
    Remove(usize, bool),
    ForceRemove(usize),
    ResetDelta,
    /// Puts a cookie that is not sealed into the jar, as one of the client.
    Forge(usize, String),
    /// Copies the text of one cookie to another name, as one of the client.
    Move(usize, usize),
}

fn any_call() -> impl Strategy<Value = Call> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), ".{0,20}", any::<bool>())
            .prop_map(|(name, value, has_path)| Call::Add(name, value, has_path)),
        2 => (name.clone(), ".{0,20}").prop_map(|(name, value)| Call::AddOriginal(name, value)),
        3 => (name.clone(), any::<bool>()).prop_map(|(name, has_path)| Call::Remove(name, has_path)),
        1 => name.clone().prop_map(Call::ForceRemove),
        1 => Just(Call::ResetDelta),
        1 => (name.clone(), ".{0,60}").prop_map(|(name, value)| Call::Forge(name, value)),
        2 => (name.clone(), name).prop_map(|(from, to)| Call::Move(from, to)),
    ]
}

/// Returns a cookie whose value begins with its name, so that a moved cookie can be recognized.
fn cookie(name: usize, value: &str, has_path: bool) -> Cookie<'static> {
    let name = NAMES[name];
    let cookie = Cookie::build((name, format!("{name}:{value}"))).http_only(true);
    match has_path {
        true => cookie.path("/shop").build(),
        false => cookie.build(),
    }
}

/// The two jars, which get the same calls.
struct Jars {
    signed: CookieJar,
    key: Key,
    sealed: CookieJar,
    codecs: Codecs,
}

impl Jars {
    fn call(&mut self, call: &Call) {
        let (mut signed, mut sealed) = (
            self.signed.signed_mut(&self.key),
            self.sealed.sealed_mut(&self.codecs),
        );
        match call {
            Call::Add(name, value, has_path) => {
                signed.add(cookie(*name, value, *has_path));
                sealed.add(cookie(*name, value, *has_path)).unwrap();
            }
            Call::AddOriginal(name, value) => {
                signed.add_original(cookie(*name, value, false));
                sealed.add_original(cookie(*name, value, false)).unwrap();
            }
            Call::Remove(name, has_path) => {
                signed.remove(cookie(*name, "", *has_path));
                sealed.remove(cookie(*name, "", *has_path));
            }
            other => {
                for jar in [&mut self.signed, &mut self.sealed] {
                    call_plain(jar, other);
                }
            }
        }
    }
}

fn call_plain(jar: &mut CookieJar, call: &Call) {
    match call {
        Call::ForceRemove(name) => jar.force_remove(NAMES[*name]),
        Call::ResetDelta => jar.reset_delta(),
        Call::Forge(name, value) => jar.add_original((NAMES[*name], value.clone())),
        Call::Move(from, to) => {
            if let Some(cookie) = jar.get(NAMES[*from]) {
                let text = cookie.value().to_owned();
                jar.add_original((NAMES[*to], text));
            }
        }
        other => panic!("{other:?} is a call to a sealed jar"),
    }
}

/// A cookie of an iterator, without its value: only whether it is empty.
type Shape = (
    String,
    Option<String>,
    Option<bool>,
    Option<cookie::time::Duration>,
    bool,
);

fn shapes<'c>(cookies: impl Iterator<Item = &'c Cookie<'static>>) -> Vec<Shape> {
    let shape = |cookie: &Cookie<'_>| {
        (
            cookie.name().to_owned(),
            cookie.path().map(str::to_owned),
            cookie.http_only(),
            cookie.max_age(),
            cookie.value().is_empty(),
        )
    };
    let mut shapes: Vec<Shape> = cookies.map(shape).collect();
    shapes.sort();
    shapes
}

/// Compares the jars, and returns the number of moved cookies that only the sealed jar refuses.
fn compare(jars: &Jars) -> Result<usize, TestCaseError> {
    prop_assert_eq!(shapes(jars.signed.delta()), shapes(jars.sealed.delta()));
    prop_assert_eq!(shapes(jars.signed.iter()), shapes(jars.sealed.iter()));
    let mut moved = 0;
    for name in NAMES {
        let sealed = jars.sealed.sealed(&jars.codecs).get(name);
        let signed = jars.signed.signed(&jars.key).get(name);
        match signed {
            Some(cookie) if cookie.value().starts_with(&format!("{name}:")) => {
                let sealed = sealed.unwrap().map(Opened::into_value);
                prop_assert_eq!(sealed.as_deref(), Some(cookie.value()));
            }
            Some(_) => {
                prop_assert!(sealed.unwrap_err().is_not_valid());
                moved += 1;
            }
            None if jars.sealed.get(name).is_some() => {
                prop_assert!(sealed.unwrap_err().is_decode());
            }
            None => prop_assert!(sealed.unwrap().is_none()),
        }
    }
    Ok(moved)
}

#[test]
fn random_calls_have_the_same_effects_as_in_a_signed_jar() {
    let moved = std::cell::Cell::new(0);
    let calls = proptest::collection::vec(any_call(), 1..25);
    proptest!(|(calls in calls)| {
        let mut jars = Jars {
            signed: CookieJar::new(),
            key: Key::generate(),
            sealed: CookieJar::new(),
            codecs: codecs(),
        };
        for call in &calls {
            jars.call(call);
            moved.set(moved.get() + compare(&jars)?);
        }
    });
    assert!(moved.get() > 50, "only {} cookies were moved", moved.get());
}

/// Returns the text of a cookie that a sealed jar has added.
fn added(name: &'static str, value: &'static str) -> String {
    let mut jar = CookieJar::new();
    jar.sealed_mut(codecs()).add((name, value)).unwrap();
    jar.get(name).unwrap().value().to_owned()
}

#[test]
fn unlike_a_signed_jar_it_refuses_a_cookie_that_was_moved_to_another_name() {
    let key = Key::generate();
    let mut jar = CookieJar::new();
    jar.signed_mut(&key).add(("role", "admin"));
    let text = jar.get("role").unwrap().value().to_owned();
    jar.add_original(("user", text));
    assert_eq!(jar.signed(&key).get("user").unwrap().value(), "admin");

    jar.add_original(("user", added("role", "admin")));
    assert!(jar.sealed(codecs()).get("user").unwrap_err().is_not_valid());
}

#[test]
fn unlike_a_signed_jar_it_distinguishes_refused_from_absent() {
    let key = Key::generate();
    let mut jar = CookieJar::new();
    jar.add_original(("sid", "forged"));
    assert!(jar.signed(&key).get("sid").is_none());
    assert!(jar.signed(&key).get("absent").is_none());

    assert!(jar.sealed(codecs()).get("sid").is_err());
    assert!(jar.sealed(codecs()).get("absent").unwrap().is_none());
}

#[test]
fn unlike_a_signed_jar_it_adds_no_cookie_that_browsers_drop() {
    let (key, long) = (Key::generate(), "a".repeat(5000));
    for cookie in [
        ("a b", "ape"),
        ("", "ape"),
        ("sid; Domain=example.com", "ape"),
        ("sid", &*long),
    ] {
        let cookie = (cookie.0.to_owned(), cookie.1.to_owned());
        let mut signed = CookieJar::new();
        signed.signed_mut(&key).add(cookie.clone());
        assert_eq!(signed.iter().count(), 1);

        let mut jar = CookieJar::new();
        let mut sealed = jar.sealed_mut(codecs());
        assert!(sealed.add(cookie.clone()).unwrap_err().is_usage());
        assert!(sealed.add_original(cookie.clone()).unwrap_err().is_usage());
        assert!(
            sealed
                .add_value(cookie.0, &cookie.1)
                .unwrap_err()
                .is_usage()
        );
        assert_eq!(jar.iter().count(), 0, "the jar is unchanged");
    }
}

#[test]
fn unlike_a_signed_jar_it_ignores_quotes_around_a_value() {
    let key = Key::generate();
    let mut jar = CookieJar::new();
    jar.signed_mut(&key).add(("sid", "ape"));
    let quoted = format!("\"{}\"", jar.get("sid").unwrap().value());
    jar.add_original(("quoted", quoted));
    assert!(jar.signed(&key).get("quoted").is_none());

    jar.add_original(("quoted", format!("\"{}\"", added("quoted", "ape"))));
    assert_eq!(
        jar.sealed(codecs()).get("quoted").unwrap().unwrap().value(),
        "ape"
    );
}

#[test]
fn unlike_a_signed_jar_it_knows_the_age_and_the_key() {
    let old = Codecs::from_pairs([KEYS.old.clone()]).unwrap();
    let date = UnixTime::from_secs(UnixTime::now().as_secs() - 3600);
    let mut jar = CookieJar::new();
    jar.add_original(("sid", old.encode_at("sid", "ape", date).unwrap()));
    let opened = jar.sealed(codecs()).get("sid").unwrap().unwrap();
    assert!(opened.age().as_secs() >= 3600 && opened.issued_at() == date);
    assert_eq!((opened.key(), opened.is_stale()), (2, true));

    jar.sealed_mut(codecs())
        .add(safe_cookie(("sid", opened.into_value())))
        .unwrap();
    let opened = jar.sealed(codecs()).get("sid").unwrap().unwrap();
    assert_eq!((opened.key(), opened.is_stale()), (1, false));
}

#[test]
fn a_view_of_any_codec_works() {
    let boxed: Box<dyn Codec> = Box::new(codecs());
    let codec: &dyn Codec = &codecs();
    let mut jar = CookieJar::new();
    jar.sealed_mut(&boxed).add(("sid", "ape")).unwrap();
    assert_eq!(
        jar.sealed(codec).get("sid").unwrap().unwrap().value(),
        "ape"
    );
    assert_eq!(
        codec.open_cookie(jar.get("sid").unwrap()).unwrap().value(),
        "ape"
    );
}

#[test]
fn values_of_any_type_are_sealed() {
    let mut jar = CookieJar::new();
    let mut sealed = jar.sealed_mut(codecs());
    sealed
        .add_value(safe_cookie(("cart", "dropped")), &vec![3_u32, 5])
        .unwrap();
    let cart = sealed.get_value::<Vec<u32>>("cart").unwrap().unwrap();
    assert_eq!(cart.into_value(), [3, 5]);
    let refusal = sealed.get_value::<bool>("cart").unwrap_err();
    assert!(refusal.is_not_valid(), "{refusal}");
    assert!(sealed.get("cart").unwrap_err().is_not_valid());
}

#[test]
fn no_value_and_no_key_is_shown() {
    let mut jar = CookieJar::new();
    jar.sealed_mut(codecs()).add(("sid", "ape")).unwrap();
    assert_eq!(
        format!("{:?}", jar.sealed(codecs())),
        "SealedJar(1 changed cookies)"
    );
}
