//! [`Ownership`]: the owner of a record, as its row names it. [`SeenRevision`]: a revision that
//! carries the owner, so that a write needs no read before it.

use super::{Error, Generation, Login, Revision};

/// The length of a generation and of the number of a login, in bytes.
const GENERATION: usize = 16;
const NUMBER: usize = 8;

/// The owner of a record, and its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ownership {
    /// The ID of the owner's row.
    pub(super) id: String,
    pub(super) login: Login,
}

impl Ownership {
    /// Returns the number of bytes that it takes in a row.
    #[cfg(feature = "dynamodb")]
    pub(super) fn size(&self) -> usize {
        self.id.len() + GENERATION + NUMBER
    }
}

/// The contents of a revision: a mark of `N` bytes, and the record's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenRevision<const N: usize> {
    pub(super) mark: [u8; N],
    pub(super) ownership: Option<Ownership>,
}

impl<const N: usize> SeenRevision<N> {
    pub(super) fn of(revision: &Revision) -> Result<Self, Error> {
        SeenRevision::parse(revision.as_bytes()).ok_or_else(Error::foreign_revision)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (mark, owner) = bytes.split_first_chunk::<N>()?;
        let ownership = match owner.split_first_chunk::<GENERATION>() {
            None if owner.is_empty() => None,
            None => return None,
            Some((generation, rest)) => {
                let (number, id) = rest.split_first_chunk::<NUMBER>()?;
                Some(Ownership {
                    id: String::from_utf8(id.to_vec()).ok()?,
                    login: Login {
                        generation: Generation::from_bytes(*generation),
                        number: u64::from_be_bytes(*number),
                    },
                })
            }
        };
        Some(SeenRevision {
            mark: *mark,
            ownership,
        })
    }
}

/// Returns the revision with these contents.
pub(super) fn revision(mark: &[u8], ownership: Option<&Ownership>) -> Revision {
    let mut bytes = mark.to_vec();
    if let Some(Ownership { id, login }) = ownership {
        bytes.extend_from_slice(login.generation.as_bytes());
        bytes.extend_from_slice(&login.number.to_be_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    Revision::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_back_and_a_foreign_one_is_refused() {
        let owned = Ownership {
            id: "ape".to_owned(),
            login: Login::new(7.into(), 3),
        };
        for ownership in [None, Some(owned)] {
            let revision = revision(&[5; 16], ownership.as_ref());
            let mark = [5; 16];
            assert_eq!(
                SeenRevision::of(&revision).unwrap(),
                SeenRevision { mark, ownership }
            );
        }
        for length in [0, 15, 17, 39] {
            let foreign = SeenRevision::<16>::of(&Revision::new(vec![0; length]));
            assert!(foreign.unwrap_err().is_usage(), "{length}");
        }
    }
}
