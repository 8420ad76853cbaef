//! [`Draft`]: a serde value for an interface, before its Go type is chosen.

use serde::Serialize;

use super::decode::check;
use super::fit::Fit;
use super::registered::Audience;
use super::schema::TreeWriter;
use super::ser::{MAX_DEPTH, tree_of};
use super::tree::Tree;
use super::{Error, Interface, Value};

/// The deepest nesting for plain formats, which read no deeper themselves.
#[cfg(feature = "session")]
const MAX_PLAIN_DEPTH: usize = 100;

/// Converts any `Serialize` to an interface, with the name under which Go registers the
/// corresponding type.
///
/// Use it for a new value. To replace an existing value, use [`to_interface_like`].
///
/// # Errors
/// Returns the errors of [`to_value`](super::to_value), except that `None` and unit become the nil interface.
///
/// ```
/// let interface = silverback::gob::to_interface(&["ape", "gorilla"].as_slice())?;
/// assert_eq!(*interface.name(), *"[]string");
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn to_interface<T: Serialize + ?Sized>(value: &T) -> Result<Interface, Error> {
    Draft::of(value)?.interface(Audience::Any)
}

/// Converts any `Serialize` to a value with the Go type and registered name of `existing`.
///
/// Returns `None` if the value does not fit that type. These values fit:
///
/// - an integer within the width that the name gives, and a `float32` without loss;
/// - a struct or map with the fields of the Go struct, and a list or map, if the values inside
///   fit;
/// - text of RFC 3339 for a `time.Time`, and the text or bytes of a UUID.
///
/// gob does not contain the width of a program's own type (`type Level int8`). Any integer fits
/// it here, and the Go program refuses one that is too large.
///
/// # Errors
/// Returns the errors of [`to_value`](super::to_value).
///
/// ```
/// use silverback::gob::{Interface, Value, to_interface_like};
///
/// let existing = Interface::of("time.Duration", Value::Int(7));
/// let hour = to_interface_like(&existing, &3_600_000_000_000_u64)?.expect("it fits");
/// assert_eq!(*hour.name(), *"time.Duration");
/// assert!(to_interface_like(&existing, "an hour")?.is_none());
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn to_interface_like<T: Serialize + ?Sized>(
    existing: &Interface,
    value: &T,
) -> Result<Option<Interface>, Error> {
    Draft::of(value)?.fitted(existing, Audience::Any, false)
}

/// A serialized serde value without a Go type. It can be written several times.
pub(crate) struct Draft(Tree);

impl Draft {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, MAX_DEPTH)?;
        tree.check_names()?;
        Ok(Draft(tree))
    }

    /// Creates a draft for any format: structs become maps, and values that only gob has are
    /// refused (see [`Tree::into_plain`]).
    #[cfg(feature = "session")]
    pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, MAX_PLAIN_DEPTH)?;
        tree.check_names()?;
        tree.to_maps().into_plain().map(Draft)
    }

    /// Returns the value in a new interface. If a Go program with known types reads it, the
    /// type is one of these if possible.
    pub(crate) fn interface(&self, audience: Audience<'_>) -> Result<Interface, Error> {
        TreeWriter::for_audience(audience).write_interface(&self.0)
    }

    /// Returns the value with the Go type of `existing`, or `None` if it does not fit.
    ///
    /// If `keeps_fields`, the fields of a Go struct that the value does not have stay
    /// unchanged; otherwise they become zero.
    pub(crate) fn fitted(
        &self,
        existing: &Interface,
        audience: Audience<'_>,
        keeps_fields: bool,
    ) -> Result<Option<Interface>, Error> {
        let fitted = Fit::new(audience, keeps_fields).interface(&self.0, existing)?;
        // A basic value was already compared with its registered name.
        if let Some(fitted) = fitted.as_ref().filter(|fitted| is_composite(fitted)) {
            check(&Value::Interface(fitted.clone()))?;
        }
        Ok(fitted)
    }
}

fn is_composite(interface: &Interface) -> bool {
    matches!(interface.value(), Some(Value::Composite(_)))
}

#[cfg(test)]
#[cfg(feature = "session")]
mod tests {
    use std::collections::BTreeMap;

    use super::super::registered::KnownTypes;
    use super::super::{GoString, SelfEncoded, SelfEncoder, Time};
    use super::*;

    fn knowing(names: &[&str]) -> KnownTypes {
        let mut known = KnownTypes::default();
        known.extend(names.iter().copied());
        known
    }

    #[derive(Serialize)]
    #[serde(rename = "main.S")]
    struct Settings {
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<i64>,
        name: &'static str,
    }

    fn settings(level: Option<i64>) -> Settings {
        let name = "ape";
        Settings { level, name }
    }

    #[test]
    fn a_list_has_a_type_that_the_reading_program_knows() {
        let name = |value: &Vec<Vec<i64>>, names: &[&str]| {
            let known = knowing(names);
            let written = Draft::of(value).unwrap().interface(Audience::Go(&known));
            written.unwrap().name().to_string_lossy().into_owned()
        };
        let (usual, exact) = ("[]interface {}", "[][]int64");
        let lists = vec![vec![1]];
        assert_eq!(name(&lists, &[]), usual);
        assert_eq!(name(&lists, &[usual, exact]), usual);
        assert_eq!(name(&lists, &[exact]), exact);
        assert_eq!(name(&vec![], &[usual]), usual);
        assert_eq!(name(&vec![], &[exact]), "", "nil, since it shows no type");
    }

    #[test]
    fn an_unknown_type_is_found_at_any_depth() {
        let inner = Interface::of("main.Id", Value::Int(7));
        let list = Value::slice_of_interfaces(["text".into(), inner]);
        let list = Interface::of("[]interface {}", list);
        let unknown = |names: &[&str]| knowing(names).first_unknown(&list);
        assert_eq!(unknown(&["main.Id"]).as_deref(), Some("[]interface {}"));
        assert_eq!(unknown(&["[]interface {}"]).as_deref(), Some("main.Id"));
        assert_eq!(unknown(&["[]interface {}", "main.Id"]), None);
    }

    #[test]
    fn some_of_a_zero_is_written_only_where_it_is_not_read_as_none() {
        let known = knowing(&["main.S"]);
        let zero = Draft::of(&settings(Some(0))).unwrap();
        assert!(zero.interface(Audience::Go(&known)).is_err());
        let existing = Draft::of(&settings(Some(7))).unwrap();
        let existing = existing.interface(Audience::Any).unwrap();
        assert!(zero.fitted(&existing, Audience::Go(&known), false).is_err());
        assert!(
            zero.fitted(&existing, Audience::Any, false)
                .unwrap()
                .is_some()
        );
        // For this crate alone the struct is a map of all its fields.
        assert!(
            zero.fitted(&existing, Audience::Own, false)
                .unwrap()
                .is_none()
        );
        let own = zero.interface(Audience::Own).unwrap();
        assert_eq!(*own.name(), *"map[string]interface {}");
        let read: BTreeMap<String, serde_json::Value> =
            super::super::from_value(own.value().unwrap()).unwrap();
        assert_eq!(read["level"], 0);
    }

    #[test]
    fn a_go_program_gets_bytes_as_a_string_in_place_of_a_string() {
        let known = knowing(&[]);
        let bytes = Draft::of(&[0xff_u8, 7]).unwrap();
        let existing = "ape".into();
        let fitted = bytes.fitted(&existing, Audience::Go(&known), false);
        let fitted = fitted.unwrap().expect("it fits");
        assert_eq!(fitted.as_string().unwrap().as_bytes(), [0xff, 7]);
        assert!(
            bytes
                .fitted(&existing, Audience::Any, false)
                .unwrap()
                .is_none()
        );
        let text = Draft::of("bear").unwrap();
        let fitted = text.fitted(&existing, Audience::Go(&known), false);
        assert_eq!(
            fitted.unwrap().unwrap().as_string().unwrap().as_bytes(),
            b"bear"
        );
        // The same holds for a key that is not UTF-8.
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        struct Bytes(&'static [u8]);

        impl Serialize for Bytes {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }

        let key = GoString::from(vec![0xff]);
        let map = Value::map_of_strings([(key, 1_i8.into())]);
        let existing = Interface::of("map[string]interface {}", map);
        let by_bytes = Draft::of(&BTreeMap::from([(Bytes(&[0xff]), 5_i64)])).unwrap();
        let fitted = by_bytes.fitted(&existing, Audience::Go(&known), false);
        let fitted = fitted.unwrap().expect("it fits");
        let names: Vec<_> = fitted.registered_names().cloned().collect();
        assert!(names.iter().any(|name| *name == *"int8"), "{names:?}");
    }

    #[test]
    fn only_a_struct_keeps_fields_that_it_does_not_have() {
        #[derive(Serialize)]
        #[serde(rename = "main.S")]
        struct OnlyLevel {
            level: i64,
        }

        let existing = Draft::of(&settings(Some(7))).unwrap();
        let existing = existing.interface(Audience::Any).unwrap();
        let fields = |draft: Draft, keeps_fields: bool| {
            let fitted = draft.fitted(&existing, Audience::Any, keeps_fields);
            match fitted.unwrap().expect("it fits").value() {
                Some(Value::Composite(fitted)) => fitted.fields().count(),
                _ => panic!("a struct"),
            }
        };
        let level = || Draft::of(&OnlyLevel { level: 8 }).unwrap();
        assert_eq!((fields(level(), true), fields(level(), false)), (2, 1));
        let map = || Draft::of(&BTreeMap::from([("level", 8)])).unwrap();
        assert_eq!((fields(map(), true), fields(map(), false)), (1, 1));
    }

    #[test]
    fn a_plain_draft_holds_only_what_every_format_holds() {
        let name = |draft: Result<Draft, Error>| {
            let written = draft.unwrap().interface(Audience::Any).unwrap();
            written.name().to_string_lossy().into_owned()
        };
        assert_eq!(name(Draft::plain(&1.5)), "float64");
        assert_eq!(
            name(Draft::plain(&Time::from_unix(7, 8).unwrap())),
            "string"
        );
        assert_eq!(
            name(Draft::plain(&settings(None))),
            "map[string]interface {}"
        );
        assert_eq!(
            name(Draft::plain(&vec![settings(Some(0))])),
            "[]interface {}"
        );
        let encoded = SelfEncoded::new("big.Int", SelfEncoder::Gob, [2, 7]).unwrap();
        assert!(Draft::plain(&f64::NAN).is_err() && Draft::plain(&vec![f64::INFINITY]).is_err());
        assert!(Draft::plain(&encoded).is_err());
        assert!(Draft::plain(&BTreeMap::from([(1, 2)])).is_err());
        // A field that is skipped is in no format.
        let written = Draft::plain(&settings(None))
            .unwrap()
            .interface(Audience::Any);
        let Some(Value::Composite(map)) = written.unwrap().value().cloned() else {
            panic!("a map")
        };
        assert_eq!(map.entries().count(), 1);
    }
}
