//! The cost of sealing and opening, compared with the bare primitives, the `cookie` crate's jars
//! and gorilla itself, in one run: `cargo bench --features bincode --bench codec`.
//!
//! A ratio over 1 against `floor` is the overhead of Silverback; against a peer it is how many
//! times faster Silverback is.

mod floor;
mod gorilla;
#[path = "../support/mod.rs"]
mod support;
mod workloads;

use support::{Column, OURS};

const COLUMNS: &[Column] = &[
    Column {
        heading: ["silverback", "ns"],
        figure: |round| round.of(OURS),
    },
    Column {
        heading: ["silverback", "/ floor"],
        figure: |round| round.ratio(OURS, "floor"),
    },
    Column {
        heading: ["cookie crate's jar", "/ silverback"],
        figure: |round| round.ratio("cookie jar", OURS),
    },
    Column {
        heading: ["gorilla (Go)", "/ silverback"],
        figure: |round| round.ratio("gorilla (Go)", OURS),
    },
];

fn main() {
    let gorilla = support::is_benchmark()
        .then(gorilla::Gorilla::find)
        .flatten();
    let measure_gorilla = || {
        let measured = gorilla.iter().flat_map(gorilla::Gorilla::measure);
        let measured = measured.map(|(name, nanoseconds)| (name, "gorilla (Go)", nanoseconds));
        measured.collect()
    };
    support::run(COLUMNS, workloads::all, measure_gorilla);
}
