//! [`DataModel`]: how serde values become a session's gob, which depends on who reads it.

use std::sync::Arc;

use serde::Serialize;

use crate::codec::Serializer;
use crate::gob::{Audience, Draft, Error, Interface, KnownTypes};

use super::Values;

/// The types that gorilla/sessions registers besides those of `encoding/gob`: `sessions.go`.
const GORILLA: [&str; 1] = ["[]interface {}"];

/// How serde values become gob.
#[derive(Clone, Debug, Default)]
pub(super) enum DataModel {
    /// Structs are maps with all their fields, so that empty, zero and nothing stay apart: no
    /// Go program reads the session.
    #[default]
    Native,
    /// The same of what every format has: the codec's serializer is not gob.
    Plain,
    /// Go's types, of which a Go program that reads the session knows only these.
    Go(Arc<KnownTypes>),
}

impl DataModel {
    /// That of sessions which no Go program reads.
    pub(super) fn of(serializer: &Serializer) -> Self {
        match serializer {
            Serializer::Gob => DataModel::Native,
            _ => DataModel::Plain,
        }
    }

    /// That of sessions which a Go program reads with gorilla/sessions, and which registers
    /// `known` itself. Other formats than gob have no types to know.
    pub(super) fn gorilla(serializer: &Serializer, known: &[String]) -> Self {
        let of_gorilla = GORILLA.into_iter().map(str::to_owned);
        match serializer {
            Serializer::Gob => DataModel::go(of_gorilla.chain(known.iter().cloned())),
            _ => DataModel::Plain,
        }
    }

    /// That of sessions which a Go program reads, and which registers `known` itself.
    pub(super) fn go(known: impl IntoIterator<Item = String>) -> Self {
        let mut types = KnownTypes::default();
        types.extend(known);
        DataModel::Go(Arc::new(types))
    }

    /// The same for a session that holds `values` already: a Go program put them there, or
    /// was able to read them, so it knows their types.
    pub(super) fn knowing_types_of(&self, values: &Values) -> Self {
        let DataModel::Go(known) = self else {
            return self.clone();
        };
        let there = values.registered_names();
        let new: Vec<String> = there.into_iter().filter(|name| !known.has(name)).collect();
        if new.is_empty() {
            return self.clone();
        }
        let mut types = KnownTypes::clone(known);
        types.extend(new);
        DataModel::Go(Arc::new(types))
    }

    /// What a Go program that reads the session knows, if there is one.
    pub(super) fn known(&self) -> Option<&KnownTypes> {
        match self {
            DataModel::Go(known) => Some(known),
            DataModel::Native | DataModel::Plain => None,
        }
    }

    /// `value`, to be put somewhere.
    pub(super) fn draft<T: Serialize + ?Sized>(&self, value: &T) -> Result<Draft, Error> {
        match self {
            DataModel::Plain => Draft::plain(value),
            DataModel::Native | DataModel::Go(_) => Draft::of(value),
        }
    }

    /// `draft` in place of what is there, if anything is. Of a Go struct the fields that the
    /// value does not name stay as they are, or become zero.
    pub(super) fn place(
        &self,
        draft: &Draft,
        there: Option<&Interface>,
        keeps_fields: bool,
    ) -> Result<Interface, Error> {
        let audience = match self {
            // There are no Go types to stay.
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
