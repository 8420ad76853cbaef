//! The table of ratios: medians over rounds, and their spread.

use std::collections::BTreeMap;
use std::fmt;

/// Ours, in every table.
pub(crate) const OURS: &str = "silverback";

/// Nanoseconds of each round, by workload and contender.
#[derive(Default)]
pub(crate) struct Table {
    order: Vec<String>,
    rounds: BTreeMap<(String, &'static str), Vec<f64>>,
}

impl Table {
    /// Adds what one round measured.
    pub(crate) fn add(&mut self, workload: String, contender: &'static str, samples: Vec<f64>) {
        if samples.is_empty() {
            return;
        }
        if !self.order.contains(&workload) {
            self.order.push(workload.clone());
        }
        let rounds = self.rounds.entry((workload, contender)).or_default();
        rounds.push(median(samples));
    }

    fn of(&self, workload: &str, contender: &'static str) -> Option<&Vec<f64>> {
        self.rounds.get(&(workload.to_owned(), contender))
    }

    /// `numerator / denominator`, round by round: `median [lowest-highest]`.
    fn ratio(&self, workload: &str, numerator: &'static str, denominator: &'static str) -> String {
        let (Some(above), Some(below)) =
            (self.of(workload, numerator), self.of(workload, denominator))
        else {
            return "-".to_owned();
        };
        let ratios: Vec<f64> = above
            .iter()
            .zip(below)
            .map(|(above, below)| above / below)
            .collect();
        let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = ratios.iter().copied().fold(0.0, f64::max);
        format!("{:.2} [{lowest:.2}-{highest:.2}]", median(ratios))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |cells: [&str; 5]| {
            let [workload, ours, floor, jar, gorilla] = cells;
            writeln!(
                f,
                "{workload:<34} {ours:>10}  {floor:>18}  {jar:>20}  {gorilla:>22}"
            )
        };
        row([
            "",
            "silverback",
            "silverback",
            "cookie crate's jar",
            "gorilla (Go)",
        ])?;
        row([
            "workload",
            "ns, median",
            "/ floor",
            "/ silverback",
            "/ silverback",
        ])?;
        for workload in &self.order {
            let ours = self.of(workload, OURS).cloned().map_or(f64::NAN, median);
            row([
                workload,
                &format!("{ours:.0}"),
                &self.ratio(workload, OURS, "floor"),
                &self.ratio(workload, "cookie jar", OURS),
                &self.ratio(workload, "gorilla (Go)", OURS),
            ])?;
        }
        Ok(())
    }
}
