//! The rows of a Go package in etcd: their keys, and a row as it was seen.
//!
//! | key | value |
//! |---|---|
//! | Go's prefix and the token | the value that Go reads and writes |
//! | our prefix, `expiry/` and the key above | the exact expiry, in milliseconds since 1970, as 8 bytes |
//!
//! Silverback writes both keys in one transaction, which gives them the same `mod_revision`. If a Go
//! program writes the row later, the two differ, and the expiry no longer counts.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, KeyValue, PutOptions, TxnOp};

use super::super::{Error, Expiry, GoKeys, Key, Revision};
use super::errors::invalid_record;
use super::requests::Operation;

/// The keys of the rows, and of their expiries.
pub(super) struct GoRowKeys {
    pub(super) package: GoKeys,
    rows: Vec<u8>,
    expiries: Vec<u8>,
}

impl GoRowKeys {
    /// Returns the keys of a Go package. `own_prefix` begins the keys that only Silverback writes.
    ///
    /// # Errors
    /// Returns a usage error if the Go program would list these keys as sessions.
    pub(super) fn new(package: GoKeys, own_prefix: &str) -> Result<Self, Error> {
        let expiries = format!("{own_prefix}expiry/{}", package.prefix);
        match expiries.starts_with(&package.prefix) {
            false => Ok(GoRowKeys {
                rows: package.prefix.clone().into_bytes(),
                expiries: expiries.into_bytes(),
                package,
            }),
            true => Err(Error::usage(
                "Go's keys and Silverback's own would have the same prefix in etcd: set another \
                 EtcdOptions::prefix, and none that is empty for Go's keys",
            )),
        }
    }

    /// Returns the keys of the row with that token. Refuses a key that no row of the Go package has.
    pub(super) fn of(&self, token: &Key) -> Result<RowKeys, Error> {
        self.package.text(token)?;
        Ok(RowKeys {
            row: [&*self.rows, token.as_bytes()].concat(),
            expiry: [&*self.expiries, token.as_bytes()].concat(),
        })
    }

    /// Returns the first key of rows after that of `after`, and the end of all rows.
    pub(super) fn rows_after(&self, after: Option<&Key>) -> (Vec<u8>, Vec<u8>) {
        let first = match after {
            Some(key) => [&*self.rows, key.as_bytes(), &[0]].concat(),
            None => self.rows.clone(),
        };
        (first, super::keys::end_of(&self.rows))
    }

    /// Returns the token in the key of a row, or `None` if no row of the Go package has that key.
    pub(super) fn token_in(&self, row: &[u8]) -> Option<Key> {
        let key = Key::new(row.strip_prefix(&*self.rows)?).ok()?;
        self.package.text(&key).is_ok().then_some(key)
    }
}

/// The keys of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowKeys {
    pub(super) row: Vec<u8>,
    expiry: Vec<u8>,
}

impl RowKeys {
    /// Returns the operations that read the row and its expiry.
    pub(super) fn gets(&self) -> [TxnOp; 2] {
        [
            TxnOp::get(&*self.row, None),
            TxnOp::get(&*self.expiry, None),
        ]
    }

    /// Returns the operation that reads the expiry.
    pub(super) fn get_expiry(&self) -> TxnOp {
        TxnOp::get(&*self.expiry, None)
    }

    /// Returns the operations that write the row and its expiry. Without a value, the row keeps its
    /// own.
    pub(super) fn puts(&self, value: Option<&[u8]>, until: Expiry, lease: i64) -> [TxnOp; 2] {
        let with_lease = PutOptions::new().with_lease(lease);
        let row = match value {
            Some(value) => TxnOp::put(&*self.row, value, Some(with_lease.clone())),
            None => {
                let kept = with_lease.clone().with_ignore_value();
                TxnOp::put(&*self.row, "", Some(kept))
            }
        };
        let expiry = until.as_millis().to_be_bytes();
        [row, TxnOp::put(&*self.expiry, expiry, Some(with_lease))]
    }

    /// Returns the operations that remove the row and its expiry.
    pub(super) fn deletes(&self) -> [TxnOp; 2] {
        [
            TxnOp::delete(&*self.row, None),
            TxnOp::delete(&*self.expiry, None),
        ]
    }

    /// Returns the condition that the row has this `mod_revision`, or does not exist for 0.
    pub(super) fn is_at(&self, mod_revision: i64) -> Compare {
        Compare::mod_revision(&*self.row, CompareOp::Equal, mod_revision)
    }
}

/// A row with the key of its expiry, as both were read at the same time.
pub(super) struct FoundRow {
    pub(super) row: KeyValue,
    pub(super) expiry: Option<KeyValue>,
}

impl FoundRow {
    /// Returns what a transaction of [`RowKeys::gets`] has found.
    pub(super) fn of(found: Vec<Vec<KeyValue>>) -> Option<Self> {
        let mut found = found.into_iter();
        let mut next = || found.next().and_then(|pairs| pairs.into_iter().next());
        let row = next()?;
        Some(FoundRow {
            row,
            expiry: next(),
        })
    }

    /// Returns the expiry of the row, or `None` if its lease no longer exists.
    pub(super) async fn expiry(&self, operation: &Operation<'_>) -> Result<Option<Expiry>, Error> {
        if let Some(exact) = self.exact_expiry()? {
            return Ok(Some(exact));
        }
        match self.row.lease() {
            0 => Ok(Some(Expiry::NEVER)),
            lease => {
                let now = Expiry::now();
                let left = operation.time_left(lease).await?;
                Ok(left.map(|left| now + left))
            }
        }
    }

    /// Returns the expiry that Silverback wrote, or `None` if a Go program was the last to write the
    /// row.
    fn exact_expiry(&self) -> Result<Option<Expiry>, Error> {
        let is_of_row = |pair: &&KeyValue| pair.mod_revision() == self.row.mod_revision();
        let Some(pair) = self.expiry.as_ref().filter(is_of_row) else {
            return Ok(None);
        };
        let millis = pair.value().try_into().map_err(|_| invalid_record())?;
        Ok(Some(Expiry::from_millis(i64::from_be_bytes(millis))))
    }

    pub(super) fn seen_until(&self, expiry: Expiry) -> SeenRow {
        SeenRow {
            mod_revision: self.row.mod_revision(),
            expiry,
            lease: self.row.lease(),
            own_lease: self.expiry.as_ref().map_or(0, KeyValue::lease),
        }
    }
}

/// A row as it was read or written, which a revision carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenRow {
    pub(super) mod_revision: i64,
    pub(super) expiry: Expiry,
    /// The lease of the row; 0 for none.
    pub(super) lease: i64,
    /// The lease of the key of its expiry; 0 for none. It is the same, unless a Go program was the
    /// last to write the row.
    pub(super) own_lease: i64,
}

impl SeenRow {
    /// Reads a revision that [`revision`](SeenRow::revision) has made.
    pub(super) fn of_revision(revision: &Revision) -> Result<Self, Error> {
        let (numbers, rest) = revision.as_bytes().as_chunks::<8>();
        match (numbers, rest) {
            ([mod_revision, expiry, lease, own_lease], []) => Ok(SeenRow {
                mod_revision: i64::from_be_bytes(*mod_revision),
                expiry: Expiry::from_millis(i64::from_be_bytes(*expiry)),
                lease: i64::from_be_bytes(*lease),
                own_lease: i64::from_be_bytes(*own_lease),
            }),
            _ => Err(Error::foreign_revision()),
        }
    }

    pub(super) fn revision(&self) -> Revision {
        let numbers = [
            self.mod_revision,
            self.expiry.as_millis(),
            self.lease,
            self.own_lease,
        ];
        Revision::new(numbers.map(i64::to_be_bytes).concat())
    }

    pub(super) fn is_live(&self) -> bool {
        self.expiry > Expiry::now()
    }

    /// Returns whether a later look may have found the row expired. etcd tells the time that a lease has
    /// left in whole seconds, so that a look a moment later may see a whole second less.
    pub(super) fn may_have_expired(&self) -> bool {
        let is_of_lease = self.lease != self.own_lease;
        let unsure = Duration::from_secs(u64::from(is_of_lease));
        self.expiry <= Expiry::now() + unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_carries_the_row_without_its_value() {
        let seen = SeenRow {
            mod_revision: 7,
            expiry: Expiry::from_millis(-1),
            lease: i64::MAX,
            own_lease: 0,
        };
        assert_eq!(SeenRow::of_revision(&seen.revision()).unwrap(), seen);
        for foreign in [&b""[..], &[0; 31], &[0; 33], &[0; 40]] {
            let refused = SeenRow::of_revision(&Revision::new(foreign)).unwrap_err();
            assert!(refused.is_usage());
        }
    }

    #[test]
    fn a_go_program_never_lists_the_keys_of_expiries() {
        let keys =
            |prefix: &str, own| GoRowKeys::new(GoKeys::scs_etcdstore().with_prefix(prefix), own);
        let own = keys("scs:session:", "silverback/").unwrap();
        let key = Key::new("token").unwrap();
        let expected = RowKeys {
            row: b"scs:session:token".to_vec(),
            expiry: b"silverback/expiry/scs:session:token".to_vec(),
        };
        assert_eq!(own.of(&key).unwrap(), expected);
        assert_eq!(own.token_in(b"scs:session:token"), Some(key));
        for foreign in [&b"scs:session:"[..], b"scs:session:2:token", b"token"] {
            assert_eq!(own.token_in(foreign), None);
        }
        for (prefix, own) in [("", "silverback/"), ("s", "silverback/"), ("expiry/", "")] {
            assert!(keys(prefix, own).err().unwrap().is_usage());
        }
    }
}
