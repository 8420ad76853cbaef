//! The options of a codec as they are written in a configuration file (feature `config`).

use serde::{Deserialize, Deserializer};

use crate::duration_text::DurationText;

use super::{Cipher, CodecOptions, HashFunction};

/// The keys of a [`CodecOptions`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodecConfig {
    max_age: Option<DurationText>,
    min_age: Option<DurationText>,
    clock_skew: Option<DurationText>,
    max_length: Option<usize>,
    hash: Option<HashFunction>,
    cipher: Option<Cipher>,
}

/// Reads the options from a configuration file. The keys are the names of the methods.
impl<'de> Deserialize<'de> for CodecOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(CodecConfig::deserialize(deserializer)?.options())
    }
}

impl CodecConfig {
    fn options(self) -> CodecOptions {
        let config = self;
        let mut options = CodecOptions::new();
        if let Some(DurationText(age)) = config.max_age {
            options = options.max_age(age);
        }
        if let Some(DurationText(age)) = config.min_age {
            options = options.min_age(age);
        }
        if let Some(DurationText(skew)) = config.clock_skew {
            options = options.clock_skew(skew);
        }
        if let Some(length) = config.max_length {
            options = options.max_length(length);
        }
        if let Some(hash) = config.hash {
            options = options.hash(hash);
        }
        if let Some(cipher) = config.cipher {
            options = options.cipher(cipher);
        }
        options
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_key_sets_its_option() {
        let all = r#"{"max_age": "1h", "min_age": "1s", "clock_skew": "2s", "max_length": 100,
            "hash": "sha512_256", "cipher": "aes_cfb"}"#;
        let expected = CodecOptions::new()
            .max_age(Duration::from_secs(3600))
            .min_age(Duration::from_secs(1))
            .clock_skew(Duration::from_secs(2))
            .max_length(100)
            .hash(HashFunction::Sha512_256)
            .cipher(Cipher::AesCfb);
        for (json, expected) in [(all, expected), ("{}", CodecOptions::new())] {
            let options: CodecOptions = serde_json::from_str(json).unwrap();
            assert_eq!(format!("{options:?}"), format!("{expected:?}"));
        }
        for wrong in [
            r#"{"age": "1h"}"#,
            r#"{"hash": "md5"}"#,
            r#"{"max_age": 3600}"#,
        ] {
            assert!(
                serde_json::from_str::<CodecOptions>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
