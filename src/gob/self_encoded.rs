//! [`SelfEncoded`]: creates values of Go types that encode themselves.

use std::sync::Arc;

use super::types::{Defined, Definition, Definitions, SelfEncoder, Shape};
use super::{Error, Interface, Time, Value};

/// The registered name of google/uuid's type.
const GOOGLE_UUID: &str = "github.com/google/uuid.UUID";

/// A value of a Go type that encodes itself, with the name under which the Go program
/// registered the type.
///
/// If the program registered a value, the name is the import path and the type
/// (`github.com/google/uuid.UUID`). If it registered a pointer, the name is `*`, the package
/// name and the type (`*big.Int`). Source: Go's `encoding/gob`, `type.go`, `Register`.
///
/// ```
/// use silverback::gob::{Interface, SelfEncoded, SelfEncoder, Time, Value};
///
/// let user = SelfEncoded::uuid([7; 16]);
/// let balance = SelfEncoded::big_int(false, &[1, 0]); // 256
/// let money = SelfEncoded::new("example.com/shop.Money", SelfEncoder::Gob, b"799")?;
/// let since = SelfEncoded::from("2030-01-01T00:00:00Z".parse::<Time>()?);
///
/// let map = Value::map_of_interfaces([("money", Interface::from(money)), ("user", user.into())]);
/// assert!(Value::from_slice(&map.to_vec()).is_ok());
/// # Ok::<(), silverback::gob::Error>(())
/// ```
///
/// It implements `Serialize`: gob, and so a session, writes it as this Go type. JSON and other
/// formats, which have no Go types, refuse it, except that they write a [`Time`] as text.
#[derive(Clone, PartialEq, Eq)]
pub struct SelfEncoded {
    name: String,
    by: SelfEncoder,
    bytes: Vec<u8>,
}

impl SelfEncoded {
    /// Creates a value of the type registered as `name`. Go reads it from `bytes` with
    /// `GobDecode` or `UnmarshalBinary`.
    ///
    /// # Errors
    /// Returns an error if the name is empty or has more than 1,024 bytes, and for
    /// [`SelfEncoder::Text`], which Go never sends.
    pub fn new(
        name: impl Into<String>,
        by: SelfEncoder,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Self, Error> {
        let (name, bytes) = (name.into(), bytes.into());
        if name.is_empty() || name.len() > 1024 {
            return Err(Error::new("a registered name must have 1 to 1,024 bytes"));
        }
        if by == SelfEncoder::Text {
            return Err(Error::new(
                "Go never sends a TextMarshaler: use Gob or Binary",
            ));
        }
        Ok(SelfEncoded { name, by, bytes })
    }

    /// Creates a `uuid.UUID` of github.com/google/uuid.
    ///
    /// For gofrs/uuid, use [`new`](SelfEncoded::new) with its name, `SelfEncoder::Binary` and
    /// the same bytes. For a plain `[16]byte`, use [`Interface::from`] with the array.
    #[must_use]
    pub fn uuid(bytes: [u8; 16]) -> Self {
        SelfEncoded {
            name: GOOGLE_UUID.to_owned(),
            by: SelfEncoder::Binary,
            bytes: bytes.to_vec(),
        }
    }

    /// Creates a `*big.Int` from its sign and the bytes of its absolute value, most significant
    /// byte first. Source: Go's `math/big`, `intmarsh.go`, `GobEncode`.
    #[must_use]
    pub fn big_int(is_negative: bool, magnitude: &[u8]) -> Self {
        let start = magnitude.iter().take_while(|byte| **byte == 0).count();
        let magnitude = magnitude.get(start..).unwrap_or_default();
        let sign = u8::from(is_negative && !magnitude.is_empty());
        SelfEncoded {
            name: "*big.Int".to_owned(),
            by: SelfEncoder::Gob,
            bytes: [&[1 << 1 | sign], magnitude].concat(),
        }
    }

    /// Returns the registered name of the type.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the Go interface through which the type encodes itself.
    #[must_use]
    pub fn encoder(&self) -> SelfEncoder {
        self.by
    }

    /// Returns the encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the time, if this is a `time.Time`.
    pub(super) fn as_time(&self) -> Option<Time> {
        let is_time = is_time_name(&self.name) && self.by == SelfEncoder::Gob;
        is_time.then(|| Time::from_bytes(&self.bytes))?
    }

    /// Returns the value on the wire. Go sends the type's own name, and no name for a pointer.
    pub(super) fn to_value(&self) -> Value {
        let own_name = match self.name.strip_prefix('*') {
            Some(_) => "",
            None => self.name.rsplit('.').next().unwrap_or_default(),
        };
        let definitions = Definitions::default();
        definitions.fill(vec![Some(Definition {
            name: own_name.into(),
            shape: Shape::SelfEncoder(self.by),
        })]);
        let of = Defined::new(Arc::new(definitions), 0);
        Value::SelfEncoded(of, self.bytes.clone())
    }
}

/// Returns whether a registered name is that of Go's time.
pub(super) fn is_time_name(name: &str) -> bool {
    name.strip_prefix('*').unwrap_or(name) == "time.Time"
}

/// Parses the text of a UUID, hexadecimal digits with the usual hyphens, into its 16 bytes.
pub(super) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let is_hyphen = |place: usize| matches!(place, 8 | 13 | 18 | 23);
    let mut digits = Vec::with_capacity(32);
    for (place, character) in text.chars().enumerate() {
        match is_hyphen(place) {
            true if character == '-' => {}
            true => return None,
            false => digits.push(character.to_digit(16)? as u8),
        }
    }
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

impl From<SelfEncoded> for Interface {
    fn from(encoded: SelfEncoded) -> Self {
        Interface::of(encoded.name.as_str(), encoded.to_value())
    }
}

impl From<Time> for SelfEncoded {
    fn from(time: Time) -> Self {
        SelfEncoded {
            name: "time.Time".to_owned(),
            by: SelfEncoder::Gob,
            bytes: time.to_bytes(),
        }
    }
}

/// Creates Go's `time.Time`.
impl From<Time> for Interface {
    fn from(time: Time) -> Self {
        SelfEncoded::from(time).into()
    }
}

/// Writes the name and the number of bytes, but not the bytes.
impl std::fmt::Debug for SelfEncoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SelfEncoded({}, {} bytes)", self.name, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::uuid_bytes;

    #[test]
    fn only_the_text_of_a_uuid_is_parsed() {
        let text = "00112233-4455-6677-8899-aAbBcCdDeEfF";
        let bytes = uuid_bytes(text).unwrap();
        assert_eq!(bytes[..3], [0, 0x11, 0x22]);
        assert_eq!(bytes[15], 0xff);
        for other in [
            "",
            "00112233445566778899aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeeff0",
            "00112233-4455-6677-8899-aabbccddeef",
            "00112233-4455-6677-8899-aabbccddeefg",
            "0011223-34455-6677-8899-aabbccddeeff",
        ] {
            assert_eq!(uuid_bytes(other), None, "{other}");
        }
    }
}
