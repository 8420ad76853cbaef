//! A device with a key, as a browser with Device Bound Session Credentials has it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// A private key. It never leaves this value.
#[derive(Clone)]
pub(crate) struct Device(SigningKey);

impl Device {
    /// Returns the device of that number. Each has its own key.
    pub(crate) fn new(number: u8) -> Self {
        Device(SigningKey::from_slice(&[number + 1; 32]).unwrap())
    }

    /// Returns the public key, as a registration announces it (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        let [x, y] = [1..33, 33..65].map(|part| encode(&point.as_bytes()[part]));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    /// Returns the proof that Chromium sends for a registration.
    pub(crate) fn registration(&self, challenge: &str) -> String {
        let header = json!({"alg": "ES256", "jwk": self.jwk(), "typ": "dbsc+jwt"});
        self.sign(&header, &json!({"jti": challenge}))
    }

    /// Returns the proof that Chromium sends for a refresh.
    pub(crate) fn proof(&self, challenge: &str) -> String {
        let header = json!({"alg": "ES256", "typ": "dbsc+jwt"});
        self.sign(&header, &json!({"jti": challenge}))
    }

    pub(crate) fn sign(&self, header: &Value, payload: &Value) -> String {
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(payload.to_string().as_bytes())
        );
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", encode(&signature.to_bytes()))
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the quoted parameter of a field, or its item if the name is empty.
pub(crate) fn quoted(field: &str, name: &str) -> String {
    let start = match name {
        "" => 1,
        name => field.find(&format!("{name}=\"")).expect(field) + name.len() + 2,
    };
    field[start..].split('"').next().unwrap().to_owned()
}
