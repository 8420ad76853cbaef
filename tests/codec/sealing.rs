//! A single codec: ages, lengths, names and buffers.

use proptest::prelude::*;
use silverback::codec::{Codec, CodecOptions, HashFunction, SecureCookie, Serializer, UnixTime};

use crate::support::{NOW, at, codec, encrypting, secs, signing};

#[test]
fn the_defaults_are_gorillas() {
    let codec = SecureCookie::new(signing(1)).unwrap();
    let cookie = codec.encode_at("sid", "ape", NOW).unwrap();
    let month = 30 * 24 * 60 * 60;
    let open = |now| codec.decode_at::<String>("sid", &cookie, at(now));
    assert_eq!(open(NOW.as_secs() + month).unwrap().into_value(), "ape");
    assert!(open(NOW.as_secs() + month + 1).unwrap_err().is_expired());
    assert_eq!(open(NOW.as_secs() - 60).unwrap().into_value(), "ape");
    assert!(open(NOW.as_secs() - 61).unwrap_err().is_too_new());
}

#[test]
fn an_age_equal_to_a_limit_passes_and_zero_means_no_limit() {
    let aged = |min, max, skew| {
        let options = CodecOptions::new().min_age(secs(min)).max_age(secs(max));
        codec(signing(1), options.clock_skew(secs(skew)))
    };
    let cookie = aged(0, 0, 0).seal_at("sid", b"ape", at(1000)).unwrap();
    let open = |codec: SecureCookie, now| codec.open_at("sid", &cookie, at(now)).map(drop);
    assert!(open(aged(0, 10, 0), 1010).is_ok());
    assert!(open(aged(0, 10, 0), 1011).unwrap_err().is_expired());
    assert!(open(aged(10, 0, 0), 1010).is_ok());
    assert!(open(aged(10, 0, 0), 1009).unwrap_err().is_too_new());
    assert!(open(aged(0, 0, 0), u64::MAX).is_ok());
    assert!(open(aged(0, 0, 0), 999).unwrap_err().is_too_new());
    assert!(open(aged(0, 0, 5), 995).is_ok());
    assert!(open(aged(0, 0, 5), 994).unwrap_err().is_too_new());
    // The clock skew does not lower the minimum age.
    assert!(open(aged(10, 0, 3600), 1009).unwrap_err().is_too_new());
}

#[test]
fn no_time_makes_the_arithmetic_overflow() {
    let largest = u64::MAX - (u64::MAX % 2);
    let extreme = |min, max| {
        let options = CodecOptions::new().min_age(secs(min)).max_age(secs(max));
        codec(signing(1), options.clock_skew(secs(u64::MAX)))
    };
    for (sealed, now) in [
        (0, 0),
        (0, u64::MAX),
        (i64::MAX as u64, 0),
        (i64::MAX as u64, u64::MAX),
    ] {
        let cookie = extreme(0, 0).seal_at("sid", b"ape", at(sealed)).unwrap();
        assert!(extreme(0, 0).open_at("sid", &cookie, at(now)).is_ok());
        let expired = extreme(0, 1).open_at("sid", &cookie, at(now));
        assert_eq!(expired.is_err(), now > sealed);
        let too_new = extreme(largest, 0).open_at("sid", &cookie, at(now));
        assert_eq!(
            too_new.is_err(),
            now.checked_sub(largest)
                .is_none_or(|latest| sealed > latest)
        );
        assert!(
            extreme(0, u64::MAX)
                .open_at("sid", &cookie, at(now))
                .is_ok()
        );
    }
    let past_go = at(i64::MAX as u64 + 1);
    let refused = extreme(0, 0).seal_at("sid", b"ape", past_go);
    assert!(refused.unwrap_err().is_usage());
}

#[test]
fn invalid_settings_are_refused_when_the_codec_is_built() {
    let build = |options: CodecOptions| SecureCookie::with_options(signing(1), &options);
    let half = std::time::Duration::from_millis(500);
    assert!(
        build(CodecOptions::new().max_age(half))
            .unwrap_err()
            .is_usage()
    );
    assert!(
        build(CodecOptions::new().min_age(half))
            .unwrap_err()
            .is_usage()
    );
    assert!(
        build(CodecOptions::new().clock_skew(half))
            .unwrap_err()
            .is_usage()
    );
    let never = CodecOptions::new().min_age(secs(11)).max_age(secs(10));
    assert!(build(never).unwrap_err().is_usage());
    let unlimited = CodecOptions::new().min_age(secs(11)).max_age(secs(0));
    assert!(build(unlimited).is_ok());
    let one_second = CodecOptions::new().min_age(secs(10)).max_age(secs(10));
    assert!(build(one_second).is_ok());
}

#[test]
fn a_codec_has_the_settings_that_were_set_before_buffered_randomness() {
    let options = CodecOptions::new().max_age(secs(9)).min_age(secs(2));
    let codec = codec(signing(1), options.buffered_randomness());
    assert_eq!((codec.max_age(), codec.min_age()), (secs(9), secs(2)));
}

#[test]
fn the_name_is_part_of_the_seal() {
    let codec = SecureCookie::new(signing(1)).unwrap();
    let cookie = codec.seal_at("sid", b"ape", NOW).unwrap();
    for name in [
        "",
        "SID",
        "si",
        "sid2",
        "sid|",
        "|sid",
        "__Host-sid",
        "sid|1700000000",
        "å",
    ] {
        assert!(
            codec
                .open_at(name, &cookie, NOW)
                .unwrap_err()
                .is_not_valid(),
            "{name}"
        );
    }
}

/// The MAC covers `name|date|v`, and a name may contain `|`. If the MAC were the last bytes of
/// the frame, the borders between the parts could move.
#[test]
fn a_bar_in_a_name_cannot_move_the_border_to_the_date() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE;

    let codec = codec(signing(1), CodecOptions::new().max_age(secs(0)));
    let cookie = codec.seal_at("s|1795194425", b"ape", NOW).unwrap();
    assert!(codec.open_at("s|1795194425", &cookie, NOW).is_ok());
    let moved = [b"1795194425|", &*URL_SAFE.decode(&cookie).unwrap()].concat();
    let moved = URL_SAFE.encode(moved);
    let refused = codec.open_at("s", &moved, at(1_795_194_425)).unwrap_err();
    assert!(refused.is_not_valid());
}

#[test]
fn sealing_refuses_names_no_cookie_can_have() {
    let codec = SecureCookie::new(signing(1)).unwrap();
    for name in [
        "", "a b", "a;b", "a=b", "a,b", "a\"b", "a/b", "a\0", "a\n", "naïve", "(", "@", "[", "{",
    ] {
        let refused = codec.seal_at(name, b"ape", NOW).unwrap_err();
        assert!(refused.is_usage(), "{name:?}");
        assert!(codec.open_at(name, "x", NOW).unwrap_err().is_not_valid());
    }
    assert!(codec.seal_at("aZ09!#$%&'*+-.^_`|~", b"ape", NOW).is_ok());
}

#[test]
fn lengths_are_bounded_both_ways_and_the_error_gives_both_figures() {
    let codec = |max_length| codec(signing(1), CodecOptions::new().max_length(max_length));
    let cookie = codec(0).seal_at("sid", &[7; 100], NOW).unwrap();
    let length = cookie.len();
    assert_eq!(
        codec(length).seal_at("sid", &[7; 100], NOW).unwrap(),
        cookie
    );
    assert!(codec(length).open_at("sid", &cookie, NOW).is_ok());

    let refused = codec(length - 1)
        .seal_at("sid", &[7; 100], NOW)
        .unwrap_err();
    assert!(refused.is_too_long() && refused.is_usage() && !refused.is_decode());
    let figures = format!(
        "too long: the sealed value would have {length} bytes; the limit is {}",
        length - 1
    );
    assert_eq!(refused.to_string(), figures);

    let refused = codec(length - 1).open_at("sid", &cookie, NOW).unwrap_err();
    assert!(refused.is_too_long() && refused.is_decode() && !refused.is_usage());
    let figures = format!(
        "too long: the cookie has {length} bytes; the limit is {}",
        length - 1
    );
    assert_eq!(refused.to_string(), figures);
}

#[test]
fn a_name_and_value_over_4096_bytes_are_refused_only_when_sealing() {
    let (small, large) = (
        codec(signing(1), CodecOptions::new().max_length(0)),
        codec(signing(1), CodecOptions::new().max_length(8192)),
    );
    let payload = [7; 2260];
    let cookie = small.seal_at("sid", &payload, NOW).unwrap();
    let (fits, over) = (
        "n".repeat(4096 - cookie.len()),
        "n".repeat(4097 - cookie.len()),
    );
    assert!(large.seal_at(&fits, &payload, NOW).is_ok());
    let refused = large.seal_at(&over, &payload, NOW).unwrap_err();
    assert!(
        refused.is_too_long()
            && refused
                .to_string()
                .contains("would have 4097 bytes; the limit is 4096")
    );
    let browser_would_drop = small.seal_at(&over, &payload, NOW).unwrap();
    assert!(large.open_at(&over, &browser_would_drop, NOW).is_ok());
}

#[test]
fn a_cookie_of_one_mebibyte_is_refused_or_opened_without_limits() {
    let mebibyte = "A".repeat(1 << 20);
    let bounded = SecureCookie::new(signing(1)).unwrap();
    assert!(
        bounded
            .open_at("sid", &mebibyte, NOW)
            .unwrap_err()
            .is_too_long()
    );
    let unbounded = codec(encrypting(1), CodecOptions::new().max_length(0));
    assert!(
        unbounded
            .open_at("sid", &mebibyte, NOW)
            .unwrap_err()
            .is_not_valid()
    );
    let payload = vec![7; 1 << 20];
    let cookie = unbounded.seal_at("sid", &payload, NOW).unwrap();
    assert_eq!(
        unbounded.open_at("sid", &cookie, NOW).unwrap().value(),
        &payload
    );
}

#[test]
fn sha1_opens_and_does_not_seal() {
    let codec = codec(signing(1), CodecOptions::new().hash(HashFunction::Sha1));
    assert!(codec.seal_at("sid", b"ape", NOW).unwrap_err().is_usage());
}

#[test]
fn an_empty_payload_is_opened_encrypted_or_not() {
    for keys in [signing(1), encrypting(1)] {
        let codec = SecureCookie::new(keys).unwrap();
        let cookie = codec.seal_at("sid", b"", NOW).unwrap();
        assert_eq!(codec.open_at("sid", &cookie, NOW).unwrap().value(), b"");
    }
}

#[test]
fn the_into_forms_append_and_leave_the_buffer_unchanged_on_failure() {
    for keys in [signing(1), encrypting(1)] {
        let codec = SecureCookie::new(keys).unwrap();
        let mut text = String::from("before ");
        codec.seal_into("sid", b"ape", NOW, &mut text).unwrap();
        let cookie = text.strip_prefix("before ").unwrap().to_owned();
        assert!(codec.seal_into("s;d", b"ape", NOW, &mut text).is_err());
        assert!(codec.seal_into("sid", &[0; 5000], NOW, &mut text).is_err());
        assert_eq!(text, format!("before {cookie}"));

        let mut bytes = b"before ".to_vec();
        codec.open_into("sid", &cookie, NOW, &mut bytes).unwrap();
        assert_eq!(bytes, b"before ape");
        for (name, cookie) in [("sid", "x"), ("other", &cookie), ("sid", &cookie[1..])] {
            assert!(codec.open_into(name, cookie, NOW, &mut bytes).is_err());
        }
        assert!(codec.open_into("sid", &cookie, at(0), &mut bytes).is_err());
        assert_eq!(bytes, b"before ape");
    }
}

#[test]
fn encrypted_cookies_never_repeat_and_hide_their_payload() {
    use std::collections::HashSet;

    for options in [
        CodecOptions::new(),
        CodecOptions::new().buffered_randomness(),
    ] {
        let codec = codec(encrypting(1), options.serializer(Serializer::Raw));
        let cookies: HashSet<String> = (0..1000)
            .map(|_| codec.seal_at("sid", &[b'A'; 64], NOW).unwrap())
            .collect();
        assert_eq!(cookies.len(), 1000);
        assert!(cookies.iter().all(|cookie| !cookie.contains("UVVGQlFVR")));
    }
}

#[test]
fn threads_share_one_codec() {
    let codec = SecureCookie::new(encrypting(1)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let codec = &codec;
            scope.spawn(move || {
                for _ in 0..200 {
                    let cookie = codec.seal("sid", &[thread; 40]).unwrap();
                    assert_eq!(codec.open("sid", &cookie).unwrap().value(), &[thread; 40]);
                }
            });
        }
    });
}

#[test]
fn the_clock_forms_use_now() {
    let codec = SecureCookie::new(signing(1)).unwrap();
    let before = UnixTime::now();
    let cookie = codec.seal("sid", b"ape").unwrap();
    let opened = codec.open("sid", &cookie).unwrap();
    assert!(opened.issued_at() >= before && opened.issued_at() <= UnixTime::now());
    let old = codec.seal_at("sid", b"ape", at(1)).unwrap();
    assert!(codec.open("sid", &old).unwrap_err().is_expired());
}

proptest! {
    #[test]
    fn no_name_or_cookie_makes_opening_panic(name in ".*", cookie in ".{0,300}", now: u64) {
        let codec = codec(encrypting(1), CodecOptions::new().max_length(0));
        prop_assert!(codec.open_at(&name, &cookie, at(now)).is_err());
    }
}
