//! [`GoItems`]: the items of Go's session stores.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::{Error, Expiry, Generation, Layout, Record, Revision, Stored};
use super::errors::invalid_record;
use super::items::{Attributes, Item, bytes, number, text};
use super::writes::Changes;

/// This crate's attributes, which the Go packages ignore: the revision, and the expiry in
/// milliseconds. A Go program that writes the item removes them.
const REVISION: &str = "silverback_revision";
const EXPIRY: &str = "silverback_expiry";

/// The values of a state in its condition.
type SeenValues = Vec<(&'static str, AttributeValue)>;

/// The items in which a Go package keeps its sessions: their attributes, and the names of these.
///
/// ```
/// use silverback::backend::GoItems;
///
/// let items = GoItems::dynastore().ttl_attribute("expires");
/// assert_ne!(items, GoItems::dynamostore());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GoItems {
    package: Package,
    value: &'static str,
    /// `None` if items never expire by themselves.
    ttl: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Package {
    Dynamostore,
    Dynastore,
}

impl GoItems {
    /// Returns the items of pratikju/dynamostore: `id`, `data`, `modified_at` and `ttl`. A `ttl` of
    /// 0 means never. For the dialect `Gorilla`.
    pub fn dynamostore() -> Self {
        GoItems {
            package: Package::Dynamostore,
            value: "data",
            ttl: Some("ttl".to_owned()),
        }
    }

    /// Returns the items that savaki/dynastore writes with codecs: `id`, `values`, `options` and
    /// `ttl`. Items that never expire have no `ttl`. For the dialect `Dynastore`.
    pub fn dynastore() -> Self {
        GoItems {
            package: Package::Dynastore,
            value: "values",
            ttl: Some("ttl".to_owned()),
        }
    }

    /// Sets another name for the attribute that holds the expiry: letters, digits and `_`.
    pub fn ttl_attribute(self, name: impl Into<String>) -> Self {
        GoItems {
            ttl: Some(name.into()),
            ..self
        }
    }

    /// Turns expiries off: a session ends only by the limits that are sealed within it, and
    /// DynamoDB removes no items.
    pub fn without_ttl(self) -> Self {
        GoItems { ttl: None, ..self }
    }

    /// Returns the form of these items as a backend's rows.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::Gorilla
    }

    pub(super) fn ttl(&self) -> Option<&str> {
        self.ttl.as_deref()
    }

    /// Refuses a name that cannot be used in an expression, or that another attribute has.
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let taken = ["id", self.value, "modified_at", "options", REVISION, EXPIRY];
        match &self.ttl {
            Some(name)
                if taken.contains(&&**name) || name.is_empty() || !name.bytes().all(is_plain) =>
            {
                Err(Error::usage(
                    "the name of the ttl attribute must have letters, digits and _ only, and differ \
                     from the names of the other attributes",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Returns the state of an item that holds this record.
    pub(super) fn state_of(&self, value: &str, expiry: Expiry) -> Result<ItemState, Error> {
        let mark = Generation::random()?;
        let (ttl, exact) = match (&self.ttl, expiry) {
            (None, _) => (None, None),
            (Some(_), Expiry::NEVER) => (self.never(), None),
            (Some(_), expiry) => (Some(last_second(expiry)), Some(expiry.as_millis())),
        };
        Ok(ItemState {
            mark: Some(base16ct::lower::encode_string(mark.as_bytes())),
            ttl,
            exact,
            value: value.to_owned(),
        })
    }

    /// Returns the `ttl` that the package gives an item that never expires.
    fn never(&self) -> Option<i64> {
        match self.package {
            Package::Dynamostore => Some(0),
            Package::Dynastore => None,
        }
    }

    /// Returns the changes that put an item into that state.
    pub(super) fn changes(&self, state: &ItemState) -> Result<Changes, Error> {
        let (name, ttl) = match &self.ttl {
            Some(name) => (&**name, state.ttl),
            None => ("ttl", self.never()),
        };
        let changes = Changes::default()
            .set(REVISION, state.mark()?.as_deref().map(bytes))
            .set(EXPIRY, state.exact.map(number))
            .set(name, ttl.map(number))
            .set(self.value, Some(text(&state.value)));
        Ok(match self.package {
            Package::Dynamostore => {
                let now = Expiry::now().as_millis() / 1_000;
                changes.set("modified_at", Some(number(now)))
            }
            // Without options, a Go program saves the session for ever.
            Package::Dynastore => changes.set_if_absent("options", options(state.expiry())),
        })
    }

    /// Returns the state of an item.
    pub(super) fn state(&self, item: &Item) -> Result<ItemState, Error> {
        let optional = |name: &str| item.get(name).map(|_| item.number(name)).transpose();
        let mark = item
            .get(REVISION)
            .map(|_| item.bytes(REVISION))
            .transpose()?;
        let (ttl, exact) = match &self.ttl {
            Some(name) => (optional(name)?, optional(EXPIRY)?),
            None => (None, None),
        };
        Ok(ItemState {
            mark: mark.map(base16ct::lower::encode_string),
            ttl,
            exact,
            value: item.text(self.value)?.to_owned(),
        })
    }

    /// Returns the condition that an item is in that state, and the values in it.
    pub(super) fn is_in(&self, state: &ItemState) -> Result<(String, SeenValues), Error> {
        let mut condition = format!("#{} = :seen_value", self.value);
        let mut values = vec![(":seen_value", text(&state.value))];
        let mut and = |name: &str, value: &'static str, seen: Option<AttributeValue>| match seen {
            Some(seen) => {
                condition += &format!(" AND #{name} = {value}");
                values.push((value, seen));
            }
            None => condition += &format!(" AND attribute_not_exists(#{name})"),
        };
        and(
            REVISION,
            ":seen_revision",
            state.mark()?.as_deref().map(bytes),
        );
        if let Some(name) = &self.ttl {
            and(name, ":seen_ttl", state.ttl.map(number));
        }
        Ok((condition, values))
    }
}

/// Returns dynastore's options of a session's cookie. They hold the time that it lasts, in seconds
/// from now.
fn options(expiry: Expiry) -> AttributeValue {
    let left = match expiry {
        Expiry::NEVER => 0,
        expiry => {
            let left = expiry.as_millis().saturating_sub(Expiry::now().as_millis());
            left.max(1_000) / 1_000
        }
    };
    let path = ("Path".to_owned(), text("/"));
    let max_age = ("MaxAge".to_owned(), number(left));
    AttributeValue::M(Item::from([path, max_age]))
}

/// Returns the largest second before that moment. It is never 0, which means for ever.
fn last_second(expiry: Expiry) -> i64 {
    (expiry.as_millis().saturating_sub(1) / 1_000).max(1)
}

/// The state of an item: the attributes of the Go package, and this crate's. Each write of this
/// crate sets another random mark, and a Go program's write removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ItemState {
    /// This crate's revision, as hex digits.
    mark: Option<String>,
    ttl: Option<i64>,
    /// The expiry in milliseconds, if this crate wrote the item.
    exact: Option<i64>,
    value: String,
}

impl ItemState {
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    fn mark(&self) -> Result<Option<Vec<u8>>, Error> {
        let mark = self.mark.as_deref().map(base16ct::lower::decode_vec);
        mark.transpose().map_err(|_| invalid_record())
    }

    pub(super) fn expiry(&self) -> Expiry {
        let after =
            |second: i64| Expiry::from_millis(second.saturating_add(1).saturating_mul(1_000));
        match (self.ttl, self.exact) {
            (None | Some(0), _) => Expiry::NEVER,
            // Our expiry counts only if it matches `ttl`: a Go program may have changed that since.
            (Some(ttl), Some(exact)) if last_second(Expiry::from_millis(exact)) == ttl => {
                Expiry::from_millis(exact)
            }
            (Some(ttl), _) => after(ttl),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.expiry() > Expiry::now()
    }

    /// Returns the whole state as a revision, so that comparing an item with it needs no request.
    pub(super) fn revision(&self) -> Revision {
        let ItemState {
            mark,
            ttl,
            exact,
            value,
        } = self;
        let or_none =
            |number: &Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        let mark = mark.as_deref().unwrap_or_default();
        Revision::new(format!(
            "{mark} {} {} {value}",
            or_none(ttl),
            or_none(exact)
        ))
    }

    pub(super) fn of(revision: &Revision) -> Result<Self, Error> {
        let read = || {
            let text = std::str::from_utf8(revision.as_bytes()).ok()?;
            let mut parts = text.splitn(4, ' ');
            let mut part = || {
                parts
                    .next()
                    .map(|part| Some(part).filter(|part| !part.is_empty()))
            };
            Some(ItemState {
                mark: part()?.map(str::to_owned),
                ttl: part()?.map(str::parse).transpose().ok()?,
                exact: part()?.map(str::parse).transpose().ok()?,
                value: part()?.unwrap_or_default().to_owned(),
            })
        };
        read().ok_or_else(Error::foreign_revision)
    }

    pub(super) fn into_stored(self) -> Stored {
        Stored {
            revision: self.revision(),
            record: Record::new(self.value.as_bytes(), self.expiry()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_holds_the_whole_state() {
        let states = [
            (None, None, None, ""),
            (Some("00ff"), Some(7), Some(7_500), "a b|c=="),
            (None, Some(0), None, "x"),
        ];
        for (mark, ttl, exact, value) in states {
            let state = ItemState {
                mark: mark.map(str::to_owned),
                ttl,
                exact,
                value: value.to_owned(),
            };
            assert_eq!(ItemState::of(&state.revision()).unwrap(), state);
        }
        assert!(ItemState::of(&Revision::new("x")).unwrap_err().is_usage());
    }

    #[test]
    fn an_item_expires_at_the_same_time_for_go_and_for_us() {
        let seen = |ttl, exact| {
            ItemState {
                mark: None,
                ttl,
                exact,
                value: String::new(),
            }
            .expiry()
            .as_millis()
        };
        // For Go, the item is live until that second has ended.
        assert_eq!(seen(Some(9), None), 10_000);
        for exact in [10_000, 10_001, 10_500, 11_000] {
            let ttl = last_second(Expiry::from_millis(exact));
            assert!(ttl * 1_000 < exact && exact <= (ttl + 1) * 1_000);
            assert_eq!(seen(Some(ttl), Some(exact)), exact);
        }
        // If `ttl` was changed after our write, our expiry does not count.
        assert_eq!(seen(Some(99), Some(10_500)), 100_000);
        assert_eq!(seen(Some(0), None), Expiry::NEVER.as_millis());
        assert_eq!(seen(None, None), Expiry::NEVER.as_millis());
        assert_eq!(last_second(Expiry::from_millis(-5)), 1);
    }
}
