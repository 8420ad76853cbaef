//! Random cases, the same for the same seed.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use silverback::codec::{
    BlockKey, CodecOptions, HashFunction, HashKey, KeyPair, SecureCookie, Serializer,
};

/// A cookie: its keys, settings, name and content.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) hash_key: Vec<u8>,
    /// Empty: signed only.
    pub(crate) block_key: Vec<u8>,
    pub(crate) hash: &'static str,
    pub(crate) serializer: &'static str,
    /// The input of the serializer: bytes, the text of a gob string, or a JSON document.
    pub(crate) payload: Vec<u8>,
}

impl Case {
    pub(crate) fn codec(&self) -> SecureCookie {
        self.codec_with(CodecOptions::new())
    }

    /// Returns the codec with the case's keys and hash function, and otherwise these options.
    pub(crate) fn codec_with(&self, options: CodecOptions) -> SecureCookie {
        let hash = match self.hash {
            "sha256" => HashFunction::Sha256,
            "sha384" => HashFunction::Sha384,
            "sha512" => HashFunction::Sha512,
            "sha512_256" => HashFunction::Sha512_256,
            other => panic!("hash function {other}"),
        };
        let hash_key = HashKey::new(&self.hash_key).unwrap();
        let keys = if self.block_key.is_empty() {
            KeyPair::sign_only(hash_key)
        } else {
            KeyPair::new(hash_key, BlockKey::new(&self.block_key).unwrap())
        };
        SecureCookie::with_options(keys, &options.hash(hash)).unwrap()
    }

    /// Returns the payload as Silverback's serializer writes it.
    pub(crate) fn serialized(&self) -> Vec<u8> {
        match self.serializer {
            "gob" => Serializer::Gob
                .serialize(std::str::from_utf8(&self.payload).unwrap())
                .unwrap(),
            _ => self.payload.clone(),
        }
    }

    /// Returns a payload of gorilla's serializer as Silverback reads it.
    pub(crate) fn deserialized(&self, bytes: &[u8]) -> Vec<u8> {
        match self.serializer {
            "gob" => Serializer::Gob
                .deserialize::<String>(bytes)
                .unwrap()
                .into_bytes(),
            _ => bytes.to_vec(),
        }
    }

    /// Returns the part of a payload that must be equal: the value of JSON, and otherwise the
    /// bytes.
    pub(crate) fn compared(&self, payload: &[u8]) -> serde_json::Value {
        match self.serializer {
            "json" => serde_json::from_slice(payload).unwrap(),
            _ => base16ct::lower::encode_string(payload).into(),
        }
    }
}

/// Returns the seed of `SILVERBACK_SEED`, or a new one, and prints it so that the run can be
/// repeated.
pub(crate) fn seed() -> u64 {
    let seed = from_environment("SILVERBACK_SEED").unwrap_or_else(|| {
        let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap();
        since_epoch.as_nanos() as u64
    });
    println!("SILVERBACK_SEED={seed}");
    seed
}

/// Returns the number of cases: `SILVERBACK_CASES`, or `default`.
pub(crate) fn count(default: u64) -> u64 {
    from_environment("SILVERBACK_CASES").unwrap_or(default)
}

fn from_environment(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

/// A number of random cases.
pub(crate) struct Cases {
    runner: TestRunner,
    left: u64,
}

impl Cases {
    /// Returns as many cases as `SILVERBACK_CASES` says, or `default`, from `SILVERBACK_SEED` or a
    /// new seed.
    pub(crate) fn from_environment(default: u64) -> Self {
        let seed = seed();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Cases {
            runner: TestRunner::new_with_rng(Config::default(), rng),
            left: count(default),
        }
    }
}

impl Iterator for Cases {
    type Item = Case;

    fn next(&mut self) -> Option<Case> {
        self.left = self.left.checked_sub(1)?;
        Some(any_case().new_tree(&mut self.runner).unwrap().current())
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let name = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}";
    let hash_key = proptest::collection::vec(any::<u8>(), 32..150);
    let block_key = prop_oneof![Just(0_usize), Just(16), Just(24), Just(32)]
        .prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length));
    let hash = prop_oneof![
        4 => Just("sha256"), 1 => Just("sha384"), 1 => Just("sha512"), 1 => Just("sha512_256"),
    ];
    let document = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..600).prop_map(|bytes| ("raw", bytes)),
        ".{0,150}".prop_map(|text: String| ("gob", text.into_bytes())),
        any_json().prop_map(|value| ("json", value.to_string().into_bytes())),
    ];
    (name, hash_key, block_key, hash, document).prop_map(
        |(name, hash_key, block_key, hash, (serializer, payload))| Case {
            name,
            hash_key,
            block_key,
            hash,
            serializer,
            payload,
        },
    )
}

/// Returns JSON whose numbers survive Go's float64.
pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;

    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[<>&\u{2028}\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
