//! Scans of all records, in the order of their keys.

use async_trait::async_trait;

use super::super::{Entry, Error, Key, Page, Purged, Scan};
use super::Redis;
use super::owner_keys::name_in;
use super::rows::Row;

impl Redis {
    /// Returns the entry of the record under that key if it is live.
    async fn entry(&self, key: Key) -> Result<Option<Entry>, Error> {
        let (operation, in_redis) = (self.0.client.operation(), self.0.records.of(&key));
        let Some(peeked) = self.peek(&operation, &in_redis).await? else {
            return Ok(None);
        };
        let row = Row::parse(&peeked.head)?;
        if row.has_expired(peeked.now) {
            return Ok(None);
        }
        if let Some(record) = &row.ownership {
            let owner = self.live_owner(&name_in(&record.id)?).await?;
            if !owner.is_some_and(|owner| owner.lets_live(&record.login)) {
                return Ok(None);
            }
        }
        row.into_entry(key, peeked.unread, peeked.now).map(Some)
    }
}

#[async_trait]
impl Scan for Redis {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let entry = |key| self.entry(key);
        self.0
            .records
            .page(&self.0.client, after, limit, entry)
            .await
    }

    /// Removes nothing: Redis removes expired records by itself.
    async fn purge(&self, _: usize) -> Result<Purged, Error> {
        Ok(Purged::default())
    }
}
