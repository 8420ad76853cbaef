//! [`IntoCodec`]: a codec, or the key pairs of one.

use std::sync::Arc;

use super::{Codec, Codecs, Error, KeyPairs};

/// A [`Codec`], or [`KeyPairs`], which are the keys of one with gorilla's defaults: where a store is
/// made.
///
/// ```
/// use silverback::codec::{Codec, Codecs, IntoCodec, KeyPairs};
///
/// let pairs = KeyPairs::generate(1)?;
/// let cookie = pairs.clone().into_codec()?.seal("sid", b"ape")?;
/// assert_eq!(Codecs::from_pairs(pairs)?.open("sid", &cookie)?.value(), b"ape");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    note = "a codec is a `Codecs`, a `SecureCookie` or `KeyPairs`: `KeyPairs::from_env(\"KEYS\")?`"
)]
pub trait IntoCodec {
    /// Returns the codec.
    ///
    /// # Errors
    /// Returns the errors of [`Codecs::from_pairs`].
    fn into_codec(self) -> Result<Arc<dyn Codec>, Error>;
}

impl<C: Codec + 'static> IntoCodec for C {
    fn into_codec(self) -> Result<Arc<dyn Codec>, Error> {
        Ok(Arc::new(self))
    }
}

impl IntoCodec for KeyPairs {
    fn into_codec(self) -> Result<Arc<dyn Codec>, Error> {
        Ok(Arc::new(Codecs::from_pairs(self)?))
    }
}
