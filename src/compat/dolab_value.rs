//! [`DolabValue`]: the values of a session, as dolab/session reads them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::session::{Error, Session, go_json};

/// The values of a session with the methods of dolab/session's `Value`, for code that is ported from
/// Go. New code should use the methods of [`Session`], which convert less.
///
/// The methods answer as Go's do (`value.go`): a value of another type is an error, a JSON null is
/// zero, and [`string`](DolabValue::string) returns JSON. Where Go returns a zero with an error, use
/// `unwrap_or_default()`.
///
/// ```
/// # use silverback::codec::{Codecs, KeyPairs};
/// # use silverback::session::{CookieStore, testing::Jar};
/// use silverback::compat::DolabValue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
/// # let session = Jar::new().session(store).await?;
/// let value = DolabValue::of(&session); // Go: value := sto.GetValue()
/// value.set("count", 300)?;
/// assert_eq!(value.int("count")?, 300);
/// assert!(value.int8("count").is_err()); // it does not fit
/// assert_eq!(value.int8("count").unwrap_or_default(), 0); // Go's value with the error
/// value.set("name", "Koko")?;
/// assert_eq!(value.string("name"), "\"Koko\""); // JSON, as in Go
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `Has`, `Get`, `Unmarshal` | [`has`](DolabValue::has), [`get`](DolabValue::get), [`unmarshal`](DolabValue::unmarshal) |
/// | `Add`, `Set`, `Del`, `Clean` | [`add`](DolabValue::add), [`set`](DolabValue::set), [`del`](DolabValue::del), [`clean`](DolabValue::clean) |
/// | `Bool`, `String` | [`bool`](DolabValue::bool), [`string`](DolabValue::string) |
/// | `Int`, `Int8`, .. `Int64` | [`int`](DolabValue::int), [`int8`](DolabValue::int8), .. [`int64`](DolabValue::int64) |
/// | `Uint`, `Uint8`, .. `Uint64` | [`uint`](DolabValue::uint), [`uint8`](DolabValue::uint8), .. [`uint64`](DolabValue::uint64) |
/// | `Float32`, `Float64` | [`float32`](DolabValue::float32), [`float64`](DolabValue::float64) |
/// | `IsChanged` | not needed: the session knows |
#[derive(Clone)]
#[doc(alias = "Value")]
pub struct DolabValue(Session);

/// The reason why a [`DolabValue`] has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum DolabValueError {
    /// There is no value under the key.
    #[doc(alias = "ErrNotFound")]
    NotFound,
    /// There is a value under the key already.
    #[doc(alias = "ErrDuplicateKey")]
    DuplicateKey,
    /// The value has another type, or does not fit the type.
    WrongType,
    /// The session refuses the change.
    Session(Error),
}

impl fmt::Display for DolabValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DolabValueError::NotFound => f.write_str("there is no value under the key"),
            DolabValueError::DuplicateKey => {
                f.write_str("there is a value under the key already: use set to replace it")
            }
            DolabValueError::WrongType => f.write_str("the value has another type"),
            DolabValueError::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DolabValueError {}

impl From<Error> for DolabValueError {
    fn from(error: Error) -> Self {
        DolabValueError::Session(error)
    }
}

/// Each getter of a number. Go's decoder parses the JSON text as that type.
macro_rules! numbers {
    ($($name:ident, $type:ident, $go:literal;)*) => {
        /// Numbers. Each method returns an error if there is no value, or if the value is not a number
        /// of that type; a JSON null is 0.
        impl DolabValue {
            $(
                #[doc = concat!("Returns the value under `key`, as Go's `", $go, "` does.")]
                ///
                /// # Errors
                /// Returns [`NotFound`](DolabValueError::NotFound) or
                /// [`WrongType`](DolabValueError::WrongType).
                #[doc(alias = $go)]
                pub fn $name(&self, key: &str) -> Result<$type, DolabValueError> {
                    self.number(key)
                }
            )*
        }
    };
}

numbers! {
    int, i64, "Int";
    int8, i8, "Int8";
    int16, i16, "Int16";
    int32, i32, "Int32";
    int64, i64, "Int64";
    uint, u64, "Uint";
    uint8, u8, "Uint8";
    uint16, u16, "Uint16";
    uint32, u32, "Uint32";
    uint64, u64, "Uint64";
    float32, f32, "Float32";
    float64, f64, "Float64";
}

impl DolabValue {
    /// Returns the values of a session. They are the session's own: a change here is one there.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        DolabValue(session.clone())
    }

    /// Returns whether there is a value under `key`.
    #[must_use]
    #[doc(alias = "Has")]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(key)
    }

    /// Returns the JSON of the value under `key`. A value that has not changed has the text that the
    /// row has.
    ///
    /// # Errors
    /// Returns [`NotFound`](DolabValueError::NotFound).
    #[doc(alias = "Get")]
    pub fn get(&self, key: &str) -> Result<String, DolabValueError> {
        self.0.values().json(key).ok_or(DolabValueError::NotFound)
    }

    /// Reads the value under `key` as a `T`. A JSON null is `None`.
    ///
    /// # Errors
    /// Returns [`NotFound`](DolabValueError::NotFound) or [`WrongType`](DolabValueError::WrongType).
    #[doc(alias = "Unmarshal")]
    pub fn unmarshal<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, DolabValueError> {
        let value = serde_json::from_str(&self.get(key)?);
        value.map_err(|_| DolabValueError::WrongType)
    }

    /// Stores a value under `key`, unless there is one.
    ///
    /// # Errors
    /// Returns [`DuplicateKey`](DolabValueError::DuplicateKey), and the errors of
    /// [`set`](DolabValue::set).
    #[doc(alias = "Add")]
    pub fn add<T: Serialize>(&self, key: &str, value: T) -> Result<(), DolabValueError> {
        match self.has(key) {
            true => Err(DolabValueError::DuplicateKey),
            false => self.set(key, value),
        }
    }

    /// Stores a value under `key`, and replaces the old one.
    ///
    /// # Errors
    /// Returns the errors of [`Session::insert`].
    #[doc(alias = "Set")]
    pub fn set<T: Serialize>(&self, key: &str, value: T) -> Result<(), DolabValueError> {
        Ok(self.0.insert(key, value)?)
    }

    /// Removes the value under `key`, if there is one.
    ///
    /// # Errors
    /// Returns the errors of [`Session::remove`].
    #[doc(alias = "Del")]
    pub fn del(&self, key: &str) -> Result<(), DolabValueError> {
        self.0.remove(key)?;
        Ok(())
    }

    /// Removes all values.
    ///
    /// # Errors
    /// Returns the errors of [`Session::clear`].
    #[doc(alias = "Clean")]
    pub fn clean(&self) -> Result<(), DolabValueError> {
        Ok(self.0.clear()?)
    }

    /// Returns the bool under `key`. As in Go, the number 1 is true, too, and a JSON null is false.
    ///
    /// # Errors
    /// Returns [`NotFound`](DolabValueError::NotFound) or [`WrongType`](DolabValueError::WrongType).
    #[doc(alias = "Bool")]
    pub fn bool(&self, key: &str) -> Result<bool, DolabValueError> {
        match &*self.get(key)? {
            "true" | "1" => Ok(true),
            "false" | "null" => Ok(false),
            _ => Err(DolabValueError::WrongType),
        }
    }

    /// Returns the JSON of the value under `key` as Go writes it, or an empty text if there is no
    /// value. A string has its quotes. For the string itself, use [`Session::get`].
    #[must_use]
    #[doc(alias = "String")]
    pub fn string(&self, key: &str) -> String {
        self.get(key)
            .map_or_else(|_| String::new(), |text| go_json::compact(&text))
    }

    fn number<T: Number>(&self, key: &str) -> Result<T, DolabValueError> {
        let text = self.get(key)?;
        let is_number =
            |text: &&str| text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match &*text {
            "null" => Ok(T::default()),
            text => Some(text)
                .filter(is_number)
                .and_then(|text| text.parse().ok())
                .filter(T::is_in_range)
                .ok_or(DolabValueError::WrongType),
        }
    }
}

/// A type of Go's numbers.
trait Number: FromStr + Default {
    /// Returns false if the text was a number beyond the type, which only floats accept.
    fn is_in_range(&self) -> bool {
        true
    }
}

macro_rules! integers {
    ($($type:ident)*) => {
        $(impl Number for $type {})*
    };
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64);

impl Number for f32 {
    fn is_in_range(&self) -> bool {
        self.is_finite()
    }
}

impl Number for f64 {
    fn is_in_range(&self) -> bool {
        self.is_finite()
    }
}

/// Shows no value.
impl fmt::Debug for DolabValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DolabValue(..)")
    }
}
