//! A number, what it should be, and on what machine it was found.

use serde::Serialize;
use std::fs;

/// What the project wants of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

/// One number that was found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
}

impl Figure {
    /// A number that explains others, to three digits behind the point.
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let value = (value * 1000.0).round() / 1000.0;
        Self { name: name.into(), value, unit, target: None, reached: None }
    }

    /// That it should not be more.
    #[must_use]
    pub(super) fn at_most(self, most: f64) -> Self {
        self.with(Target::AtMost(most))
    }

    /// That it should not be less.
    #[must_use]
    pub(super) fn at_least(self, least: f64) -> Self {
        self.with(Target::AtLeast(least))
    }

    fn with(self, target: Target) -> Self {
        Self { target: Some(target), reached: Some(target.is_met(self.value)), ..self }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<44} {:>12} {}", self.name.replace('_', " "), self.value, self.unit)?;
        let verdict = if self.reached == Some(true) { "reached" } else { "MISSED" };
        match self.target {
            Some(Target::AtMost(most)) => write!(f, " (at most {most}: {verdict})"),
            Some(Target::AtLeast(least)) => write!(f, " (at least {least}: {verdict})"),
            None => Ok(()),
        }
    }
}

/// Where it was measured. Figures of a machine that had other work are not worth much.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub processor: String,
    pub processors: usize,
    pub memory_gib: u64,
    pub kernel: String,
    /// The load average of the last minute when the measurement began.
    pub load_before: f64,
}

impl Machine {
    pub(super) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = read("/proc/meminfo");
        let total = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        let load = read("/proc/loadavg");
        Self {
            processor: model.map_or_else(String::new, |(_, model)| model.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: total.unwrap_or(0) >> 20,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }
}

/// The middle one; of an even count the lower. Not a number when there is none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_at_its_bound() {
        let figure = |value| Figure::new("x", value, "s");
        assert_eq!(figure(5.0).at_most(5.0).reached, Some(true));
        assert_eq!(figure(5.1).at_most(5.0).reached, Some(false));
        assert_eq!(figure(0.9).at_least(0.9).reached, Some(true));
        assert_eq!(figure(f64::NAN).at_least(0.9).reached, Some(false));
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0]), 1.0);
        assert!(median([]).is_nan());
    }
}
