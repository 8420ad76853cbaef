//! The cost of a session of many keys is proportional to their number: to fill, read, empty, save
//! and load it. The tests count allocated bytes, since a copy of the session for each key would
//! cause a higher cost.

use std::sync::Arc;

use allocation_counter::measure;
use serde::Serialize;
use silverback::backend::Memory;
use silverback::gob::{Value, to_interface};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerStore, Session, Stores};

use super::support::fresh_codecs;

#[derive(Serialize)]
struct Item {
    count: u32,
    tags: [&'static str; 2],
}

/// Sets a key of a session to a value for a number.
type Fill = fn(&Session, &str, u32);

fn basic(session: &Session, key: &str, number: u32) {
    session.insert(key, number).unwrap();
}

fn item(session: &Session, key: &str, number: u32) {
    let tags = ["a", "b"];
    session
        .insert(
            key,
            Item {
                count: number,
                tags,
            },
        )
        .unwrap();
}

fn updated(session: &Session, key: &str, number: u32) {
    session
        .update(key, move |value: &mut u32| *value += number)
        .unwrap();
}

/// Sets a Go struct. Its type comes with each value.
fn go_struct(session: &Session, key: &str, number: u32) {
    let item = Item {
        count: number,
        tags: ["a", "b"],
    };
    let item = silverback::gob::to_value(&item).unwrap();
    session
        .insert_gob(key, silverback::gob::Interface::of("main.Item", item))
        .unwrap();
}

/// Runs a request on this thread, and counts its allocations.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

/// Returns the bytes allocated to fill, read, save, load and empty a session.
fn allocated_bytes(keys: u32, fill: Fill) -> [u64; 5] {
    let rows = Arc::new(Memory::new());
    let dialect = Dialect::native(fresh_codecs()).max_row_size(0);
    let store = ServerStore::new(dialect, rows).unwrap();
    let stores = Stores::from(store);
    let name = |number: u32| format!("key {number}");
    let mut jar = Jar::new();
    let sessions = jar.sessions(stores.clone());
    let session = block_on(sessions.session()).unwrap();
    let filled = measure(|| (0..keys).for_each(|number| fill(&session, &name(number), number)));
    let read = measure(|| {
        for number in 0..keys {
            assert!(session.contains(&name(number)));
            let _ = session.get::<u32>(&name(number));
        }
    });
    let mut fields = None;
    let saved = measure(|| fields = block_on(sessions.finish()).unwrap());
    for set_cookie in fields.unwrap().set_cookies() {
        jar.receive(set_cookie);
    }
    let mut session = None;
    let loaded = measure(|| session = Some(block_on(jar.session(stores.clone()))));
    let session = session.unwrap().unwrap();
    assert_eq!(
        session.keys().len(),
        keys as usize,
        "the refusal was {:?}",
        session.refusal()
    );
    let emptied = measure(|| {
        for number in 0..keys {
            assert!(session.remove(&name(number)).unwrap());
        }
    });
    assert!(session.values().is_empty());
    [filled, read, saved, loaded, emptied].map(|info| info.bytes_total)
}

#[test]
fn ten_times_the_keys_cost_ten_times_as_much() {
    for (what, fill) in [
        ("basic", basic as Fill),
        ("item", item),
        ("updated", updated),
        ("of Go's", go_struct),
    ] {
        let few = allocated_bytes(400, fill);
        let many = allocated_bytes(4_000, fill);
        println!("{what}: {few:?} bytes for 400 keys, {many:?} for 4,000");
        for (step, (few, many)) in few.iter().zip(many).enumerate() {
            // A copy for each key would cost a hundred times as much.
            assert!(
                many <= 25 * few.max(&1_000),
                "{what}, step {step}: {few} and {many}"
            );
        }
    }
}

/// Types that come with each value are defined once: a reader accepts at most a thousand.
#[test]
fn two_thousand_structs_share_one_type() {
    let entries = |count: u32| {
        (0..count).map(|number| {
            let item = silverback::gob::to_value(&Item {
                count: number,
                tags: ["", ""],
            })
            .unwrap();
            (
                number.to_string().into_bytes(),
                silverback::gob::Interface::of("main.Item", item),
            )
        })
    };
    let many = Value::map_of_interfaces(entries(2_000)).to_vec();
    let one = Value::map_of_interfaces(entries(1)).to_vec();
    assert!(
        many.len() < 2_000 * one.len() / 2,
        "{} and {}",
        many.len(),
        one.len()
    );
    assert!(Value::from_slice(&many).is_ok());
    // Two different types of one name stay two types.
    let texts = to_interface(&["a"]).unwrap();
    let numbers = to_interface(&[1_i64]).unwrap();
    let lists = [texts, numbers].map(|list| list.value().unwrap().clone());
    let both = lists.map(|list| silverback::gob::Interface::of("main.List", list));
    let both = Value::slice_of_interfaces(both).to_vec();
    let both = Value::from_slice(&both).unwrap();
    let both: (Vec<String>, Vec<i64>) = silverback::gob::from_value(&both).unwrap();
    assert_eq!(both, (vec!["a".to_owned()], vec![1]));
}
