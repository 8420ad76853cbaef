//! Scans of the rows that a Go package shares, in the order of their keys.

use async_trait::async_trait;
use etcd_client::{GetOptions, KeyValue, Txn, TxnOp};

use super::super::{Entry, Error, Expiry, Key, Page, Purged, Scan};
use super::go::GoEtcd;
use super::go_rows::FoundRow;
use super::requests::Operation;
use super::responses::found_in;

/// The largest number of rows that one request reads, with their values.
const ROWS: usize = 32;

impl GoEtcd {
    /// Reads the next rows with their tokens, and returns whether more follow. `from` is set to the
    /// key after the last one.
    async fn next_rows(
        &self,
        operation: &Operation<'_>,
        from: &mut Vec<u8>,
    ) -> Result<(Vec<(Key, FoundRow)>, bool), Error> {
        let (_, end) = self.0.keys.rows_after(None);
        let limit = i64::try_from(ROWS).unwrap_or(i64::MAX);
        let page = GetOptions::new().with_range(end).with_limit(limit);
        let mut answer = operation.get(from, page).await?;
        let (pairs, are_more) = (answer.take_kvs(), answer.more());
        if let Some(last) = pairs.last() {
            *from = [last.key(), &[0]].concat();
        }
        let with_token = |pair: KeyValue| Some((self.0.keys.token_in(pair.key())?, pair));
        let rows: Vec<(Key, KeyValue)> = pairs.into_iter().filter_map(with_token).collect();
        Ok((self.with_expiries(operation, rows).await?, are_more))
    }

    /// Reads the expiries of rows. A row that has been written since it was read counts as one of a Go
    /// program.
    async fn with_expiries(
        &self,
        operation: &Operation<'_>,
        rows: Vec<(Key, KeyValue)>,
    ) -> Result<Vec<(Key, FoundRow)>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let get = |(key, _): &(Key, KeyValue)| Ok(self.0.keys.of(key)?.get_expiry());
        let gets: Vec<TxnOp> = rows.iter().map(get).collect::<Result<_, Error>>()?;
        let response = operation.read(Txn::new().and_then(gets)).await?;
        let expiries = found_in(&response).into_iter();
        let rows = rows.into_iter().zip(expiries);
        let found = rows.map(|((key, row), expiry)| {
            let expiry = expiry.into_iter().next();
            (key, FoundRow { row, expiry })
        });
        Ok(found.collect())
    }
}

/// Returns the entry of a row if it is live.
async fn entry(
    operation: &Operation<'_>,
    key: Key,
    found: &FoundRow,
) -> Result<Option<Entry>, Error> {
    // A row whose lease is gone was removed or written a moment ago.
    let expiry = found.expiry(operation).await?;
    let live = expiry.filter(|expiry| *expiry > Expiry::now());
    Ok(live.map(|expiry| Entry::new(key, expiry, found.row.value().len())))
}

/// Each request has the time limit of a whole operation: scans are for operators, and not for the
/// requests of a service.
#[async_trait]
impl Scan for GoEtcd {
    #[doc(alias = "All")]
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let (mut from, _) = self.0.keys.rows_after(after);
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        loop {
            let operation = self.0.requests.operation().with_records(ROWS);
            let (rows, are_more) = self.next_rows(&operation, &mut from).await?;
            for (key, found) in rows {
                if entries.len() == limit {
                    let page = Page::followed(entries, true);
                    return Ok(Page { skipped, ..page });
                }
                match entry(&self.0.requests.operation(), key, &found).await {
                    Ok(entry) => entries.extend(entry),
                    Err(error) if error.is_corrupt() => skipped.push(error),
                    Err(error) => return Err(error),
                }
            }
            if !are_more {
                let page = Page::followed(entries, false);
                return Ok(Page { skipped, ..page });
            }
        }
    }

    /// Removes nothing: etcd removes expired rows by itself.
    async fn purge(&self, _: usize) -> Result<Purged, Error> {
        Ok(Purged::default())
    }
}
