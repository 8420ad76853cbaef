//! Rows of the native dialect: sealed to their place, under the hash of their ID, with tombstones.

use super::*;

#[test]
fn a_tombstone_names_its_successor() {
    let pair = KeyPair::generate().unwrap();
    let format = format(native(&pair), "__Host-id");
    let key = format.key(&format.new_id().unwrap()).unwrap();
    let other = format.key(&format.new_id().unwrap()).unwrap();
    let renewal = |is_renewal| Successor {
        key: other.clone(),
        is_renewal,
    };
    for successor in [None, Some(renewal(false)), Some(renewal(true))] {
        let row = Row::Tombstone {
            successor: successor.clone(),
        };
        let bytes = format.write(&key, &row, WRITE, NOW).unwrap().unwrap();
        let read = read(&*format, &key, &bytes, NOW).unwrap();
        let Row::Tombstone { successor: read } = read.row else {
            panic!("it is dead");
        };
        assert_eq!(read, successor);
    }
}

#[test]
fn a_native_row_opens_in_its_place_only() {
    let pair = KeyPair::generate().unwrap();
    let native = |store: &str, cookie| format(native(&pair).store_name(store), cookie);
    let own = native("shop", "__Host-id");
    let key = own.key(&own.new_id().unwrap()).unwrap();
    let row = Row::Live(data());
    let bytes = own.write(&key, &row, WRITE, NOW).unwrap().unwrap();
    assert!(read(&*own, &key, &bytes, NOW).is_some());
    let elsewhere = own.key(&own.new_id().unwrap()).unwrap();
    assert!(read(&*own, &elsewhere, &bytes, NOW).is_none());
    for other in [native("", "__Host-id"), native("shop", "__Host-shop")] {
        assert!(read(&*other, &key, &bytes, NOW).is_none());
    }
    // The two names are separated, so shifting text between them changes the keys.
    let run_together = native("shop\0__Host", "__Host-id");
    assert!(read(&*run_together, &key, &bytes, NOW).is_none());
    let mut places = 0..bytes.len();
    assert!(places.all(|place| {
        let mut tampered = bytes.clone();
        tampered[place] ^= 1;
        read(&*own, &key, &tampered, NOW).is_none()
    }));
}

/// A row does not open as a cookie, nor a cookie as a row, although their keys come from one chain.
#[test]
fn a_native_row_is_no_cookie() {
    let pair = KeyPair::generate().unwrap();
    let native = format(native(&pair), "__Host-id");
    let id = native.new_id().unwrap();
    let key = native.key(&id).unwrap();
    let row = Row::Live(data());
    let bytes = native.write(&key, &row, WRITE, NOW).unwrap().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let name = std::str::from_utf8(key.as_bytes()).unwrap();
    assert!(codec(&pair).open_at(name, text, NOW).is_err());
    let cookie = codec(&pair).seal_at(name, b"payload", NOW).unwrap();
    assert!(read(&*native, &key, cookie.as_bytes(), NOW).is_none());
}

#[test]
fn the_key_of_a_native_row_is_the_hash_of_its_id() {
    let pair = KeyPair::generate().unwrap();
    let native = format(native(&pair), "__Host-id");
    let key = native.key(&Id::new([0; 32])).unwrap();
    // echo -n of 32 zero bytes, through SHA-256.
    assert_eq!(
        key.as_bytes(),
        b"Zmh6rfhivXdsj8GLjp-OIAiXFIVu4jOzkCpZHQ1fKSU"
    );
}

/// Rows of another version or shape are refused, even if the right keys sealed them.
#[test]
fn a_native_row_of_another_form_is_refused() {
    let (cookies, pair) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let options = CodecOptions::new().max_age(Duration::ZERO).max_length(0);
    let rows = Codecs::from_pairs_with([pair], &options).unwrap();
    let native = format(native(&cookies).row_codec(rows.clone()), "__Host-id");
    let key = native.key(&native.new_id().unwrap()).unwrap();
    let name = std::str::from_utf8(key.as_bytes()).unwrap();
    let date = UnixTime::from_secs(0);
    let live = Row::Live(data());
    let bytes = native.write(&key, &live, WRITE, NOW).unwrap().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let payload = rows.open_at(name, text, date).unwrap().into_value();
    let reads = |payload: &[u8]| {
        let row = rows.seal_at(name, payload, date).unwrap();
        read(&*native, &key, row.as_bytes(), NOW).is_some()
    };
    assert!(reads(&payload));
    let changed = |place: usize, byte: u8| {
        let mut changed = payload.clone();
        changed[place] = byte;
        changed
    };
    let head = &payload[..18];
    let without_metadata = Value::map_of_interfaces([("a", 1_i64.into())]).to_vec();
    for other in [
        changed(0, 0),
        changed(0, 2),
        changed(1, 3),
        Vec::new(),
        head[..17].to_vec(),
        head.to_vec(),
        [head, &without_metadata].concat(),
    ] {
        assert!(!reads(&other));
    }
}

/// Native IDs have exactly 32 bytes, whatever the codec sealed.
#[test]
fn an_id_of_another_length_is_refused() {
    let pair = KeyPair::generate().unwrap();
    let native = format(native(&pair), "__Host-id");
    for length in [0, 1, 31, 32, 33, 64] {
        let cookie = codec(&pair).seal_at("__Host-id", &vec![7; length], NOW);
        let opened = native.open_id(&cookie.unwrap(), NOW).unwrap();
        let expected = (length != ID_LENGTH).then_some(Refusal::NotValid);
        assert_eq!(opened.err(), expected, "{length} bytes");
    }
}
