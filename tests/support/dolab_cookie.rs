//! The cookies of dolab/session, as anyone can forge them who knows the name and the secret of one.

use aes::cipher::{InnerIvInit, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::Md5;
use sha2::{Digest, Sha256};

/// The definitions of Go's `struct { Value string; Ctime time.Time }`, as Go sends them.
const DEFINITIONS: &str = "29ffb303010106436f6f6b696501ffb4000102010556616c7565010c0001054374696d65\
                           01ff8200000010ff810501010454696d6501ff82000000";

/// The seconds between the year 1 and 1970.
const YEAR_1: i64 = 62_135_596_800;

/// Returns the cookie of an ID, with a date in seconds since 1970.
pub(crate) fn forge(name: &str, secret: &str, id: &str, ctime: i64) -> String {
    let mut text = gob(id, ctime);
    let aes = aes::Aes256Enc::new(&Sha256::digest(name));
    let iv: [u8; 16] = Md5::digest(secret).into();
    cfb_mode::Encryptor::inner_iv_init(&aes, &iv.into()).encrypt(&mut text);
    URL_SAFE_NO_PAD.encode(text)
}

fn gob(id: &str, ctime: i64) -> Vec<u8> {
    let mut value = b"\xff\xb4\x01".to_vec();
    value.push(u8::try_from(id.len()).unwrap());
    value.extend(id.as_bytes());
    value.extend(b"\x01\x0f\x01");
    value.extend((ctime + YEAR_1).to_be_bytes());
    value.extend([0, 0, 0, 0, 0xff, 0xff, 0]);
    let mut gob = base16ct::lower::decode_vec(DEFINITIONS).unwrap();
    gob.push(u8::try_from(value.len()).unwrap());
    gob.extend(value);
    gob
}
