//! The contents of a file: a record or an owner. Every part has its length before it, and a SHA-256
//! of everything is at the end, so that a torn or foreign file is not taken for a whole one.

use sha2::{Digest, Sha256};

use super::super::owner_state::OwnerState;
use super::super::{
    Entry, Expiry, Generation, Key, Login, Owner, OwnerName, Record, Revision, Stored,
};

const RECORD: &[u8] = b"silverback record 1\n";
const OWNER: &[u8] = b"silverback owner 1\n";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecordFile {
    pub(super) key: Key,
    pub(super) revision: [u8; 16],
    pub(super) record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnerFile {
    pub(super) name: OwnerName,
    pub(super) state: OwnerState,
}

impl RecordFile {
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

    /// Returns the record in a whole file, and `None` for all other bytes.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Reader::new(RECORD, bytes)?.record()
    }
}

impl OwnerFile {
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut writer = Writer::new(OWNER);
        writer.put(self.name.as_str().as_bytes());
        writer.put(self.state.generation.as_bytes());
        writer.put(&self.state.expiry.as_millis().to_be_bytes());
        writer.put(&self.state.logins.to_be_bytes());
        writer.put_login(self.state.kept.as_ref());
        writer.finish()
    }

    /// Returns the owner in a whole file, and `None` for all other bytes.
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
    /// Returns a reader of the parts if the file is whole and of that kind.
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

    /// Returns `None` for an invalid part, and `Some(None)` for an empty one, which is no login.
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

    fn record(&mut self) -> Option<RecordFile> {
        let key = Key::new(self.take()?).ok()?;
        let revision = self.take_array()?;
        let expiry = self.take_expiry()?;
        let login = self.take_login()?;
        let name = self.take_text()?;
        let mut record = Record::new(self.take()?, expiry);
        if let Some(login) = login {
            let name = OwnerName::new(name).ok()?;
            record = record.owned_by(Owner { name, login });
        }
        self.0.is_empty().then_some(RecordFile {
            key,
            revision,
            record,
        })
    }

    fn owner(&mut self) -> Option<OwnerFile> {
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
        self.0.is_empty().then_some(OwnerFile { name, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_file(owner: Option<Owner>) -> RecordFile {
        let record = Record::new([0, 1, 255], Expiry::from_millis(-7));
        RecordFile {
            key: Key::new([0, 255]).unwrap(),
            revision: [7; 16],
            record: match owner {
                Some(owner) => record.owned_by(owner),
                None => record,
            },
        }
    }

    #[test]
    fn files_come_back_whole_and_only_whole() {
        let generation = Generation::random().unwrap();
        let number = u64::MAX;
        let login = Login { generation, number };
        let owner = |name: &str| {
            let name = OwnerName::new(name).unwrap();
            Some(Owner { name, login })
        };
        for file in [
            record_file(None),
            record_file(owner("a")),
            record_file(owner("ünï")),
        ] {
            let bytes = file.to_vec();
            assert_eq!(RecordFile::parse(&bytes).unwrap(), file);
            for end in 0..bytes.len() {
                assert!(RecordFile::parse(&bytes[..end]).is_none());
                let mut torn = bytes.clone();
                torn[end] ^= 1;
                assert!(RecordFile::parse(&torn).is_none());
            }
            assert!(OwnerFile::parse(&bytes).is_none());
        }
        for kept in [None, Some(login)] {
            let file = OwnerFile {
                name: OwnerName::new("ape").unwrap(),
                state: OwnerState {
                    generation,
                    logins: 7,
                    kept,
                    expiry: Expiry::NEVER,
                },
            };
            assert_eq!(OwnerFile::parse(&file.to_vec()).unwrap(), file);
        }
    }
}
