//! [`Values`] as a map of serde, for templates and for JSON.

use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::Values;
use super::any_format::ToAnyFormat;

/// Writes the values under string keys as a map, for a template or as JSON. Go's structs and maps
/// become maps, and times become texts (RFC 3339).
///
/// ```
/// use silverback::session::Values;
///
/// let mut values = Values::new();
/// values.insert("name", "ape")?;
/// values.insert("cart", vec![3, 5])?;
/// # #[cfg(feature = "json")] {
/// let json = serde_json::to_value(&values)?;
/// assert_eq!(json, serde_json::json!({"name": "ape", "cart": [3, 5]}));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In a handler: `template.render(&session.values())`.
///
/// # Errors
/// Returns an error that names the key of a value that only gob can hold: a number that is not
/// finite, or a Go type that encodes itself.
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for key in self.keys() {
            let interface = self.interface(key);
            let value = interface.as_ref().and_then(|interface| interface.value());
            let written = map.serialize_entry(key, &value.map(ToAnyFormat));
            written.map_err(|error| {
                S::Error::custom(format!("the session's value under {key:?}: {error}"))
            })?;
        }
        map.end()
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;
    use crate::gob;

    #[test]
    fn values_of_all_kinds_become_json() {
        #[derive(Serialize)]
        struct User {
            name: &'static str,
            tags: Vec<&'static str>,
        }
        let mut values = Values::new();
        let tags = vec!["a", "b"];
        values.insert("user", User { name: "ape", tags }).unwrap();
        values.insert("none", None::<u8>).unwrap();
        values.insert("big", u64::MAX).unwrap();
        let at = std::time::SystemTime::UNIX_EPOCH;
        values.insert_gob("at", gob::Time::from(at)).unwrap();
        let json = serde_json::to_value(&values).unwrap();
        assert_eq!(
            json["user"],
            serde_json::json!({"name": "ape", "tags": ["a", "b"]})
        );
        assert_eq!(json["none"], serde_json::Value::Null);
        assert_eq!(json["big"], u64::MAX);
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_value_that_no_format_holds_is_named() {
        let mut values = Values::new();
        values.insert("ratio", f64::NAN).unwrap();
        let error = serde_json::to_string(&values).unwrap_err().to_string();
        assert!(
            error.contains("\"ratio\"") && error.contains("not finite"),
            "{error}"
        );
    }
}
