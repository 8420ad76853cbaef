//! [`RecordKeys`]: the keys of records, and lists of them in order.
//!
//! Redis lists keys in no order, and may list one twice. Therefore a page of a scan reads the names
//! of all keys, and keeps the first [`WINDOW`] after the page before. The pages that follow are taken
//! from these.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::Value;

use super::super::effect::Effect::Reads;
use super::super::{Entry, Error, Key, Page};
use super::client::Client;
use super::cluster::Node;
use super::errors::odd_answer;

/// The number of keys that are kept for the next pages.
const WINDOW: usize = 100_000;

/// The number of keys that one command reads.
const COUNT: usize = 1_000;

/// The keys of the pages that follow after a key.
struct Window {
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

/// The keys of the records of one backend: a prefix, and the key of the record.
pub(super) struct RecordKeys {
    prefix: String,
    /// The keys that the last page left for the next ones.
    window: Mutex<Option<Window>>,
}

impl RecordKeys {
    pub(super) fn with_prefix(prefix: &str) -> Self {
        RecordKeys {
            prefix: prefix.to_owned(),
            window: Mutex::new(None),
        }
    }

    /// Returns the key in Redis of the record under `key`.
    pub(super) fn of(&self, key: &Key) -> Vec<u8> {
        [self.prefix.as_bytes(), key.as_bytes()].concat()
    }

    /// Returns the key of the record under that key in Redis, or `None` if it is not a record's.
    pub(super) fn record_in(&self, key: &[u8]) -> Option<Key> {
        Key::new(key.strip_prefix(self.prefix.as_bytes())?).ok()
    }

    /// Returns the pattern of all keys.
    fn pattern(&self) -> String {
        let mut pattern = String::new();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern + "*"
    }

    /// Returns the page of a scan after `after`. `entry` reads the record under a key, and returns
    /// `None` if it is not live.
    pub(super) async fn page<F: Future<Output = Result<Option<Entry>, Error>>>(
        &self,
        client: &Client,
        after: Option<&Key>,
        limit: usize,
        entry: impl Fn(Key) -> F,
    ) -> Result<Page, Error> {
        let (keys, are_more) = self.next(client, after, limit).await?;
        let mut page = Page {
            next: keys.last().filter(|_| are_more).cloned(),
            ..Page::default()
        };
        for key in keys {
            match entry(key).await {
                Ok(entry) => page.entries.extend(entry),
                Err(error) if error.is_corrupt() => page.skipped.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// Returns the next keys after `after`, and keeps those that follow.
    async fn next(
        &self,
        client: &Client,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<(Vec<Key>, bool), Error> {
        let kept = self.window().take();
        let window = match (kept, after) {
            (Some(window), Some(after)) if window.after == *after && !window.keys.is_empty() => {
                window
            }
            (_, after) => self.read_keys(client, after, limit.max(WINDOW)).await?,
        };
        let (keys, window) = window.next_page(limit);
        let are_more = window.is_some();
        *self.window() = window;
        Ok((keys, are_more))
    }

    /// Reads the names of all keys, and returns the first `count` after `after`.
    async fn read_keys(
        &self,
        client: &Client,
        after: Option<&Key>,
        count: usize,
    ) -> Result<Window, Error> {
        let mut first = BTreeSet::new();
        let mut are_more = false;
        let nodes = client.operation().nodes().await?;
        for node in &nodes {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, keys) = self.read_some_keys(client, node.as_ref(), &cursor).await?;
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
        client: &Client,
        node: Option<&Node>,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<Key>), Error> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(self.pattern());
        command.arg("COUNT").arg(COUNT);
        let operation = client.operation();
        let answer = operation.read_from(node, command).await?;
        match answer.as_sequence().unwrap_or_default() {
            [Value::BulkString(next), Value::Array(keys)] => {
                let keys = keys.iter().filter_map(|key| match key {
                    Value::BulkString(key) => self.record_in(key),
                    _ => None,
                });
                Ok((next.clone(), keys.collect()))
            }
            _ => Err(odd_answer(Reads)),
        }
    }

    fn window(&self) -> MutexGuard<'_, Option<Window>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_pattern() {
        let keys = RecordKeys::with_prefix("a*[b]?\\");
        assert_eq!(keys.pattern(), "a\\*\\[b\\]\\?\\\\*");
        let key = Key::new([0, 255]).unwrap();
        assert_eq!(keys.record_in(&keys.of(&key)), Some(key));
        assert_eq!(keys.record_in(b"a*[b]?\\"), None);
    }
}
