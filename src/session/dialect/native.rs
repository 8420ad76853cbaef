//! Silverback's own dialect. The cookie contains 32 random bytes, sealed. The key of the row is
//! their hash. The row is sealed under separate keys, together with its key.
//!
//! A row before it is sealed:
//!
//! | bytes | contents |
//! |---|---|
//! | 1 | the version, 1 |
//! | 1 | 0: a session; 1: a tombstone; 2: the tombstone of a session that was renewed |
//! | 16 | the write ID |
//! | rest | of a session: its values, serialized, with its metadata among them; of a tombstone: the key of the successor, or nothing |
//!
//! A row is sealed like a cookie (gorilla's frame, dated 0, encrypted), with its key as the name.
//! The sealing keys are derived for the cookie's name and the store's name. So a row that is copied
//! to another key, store or cookie name does not open there.

use std::sync::Arc;

use crate::backend::Key;
use crate::codec::{self, Codec, UnixTime, derive_chain};

use super::super::content::Content;
use super::super::data_model::DataModel;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::{Row, Successor, WriteId};
use super::super::setup::Setup;
use super::super::{Error, Refusal, Values};
use super::row_format::{OpenedId, ReadRow, RowFormat, of_row};

const VERSION: u8 = 1;
const SESSION: u8 = 0;
const TOMBSTONE: u8 = 1;
const RENEWED: u8 = 2;

/// The date of all rows. Their lifetime is in their metadata.
const NO_DATE: UnixTime = UnixTime::from_secs(0);

pub(super) struct Native {
    cookies: Arc<dyn Codec>,
    rows: Arc<dyn Codec>,
    cookie_name: String,
    model: DataModel,
    lifetime: Lifetime,
}

impl Native {
    /// Seals rows with `rows`, or with keys that are derived from the keys of the cookies.
    pub(super) fn new(
        cookies: Arc<dyn Codec>,
        rows: Option<Arc<dyn Codec>>,
        store_name: &str,
        setup: &Setup,
    ) -> Result<Self, Error> {
        let cookie_name = setup.cookie.name();
        let rows = match rows {
            Some(rows) => rows,
            None => {
                let purpose = format!("session rows 1\0{store_name}\0{cookie_name}");
                let derived = derive_chain(&*cookies, &purpose).map_err(Error::of_codec)?;
                let derived = derived.ok_or_else(|| {
                    Error::usage(
                        "the codec does not name its keys, so none can be derived for the rows: \
                         give ServerOptions::row_codec one of its own",
                    )
                })?;
                Arc::new(derived)
            }
        };
        let probe = Id::new([0; ID_LENGTH]).row_name();
        Values::check(&*rows, &probe, NO_DATE)?;
        Ok(Native {
            model: DataModel::of(&rows.serializer()),
            cookies,
            rows,
            cookie_name: cookie_name.to_owned(),
            lifetime: setup.lifetime.clone(),
        })
    }

    pub(super) fn model(&self) -> DataModel {
        self.model.clone()
    }

    fn payload(&self, row: &Row<Content>, write: WriteId) -> Result<Vec<u8>, Error> {
        let (kind, rest) = match row {
            Row::Live(Content { values, metadata }) => {
                let metadata = metadata.to_text();
                (
                    SESSION,
                    values.serialize(&self.rows.serializer(), &metadata)?,
                )
            }
            Row::Tombstone { successor: None } => (TOMBSTONE, Vec::new()),
            Row::Tombstone {
                successor: Some(Successor { key, is_renewal }),
            } => (
                if *is_renewal { RENEWED } else { TOMBSTONE },
                key.as_bytes().to_vec(),
            ),
        };
        Ok([&[VERSION, kind], &write[..], &rest[..]].concat())
    }

    fn parse(&self, payload: &[u8], opened: &codec::Opened) -> Option<ReadRow> {
        let (&[VERSION, kind], rest) = payload.split_first_chunk()? else {
            return None;
        };
        let (write, rest) = rest.split_first_chunk::<16>()?;
        let row = match kind {
            SESSION => {
                let serializer = opened.serializer();
                let (values, metadata) =
                    Values::deserialize(serializer, rest.to_vec(), Metadata::parse)?;
                // No Go program wrote it, so its metadata has the creation time.
                let metadata = Metadata::loaded(Some(metadata?), NO_DATE, &self.lifetime);
                let values = values.loaded_as(&self.model);
                Row::Live(Content { values, metadata })
            }
            TOMBSTONE if rest.is_empty() => Row::Tombstone { successor: None },
            TOMBSTONE | RENEWED => Row::Tombstone {
                successor: Some(Successor {
                    key: Key::new(rest).ok()?,
                    is_renewal: kind == RENEWED,
                }),
            },
            _ => return None,
        };
        let write = *write;
        Some(ReadRow { row, write })
    }
}

fn key_text(key: &Key) -> Option<&str> {
    std::str::from_utf8(key.as_bytes()).ok()
}

impl RowFormat for Native {
    fn has_tombstones(&self) -> bool {
        true
    }

    fn new_id(&self) -> Result<Id, Error> {
        Id::random()
    }

    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error> {
        let sealed = self.cookies.seal_at(&self.cookie_name, id.as_bytes(), at);
        sealed.map_err(Error::of_codec)
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        let opened = match self.cookies.open_at(&self.cookie_name, cookie, now) {
            Ok(opened) => opened,
            Err(error) => return Refusal::of_codec(error).map(Err),
        };
        if opened.value().len() != ID_LENGTH {
            return Ok(Err(Refusal::NotValid));
        }
        Ok(Ok(OpenedId {
            sealed_at: opened.issued_at(),
            is_stale: opened.is_stale(),
            id: Id::new(opened.into_value()),
        }))
    }

    fn key(&self, id: &Id) -> Result<Key, Error> {
        Key::new(id.row_name()).map_err(Error::of_backend)
    }

    fn name_of(&self, key: &Key) -> String {
        String::from_utf8_lossy(key.as_bytes()).into_owned()
    }

    fn write(
        &self,
        key: &Key,
        row: &Row<Content>,
        write: WriteId,
        _: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let name = key_text(key).ok_or_else(|| Error::usage("the row's key is no text"))?;
        let payload = self.payload(row, write)?;
        let sealed = self.rows.seal_at(name, &payload, NO_DATE);
        sealed
            .map(|text| Some(text.into_bytes()))
            .map_err(Error::of_codec)
    }

    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        _: UnixTime,
    ) -> Result<Result<ReadRow, Refusal>, Error> {
        let (Some(name), Ok(text)) = (key_text(key), std::str::from_utf8(bytes)) else {
            return Ok(Err(Refusal::NotValid));
        };
        let mut payload = Vec::new();
        Ok(
            match self.rows.open_into(name, text, NO_DATE, &mut payload) {
                Ok(opened) => self.parse(&payload, &opened).ok_or(Refusal::NotValid),
                Err(error) => Err(of_row(error)?),
            },
        )
    }
}
