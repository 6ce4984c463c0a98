//! `cargo xtask COMMAND`: what the project does at length, and not in every test run.

mod simulate;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use xtask::crash;

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
    /// The program to be killed [default: `waypost`, built for this]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Build it with optimisations
    #[arg(long)]
    release: bool,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Xtask::parse() {
        Xtask::Crash(arguments) => run_crash(&arguments),
        Xtask::Simulate(arguments) => simulate::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}

fn run_crash(arguments: &Crash) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => build(arguments.release)?,
    };
    let (rounds, sessions) = (arguments.rounds, arguments.sessions);
    let seed = arguments.seed.unwrap_or_else(|| std::process::id().into());
    let settings = crash::Settings { rounds, seed, sessions, ..crash::Settings::new(program) };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rounds, {eta} left")?;
    let bar = ProgressBar::new(rounds.into()).with_style(style);
    let report = crash::run(&settings, |round| bar.set_position(round.into()))?;
    bar.finish_and_clear();
    let json = serde_json::to_value(&report)?;
    if arguments.json {
        println!("{json:#}");
    } else if let Some(facts) = json.as_object() {
        for (name, value) in facts.iter().filter(|(name, _)| *name != "failures") {
            println!("{:<24} {value}", name.replace('_', " "));
        }
        report.failures.iter().for_each(|failure| println!("{failure}"));
    }
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds `waypost`, and says where it is.
fn build(release: bool) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "waypost", "--message-format", "json-render-diagnostics"]);
    if release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("waypost does not build".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "waypost" && message["target"]["kind"][0] == "bin";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.ok_or_else(|| "cargo does not say where it put waypost".into())
}
