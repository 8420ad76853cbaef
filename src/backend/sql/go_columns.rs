//! [`Column`]: a column of a Go package's table as data.

/// A column of a Go package's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnType,
    pub(super) rule: Rule,
}

/// The type of a column. To add one, add a variant, and give it a name in the server that has it.
/// The server also converts keys, values and times. The check of the columns needs no change: a
/// time must have exactly the type of the Go package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// A number that counts rows.
    Counter,
    /// Text of any length.
    Text,
    /// Text of at most this many characters.
    Varchar(u32),
    /// Text of at most this many characters, compared without trailing spaces.
    Char(u32),
    /// Bytes of any length.
    Bytes,
    /// At most this many bytes.
    BytesUpTo(u32),
    /// A moment, to the microsecond (`timestamptz`).
    TimestampTz,
    /// The digits of a UTC time with this many digits of a second, from 1970 to 2038, which the
    /// server takes for a time in the time zone of the connection (MySQL's `timestamp`).
    Timestamp(u32),
    /// The digits of a UTC time with this many digits of a second (MySQL's `datetime`).
    Datetime(u32),
    /// A moment in SQLite, as a Julian day.
    JulianDay,
    /// A moment in SQLite, as text with a time zone.
    TimeText,
}

impl ColumnType {
    /// Returns the maximum number of bytes that a value of the type holds, or `None` if they are
    /// not limited.
    #[cfg(feature = "mysql")]
    pub(super) fn most_bytes(self) -> Option<usize> {
        match self {
            ColumnType::Varchar(most) | ColumnType::Char(most) | ColumnType::BytesUpTo(most) => {
                usize::try_from(most).ok()
            }
            _ => None,
        }
    }

    /// Returns the maximum length of a text, or `None` for other types.
    pub(super) fn characters(self) -> Option<u32> {
        match self {
            ColumnType::Text => Some(u32::MAX),
            ColumnType::Varchar(most) | ColumnType::Char(most) => Some(most),
            _ => None,
        }
    }
}

/// The constraint of the Go package on a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    None,
    NotNull,
    PrimaryKey,
    DefaultsToNow,
}

impl Column {
    pub(super) fn new(name: &str, kind: ColumnType) -> Self {
        Column {
            name: name.to_owned(),
            kind,
            rule: Rule::None,
        }
    }

    pub(super) fn rule(self, rule: Rule) -> Self {
        Column { rule, ..self }
    }
}
