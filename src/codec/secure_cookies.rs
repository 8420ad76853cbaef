//! [`SecureCookies`]: the codecs in a codec, in a list that is cheap to clone.

use std::ops::Deref;
use std::sync::Arc;

use super::SecureCookie;

/// The [`SecureCookie`]s in a codec, the newest key first.
///
/// A clone shares the codecs, so a [`KeyRing`](super::KeyRing) can return those of this moment
/// for each call of [`Codec::secure_cookies`](super::Codec::secure_cookies).
///
/// ```
/// use silverback::codec::{Codec, Codecs, KeyPairs, SecureCookie, SecureCookies};
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(2)?)?;
/// assert_eq!(codecs.secure_cookies().len(), 2);
///
/// let of_two_codecs: SecureCookies = codecs.secure_cookies().iter().cloned().collect();
/// assert_eq!(of_two_codecs.len(), 2);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SecureCookies(List);

/// The codecs. A list of one needs no allocation.
#[derive(Clone, Debug, Default)]
enum List {
    #[default]
    Empty,
    One(SecureCookie),
    Many(Arc<[SecureCookie]>),
}

impl Deref for SecureCookies {
    type Target = [SecureCookie];

    fn deref(&self) -> &[SecureCookie] {
        match &self.0 {
            List::Empty => &[],
            List::One(codec) => std::slice::from_ref(codec),
            List::Many(codecs) => codecs,
        }
    }
}

impl From<&SecureCookie> for SecureCookies {
    fn from(codec: &SecureCookie) -> Self {
        SecureCookies(List::One(codec.clone()))
    }
}

impl FromIterator<SecureCookie> for SecureCookies {
    fn from_iter<I: IntoIterator<Item = SecureCookie>>(codecs: I) -> Self {
        let codecs: Vec<SecureCookie> = codecs.into_iter().collect();
        SecureCookies(match &*codecs {
            [] => List::Empty,
            [codec] => List::One(codec.clone()),
            _ => List::Many(codecs.into()),
        })
    }
}

impl<'c> IntoIterator for &'c SecureCookies {
    type Item = &'c SecureCookie;
    type IntoIter = std::slice::Iter<'c, SecureCookie>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
