//! Scans of all records, in the order of their keys.
//!
//! Redis lists keys in no order, and may list one twice. Therefore a page reads the names of all
//! keys, and keeps the first [`WINDOW`] after the page before. The pages that follow are taken from
//! these.

use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;

use async_trait::async_trait;
use redis::Value;

use super::super::effect::Effect::Reads;
use super::super::{Entry, Error, Key, Page, Purged, Scan};
use super::Redis;
use super::client::Operation;
use super::cluster::Node;
use super::errors::odd_answer;
use super::keys::name_in;
use super::rows::Row;

/// The number of keys that are kept for the next pages.
const WINDOW: usize = 100_000;

/// The number of keys that one command reads.
const COUNT: usize = 1_000;

/// The keys of the pages that follow after a key.
pub(super) struct Window {
    /// The key that the last page ended with.
    after: Key,
    keys: VecDeque<Key>,
    /// Whether more keys follow after these.
    are_more: bool,
}

impl Window {
    /// Takes the keys of the next page from the window, which ends it if it is used up.
    fn next_page(mut self, limit: usize) -> (Vec<Key>, Option<Self>) {
        let keys: Vec<Key> = self.keys.drain(..limit.min(self.keys.len())).collect();
        let is_over = self.keys.is_empty() && !self.are_more;
        let window = keys
            .last()
            .cloned()
            .filter(|_| !is_over)
            .map(|after| Window { after, ..self });
        (keys, window)
    }
}

impl Redis {
    /// Returns the next keys after `after`, and keeps those that follow.
    async fn next_keys(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<(Vec<Key>, bool), Error> {
        let kept = self.window().take();
        let window = match (kept, after) {
            (Some(window), Some(after)) if window.after == *after && !window.keys.is_empty() => {
                window
            }
            (_, after) => self.read_keys(after, limit.max(WINDOW)).await?,
        };
        let (keys, window) = window.next_page(limit);
        let are_more = window.is_some();
        *self.window() = window;
        Ok((keys, are_more))
    }

    /// Reads the names of all keys, and returns the first `count` after `after`.
    async fn read_keys(&self, after: Option<&Key>, count: usize) -> Result<Window, Error> {
        let mut first = BTreeSet::new();
        let mut are_more = false;
        let nodes = self.0.client.operation().nodes().await?;
        for node in &nodes {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, keys) = self.read_some_keys(node.as_ref(), &cursor).await?;
                for key in keys {
                    if after.is_none_or(|after| key > *after) {
                        first.insert(key);
                    }
                    if first.len() > count {
                        first.pop_last();
                        are_more = true;
                    }
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(Window {
            after: match after {
                Some(after) => after.clone(),
                None => Key::new([0])?,
            },
            keys: first.into_iter().collect(),
            are_more,
        })
    }

    /// Reads some keys of a node, and returns the cursor of the next ones.
    async fn read_some_keys(
        &self,
        node: Option<&Node>,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<Key>), Error> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(self.0.keys.pattern());
        command.arg("COUNT").arg(COUNT);
        let operation = self.0.client.operation();
        let answer = operation.read_from(node, command).await?;
        match answer.as_sequence().unwrap_or_default() {
            [Value::BulkString(next), Value::Array(keys)] => {
                let keys = keys.iter().filter_map(|key| match key {
                    Value::BulkString(key) => self.0.keys.record_in(key),
                    _ => None,
                });
                Ok((next.clone(), keys.collect()))
            }
            _ => Err(odd_answer(Reads)),
        }
    }

    /// Returns the entry of the record under that key if it is live.
    async fn entry(&self, operation: &Operation<'_>, key: &Key) -> Result<Option<Entry>, Error> {
        let in_redis = self.0.keys.of_record(key);
        let Some(peeked) = self.peek(operation, &in_redis).await? else {
            return Ok(None);
        };
        let row = Row::parse(&peeked.head)?;
        if row.has_expired(peeked.now) {
            return Ok(None);
        }
        if let Some(record) = &row.ownership {
            let owner = self.read_owner(&name_in(&record.id)?).await?;
            if !owner.is_some_and(|owner| owner.lets_live(&record.login)) {
                return Ok(None);
            }
        }
        row.into_entry(key.clone(), peeked.length, peeked.now)
            .map(Some)
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Option<Window>> {
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Scan for Redis {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let (keys, are_more) = self.next_keys(after, limit).await?;
        let mut page = Page::default();
        for key in &keys {
            let operation = self.0.client.operation();
            match self.entry(&operation, key).await {
                Ok(entry) => page.entries.extend(entry),
                Err(error) if error.is_corrupt() => page.skipped.push(error),
                Err(error) => return Err(error),
            }
        }
        page.next = keys.last().filter(|_| are_more).cloned();
        Ok(page)
    }

    /// Removes nothing: Redis removes expired records by itself.
    async fn purge(&self, _: usize) -> Result<Purged, Error> {
        Ok(Purged::default())
    }
}
