//! [`KeyBinding`]: the key of the client's device to which a login is bound, as a session keeps it.
//! The protocol that registers and proves the key is in `binding/`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

#[cfg(any(test, feature = "dbsc"))]
use super::Error;
#[cfg(any(test, feature = "dbsc"))]
use crate::codec::generate_random_key;

/// The binding of a login to a key that does not leave the client's device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyBinding {
    pub(super) id: BindingId,
    /// `None` until the client has registered a key.
    pub(super) key: Option<DeviceKey>,
}

/// The public name of a binding. It begins with a login, and survives renewals.
#[derive(Clone, Copy)]
pub(super) struct BindingId([u8; 16]);

/// The public key of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceKey {
    /// A compressed point of P-256 (SEC 1, section 2.3.3), for the algorithm ES256.
    pub(super) point: [u8; 33],
    /// The number of proofs that were accepted. Each proof is for the next number, so that none
    /// counts twice.
    pub(super) proofs: u64,
}

impl KeyBinding {
    /// Begins the binding of a new login.
    #[cfg(any(test, feature = "dbsc"))]
    pub(super) fn begin() -> Result<Self, Error> {
        let random = generate_random_key(16).map_err(Error::of_codec)?;
        let id = BindingId::from_slice(&random);
        let id = id.ok_or_else(|| Error::unavailable("the system's random key is too short"))?;
        Ok(KeyBinding { id, key: None })
    }

    /// Parses the text of [`KeyBinding`]'s `Display`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('.');
        let id = BindingId::parse(fields.next()?)?;
        let key = match fields.next() {
            None => None,
            Some(proofs) => Some(DeviceKey {
                proofs: proofs.parse().ok()?,
                point: decode(fields.next()?)?.try_into().ok()?,
            }),
        };
        fields.next().is_none().then_some(KeyBinding { id, key })
    }
}

/// Writes the ID and, with a key, the number of proofs and the key: `ID` or `ID.PROOFS.KEY`.
impl fmt::Display for KeyBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)?;
        match &self.key {
            Some(key) => write!(f, ".{}.{}", key.proofs, URL_SAFE_NO_PAD.encode(key.point)),
            None => Ok(()),
        }
    }
}

impl BindingId {
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(BindingId)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        BindingId::from_slice(&decode(text)?)
    }

    #[cfg(feature = "dbsc")]
    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for BindingId {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BindingId {}

impl fmt::Display for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BindingId({self})")
    }
}

/// Decodes base64url without padding. The engine refuses other forms of the same bytes.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_comes_back_from_its_text() {
        let id = BindingId([7; 16]);
        let key = |proofs| DeviceKey {
            point: [3; 33],
            proofs,
        };
        for key in [None, Some(key(0)), Some(key(u64::MAX))] {
            let binding = KeyBinding { id, key };
            assert_eq!(KeyBinding::parse(&binding.to_string()), Some(binding));
        }
        let whole = KeyBinding {
            id,
            key: Some(key(1)),
        }
        .to_string();
        for wrong in [
            String::new(),
            "-".to_owned(),
            format!("{whole}."),
            format!("{whole}A"),
            whole.replacen(".1.", ".x.", 1),
            whole.replacen(".1.", ".1", 1),
            format!("{}.1", id),
            format!("{id}=="),
        ] {
            assert_eq!(KeyBinding::parse(&wrong), None, "{wrong}");
        }
    }
}
