//! The table: medians over rounds, and their spread.

use std::collections::BTreeMap;
use std::fmt;

/// The name of Silverback in every table.
pub(crate) const OURS: &str = "silverback";

/// The nanoseconds of each contender of one workload in one round.
pub(crate) struct Round(BTreeMap<&'static str, f64>);

#[allow(dead_code)] // not every table uses all methods
impl Round {
    /// Returns a contender's nanoseconds, if it took part.
    pub(crate) fn of(&self, contender: &str) -> Option<f64> {
        self.0.get(contender).copied()
    }

    /// Returns how many times longer one took than another.
    pub(crate) fn ratio(&self, numerator: &str, denominator: &str) -> Option<f64> {
        Some(self.of(numerator)? / self.of(denominator)?)
    }

    /// Returns how many nanoseconds longer one took than another.
    pub(crate) fn difference(&self, longer: &str, shorter: &str) -> Option<f64> {
        Some(self.of(longer)? - self.of(shorter)?)
    }
}

/// A figure of each round, of which the table shows the median, the lowest and the
/// highest.
pub(crate) struct Column {
    pub(crate) heading: [&'static str; 2],
    pub(crate) figure: fn(&Round) -> Option<f64>,
}

/// All rounds of all workloads.
pub(crate) struct Table {
    columns: &'static [Column],
    workloads: Vec<(String, BTreeMap<usize, Round>)>,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Table {
            columns,
            workloads: Vec::new(),
        }
    }

    /// Adds what one round measured.
    pub(crate) fn add(
        &mut self,
        round: usize,
        workload: String,
        contender: &'static str,
        samples: Vec<f64>,
    ) {
        if samples.is_empty() {
            return;
        }
        let known = self
            .workloads
            .iter()
            .position(|(name, _)| *name == workload);
        let place = known.unwrap_or_else(|| {
            self.workloads.push((workload, BTreeMap::new()));
            self.workloads.len() - 1
        });
        let rounds = &mut self.workloads[place].1;
        let round = rounds
            .entry(round)
            .or_insert_with(|| Round(BTreeMap::new()));
        round.0.insert(contender, median(samples));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Formats `median [lowest-highest]`, with as many digits as a ratio or a time needs.
fn spread(figures: Vec<f64>) -> String {
    if figures.is_empty() {
        return "-".to_owned();
    }
    let lowest = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let median = median(figures);
    match median.abs() < 100.0 {
        true => format!("{median:.2} [{lowest:.2}-{highest:.2}]"),
        false => format!("{median:.0} [{lowest:.0}-{highest:.0}]"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in 0..2 {
            write!(f, "{:<36}", ["", "workload"][line])?;
            for column in self.columns {
                write!(f, " {:>24}", column.heading[line])?;
            }
            writeln!(f)?;
        }
        for (workload, rounds) in &self.workloads {
            write!(f, "{workload:<36}")?;
            for column in self.columns {
                let figures = rounds.values().filter_map(column.figure).collect();
                write!(f, " {:>24}", spread(figures))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
