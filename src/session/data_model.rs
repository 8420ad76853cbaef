//! [`DataModel`]: how serde values become a session's gob, depending on the programs that read it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::codec::Serializer;
use crate::gob::{Audience, Draft, Error, Interface, KnownTypes};

/// The types that gorilla/sessions registers, in addition to those of `encoding/gob`:
/// `sessions.go`.
const GORILLA: [&str; 1] = ["[]interface {}"];

/// The rules by which serde values become gob.
#[derive(Clone, Debug, Default)]
pub(super) enum DataModel {
    /// For sessions that no Go program reads. Structs are maps with all their fields, so that empty
    /// values, zeros and missing values stay different.
    #[default]
    Native,
    /// The same, limited to the types that every format has: the codec's serializer is not gob.
    Plain,
    /// Go's types. A Go program reads the session, and knows only these types.
    Go(Arc<KnownTypes>),
}

impl DataModel {
    /// Returns the model of sessions that no Go program reads.
    pub(super) fn of(serializer: &Serializer) -> Self {
        match serializer {
            Serializer::Gob => DataModel::Native,
            _ => DataModel::Plain,
        }
    }

    /// Returns the model of sessions that a Go program reads with gorilla/sessions. The program
    /// registers `known` itself. Formats other than gob have no type names.
    pub(super) fn gorilla(serializer: &Serializer, known: &[String]) -> Self {
        let of_gorilla = GORILLA.into_iter().map(str::to_owned);
        match serializer {
            Serializer::Gob => DataModel::go(of_gorilla.chain(known.iter().cloned())),
            _ => DataModel::Plain,
        }
    }

    /// Returns the model of sessions that a Go program reads. The program registers `known`
    /// itself.
    pub(super) fn go(known: impl IntoIterator<Item = String>) -> Self {
        let mut types = KnownTypes::default();
        types.extend(known);
        DataModel::Go(Arc::new(types))
    }

    /// Extends the model for a session that already holds values of these types. The Go program
    /// wrote the values or could read them, so it knows the types.
    pub(super) fn knowing_types(&self, there: BTreeSet<String>) -> Self {
        let DataModel::Go(known) = self else {
            return self.clone();
        };
        let new: Vec<String> = there.into_iter().filter(|name| !known.has(name)).collect();
        if new.is_empty() {
            return self.clone();
        }
        let mut types = KnownTypes::clone(known);
        types.extend(new);
        DataModel::Go(Arc::new(types))
    }

    /// Returns the types that the Go program knows, or `None` if no Go program reads the session.
    pub(super) fn known(&self) -> Option<&KnownTypes> {
        match self {
            DataModel::Go(known) => Some(known),
            DataModel::Native | DataModel::Plain => None,
        }
    }

    /// Converts `value` to a draft.
    pub(super) fn draft<T: Serialize + ?Sized>(&self, value: &T) -> Result<Draft, Error> {
        match self {
            DataModel::Plain => Draft::plain(value),
            DataModel::Native | DataModel::Go(_) => Draft::of(value),
        }
    }

    /// Converts `draft` to a value that replaces `there`. If `there` is a Go struct, the fields
    /// that `draft` does not name keep their values with `keeps_fields`, and become zero without.
    pub(super) fn place(
        &self,
        draft: &Draft,
        there: Option<&Interface>,
        keeps_fields: bool,
    ) -> Result<Interface, Error> {
        let audience = match self {
            // Plain values have no Go types to preserve.
            DataModel::Plain => return draft.interface(Audience::Any),
            DataModel::Native => Audience::Own,
            DataModel::Go(known) => Audience::Go(known),
        };
        let fitted = match there {
            Some(there) => draft.fitted(there, audience, keeps_fields)?,
            None => None,
        };
        match fitted {
            Some(fitted) => Ok(fitted),
            None => draft.interface(audience),
        }
    }
}
