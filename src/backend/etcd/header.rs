//! [`Header`]: everything of a record except its bytes, as one value of etcd. [`Seen`]: a header as
//! it was read, which a revision carries.
//!
//! The header is a [`RecordEnvelope`]. In the place of the record's bytes it has their number and
//! their SHA-256, so that bytes that do not belong to it are noticed. A touch writes the header
//! only.

use etcd_client::KeyValue;
use sha2::{Digest, Sha256};

use super::super::envelope::RecordEnvelope;
use super::super::{Entry, Error, Expiry, Key, Owner, Record, Revision, Stored};
use super::errors::invalid_record;

/// etcd has revisions of its own.
const NO_REVISION: [u8; 16] = [0; 16];

/// A record without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    key: Key,
    /// The record, with the number and the digest of the bytes in their place.
    record: Record,
}

impl Header {
    pub(super) fn of(key: &Key, record: &Record) -> Self {
        let owner = record.owner().cloned();
        let summary = Record::new(summary(record.value()), record.expiry());
        Header {
            key: key.clone(),
            record: owner.into_iter().fold(summary, Record::owned_by),
        }
    }

    /// Returns the header, or a corrupt error if the bytes are not a valid header.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let envelope = RecordEnvelope::parse(bytes).ok_or_else(invalid_record)?;
        let RecordEnvelope { key, record, .. } = envelope;
        Ok(Header { key, record })
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let envelope = RecordEnvelope {
            key: self.key.clone(),
            revision: NO_REVISION,
            record: self.record.clone(),
        };
        envelope.to_vec()
    }

    pub(super) fn with_expiry(self, expiry: Expiry) -> Self {
        Header {
            record: self.record.with_expiry(expiry),
            ..self
        }
    }

    pub(super) fn expiry(&self) -> Expiry {
        self.record.expiry()
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.record.owner()
    }

    /// Returns whether the record has not expired. It may still have been revoked.
    pub(super) fn is_unexpired(&self) -> bool {
        self.expiry() > Expiry::now()
    }

    /// Returns the entry of the record in a scan.
    pub(super) fn into_entry(self) -> Result<Entry, Error> {
        let size = self
            .record
            .value()
            .first_chunk()
            .ok_or_else(invalid_record)?;
        let size = usize::try_from(u64::from_be_bytes(*size)).map_err(|_| invalid_record())?;
        let entry = Entry::new(self.key, self.record.expiry(), size);
        let owner = self.record.owner().map(|owner| owner.name.clone());
        Ok(owner.into_iter().fold(entry, Entry::owned_by))
    }
}

/// Returns the number of the bytes, and their digest.
fn summary(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_be_bytes();
    [&length[..], &Sha256::digest(bytes)].concat()
}

/// A header, and etcd's data of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) header: Header,
    /// etcd's revision of the last write to the header.
    pub(super) mod_revision: i64,
    /// The lease that the record's keys have; 0 for none.
    pub(super) lease: i64,
}

impl Seen {
    /// Reads a header that is under `key`.
    pub(super) fn of_pair(pair: &KeyValue, key: &Key) -> Result<Self, Error> {
        let header = Header::parse(pair.value())?;
        if header.key != *key {
            return Err(invalid_record());
        }
        Ok(Seen {
            header,
            mod_revision: pair.mod_revision(),
            lease: pair.lease(),
        })
    }

    /// Reads a revision that [`revision`](Seen::revision) has made.
    pub(super) fn of_revision(revision: &Revision) -> Result<Self, Error> {
        let parts = revision
            .as_bytes()
            .split_first_chunk()
            .and_then(|(mod_revision, rest)| {
                let (lease, header) = rest.split_first_chunk()?;
                Some(Seen {
                    header: Header::parse(header).ok()?,
                    mod_revision: i64::from_be_bytes(*mod_revision),
                    lease: i64::from_be_bytes(*lease),
                })
            });
        parts.ok_or_else(Error::foreign_revision)
    }

    /// Returns the revision of this state. It carries the whole header, so that a write needs no
    /// read before it.
    pub(super) fn revision(&self) -> Revision {
        let parts = [
            &self.mod_revision.to_be_bytes()[..],
            &self.lease.to_be_bytes(),
            &self.header.to_vec(),
        ];
        Revision::new(parts.concat())
    }

    /// Returns the record with its bytes, or a corrupt error if the bytes are not its own.
    pub(super) fn into_stored(self, bytes: Vec<u8>) -> Result<Stored, Error> {
        if self.header.record.value() != summary(&bytes) {
            return Err(invalid_record());
        }
        let record = Record::new(bytes, self.header.expiry());
        let owner = self.header.owner().cloned();
        let record = owner.into_iter().fold(record, Record::owned_by);
        Ok(Stored::new(record, self.revision()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Generation, Login, OwnerName};
    use super::*;

    fn seen(record: &Record) -> Seen {
        Seen {
            header: Header::of(&Key::new("k").unwrap(), record),
            mod_revision: 7,
            lease: -3,
        }
    }

    #[test]
    fn a_revision_carries_the_header() {
        let login = Login::new(Generation::from_bytes([1; 16]), 2);
        let name = OwnerName::new("ape").unwrap();
        let record = Record::new("value", Expiry::NEVER);
        for record in [record.clone(), record.owned_by(Owner { name, login })] {
            let seen = seen(&record);
            assert_eq!(Seen::of_revision(&seen.revision()).unwrap(), seen);
            let stored = seen.clone().into_stored(b"value".to_vec()).unwrap();
            assert_eq!((stored.record, stored.revision), (record, seen.revision()));
            assert_eq!(seen.header.into_entry().unwrap().size, 5);
        }
        for foreign in [&b""[..], &[0; 16], b"a revision of another backend"] {
            let refused = Seen::of_revision(&Revision::new(foreign)).unwrap_err();
            assert!(refused.is_usage());
        }
    }

    #[test]
    fn bytes_of_another_record_are_refused() {
        let seen = seen(&Record::new("value", Expiry::NEVER));
        for other in [&b"valuE"[..], b"", b"value "] {
            assert!(
                seen.clone()
                    .into_stored(other.to_vec())
                    .unwrap_err()
                    .is_corrupt()
            );
        }
    }
}
