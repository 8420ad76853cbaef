//! Any Cookie fields together with a valid cookie: the valid cookie is found unless there are too
//! many cookies, and the codec gets only cookie values of the request.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use silverback::codec::{CodecOptions, Codecs, HashKey, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, CookieStore, Lifetime, Refusal, Sessions, Stores};
use silverback_fuzz::at_once;

static STORE: LazyLock<(Stores, String)> = LazyLock::new(|| {
    let keys = KeyPair::sign_only(HashKey::new(&[7; 64]).expect("the key is long enough"));
    let options = CodecOptions::new().max_age(std::time::Duration::ZERO);
    let codecs = Codecs::from_pairs_with([keys], &options).expect("one key");
    let cookie = CookieOptions::new().name("a").expect("a token");
    let lifetime = Lifetime::new().without_idle().without_absolute();
    let store = CookieStore::with_options(codecs, cookie, lifetime).expect("right options");
    let jar = Jar::with(store.clone(), |session| session.insert("n", 7));
    let cookie = at_once(jar).expect("the session is small").cookie();
    (Stores::from(store), cookie)
});

fuzz_target!(|input: &[u8]| {
    let (stores, cookie) = &*STORE;
    let (before, after) = input.split_at(input.len() / 2);
    for fields in [
        [before, cookie.as_bytes(), after],
        [input, b"", cookie.as_bytes()],
        [cookie.as_bytes(), cookie.as_bytes(), input],
    ] {
        let sessions = Sessions::of_request(stores, fields, None, "/");
        let session = at_once(sessions.session()).expect("the load succeeds");
        match session.refusal() {
            None => assert_eq!(session.get("n").expect("a number"), Some(7)),
            Some(refusal) => {
                assert_eq!(refusal, Refusal::TooMany);
                assert!(input.len() > 12, "a short input has few cookies");
            }
        }
        let fields = at_once(sessions.finish())
            .expect("a read succeeds")
            .expect("the session was used");
        // The only place of a cookie in this request is that of the application's own.
        assert!(fields.set_cookies().is_empty());
    }
});
