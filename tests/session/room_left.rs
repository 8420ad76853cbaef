//! `room_left` of a session's cookie is exact to the byte.

use std::sync::Arc;

use silverback::backend::Memory;
use silverback::codec::{CodecOptions, Codecs, HashFunction, KeyPair, Serializer};
use silverback::session::{CookieStore, ServerStore, Session, Stores, testing::Jar};

use super::site::RUNTIME;
use super::support::{TestGenerations, fresh_codecs};

fn codecs(pair: KeyPair, options: CodecOptions) -> Codecs {
    Codecs::from_pairs_with([pair], &options).unwrap()
}

/// Returns `room_left` once a session holds `letters` in one value, and whether it can be saved.
fn filled(
    stores: impl Into<Stores>,
    prepare: fn(&Session),
    letters: usize,
) -> (Option<usize>, bool) {
    RUNTIME.block_on(async {
        let sessions = Jar::new().sessions(stores);
        let session = sessions.session().await.unwrap();
        prepare(&session);
        session.insert("letters", "x".repeat(letters)).unwrap();
        let room = session.room_left().unwrap();
        match sessions.finish().await {
            Ok(_) => (room, true),
            Err(error) => {
                assert!(error.is_too_large(), "{error}");
                (room, false)
            }
        }
    })
}

#[test]
fn room_left_is_exact() {
    let pair = || KeyPair::generate().unwrap();
    let signing = || KeyPair::sign_only(pair().hash().clone());
    for codecs in [
        codecs(pair(), CodecOptions::new()),
        codecs(signing(), CodecOptions::new()),
        codecs(pair(), CodecOptions::new().serializer(Serializer::Json)),
        codecs(signing(), CodecOptions::new().hash(HashFunction::Sha512)),
        codecs(pair(), CodecOptions::new().max_length(2_000)),
        codecs(pair(), CodecOptions::new().max_length(20_000)),
    ] {
        let store = CookieStore::new(codecs).unwrap();
        let fill = |letters| filled(store.clone(), |_| {}, letters);
        // Beyond the size at which a length needs another byte.
        let (room, _) = fill(300);
        let room = room.unwrap();
        assert!(room > 500, "{room}");
        for more in 0..8 {
            let (left, is_saved) = fill(300 + room - more);
            assert_eq!((left, is_saved), (Some(more), true));
            let (left, is_saved) = fill(300 + room + 1 + more);
            assert_eq!((left, is_saved), (Some(0), false));
        }
    }
}

#[test]
fn the_mark_of_a_login_is_counted() {
    let generations = TestGenerations::default();
    let store = CookieStore::new(fresh_codecs())
        .unwrap()
        .revocable(generations);
    let login = |session: &Session| session.login("ape").unwrap();
    let (room, _) = filled(store.clone(), login, 300);
    let full = 300 + room.unwrap();
    assert_eq!(filled(store.clone(), login, full), (Some(0), true));
    assert_eq!(filled(store, login, full + 1), (Some(0), false));
}

#[test]
fn a_store_without_a_cookie_limit_has_no_room_left_value() {
    let server = ServerStore::new(fresh_codecs(), Arc::new(Memory::new())).unwrap();
    assert_eq!(filled(server, |_| {}, 10_000), (None, true));
    let unlimited = codecs(
        KeyPair::generate().unwrap(),
        CodecOptions::new().max_length(0),
    );
    let store = CookieStore::new(unlimited).unwrap();
    assert_eq!(filled(store, |_| {}, 10_000), (None, true));
}
