//! Flashes: messages that are kept until they are read once, as gorilla keeps them: a
//! `[]interface {}` under a key.

use serde::de::DeserializeOwned;

use crate::gob::{self, Interface, Value};

use super::{Error, Values};

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

    /// Takes the list under `key`. If one is no `T`, all stay.
    pub(super) fn take_flashes<T: DeserializeOwned>(&mut self, key: &str) -> Result<Vec<T>, Error> {
        let flashes = self.flash_list(key)?;
        let flashes = flashes
            .into_iter()
            .map(|flash| gob::from_value(&Value::Interface(flash)).map_err(Error::wrong_type))
            .collect::<Result<_, _>>()?;
        self.remove(key);
        Ok(flashes)
    }

    fn flash_list(&self, key: &str) -> Result<Vec<Interface>, Error> {
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
