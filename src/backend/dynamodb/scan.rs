//! Scans and purges, which read the whole table.

use async_trait::async_trait;

use super::super::effect::Effect::Reads;
use super::super::{Entry, Error, Key, Page, Purged, Scan};
use super::DynamoDb;
use super::items::{Attributes, Item, bytes, key_of, text};
use super::owners::OwnerCache;
use super::requests::{Operation, Refusal, names_in, passing};
use super::writes::{WriteOutcome, removal};

impl DynamoDb {
    /// Reads the next records of the table, and returns the start of the following ones.
    async fn next(
        &self,
        operation: &Operation<'_>,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        const RECORDS: &str = "begins_with(#id, :records)";
        let request = operation
            .client
            .scan()
            .table_name(operation.table)
            .consistent_read(true)
            .filter_expression(RECORDS)
            .set_expression_attribute_names(Some(names_in(&[RECORDS])))
            .expression_attribute_values(":records", text(self.0.ids.sessions()))
            .set_exclusive_start_key(from);
        let answer = operation.send(Reads, || request.clone().send(), passing);
        let answer = answer.await.map_err(Refusal::into_error)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    fn entry(&self, item: &Item) -> Result<Entry, Error> {
        let owner = item.optional_text("owner")?;
        Ok(Entry {
            key: self.0.ids.key_in(item.text("id")?)?,
            expiry: item.expiry()?,
            owner: owner.map(|id| self.0.ids.owner_in(id)).transpose()?,
            size: item.bytes("value")?.len(),
        })
    }
}

/// Returns the value, or `None` for an item that is not a valid record. The error of such an
/// item goes to `skipped`, and the scan continues.
fn unless_corrupt<T>(
    item: &Item,
    seen: Result<T, Error>,
    skipped: &mut Vec<Error>,
) -> Result<Option<T>, Error> {
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.is_corrupt() => {
            let id = item.text("id").unwrap_or_default();
            let message = format!("the item {id:?}: {error}");
            skipped.push(Error::corrupt(message).with_source(error));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads the table from its beginning, or from a key on. Each request has the time limit of a whole
/// operation: scans are for operators, and not for the requests of a service.
#[async_trait]
impl Scan for DynamoDb {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let mut from = after.map(|key| key_of(&self.0.ids.of_session(key)));
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        loop {
            let operation = self.0.requests.operation();
            let (items, last) = self.next(&operation, from).await?;
            let mut owners = OwnerCache::default();
            for item in &items {
                if entries.len() == limit {
                    let page = Page::followed(entries, true);
                    return Ok(Page { skipped, ..page });
                }
                let is_live = owners.is_live(&operation, item).await;
                if unless_corrupt(item, is_live, &mut skipped)? == Some(true) {
                    entries.extend(unless_corrupt(item, self.entry(item), &mut skipped)?);
                }
            }
            from = last;
            if from.is_none() {
                let page = Page::followed(entries, false);
                return Ok(Page { skipped, ..page });
            }
        }
    }

    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let (mut purged, mut from) = (Purged::default(), None);
        loop {
            let operation = self.0.requests.operation();
            let (items, last) = self.next(&operation, from).await?;
            let mut owners = OwnerCache::default();
            for item in &items {
                if purged.removed == limit {
                    return Ok(purged);
                }
                let is_live = owners.is_live(&operation, item).await;
                if unless_corrupt(item, is_live, &mut purged.skipped)? == Some(false) {
                    let removed = self.remove_expired(item).await;
                    let removed = unless_corrupt(item, removed, &mut purged.skipped)?;
                    purged.removed += usize::from(removed == Some(true));
                }
            }
            from = last;
            if from.is_none() {
                return Ok(purged);
            }
        }
    }
}

impl DynamoDb {
    /// Removes a record that is not live, if it still has the same revision. At that revision the
    /// record never becomes live again.
    async fn remove_expired(&self, item: &Item) -> Result<bool, Error> {
        let seen = [(":seen", bytes(item.bytes("revision")?))];
        let write = removal(item.text("id")?.to_owned(), "#revision = :seen", seen);
        let operation = self.0.requests.operation();
        Ok(matches!(
            operation.write(write, None).await?,
            WriteOutcome::Done
        ))
    }
}
