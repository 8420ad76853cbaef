//! Shared code of the benchmarks: rounds, in which all contenders of a workload are measured one
//! after the other so that a ratio compares measurements close in time, and the table of medians
//! with their spread.

mod table;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;

use table::Table;
pub(crate) use table::{Column, OURS};

/// The number of rounds.
const ROUNDS: usize = 7;

pub(crate) type Operation = Box<dyn FnMut() -> usize>;

/// Work that several contenders do.
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) contenders: Vec<(&'static str, Operation)>,
}

/// Returns whether this is a benchmark, or a test that the benchmark works.
pub(crate) fn is_benchmark() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Measures all workloads in every round, and prints the table. `others` measures other programs
/// once a round: workload, contender, nanoseconds.
pub(crate) fn run(
    columns: &'static [Column],
    workloads: fn() -> Vec<Workload>,
    others: impl Fn() -> Vec<(String, &'static str, f64)>,
) {
    let rounds = if is_benchmark() { ROUNDS } else { 1 };
    let mut table = Table::new(columns);
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(40))
        .measurement_time(Duration::from_millis(160))
        .sample_size(10)
        .nresamples(1000)
        .without_plots()
        .configure_from_args();

    for round in 1..=rounds {
        for workload in workloads() {
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
                table.add(round, workload.name.clone(), contender, samples);
            }
        }
        for (name, contender, nanoseconds) in others() {
            table.add(round, name, contender, vec![nanoseconds]);
        }
    }
    criterion.final_summary();
    if is_benchmark() {
        print!("\n{table}");
    }
}
