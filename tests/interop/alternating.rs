//! A Go program and Silverback alternately change one session two hundred times: both always see the
//! values of a map that gets the same changes. `SILVERBACK_CASES` sets another number.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use silverback::session::testing::Jar;

use crate::any::Random;
use crate::sessions::seeds;
use crate::store::SharedStore;

/// The number of changes.
const STEPS: u64 = 200;

/// Changes a session of strings in the Go program, and returns the values that it then has.
fn change_in_go(
    shared: &SharedStore,
    gorilla: &mut crate::Gorilla,
    jar: &mut Jar,
    change: &Value,
) -> Model {
    let answer = shared.ask(gorilla, "change", jar, &json!({"change": change}));
    jar.set("session", answer["cookie"].as_str().unwrap_or_default());
    let values = answer["values"].as_object().cloned().unwrap_or_default();
    let strings = values.into_iter().map(|(key, value)| {
        let text = value.as_str().unwrap().to_owned();
        (key, text)
    });
    // This value holds Silverback's metadata of the session.
    strings.filter(|(key, _)| key != "_session").collect()
}

fn values_in_silverback(shared: &SharedStore, jar: &mut Jar) -> Model {
    let mut model = Model::new();
    shared.visit(jar, |session| {
        for key in session.keys() {
            let value = session.get(&key).unwrap().unwrap();
            model.insert(key, value);
        }
    });
    model
}

type Model = BTreeMap<String, String>;

/// Checks that both programs see the values of a map after each random change.
pub(crate) fn both_programs_see_the_same_values(shared: &SharedStore) {
    let Some(mut gorilla) = crate::Gorilla::start() else {
        return;
    };
    let (mut jar, mut model) = (Jar::new(), Model::new());
    let mut counts = [0_u64; 10];
    for seed in seeds(STEPS) {
        let kind = Random::of(seed).below(10);
        counts[kind as usize] += 1;
        let key = format!("key {}", seed.rem_euclid(7));
        let value = format!("value {seed}");
        match kind {
            0..3 => {
                shared.visit(&mut jar, |session| session.insert(&key, &value).unwrap());
                model.insert(key, value);
            }
            3..6 => {
                let set = json!({"set": {key.clone(): value.clone()}});
                change_in_go(shared, &mut gorilla, &mut jar, &set);
                model.insert(key, value);
            }
            6 => {
                shared.visit(&mut jar, |session| {
                    session.remove(&key).unwrap();
                });
                model.remove(&key);
            }
            7 if !model.is_empty() => {
                change_in_go(
                    shared,
                    &mut gorilla,
                    &mut jar,
                    &json!({"unset": [key.clone()]}),
                );
                model.remove(&key);
            }
            8 if !model.is_empty() => {
                let mut before = jar.clone();
                shared.visit(&mut jar, |session| session.renew().unwrap());
                assert_ne!(jar.get("session"), before.get("session"), "seed {seed}");
                assert_eq!(
                    values_in_silverback(shared, &mut before),
                    Model::new(),
                    "seed {seed}"
                );
            }
            9 if !model.is_empty() => {
                let ended = jar.clone();
                match seed % 2 == 0 {
                    true => shared.visit(&mut jar, |session| session.end().unwrap()),
                    false => drop(change_in_go(
                        shared,
                        &mut gorilla,
                        &mut jar,
                        &json!({"end": true}),
                    )),
                }
                assert_eq!(
                    values_in_silverback(shared, &mut ended.clone()),
                    Model::new(),
                    "seed {seed}"
                );
                (jar, model) = (Jar::new(), Model::new());
            }
            _ => {}
        }
        assert_eq!(values_in_silverback(shared, &mut jar), model, "seed {seed}");
        if !model.is_empty() {
            let seen = change_in_go(shared, &mut gorilla, &mut jar, &json!({}));
            assert_eq!(seen, model, "seed {seed}");
        }
    }
    let each_is_tried = counts.iter().all(|count| *count > 0);
    let are_few = counts.iter().sum::<u64>() < STEPS; // as the environment wants it
    assert!(each_is_tried || are_few, "{counts:?}");
}
