//! `cargo xtask COMMAND`: what the project does at length, and not in every test run.

mod build;
mod measuring;
mod simulate;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::{crash, power_cut};

/// Waypost's long tests and measurements
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Xtask {
    /// Kill `waypost serve` again and again under load, and hold it to every 250
    #[command(after_help = "Example:\n  cargo xtask crash --rounds 1000 --seed 7 --json")]
    Crash(Crash),
    /// Run the queue under a simulated clock and network, made from seeds, and hold it to its rules
    #[command(after_help = "Example:\n  cargo xtask simulate --seeds 5000 --json")]
    Simulate(simulate::Simulate),
    /// Build the disk that a power cut would have left, at many points of a run, and hold `waypost serve` to every 250
    #[command(after_help = "Example:\n  cargo xtask power-cut --points 1000 --seed 7 --json")]
    PowerCut(PowerCut),
    /// Find out a figure of speed or scale, and print it beside its target
    #[command(after_help = measuring::EXAMPLES)]
    Measure(measuring::Measure),
    /// A day of retries for a million messages that are all put off, by the schedule alone: attempts a minute
    #[command(after_help = "Example:\n  cargo xtask herd --json")]
    Herd(simulate::Herd),
}

#[derive(Debug, clap::Args)]
struct Crash {
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Decides what is sent, and when the kill comes [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Sessions at once
    #[arg(long, default_value_t = 8)]
    sessions: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct PowerCut {
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    points: u32,
    /// Decides where the power goes, and what the disk keeps [default: another each time]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The program under test [default: `waypost`, built for this]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Build it with optimisations
    #[arg(long)]
    release: bool,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
}

impl Common {
    fn program(&self) -> Result<PathBuf, Failure> {
        self.program.clone().map_or_else(|| build::waypost(self.release), Ok)
    }
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let done = match Xtask::parse() {
        Xtask::Crash(arguments) => run_crash(&arguments),
        Xtask::Simulate(arguments) => simulate::run(&arguments),
        Xtask::PowerCut(arguments) => run_power_cut(&arguments),
        Xtask::Measure(arguments) => measuring::run(&arguments),
        Xtask::Herd(arguments) => simulate::run_herd(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}

fn run_crash(arguments: &Crash) -> Result<ExitCode, Failure> {
    let (rounds, sessions) = (arguments.rounds, arguments.sessions);
    let seed = seed(arguments.seed);
    let settings =
        crash::Settings { rounds, seed, sessions, ..crash::Settings::new(arguments.common.program()?) };
    let bar = bar(rounds, "rounds")?;
    let report = crash::run(&settings, |round| bar.set_position(round.into()))?;
    bar.finish_and_clear();
    tell(&serde_json::to_value(&report)?, arguments.common.json);
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_power_cut(arguments: &PowerCut) -> Result<ExitCode, Failure> {
    let points = arguments.points;
    let seed = seed(arguments.seed);
    let settings =
        power_cut::Settings { points, seed, ..power_cut::Settings::new(arguments.common.program()?) };
    let bar = bar(points, "points")?;
    let report = power_cut::run(&settings, |point| bar.set_position(point.into()))?;
    bar.finish_and_clear();
    tell(&serde_json::to_value(&report)?, arguments.common.json);
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seed(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| std::process::id().into())
}

fn bar(length: u32, of: &str) -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {of}, {{eta}} left"))?;
    Ok(ProgressBar::new(length.into()).with_style(style))
}

/// A report: its facts, and then what was wrong.
fn tell(report: &serde_json::Value, json: bool) {
    if json {
        println!("{report:#}");
        return;
    }
    for (name, value) in report.as_object().into_iter().flatten().filter(|(name, _)| *name != "failures") {
        println!("{:<24} {value}", name.replace('_', " "));
    }
    for failure in report["failures"].as_array().into_iter().flatten().filter_map(|failure| failure.as_str())
    {
        println!("{failure}");
    }
}
