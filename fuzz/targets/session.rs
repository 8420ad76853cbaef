//! Any authentic payload as a session: loading never panics, and a loaded session is saved and
//! loaded again with all its values.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use silverback::codec::{Codec, CodecOptions, HashKey, KeyPair, SecureCookie, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, CookieStore, Lifetime};
use silverback_fuzz::at_once;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn codec() -> SecureCookie {
    let keys = KeyPair::sign_only(HashKey::new(&[7; 64]).expect("the key is long enough"));
    let options = CodecOptions::new()
        .max_age(std::time::Duration::ZERO)
        .max_length(0);
    SecureCookie::with_options(keys, &options).expect("right options")
}

static STORE: LazyLock<CookieStore> = LazyLock::new(|| {
    let cookie = CookieOptions::new().name("a").expect("a token");
    let lifetime = Lifetime::new().without_idle().without_absolute();
    let store = CookieStore::with_options(codec(), cookie, lifetime);
    store.expect("right options").clock(|| NOW)
});

fuzz_target!(|payload: &[u8]| {
    let Ok(cookie) = codec().seal_at("a", payload, NOW) else {
        return;
    };
    let mut jar = Jar::new();
    jar.set("a", &cookie);
    let sessions = jar.sessions(STORE.clone());
    let session = at_once(sessions.session()).expect("the load succeeds");
    if session.refusal().is_some() {
        return;
    }
    let before = session.values();
    session.insert("fuzz", 7).expect("a number is a value");
    let expected = before.len() + usize::from(!before.contains("fuzz"));
    let fields = at_once(sessions.finish()).expect("the session is saved");
    for set_cookie in fields.iter().flat_map(|fields| fields.set_cookies()) {
        jar.receive(set_cookie);
    }
    let again = at_once(jar.session(STORE.clone())).expect("the load succeeds");
    assert_eq!(again.refusal(), None);
    assert_eq!(again.get("fuzz").expect("a number"), Some(7));
    assert_eq!(again.values().len(), expected);
    assert_eq!(again.owner(), session.owner());
    let of = |values: silverback::session::Values| {
        let mut keys: Vec<String> = values.keys().map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert_eq!(of(again.values()), of(session.values()));
});
