//! Any change of a valid cookie, in its text or under its base64, is refused.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use libfuzzer_sys::fuzz_target;
use silverback::codec::Codec;
use silverback_fuzz::{NOW, codec};

// The first bytes choose a codec and the number of edits of 4 bytes; the rest is the payload.
fuzz_target!(|input: &[u8]| {
    let Some(([bits, level, _, count], rest)) = input.split_first_chunk() else {
        return;
    };
    let edits = usize::from(count % 8) * 4;
    let Some((edits, payload)) = rest.split_at_checked(edits) else {
        return;
    };
    let codec = codec(*bits, 7);
    let cookie = codec.seal_at("sid", payload, NOW).expect("sealed");

    let forged = if level & 1 == 0 {
        let mut text = cookie.clone().into_bytes();
        edit(&mut text, edits);
        match String::from_utf8(text) {
            Ok(text) => text,
            Err(_) => return,
        }
    } else {
        let mut inner = URL_SAFE.decode(&cookie).expect("base64");
        edit(&mut inner, edits);
        URL_SAFE.encode(inner)
    };
    let opened = codec.open_at("sid", &forged, NOW);
    if forged == cookie {
        assert_eq!(opened.expect("valid").value(), payload);
    } else {
        assert!(opened.expect_err("forged").is_not_valid());
    }
});

/// Applies edits of 4 bytes: the operation, the place (two bytes), and the new byte.
fn edit(bytes: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(4) {
        let [what, high, low, byte] = [edit[0], edit[1], edit[2], edit[3]];
        let place = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        match what % 6 {
            0 if place < bytes.len() => bytes[place] = byte,
            1 if place < bytes.len() => bytes[place] ^= 1 << (byte % 8),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            3 => bytes.insert(place, byte),
            4 => bytes.truncate(place),
            _ => {
                let tail = bytes.split_off(place);
                bytes.splice(0..0, tail);
            }
        }
    }
}
