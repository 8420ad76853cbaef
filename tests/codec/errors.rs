//! Each public kind of error, with inputs that cause it.

use std::error::Error as _;

use silverback::codec::{
    Codec, CodecOptions, Codecs, Error, HashKey, KeyPairs, SecureCookie, Serializer,
};

use crate::support::{NOW, at, codec, encrypting, secs, signing};

/// Returns the kind of an error by its predicates. Exactly one kind must match.
fn kind(error: &Error) -> &'static str {
    let groups = [error.is_usage(), error.is_decode(), error.is_internal()];
    assert_eq!(groups.iter().filter(|is| **is).count(), 1, "{error}");
    let kinds = [
        (error.is_internal(), "internal"),
        (error.is_not_valid(), "not valid"),
        (error.is_too_long(), "too long"),
        (error.is_expired(), "expired"),
        (error.is_too_new(), "too new"),
        (error.is_usage() && !error.is_too_long(), "usage"),
    ];
    let mut is = kinds.iter().filter(|(is, _)| *is);
    let (_, kind) = is.next().expect("an error has a kind");
    assert!(is.next().is_none(), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
    kind
}

#[test]
fn each_input_gives_its_kind_of_error() {
    let codec = codec(
        signing(1),
        CodecOptions::new().max_age(secs(10)).min_age(secs(2)),
    );
    let cookie = codec.seal_at("sid", b"ape", at(1000)).unwrap();
    let open =
        |name: &str, cookie: &str, now| kind(&codec.open_at(name, cookie, at(now)).unwrap_err());

    assert_eq!(open("sid", &cookie, 1001), "too new");
    assert_eq!(open("sid", &cookie, 0), "too new");
    assert_eq!(open("sid", &cookie, 1011), "expired");
    assert_eq!(open("sid", &"x".repeat(4097), 1005), "too long");
    assert_eq!(open("other", &cookie, 1005), "not valid");
    for no_cookie in [
        "",
        "x",
        "=",
        "====",
        "fHx8",
        "fA==",
        "\u{1f98d}",
        "a b",
        "a\0",
    ] {
        assert_eq!(open("sid", no_cookie, 1005), "not valid", "{no_cookie:?}");
    }
    assert_eq!(
        kind(&codec.seal("sid", &[0; 5000]).unwrap_err()),
        "too long"
    );
    assert_eq!(kind(&codec.seal("s;d", b"ape").unwrap_err()), "usage");
    assert_eq!(kind(&codec.encode("sid", &()).unwrap_err()), "usage");
    assert_eq!(
        kind(
            &codec
                .decode_at::<String>("sid", &cookie, at(1005))
                .unwrap_err()
        ),
        "not valid"
    );
    assert_eq!(kind(&HashKey::new(&[0; 31]).unwrap_err()), "usage");
    assert_eq!(kind(&"nonsense".parse::<KeyPairs>().unwrap_err()), "usage");
    assert_eq!(kind(&Codecs::from_pairs([]).unwrap_err()), "usage");
    assert_eq!(kind(&Error::internal("no randomness")), "internal");
}

#[test]
fn all_reasons_for_not_valid_give_the_same_error() {
    let codec = SecureCookie::new(encrypting(1)).unwrap();
    let cookie = codec.seal_at("sid", b"ape", NOW).unwrap();
    let (mut other_mac, place) = (cookie.clone(), cookie.len() - 6..cookie.len() - 5);
    let other = if &cookie[place.clone()] == "A" {
        "B"
    } else {
        "A"
    };
    other_mac.replace_range(place, other);
    let other_key = SecureCookie::new(encrypting(2))
        .unwrap()
        .seal_at("sid", b"ape", NOW)
        .unwrap();
    let short_mac = &cookie[..cookie.len() - 8];
    let ways = [
        "",
        "not base64!",
        "fHx8",
        &other_mac,
        &other_key,
        short_mac,
        &cookie[4..],
    ];
    for way in ways {
        let error = codec.open_at("sid", way, NOW).unwrap_err();
        assert_eq!(error.to_string(), "not valid");
        assert_eq!(format!("{error:?}"), "codec::Error(not valid)");
        assert!(error.source().is_none() && error.per_key().is_empty());
    }
    // An authentic cookie, which only a holder of the key can make, gives the same text.
    let no_gob = codec.decode_at::<String>("sid", &cookie, NOW).unwrap_err();
    assert_eq!(
        format!("{no_gob} {no_gob:?}"),
        "not valid codec::Error(not valid)"
    );
}

#[test]
fn only_authentic_cookies_are_expired_or_too_new() {
    let codec = codec(signing(1), CodecOptions::new().max_age(secs(10)));
    let cookie = codec.seal_at("sid", b"ape", at(1000)).unwrap();
    for now in [0, 5000] {
        let tampered = cookie.replacen('M', "N", 1);
        assert!(
            codec
                .open_at("sid", &tampered, at(now))
                .unwrap_err()
                .is_not_valid()
        );
    }
}

#[test]
fn the_source_names_the_place_of_a_fault_and_never_quotes_the_payload() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Visitor {
        name: String,
    }

    let secret = "hunter2";
    let values = [
        serde_json::json!({ "name": { "first": secret } }),
        serde_json::json!(secret),
        serde_json::json!({ "other": secret }),
        serde_json::json!([secret, secret]),
    ];
    for serializer in [
        Serializer::Json,
        Serializer::Bincode,
        Serializer::Raw,
        Serializer::Gob,
    ] {
        let codec = codec(
            signing(1),
            CodecOptions::new().serializer(serializer.clone()),
        );
        for value in &values {
            let Ok(cookie) = codec.encode_at("sid", value, NOW) else {
                continue; // The format cannot hold the value.
            };
            let refused = match codec.decode_at::<Visitor>("sid", &cookie, NOW) {
                Err(refused) => refused,
                // A format without types may read another shape, but not a list of integers.
                Ok(_) => codec
                    .decode_at::<[u64; 32]>("sid", &cookie, NOW)
                    .unwrap_err(),
            };
            let source = refused.source().expect("a reason").to_string();
            assert!(refused.is_not_valid());
            assert!(
                !format!("{refused} {refused:?} {source}").contains(secret),
                "{source}"
            );
        }
    }
    let codec = codec(signing(1), CodecOptions::new().serializer(Serializer::Json));
    let cookie = codec.encode_at("sid", &values[2], NOW).unwrap();
    let refused = codec.decode_at::<Visitor>("sid", &cookie, NOW).unwrap_err();
    assert!(
        refused
            .source()
            .unwrap()
            .to_string()
            .contains("missing field `name`")
    );
}

#[test]
fn errors_are_small_send_and_sync() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<Error>();
    assert!(size_of::<Error>() <= 96, "{}", size_of::<Error>());
}
