//! The Go types that serde values are written as.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use silverback::codec::erased_serde;
use silverback::gob::{Shape, Type, Value, from_value, to_interface, to_value};

/// Returns the Go type of a serde value.
fn go<T: Serialize + ?Sized>(value: &T) -> String {
    fn shown(of: &Type) -> String {
        let Type::Defined(of) = of else {
            return format!("{of:?}").to_lowercase();
        };
        match of.shape() {
            Shape::Slice(element) => format!("[]{}", shown(&element)),
            Shape::Array { element, length } => format!("[{length}]{}", shown(&element)),
            Shape::Map { key, value } => format!("map[{}]{}", shown(&key), shown(&value)),
            Shape::Struct(fields) => {
                let field = |(name, _): &(silverback::gob::GoString, Type)| {
                    name.to_string_lossy().into_owned()
                };
                let fields: Vec<_> = fields.iter().map(field).collect();
                format!("{} {{{}}}", of.name().to_string_lossy(), fields.join(" "))
            }
            other => panic!("{other:?}"),
        }
    }
    shown(&to_value(value).unwrap().value_type())
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "main.S", default)]
struct S {
    a: Option<i64>,
    b: Vec<String>,
    c: BTreeMap<String, i64>,
    d: i64,
    e: String,
}

#[test]
fn parts_of_one_type_have_that_type_and_others_are_interfaces() {
    assert_eq!(go(&[[1_i64, 2], [3, 4]]), "[2][2]int");
    assert_eq!(go(&([1_i64, 2], [3_i64])), "[]interface");
    assert_eq!(go(&vec![vec![], vec!["a"]]), "[][]string");
    assert_eq!(go(&vec![vec![], vec![1_u8]]), "[]bytes");
    assert_eq!(go(&([Vec::<&str>::new()], [vec!["a"]])), "[2][1][]string");
    assert_eq!(go(&(vec!["a"], vec![1_u8])), "[]interface");
    let maps = vec![BTreeMap::from([("a", 1_i64)]), BTreeMap::new()];
    assert_eq!(go(&maps), "[]map[string]int");
    assert_eq!(go(&(1_i64, "a")), "[]interface");
    assert_eq!(go(&vec![Some(1_i64), None]), "[]interface");
}

#[test]
fn values_of_joined_types_are_read_back() {
    let both = (vec!["a".to_owned()], vec![1_u8]);
    let read = from_value::<(Vec<String>, Vec<u8>)>(&to_value(&both).unwrap());
    assert_eq!(read.unwrap(), both);
    let structs = vec![
        S::default(),
        S {
            a: Some(1),
            b: vec!["x".into()],
            c: BTreeMap::from([("y".into(), 2)]),
            d: 3,
            e: "z".into(),
        },
    ];
    assert_eq!(go(&structs), "[]S {a b c d e}");
    let written = to_value(&structs).unwrap();
    assert_eq!(from_value::<Vec<S>>(&written).unwrap(), structs);
    let json: serde_json::Value = from_value(&written).unwrap();
    assert_eq!(json[0]["b"], serde_json::json!([]));
    assert_eq!(json[0]["c"], serde_json::json!({}));
    // No zero is sent, even if the other struct shows its type.
    let Value::Composite(list) = written else {
        panic!("a list")
    };
    let [Value::Composite(first), _] = list.elements() else {
        panic!("two structs")
    };
    assert_eq!(first.fields().count(), 0);
}

#[test]
fn a_field_without_a_known_type_is_left_out() {
    let only_number = S {
        d: 1,
        ..S::default()
    };
    assert_eq!(go(&only_number), "S {d e}");

    #[derive(Serialize)]
    #[serde(rename = "main.Other")]
    struct Other {
        d: i64,
    }

    assert_eq!(go(&(only_number, Other { d: 1 })), "[]interface");
}

#[test]
fn no_bytes_are_a_zero_field() {
    struct Bytes(&'static [u8]);

    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    #[derive(Serialize)]
    struct Key {
        bytes: Bytes,
    }

    let sent = |bytes| match to_value(&Key {
        bytes: Bytes(bytes),
    })
    .unwrap()
    {
        Value::Composite(key) => key.fields().count(),
        other => panic!("{other:?}"),
    };
    assert_eq!((sent(b""), sent(b"\0")), (0, 1));
}

#[test]
fn types_in_interfaces_are_those_that_go_registers() {
    let name =
        |interface: silverback::gob::Interface| interface.name().to_string_lossy().into_owned();
    let of = |value: &dyn erased_serde::Serialize| name(to_interface(value).unwrap());
    assert_eq!(of(&[1_u8, 2]), "[]uint8");
    assert_eq!(of(&[1_i64, 2]), "[]int64");
    assert_eq!(of(&vec![1_i64]), "[]int64");
    assert_eq!(of(&vec![true]), "[]bool");
    assert_eq!(of(&vec![vec![1_u8], vec![2]]), "[]interface {}");
    assert_eq!(of(&vec![vec![1_i64]]), "[]interface {}");
    assert_eq!(of(&BTreeMap::from([("a", 1)])), "map[string]interface {}");
    let by_number = BTreeMap::from([(1, 1)]);
    assert_eq!(of(&by_number), "map[interface {}]interface {}");
}

#[test]
fn a_value_that_go_cannot_read_is_refused_in_an_interface() {
    let by_list = BTreeMap::from([(vec![1_i64], 2_i64)]);
    assert!(to_interface(&by_list).is_err());

    #[derive(Serialize)]
    #[serde(rename = "")]
    struct NoName {
        a: i64,
    }

    #[derive(Serialize)]
    #[serde(rename = "main.")]
    struct OnlyPackage {
        a: i64,
    }

    #[derive(Serialize)]
    struct NoField {
        #[serde(rename = "")]
        a: i64,
    }

    #[derive(Serialize)]
    struct Inner {
        #[serde(flatten)]
        twice: BTreeMap<&'static str, i64>,
    }

    assert!(to_value(&NoName { a: 1 }).is_err() && to_interface(&NoName { a: 1 }).is_err());
    assert!(to_value(&OnlyPackage { a: 1 }).is_err());
    assert!(to_value(&NoField { a: 1 }).is_err());
    // A flattened struct is a map.
    let twice = BTreeMap::from([("a", 1)]);
    assert_eq!(go(&Inner { twice }), "map[string]int");
}
