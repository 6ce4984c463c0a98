//! What only the queue's own tests can see, at length: they are told by the environment how much, and write their report
//! into a file. They are built as all tests are, so that arithmetic that overflows is found too, the queue itself with
//! optimisations.

use std::process::{Command, ExitCode, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// How many; a single one tells its story, step by step
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Herd {
    /// How many; a tenth as many destinations
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    messages: u64,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run_herd(arguments: &Herd) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let settings = [("WAYPOST_HERD_MESSAGES", arguments.messages.to_string())];
    at_length("schedule::herd::at_length", &settings, arguments.json)
}

pub(crate) fn run(arguments: &Simulate) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Simulate { seeds, from, json } = arguments;
    let settings =
        [("WAYPOST_SIMULATE_SEEDS", seeds.to_string()), ("WAYPOST_SIMULATE_FROM", from.to_string())];
    at_length("tests::simulation::at_length", &settings, *json)
}

/// Runs one of the queue's long tests, and prints its report. What the test says besides goes to standard error.
fn at_length(
    test: &str,
    settings: &[(&str, String)],
    json: bool,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let report = tempfile::NamedTempFile::new()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--quiet", "--config", "profile.dev.package.queue.opt-level=3"]);
    command.args(["--package", "queue", "--lib", "--"]);
    command.args(["--ignored", "--nocapture", "--exact", test]);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let status = command
        .env("WAYPOST_REPORT", report.path())
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()?;
    let text = std::fs::read_to_string(report.path())?;
    if text.is_empty() {
        return Err("the test does not build, or the queue ended the process: see above".into());
    }
    if json {
        println!("{text}");
    } else {
        print_facts(&serde_json::from_str(&text)?);
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_facts(report: &serde_json::Value) {
    for (name, value) in report.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::Object(_) => print_facts(value),
            serde_json::Value::Array(several) => several.iter().for_each(print_facts),
            serde_json::Value::Null => {}
            // Of several lines, and told already.
            serde_json::Value::String(_) => println!("{:<24} see above", name.replace('_', " ")),
            _ => println!("{:<24} {value}", name.replace('_', " ")),
        }
    }
}
