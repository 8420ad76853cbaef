//! [`Layout`]: the form of a backend's rows, Silverback's own or that of a Go package.

#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
use super::{Error, Key};

/// The form of a backend's rows: Silverback's own, or that of a Go package. The rows of a Go
/// package have fewer columns, and hold only values in that package's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Silverback's own: any bytes, with an expiry, a revision and an owner.
    Native,
    /// The rows of a server store of gorilla/sessions: text.
    Gorilla,
    /// The rows of pgstore: text as gorilla's, with an expiry. The package reserves two of a
    /// session's values: it reads `created_on` and `expires_on` as a `time.Time`.
    Pgstore,
    /// The rows of a server store of gorilla/sessions that neither signs nor encrypts them: a gob or
    /// JSON, with an expiry.
    GorillaClear,
    /// The rows of alexedwards/scs: gob, with an expiry.
    Scs,
    /// The rows of dolab/session: JSON. Go's rows have no expiry, and ours have one.
    Dolab,
}

/// The most characters of a key in SQL and DynamoDB: the longest are gorilla's, with 52.
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb"
))]
const LONGEST_KEY: usize = 63;

/// Returns the key as text. Refuses a key that no row of a Go package has: all such keys are at
/// most 63 letters, digits, `-` and `_`.
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb"
))]
pub(super) fn plain_key(key: &Key) -> Result<&str, Error> {
    plain_key_within(key, LONGEST_KEY)
}

/// Returns the key as text, as [`plain_key`] does, if it has at most `longest` characters.
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
pub(super) fn plain_key_within(key: &Key, longest: usize) -> Result<&str, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let text = std::str::from_utf8(key.as_bytes()).ok();
    text.filter(|text| text.len() <= longest && text.bytes().all(is_plain))
        .ok_or_else(|| {
            Error::usage(format!(
                "the key does not fit a row of the Go package: it must have at most {longest} \
                 letters, digits, - and _"
            ))
        })
}
