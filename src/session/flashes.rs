//! Flashes: messages that are stored until they are read once. As in gorilla, they are a
//! `[]interface {}` under a key.
//!
//! If the Go program that reads the session does not know that type, as with scs, the flashes are a
//! list of one basic type: `[]string` for texts.

use serde::de::DeserializeOwned;

use crate::gob::{self, Interface, Value};

use super::values::TypedDraft;
use super::{Error, Values};

/// The default key of gorilla.
pub(super) const FLASHES: &str = "_flash";

/// The name under which gorilla/sessions registers the list.
const LIST: &str = "[]interface {}";

/// Returns the flashes that can be read as a `T`, and their values.
pub(super) fn read_flashes<T: DeserializeOwned>(
    flashes: Vec<Interface>,
) -> (Vec<Interface>, Vec<T>) {
    let read = |flash: Interface| {
        let value = gob::from_value(&Value::Interface(flash.clone())).ok()?;
        Some((flash, value))
    };
    flashes.into_iter().filter_map(read).unzip()
}

impl Values {
    /// Appends `flash` to the list under `key`.
    pub(super) fn add_flash(&mut self, key: &str, flash: &TypedDraft) -> Result<(), Error> {
        let mut flashes = self.flash_list(key)?;
        let flash = self.model().place(flash.draft(), None, false);
        let flash = flash.map_err(|error| Error::unwritable(key, "flash", error))?;
        flashes.push(flash);
        self.set_flashes(key, flashes)
    }

    /// Removes the flashes `read` from the list under `key`, except those that another request has
    /// already removed.
    pub(super) fn take_flashes(&mut self, key: &str, read: &[Interface]) -> Result<(), Error> {
        let mut flashes = self.flash_list(key)?;
        let bytes = |flash: &Interface| Value::slice_of_interfaces([flash.clone()]).to_vec();
        for read in read.iter().map(bytes) {
            if let Some(place) = flashes.iter().position(|flash| bytes(flash) == read) {
                flashes.remove(place);
            }
        }
        if flashes.is_empty() {
            self.remove(key);
            return Ok(());
        }
        self.set_flashes(key, flashes)
    }

    fn set_flashes(&mut self, key: &str, flashes: Vec<Interface>) -> Result<(), Error> {
        let knows_interfaces = self.model().known().is_none_or(|known| known.has(LIST));
        let list = match knows_interfaces {
            true => None,
            false => Interface::slice_of_basics(&flashes),
        };
        let list = list.unwrap_or_else(|| Interface::of(LIST, Value::slice_of_interfaces(flashes)));
        self.insert_interface(key, list)
    }

    /// Returns the list under `key`, or an empty one if there is no list.
    pub(super) fn flash_list(&self, key: &str) -> Result<Vec<Interface>, Error> {
        let Some(list) = self.interface(key) else {
            return Ok(Vec::new());
        };
        list.elements().ok_or_else(|| Error::no_flashes(key))
    }
}
