//! What sealing and opening cost, beside the bare primitives, the `cookie`
//! crate's jars and gorilla itself, all in one run: `cargo bench --features bincode`.
//!
//! Every round measures all contenders of a workload one after the other, so
//! that a ratio compares neighbours in time. The table at the end gives each
//! workload's median, and per contender the median ratio with the lowest and
//! highest of the rounds. A ratio over 1 beside `floor` is our overhead; beside a
//! peer it is how many times faster we are.

mod floor;
mod gorilla;
mod table;
mod workloads;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use table::Table;

/// How often everything is measured.
const ROUNDS: usize = 7;

fn main() {
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_benchmark { ROUNDS } else { 1 };
    let gorilla = is_benchmark.then(gorilla::Gorilla::find).flatten();
    let mut table = Table::default();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(40))
        .measurement_time(Duration::from_millis(160))
        .sample_size(10)
        .nresamples(1000)
        .without_plots()
        .configure_from_args();

    for round in 1..=rounds {
        for workload in workloads::all() {
            let mut group = criterion.benchmark_group(format!("round {round}/{}", workload.name));
            for (contender, mut operation) in workload.contenders {
                let mut samples = Vec::new();
                group.bench_function(contender, |bencher| {
                    bencher.iter_custom(|iterations| {
                        let start = Instant::now();
                        for _ in 0..iterations {
                            black_box(operation());
                        }
                        let elapsed = start.elapsed();
                        samples.push(elapsed.as_secs_f64() * 1e9 / iterations as f64);
                        elapsed
                    });
                });
                table.add(workload.name.clone(), contender, samples);
            }
        }
        if let Some(gorilla) = &gorilla {
            for (name, nanoseconds) in gorilla.measure() {
                table.add(name, "gorilla (Go)", vec![nanoseconds]);
            }
        }
    }
    criterion.final_summary();
    if is_benchmark {
        print!("\n{table}");
    }
}
