//! [`NativeRow`]: a row of Silverback that was copied out of its server.

use clap::Args;
use silverback::gob::Value;

use super::failure::Failure;
use super::payload::{Format, View};
use super::sessions::{SerializerName, Service, json_of_copy, open_copied_row};
use super::settings::{Opening, OpeningHash, SealingHash};

/// The options for rows of Silverback, which are sealed to their places.
#[derive(Args)]
pub(super) struct NativeRow {
    /// For --row native: the key of the row, as `sessions list` prints it
    #[arg(long, value_name = "KEY", requires = "row", allow_hyphen_values = true)]
    row_key: Option<String>,

    /// For --row native: the store name of the service, if it has one
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        requires = "row"
    )]
    store_name: String,
}

impl NativeRow {
    /// Returns the session in the first of these values that is the row.
    pub(super) fn open(
        &self,
        readings: &[Vec<u8>],
        opening: &Opening,
        view: View,
    ) -> Result<String, Failure> {
        let missing = || Failure::usage("--row native needs --row-key, which is part of the seal");
        let key = self.row_key.as_deref().ok_or_else(missing)?;
        let session = open_copied_row(&self.service(opening)?, key, readings)?;
        if view == View::Plain {
            return Ok(json_of_copy(key, &session));
        }
        let values = Value::Composite(session.values().to_gob());
        Ok(view.of(Format::Gob, &values.to_vec())?)
    }

    /// Returns the settings of the service that wrote the row.
    fn service(&self, opening: &Opening) -> Result<Service, Failure> {
        let serializer = match opening.format.serializer {
            Format::Gob => SerializerName::Gob,
            Format::Json => SerializerName::Json,
            _ => return Err(Failure::usage("sessions are gob or json: see --serializer")),
        };
        let hash = match opening.hash {
            OpeningHash::Sha256 => SealingHash::Sha256,
            OpeningHash::Sha384 => SealingHash::Sha384,
            OpeningHash::Sha512 => SealingHash::Sha512,
            OpeningHash::Sha512_256 => SealingHash::Sha512_256,
            OpeningHash::Sha1 => return Err(Failure::usage("no row has SHA-1: see --hash")),
        };
        let (keys, name) = (opening.keys.clone(), &*opening.format.name);
        let modes = (opening.format.cipher, hash);
        Ok(Service::of(keys, name, &self.store_name, serializer, modes))
    }
}
