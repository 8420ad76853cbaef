//! [`OwnerKeys`]: the keys of owners and of their lists.
//!
//! | key | contents |
//! |---|---|
//! | the prefix, `owner:{ID}` | an owner |
//! | the prefix, `records:{ID}` | the list of an owner's records |
//!
//! The braces are a hash tag of a cluster: they place an owner and its list on one node. The ID is
//! the owner's name, with the bytes that are not letters or digits escaped as in a URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::super::ownership::Ownership;
use super::super::{Error, Owner, OwnerName};
use super::errors::invalid_record;

/// The bytes of an owner's name that are escaped: all except letters, digits and these.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'@')
    .remove(b'~');

/// The keys of the owners of one backend.
#[derive(Clone, Debug)]
pub(super) struct OwnerKeys {
    /// The beginning of an owner's key, up to the ID.
    pub(super) owners: String,
    /// The beginning of the key of an owner's list, up to the ID.
    pub(super) lists: String,
}

impl OwnerKeys {
    pub(super) fn with_prefix(prefix: &str) -> Result<Self, Error> {
        let has_whole_tag = match prefix.split_once('{') {
            None => true,
            Some((_, rest)) => rest.find('}').is_some_and(|end| end > 0),
        };
        if !has_whole_tag {
            return Err(Error::usage(
                "the prefix contains `{` without a whole hash tag: write it as {TAG}",
            ));
        }
        Ok(OwnerKeys {
            owners: format!("{prefix}owner:{{"),
            lists: format!("{prefix}records:{{"),
        })
    }

    pub(super) fn of_owner(&self, id: &str) -> String {
        format!("{}{id}}}", self.owners)
    }

    pub(super) fn of_list(&self, id: &str) -> String {
        format!("{}{id}}}", self.lists)
    }
}

pub(super) fn id_of(name: &OwnerName) -> String {
    utf8_percent_encode(name.as_str(), ESCAPED).to_string()
}

pub(super) fn name_in(id: &str) -> Result<OwnerName, Error> {
    let name = percent_decode_str(id).decode_utf8();
    let name = name.map_err(|_| invalid_record())?;
    OwnerName::new(name).map_err(|_| invalid_record())
}

pub(super) fn ownership_of(owner: &Owner) -> Ownership {
    Ownership {
        id: id_of(&owner.name),
        login: owner.login,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_and_its_list_have_one_hash_tag() {
        let name = OwnerName::new("}{ a%é*").unwrap();
        let id = id_of(&name);
        assert!(!id.contains(['{', '}']));
        assert_eq!(name_in(&id).unwrap(), name);
        for prefix in ["", "shop:", "{shop}:", "a}b:"] {
            let keys = OwnerKeys::with_prefix(prefix).unwrap();
            let tag = |key: String| {
                let (_, rest) = key.split_once('{').unwrap();
                rest.split_once('}').unwrap().0.to_owned()
            };
            assert_eq!(tag(keys.of_owner(&id)), tag(keys.of_list(&id)), "{prefix}");
        }
        for prefix in ["{", "{}", "a{b", "{}a{b}"] {
            assert!(
                OwnerKeys::with_prefix(prefix).unwrap_err().is_usage(),
                "{prefix}"
            );
        }
    }
}
