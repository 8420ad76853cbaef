//! [`RecordEnvelope`] and [`OwnerEnvelope`]: a record, or an owner's record, as one run of bytes,
//! for servers and disks that know only values.
//!
//! | bytes | a record | an owner |
//! |---|---|---|
//! | first | `silverback record 1` and a line feed | `silverback owner 1` and a line feed |
//! | parts | key, revision, expiry, login, owner's name, value | name, generation, expiry, logins, kept login |
//! | last 32 | the SHA-256 of all bytes before | the same |
//!
//! Before each part is its length, as 8 bytes. All numbers are big-endian. A revision and a
//! generation have 16 bytes. An expiry is a signed number of 8 bytes, in milliseconds since
//! 1970-01-01T00:00:00Z. A login is its generation and its number, 24 bytes; without a login the
//! part is empty. A record without a login has no owner, and an empty name.
//!
//! Bytes that are cut off, damaged, or of another program are refused: the digest does not match.
//! Only one run of bytes stands for a record, so two records are equal if their bytes are. The
//! digest has no key: it finds damage, not forgery.

use sha2::{Digest, Sha256};

use super::owner_state::OwnerState;
use super::{Entry, Expiry, Generation, Key, Login, Owner, OwnerName, Record, Revision, Stored};

const RECORD: &[u8] = b"silverback record 1\n";
const OWNER: &[u8] = b"silverback owner 1\n";

/// A record with its key and its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordEnvelope {
    pub(super) key: Key,
    pub(super) revision: [u8; 16],
    pub(super) record: Record,
}

/// An owner's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnerEnvelope {
    pub(super) name: OwnerName,
    pub(super) state: OwnerState,
}

impl RecordEnvelope {
    pub(super) fn revision(&self) -> Revision {
        Revision::new(self.revision)
    }

    pub(super) fn into_stored(self) -> Stored {
        Stored {
            revision: self.revision(),
            record: self.record,
        }
    }

    pub(super) fn into_entry(self) -> Entry {
        Entry {
            key: self.key,
            expiry: self.record.expiry(),
            owner: self.record.owner().map(|of| of.name.clone()),
            size: self.record.value().len(),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut writer = Writer::new(RECORD);
        writer.put(self.key.as_bytes());
        writer.put(&self.revision);
        writer.put(&self.record.expiry().as_millis().to_be_bytes());
        let owner = self.record.owner();
        writer.put_login(owner.map(|owner| &owner.login));
        writer.put(owner.map_or(&[], |owner| owner.name.as_str().as_bytes()));
        writer.put(self.record.value());
        writer.finish()
    }

    /// Returns the encoded record, or `None` if the bytes are not a valid record.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Reader::new(RECORD, bytes)?.record()
    }
}

impl OwnerEnvelope {
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut writer = Writer::new(OWNER);
        writer.put(self.name.as_str().as_bytes());
        writer.put(self.state.generation.as_bytes());
        writer.put(&self.state.expiry.as_millis().to_be_bytes());
        writer.put(&self.state.logins.to_be_bytes());
        writer.put_login(self.state.kept.as_ref());
        writer.finish()
    }

    /// Returns the encoded owner, or `None` if the bytes are not a valid owner.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Reader::new(OWNER, bytes)?.owner()
    }

    pub(super) fn is_live(&self) -> bool {
        self.state.is_live(Expiry::now())
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: &[u8]) -> Self {
        Writer(kind.to_vec())
    }

    fn put(&mut self, part: &[u8]) {
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
    }

    /// Writes the generation and the number, or an empty part without a login.
    fn put_login(&mut self, login: Option<&Login>) {
        let bytes = login.map_or_else(Vec::new, |login| {
            [
                &login.generation.as_bytes()[..],
                &login.number.to_be_bytes(),
            ]
            .concat()
        });
        self.put(&bytes);
    }

    fn finish(mut self) -> Vec<u8> {
        let digest = Sha256::digest(&self.0);
        self.0.extend_from_slice(&digest);
        self.0
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Returns a reader of the parts if the bytes are whole and of that kind.
    fn new(kind: &[u8], bytes: &'a [u8]) -> Option<Self> {
        let (parts, digest) = bytes.split_last_chunk::<32>()?;
        let is_whole = Sha256::digest(parts).as_slice() == digest;
        is_whole.then(|| parts.strip_prefix(kind).map(Reader))?
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let length = u64::from_be_bytes(*self.0.split_off(..8)?.first_chunk()?);
        self.0.split_off(..usize::try_from(length).ok()?)
    }

    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take()?.try_into().ok()
    }

    fn take_text(&mut self) -> Option<String> {
        String::from_utf8(self.take()?.to_vec()).ok()
    }

    fn take_expiry(&mut self) -> Option<Expiry> {
        let millis = i64::from_be_bytes(self.take_array()?);
        Some(Expiry::from_millis(millis))
    }

    fn take_number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take_array()?))
    }

    /// Returns `None` for an invalid part, and `Some(None)` for an empty one, which means no login.
    #[expect(clippy::option_option)]
    fn take_login(&mut self) -> Option<Option<Login>> {
        let bytes = self.take()?;
        let Some((generation, number)) = bytes.split_first_chunk::<16>() else {
            return bytes.is_empty().then_some(None);
        };
        Some(Some(Login {
            generation: Generation::from_bytes(*generation),
            number: u64::from_be_bytes(number.try_into().ok()?),
        }))
    }

    fn record(&mut self) -> Option<RecordEnvelope> {
        let key = Key::new(self.take()?).ok()?;
        let revision = self.take_array()?;
        let expiry = self.take_expiry()?;
        let login = self.take_login()?;
        let name = self.take_text()?;
        let record = Record::new(self.take()?, expiry);
        let record = match login {
            Some(login) => record.owned_by(Owner {
                name: OwnerName::new(name).ok()?,
                login,
            }),
            None if name.is_empty() => record,
            None => return None,
        };
        self.0.is_empty().then_some(RecordEnvelope {
            key,
            revision,
            record,
        })
    }

    fn owner(&mut self) -> Option<OwnerEnvelope> {
        let name = OwnerName::new(self.take_text()?).ok()?;
        let generation = Generation::from_bytes(self.take_array()?);
        let expiry = self.take_expiry()?;
        let logins = self.take_number()?;
        let kept = self.take_login()?;
        let state = OwnerState {
            generation,
            logins,
            kept,
            expiry,
        };
        self.0.is_empty().then_some(OwnerEnvelope { name, state })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn logins() -> impl Strategy<Value = Login> {
        (any::<[u8; 16]>(), any::<u64>()).prop_map(|(generation, number)| Login {
            generation: Generation::from_bytes(generation),
            number,
        })
    }

    fn names() -> impl Strategy<Value = OwnerName> {
        ".{1,40}".prop_map(|name| OwnerName::new(name).unwrap())
    }

    fn expiries() -> impl Strategy<Value = Expiry> {
        any::<i64>().prop_map(Expiry::from_millis)
    }

    fn records() -> impl Strategy<Value = RecordEnvelope> {
        let owners = (names(), logins()).prop_map(|(name, login)| Owner { name, login });
        let keys = vec(any::<u8>(), 1..=250).prop_map(|key| Key::new(key).unwrap());
        let values = vec(any::<u8>(), 0..300);
        let parts = (
            keys,
            any::<[u8; 16]>(),
            values,
            expiries(),
            option::of(owners),
        );
        parts.prop_map(|(key, revision, value, expiry, owner)| {
            let record = Record::new(value, expiry);
            RecordEnvelope {
                key,
                revision,
                record: match owner {
                    Some(owner) => record.owned_by(owner),
                    None => record,
                },
            }
        })
    }

    fn owners() -> impl Strategy<Value = OwnerEnvelope> {
        let parts = (
            names(),
            any::<[u8; 16]>(),
            expiries(),
            any::<u64>(),
            option::of(logins()),
        );
        parts.prop_map(|(name, generation, expiry, logins, kept)| OwnerEnvelope {
            name,
            state: OwnerState {
                generation: Generation::from_bytes(generation),
                logins,
                kept,
                expiry,
            },
        })
    }

    fn is_refused(bytes: &[u8]) -> bool {
        RecordEnvelope::parse(bytes).is_none() && OwnerEnvelope::parse(bytes).is_none()
    }

    /// Asserts that the bytes are refused wherever they are cut, and with any one of them changed.
    fn assert_damage_is_refused(
        bytes: &[u8],
        change: u8,
        more: &[u8],
    ) -> Result<(), TestCaseError> {
        for end in 0..bytes.len() {
            prop_assert!(is_refused(&bytes[..end]), "cut at {end}");
            let mut changed = bytes.to_vec();
            changed[end] ^= change;
            prop_assert!(is_refused(&changed), "changed at {end}");
        }
        prop_assert!(is_refused(&[bytes, more].concat()), "bytes after the end");
        prop_assert!(
            is_refused(&[more, bytes].concat()),
            "bytes before the start"
        );
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn a_record_is_read_back_and_a_damaged_one_is_refused(
            record in records(),
            change in 1_u8..,
            more in vec(any::<u8>(), 1..40),
        ) {
            let bytes = record.to_vec();
            prop_assert_eq!(RecordEnvelope::parse(&bytes), Some(record));
            prop_assert_eq!(OwnerEnvelope::parse(&bytes), None);
            assert_damage_is_refused(&bytes, change, &more)?;
        }

        #[test]
        fn an_owner_is_read_back_and_a_damaged_one_is_refused(
            owner in owners(),
            change in 1_u8..,
            more in vec(any::<u8>(), 1..40),
        ) {
            let bytes = owner.to_vec();
            prop_assert_eq!(OwnerEnvelope::parse(&bytes), Some(owner));
            prop_assert_eq!(RecordEnvelope::parse(&bytes), None);
            assert_damage_is_refused(&bytes, change, &more)?;
        }

        /// Another program can write bytes with a correct digest and wrong parts.
        #[test]
        fn a_record_has_only_one_encoding(
            record in records(),
            at in any::<prop::sample::Index>(),
            change in any::<u8>(),
            length in any::<prop::sample::Index>(),
        ) {
            let whole = record.to_vec();
            let mut parts = whole[..whole.len() - 32].to_vec();
            let at = at.index(parts.len());
            parts[at] ^= change;
            parts.truncate(RECORD.len().max(length.index(2 * parts.len())));
            let bytes = Writer(parts).finish();
            if let Some(read) = RecordEnvelope::parse(&bytes) {
                prop_assert_eq!(read.to_vec(), bytes);
            }
        }
    }

    #[test]
    fn a_record_is_encoded_as_documented() {
        let login = Login {
            generation: Generation::from_bytes([1; 16]),
            number: 2,
        };
        let name = OwnerName::new("ape").unwrap();
        let record = RecordEnvelope {
            key: Key::new("k").unwrap(),
            revision: [3; 16],
            record: Record::new("v", Expiry::from_millis(-4)).owned_by(Owner { name, login }),
        };
        let length = |length: u8| [0, 0, 0, 0, 0, 0, 0, length];
        let parts = [
            &b"silverback record 1\n"[..],
            &length(1),
            b"k",
            &length(16),
            &[3; 16],
            &length(8),
            &(-4_i64).to_be_bytes(),
            &length(24),
            &[1; 16],
            &2_u64.to_be_bytes(),
            &length(3),
            b"ape",
            &length(1),
            b"v",
        ]
        .concat();
        let bytes = [&parts[..], Sha256::digest(&parts).as_slice()].concat();
        assert_eq!(record.to_vec(), bytes);
    }
}
