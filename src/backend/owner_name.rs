//! [`OwnerName`]: the name of an owner.

use std::fmt;

use super::Error;

/// The name of an owner, such as a user's ID: any text of 1 to [`MAX_LEN`](OwnerName::MAX_LEN)
/// bytes, U+0000 included. Backends do not interpret it.
///
/// The empty name is refused, since all users without an ID would share it. A name may be personal
/// data, such as an e-mail address. Therefore `Debug` hides it.
///
/// ```
/// use silverback::backend::OwnerName;
///
/// let name = OwnerName::new("user-42")?;
/// assert_eq!(name.as_str(), "user-42");
/// let error = OwnerName::new("x".repeat(3_000)).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the owner's name has 3000 bytes; 1 to 512 are required: use the user's ID"
/// );
/// # Ok::<(), silverback::backend::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerName(Box<str>);

impl OwnerName {
    /// The largest number of bytes in a name. Every server can index names of this length, whatever
    /// their bytes are.
    pub const MAX_LEN: usize = 512;

    /// Creates the name.
    ///
    /// # Errors
    /// Returns a usage error with the length of the name and the bound, for the empty name and for
    /// a name of more than [`MAX_LEN`](OwnerName::MAX_LEN) bytes.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        match name.len() {
            1..=OwnerName::MAX_LEN => Ok(OwnerName(name.into())),
            length => Err(Error::usage(format!(
                "the owner's name has {length} bytes; 1 to {} are required: use the user's ID",
                OwnerName::MAX_LEN
            ))),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for OwnerName {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self, Error> {
        OwnerName::new(name)
    }
}

impl TryFrom<String> for OwnerName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        OwnerName::new(name)
    }
}

impl From<OwnerName> for String {
    fn from(name: OwnerName) -> Self {
        name.0.into()
    }
}

impl AsRef<str> for OwnerName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Hides the name.
impl fmt::Debug for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerName(..)")
    }
}
