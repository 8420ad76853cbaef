//! Flashes: messages that are kept until they are read once, as gorilla keeps them: a
//! `[]interface {}` under a key.

use serde::de::DeserializeOwned;

use crate::gob::{self, Interface, Value};

use super::{Error, Values};

/// Flashes as what they are.
pub(super) fn read_flashes<T: DeserializeOwned>(flashes: &[Interface]) -> Result<Vec<T>, Error> {
    let read = |flash: &Interface| {
        gob::from_value(&Value::Interface(flash.clone())).map_err(Error::wrong_type)
    };
    flashes.iter().map(read).collect()
}

/// gorilla's own key.
pub(super) const FLASHES: &str = "_flash";

/// The name that gorilla/sessions registers the list with.
const LIST: &str = "[]interface {}";

impl Values {
    /// Appends `flash` to the list under `key`.
    pub(super) fn add_flash(&mut self, key: &str, flash: Interface) -> Result<(), Error> {
        let mut flashes = self.flash_list(key)?;
        flashes.push(flash);
        let list = Value::slice_of_interfaces(flashes);
        self.insert_interface(key, Interface::of(LIST, list))
    }

    /// Takes those from the list under `key` that were read: they are its first, if nobody
    /// else has taken them meanwhile.
    pub(super) fn take_flashes(&mut self, key: &str, read: &[Interface]) -> Result<(), Error> {
        let flashes = self.flash_list(key)?;
        let bytes = |flash: &Interface| Value::slice_of_interfaces([flash.clone()]).to_vec();
        let is_read = |(flash, read): &(&Interface, &Interface)| bytes(flash) == bytes(read);
        let taken = flashes.iter().zip(read).take_while(is_read).count();
        match flashes.get(taken..) {
            Some([]) | None => {
                self.remove(key);
                Ok(())
            }
            Some(left) => {
                let list = Value::slice_of_interfaces(left.to_vec());
                self.insert_interface(key, Interface::of(LIST, list))
            }
        }
    }

    /// The list under `key`; empty, if there is none.
    pub(super) fn flash_list(&self, key: &str) -> Result<Vec<Interface>, Error> {
        let Some(list) = self.interface(key) else {
            return Ok(Vec::new());
        };
        let list = match list.value() {
            Some(Value::Composite(list)) if list.is_sequence() => list,
            _ => return Err(Error::no_flashes()),
        };
        let interfaces = list.elements().iter().map(|flash| match flash {
            Value::Interface(flash) => Ok(flash.clone()),
            _ => Err(Error::no_flashes()),
        });
        interfaces.collect()
    }
}
