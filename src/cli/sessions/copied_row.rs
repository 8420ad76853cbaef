//! Opens a row of Silverback that was copied out of its server.

use silverback::backend::{Key, Memory};
use silverback::codec::CodecOptions;
use silverback::session::{
    CookieOptions, Dialect, Refusal, ServerOptions, ServerStore, StoredSession,
};

use super::super::failure::Failure;
use super::keys::{KeyArgument, KeyForm};
use super::show;
use super::store::{Service, reason};

/// Opens the first of these values that is the row under the KEY.
pub(in super::super) fn open(
    service: &Service,
    key: &str,
    values: &[Vec<u8>],
) -> Result<StoredSession, Failure> {
    let codecs = service.native_codecs(CodecOptions::new())?;
    let dialect = Dialect::native(codecs).store_name(service.store_name());
    let options = match service.name() {
        Some(name) => ServerOptions::new().cookie(CookieOptions::new().name(name)?),
        None => ServerOptions::new(),
    };
    let store = ServerStore::with_options(dialect, Memory::new(), options)?;
    let key: Key = match KeyForm::Hashes.parse(key)? {
        KeyArgument::Key(key) => key,
        KeyArgument::HashOf(_) => return Err(Failure::usage("the KEY is not valid")),
    };
    let mut refused = Refusal::NotValid;
    for value in values {
        match store.open_row(&key, value)?.into_result() {
            Ok(session) => return Ok(session),
            Err(Refusal::NotValid) => {}
            Err(refusal) => refused = refusal,
        }
    }
    Err(Failure::Refused(match refused {
        Refusal::NotValid => {
            "not valid: the keys, --name, --store-name or --row-key are wrong, or the \
                              input is not a row of Silverback"
                .to_owned()
        }
        Refusal::Gone => "the row is the mark of a session that has ended or moved".to_owned(),
        refusal => reason(refusal),
    }))
}

/// Returns the session as `sessions show --json` prints it.
pub(in super::super) fn json_of(key: &str, session: &StoredSession) -> String {
    show::json_of_copy(key, session)
}
