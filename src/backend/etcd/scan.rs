//! Scans and purges, which read the headers of all records.

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};

use super::super::effect::Effect::Writes;
use super::super::{Error, Key, Page, Purged, Scan};
use super::Etcd;
use super::header::Seen;
use super::owners::OwnerCache;
use super::requests::{HEADERS, Operation};

impl Etcd {
    /// Reads the next headers, and returns whether more follow.
    async fn next_headers(
        &self,
        operation: &Operation<'_>,
        from: &[u8],
    ) -> Result<(Vec<KeyValue>, bool), Error> {
        let (_, end) = self.0.keys.headers_after(None);
        let limit = i64::try_from(HEADERS).unwrap_or(i64::MAX);
        let page = GetOptions::new().with_range(end).with_limit(limit);
        let mut answer = operation.get(from, page).await?;
        Ok((answer.take_kvs(), answer.more()))
    }

    /// Returns the key and the header of a record, and whether the record is live. Returns `None`
    /// for a value that is not a header; its error goes to `skipped`.
    async fn examine(
        &self,
        operation: &Operation<'_>,
        pair: &KeyValue,
        owners: &mut OwnerCache,
        skipped: &mut Vec<Error>,
    ) -> Result<Option<(Key, Seen, bool)>, Error> {
        let key = self.0.keys.key_in(pair.key());
        let examined = match key.and_then(|key| Ok((Seen::of_pair(pair, &key)?, key))) {
            Ok((seen, key)) => {
                let is_live = self.is_live(operation, &seen.header, owners).await;
                is_live.map(|is_live| (key, seen, is_live))
            }
            Err(error) => Err(error),
        };
        match examined {
            Ok(examined) => Ok(Some(examined)),
            Err(error) if error.is_corrupt() => {
                let message = format!("the key {}: {error}", pair.key().escape_ascii());
                skipped.push(Error::corrupt(message).with_source(error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes those records that still have the revisions that were seen. At these revisions they
    /// never become live again. Returns their number.
    async fn remove_seen(
        &self,
        operation: &Operation<'_>,
        records: &[(Key, Seen)],
    ) -> Result<usize, Error> {
        let removals = records.iter().map(|(key, seen)| {
            let header = self.0.keys.header(key);
            let is_unchanged = Compare::mod_revision(header, CompareOp::Equal, seen.mod_revision);
            let removal = Txn::new()
                .when([is_unchanged])
                .and_then(self.deletes(key, &seen.header));
            TxnOp::txn(removal)
        });
        let removals: Vec<TxnOp> = removals.collect();
        if removals.is_empty() {
            return Ok(0);
        }
        let response = operation.write(&Txn::new().and_then(removals)).await;
        let response = response.map_err(|failure| failure.into_error(Writes))?;
        let removed = |response: &TxnOpResponse| match response {
            TxnOpResponse::Txn(removal) => removal.succeeded(),
            _ => false,
        };
        Ok(response
            .op_responses()
            .iter()
            .filter(|one| removed(one))
            .count())
    }
}

/// Returns the first key after that of a pair.
fn after(pair: &KeyValue) -> Vec<u8> {
    [pair.key(), &[0]].concat()
}

/// Reads all headers from the beginning, or from a key on. Each request has the time limit of a
/// whole operation: scans are for operators, and not for the requests of a service.
#[async_trait]
impl Scan for Etcd {
    async fn page(&self, after_key: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let (mut from, _) = self.0.keys.headers_after(after_key);
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        loop {
            let operation = self.0.requests.operation();
            let (pairs, are_more) = self.next_headers(&operation, &from).await?;
            let mut owners = OwnerCache::default();
            for pair in &pairs {
                if entries.len() == limit {
                    let page = Page::followed(entries, true);
                    return Ok(Page { skipped, ..page });
                }
                let examined = self.examine(&operation, pair, &mut owners, &mut skipped);
                if let Some((_, seen, true)) = examined.await? {
                    entries.push(seen.header.into_entry()?);
                }
            }
            match pairs.last().filter(|_| are_more) {
                Some(last) => from = after(last),
                None => {
                    let page = Page::followed(entries, false);
                    return Ok(Page { skipped, ..page });
                }
            }
        }
    }

    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let (mut from, _) = self.0.keys.headers_after(None);
        let mut purged = Purged::default();
        while purged.removed < limit {
            let operation = self.0.requests.operation();
            let (pairs, are_more) = self.next_headers(&operation, &from).await?;
            let mut owners = OwnerCache::default();
            let mut expired = Vec::new();
            for pair in &pairs {
                let skipped = &mut purged.skipped;
                let examined = self.examine(&operation, pair, &mut owners, skipped);
                if let Some((key, seen, false)) = examined.await? {
                    expired.push((key, seen));
                }
            }
            expired.truncate(limit - purged.removed);
            purged.removed += self.remove_seen(&operation, &expired).await?;
            match pairs.last().filter(|_| are_more) {
                Some(last) => from = after(last),
                None => break,
            }
        }
        Ok(purged)
    }
}
