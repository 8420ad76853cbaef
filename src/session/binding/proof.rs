//! [`Proof`]: a text by which a browser shows that it has the private key of a session.
//!
//! Sources: Device Bound Session Credentials (W3C draft), section "DBSC proof"; RFC 7515 (JWS), RFC
//! 7517 (JWK), RFC 7518 sections 3.4 and 6.2 (ES256 and keys on P-256); RFC 8941 (sf-string).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Deserialize;

/// The longest field that is read. A proof of a browser has about 500 bytes.
const LONGEST: usize = 4096;

/// A proof that is parsed and not verified yet.
pub(super) struct Proof<'f> {
    /// The text that is signed.
    signed: &'f str,
    signature: Signature,
    /// The public key that a registration announces.
    key: Option<VerifyingKey>,
    challenge: String,
}

/// The reason why a text is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoProof;

/// The header of a proof. Other members are ignored, as RFC 7515 demands, except `crit`.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    jwk: Option<Jwk>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
}

impl<'f> Proof<'f> {
    /// Parses the value of a field `Secure-Session-Response`, quoted or not: the draft has an
    /// sf-string, and Chromium 156 sends the bare text.
    pub(super) fn parse(field: &'f str) -> Result<Self, NoProof> {
        if field.len() > LONGEST {
            return Err(NoProof);
        }
        let text = bare_item(field);
        let (signed, signature) = text.rsplit_once('.').ok_or(NoProof)?;
        let (header, payload) = signed.split_once('.').ok_or(NoProof)?;
        let header: Header = json(header)?;
        if header.alg != "ES256" || header.typ != "dbsc+jwt" || header.crit.is_some() {
            return Err(NoProof);
        }
        let payload: Payload = json(payload)?;
        Ok(Proof {
            signed,
            signature: Signature::from_slice(&decode(signature)?).map_err(|_| NoProof)?,
            key: header.jwk.as_ref().map(Jwk::key).transpose()?,
            challenge: payload.jti,
        })
    }

    /// Returns the challenge that the proof answers.
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// Returns the public key that the proof announces, as a compressed point, if that key signed the
    /// proof.
    pub(super) fn announced_key(&self) -> Result<[u8; 33], NoProof> {
        let key = self.key.as_ref().ok_or(NoProof)?;
        self.verify(key)?;
        let point = key.to_sec1_point(true);
        point.as_bytes().try_into().map_err(|_| NoProof)
    }

    /// Checks that the key of that compressed point signed the proof. A key that the proof announces
    /// does not count.
    pub(super) fn check(&self, point: &[u8; 33]) -> Result<(), NoProof> {
        self.verify(&VerifyingKey::from_sec1_bytes(point).map_err(|_| NoProof)?)
    }

    fn verify(&self, key: &VerifyingKey) -> Result<(), NoProof> {
        let verified = key.verify(self.signed.as_bytes(), &self.signature);
        verified.map_err(|_| NoProof)
    }
}

impl Jwk {
    fn key(&self) -> Result<VerifyingKey, NoProof> {
        if self.kty != "EC" || self.crv != "P-256" {
            return Err(NoProof);
        }
        let [x, y] = [&self.x, &self.y].map(|coordinate| decode(coordinate));
        let (x, y) = (x?, y?);
        if x.len() != 32 || y.len() != 32 {
            return Err(NoProof);
        }
        // The tag 4 is for an uncompressed point (SEC 1, section 2.3.3).
        let point = [&[4][..], &x, &y].concat();
        VerifyingKey::from_sec1_bytes(&point).map_err(|_| NoProof)
    }
}

/// Returns the item of a structured field without its quotes and its parameters.
pub(super) fn bare_item(field: &str) -> &str {
    let item = field.split(';').next().unwrap_or_default().trim();
    let quoted = item
        .strip_prefix('"')
        .and_then(|item| item.strip_suffix('"'));
    quoted.unwrap_or(item)
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, NoProof> {
    serde_json::from_slice(&decode(part)?).map_err(|_| NoProof)
}

/// Decodes base64url without padding, in its only form.
fn decode(part: &str) -> Result<Vec<u8>, NoProof> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| NoProof)
}
