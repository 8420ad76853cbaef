//! The workloads, each with its contenders.

use cookie::{Cookie, CookieJar, Key};
use serde::{Deserialize, Serialize};
use silverback::codec::{
    BlockKey, Codec, CodecOptions, Codecs, HashKey, KeyPair, SecureCookie, Serializer, UnixTime,
};
use silverback::gob::{Interface, Value};

use crate::floor::Floor;
use crate::support::{OURS, Operation, Workload};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const NAME: &str = "sid";

/// Returns all workloads, in the order of the table.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    for size in [32, 256, 2048] {
        for encrypts in [false, true] {
            all.push(seal(size, encrypts));
            all.push(open(size, encrypts));
        }
    }
    all.push(seal_buffered());
    for right in [1, 3, 5] {
        all.push(open_by_chain(right, false));
        all.push(open_by_chain(right, true));
    }
    all.extend(typed("json", Serializer::Json));
    all.extend(typed("bincode", Serializer::Bincode));
    all.extend(gob());
    all
}

fn keys(first_byte: u8, encrypts: bool) -> KeyPair {
    let mut hash = [7; 64];
    hash[0] = first_byte;
    let hash = HashKey::new(&hash).unwrap();
    if encrypts {
        KeyPair::new(hash, BlockKey::from([7; 32]))
    } else {
        KeyPair::sign_only(hash)
    }
}

fn mode(encrypts: bool) -> &'static str {
    if encrypts { "encrypt" } else { "sign" }
}

/// Returns a payload that is text, so that the cookie crate accepts it too.
fn payload(size: usize) -> String {
    "silverback ".chars().cycle().take(size).collect()
}

fn sealing(codec: SecureCookie, size: usize) -> Operation {
    let (payload, mut cookie) = (payload(size), String::new());
    Box::new(move || {
        cookie.clear();
        codec
            .seal_into(NAME, payload.as_bytes(), NOW, &mut cookie)
            .unwrap();
        cookie.len()
    })
}

fn opening(codec: impl Codec + 'static, cookie: String) -> Operation {
    let mut payload = Vec::new();
    Box::new(move || {
        payload.clear();
        codec.open_into(NAME, &cookie, NOW, &mut payload).unwrap();
        payload.len()
    })
}

fn seal(size: usize, encrypts: bool) -> Workload {
    let mut floor = Floor::new(size, encrypts);
    let codec = SecureCookie::new(keys(0, encrypts)).unwrap();
    let key = Key::from(&[7; 64]);
    let value = payload(size);
    let jar: Operation = Box::new(move || {
        let mut jar = CookieJar::new();
        let cookie = Cookie::new(NAME, value.clone());
        if encrypts {
            jar.private_mut(&key).add(cookie);
        } else {
            jar.signed_mut(&key).add(cookie);
        }
        jar.get(NAME).unwrap().value().len()
    });
    Workload {
        name: format!("seal {} {size}", mode(encrypts)),
        contenders: vec![
            (
                "floor",
                Box::new(move || {
                    floor.seal();
                    0
                }),
            ),
            (OURS, sealing(codec, size)),
            ("cookie jar", jar),
        ],
    }
}

fn open(size: usize, encrypts: bool) -> Workload {
    let mut floor = Floor::new(size, encrypts);
    let codec = SecureCookie::new(keys(0, encrypts)).unwrap();
    let cookie = codec.seal_at(NAME, payload(size).as_bytes(), NOW).unwrap();
    let key = Key::from(&[7; 64]);
    let mut sealed = CookieJar::new();
    if encrypts {
        sealed
            .private_mut(&key)
            .add(Cookie::new(NAME, payload(size)));
    } else {
        sealed
            .signed_mut(&key)
            .add(Cookie::new(NAME, payload(size)));
    }
    let sealed = sealed.get(NAME).unwrap().clone();
    let jar: Operation = Box::new(move || {
        let empty = CookieJar::new();
        let opened = if encrypts {
            empty.private(&key).decrypt(sealed.clone())
        } else {
            empty.signed(&key).verify(sealed.clone())
        };
        opened.unwrap().value().len()
    });
    Workload {
        name: format!("open {} {size}", mode(encrypts)),
        contenders: vec![
            (
                "floor",
                Box::new(move || {
                    floor.open();
                    0
                }),
            ),
            (OURS, opening(codec, cookie)),
            ("cookie jar", jar),
        ],
    }
}

fn seal_buffered() -> Workload {
    let mut floor = Floor::new(256, true);
    let options = CodecOptions::new().buffered_randomness();
    let codec = SecureCookie::with_options(keys(0, true), &options).unwrap();
    Workload {
        name: "seal encrypt 256, buffered IVs".to_owned(),
        contenders: vec![
            (
                "floor",
                Box::new(move || {
                    floor.seal();
                    0
                }),
            ),
            (OURS, sealing(codec, 256)),
        ],
    }
}

/// Opens 256 bytes with a chain of five keys, of which the `right` one sealed them. The floor adds
/// the MACs of the keys before it.
fn open_by_chain(right: usize, encrypts: bool) -> Workload {
    let pairs = (1..=5).map(|key| keys(key as u8, encrypts));
    let sealer = SecureCookie::new(keys(right as u8, encrypts)).unwrap();
    let cookie = sealer.seal_at(NAME, payload(256).as_bytes(), NOW).unwrap();
    let mut floor = Floor::new(256, encrypts);
    let floor: Operation = Box::new(move || {
        floor.open();
        for _ in 1..right {
            floor.hash();
        }
        0
    });
    Workload {
        name: format!("open {} 256, key {right} of 5", mode(encrypts)),
        contenders: vec![
            ("floor", floor),
            (OURS, opening(Codecs::from_pairs(pairs).unwrap(), cookie)),
        ],
    }
}

#[derive(Serialize, Deserialize)]
struct Visitor {
    user: String,
    id: u64,
    admin: bool,
    visits: u32,
    roles: Vec<String>,
}

/// A signed struct with five fields, encoded and decoded. For JSON the cookie crate's jar does the
/// same; it has no bincode, since its values are text.
fn typed(format: &str, serializer: Serializer) -> [Workload; 2] {
    let has_peer = matches!(serializer, Serializer::Json);
    let options = CodecOptions::new().serializer(serializer);
    let codec = || SecureCookie::with_options(keys(0, false), &options).unwrap();
    let visitor = || Visitor {
        user: payload(64),
        id: 1 << 40,
        admin: false,
        visits: 1000,
        roles: vec![payload(16), payload(24)],
    };
    let (encoder, decoder) = (codec(), codec());
    let cookie = encoder.encode_at(NAME, &visitor(), NOW).unwrap();
    let key = Key::from(&[7; 64]);
    let into_jar = move |visitor: &Visitor| {
        let mut jar = CookieJar::new();
        let value = serde_json::to_string(visitor).unwrap();
        jar.signed_mut(&key).add(Cookie::new(NAME, value));
        jar.get(NAME).unwrap().clone()
    };
    let key = Key::from(&[7; 64]);
    let sealed = into_jar(&visitor());

    let (ours, theirs) = (visitor(), visitor());
    let mut encode: Vec<(&'static str, Operation)> = vec![(
        OURS,
        Box::new(move || encoder.encode_at(NAME, &ours, NOW).unwrap().len()),
    )];
    let mut decode: Vec<(&'static str, Operation)> = vec![(
        OURS,
        Box::new(move || {
            let visitor = decoder.decode_at::<Visitor>(NAME, &cookie, NOW).unwrap();
            visitor.into_value().roles.len()
        }),
    )];
    if has_peer {
        encode.push((
            "cookie jar",
            Box::new(move || into_jar(&theirs).value().len()),
        ));
        decode.push((
            "cookie jar",
            Box::new(move || {
                let opened = CookieJar::new()
                    .signed(&key)
                    .verify(sealed.clone())
                    .unwrap();
                let visitor: Visitor = serde_json::from_str(opened.value()).unwrap();
                visitor.roles.len()
            }),
        ));
    }
    [
        Workload {
            name: format!("encode {format}, 5 fields"),
            contenders: encode,
        },
        Workload {
            name: format!("decode {format}, 5 fields"),
            contenders: decode,
        },
    ]
}

/// A session of five keys as gob values, compared with Go's `encoding/gob`: read as by a program
/// that changes one key, and written back.
fn gob() -> [Workload; 2] {
    let session = Value::map_of_interfaces([
        ("user", Interface::from("silverback")),
        ("id", Interface::from(1_i64 << 40)),
        ("admin", Interface::from(false)),
        ("visits", Interface::from(1000_isize)),
        ("ratio", Interface::from(0.5_f64)),
    ]);
    let bytes = session.to_vec();
    [
        Workload {
            name: "encode gob, 5 keys".to_owned(),
            contenders: vec![(OURS, Box::new(move || session.to_vec().len()))],
        },
        Workload {
            name: "decode gob, 5 keys".to_owned(),
            contenders: vec![(
                OURS,
                Box::new(move || usize::from(Value::from_slice(&bytes).unwrap().is_map())),
            )],
        },
    ]
}
