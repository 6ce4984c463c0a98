//! `cargo xtask measure`: its words, and how its report is shown.

use crate::build;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xtask::measure;

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 when every target was reached, 1 when one was missed or could not be measured.

Examples:
  cargo xtask measure relay --program target/release/waypost
  cargo xtask measure idle --json
  cargo xtask measure million --messages 10000
  cargo xtask measure large-mailbox --messages 20000
  cargo xtask measure imap --messages 5000 --alone";

#[derive(Debug, clap::Args)]
pub(crate) struct Measure {
    #[arg(value_enum)]
    name: measure::Name,
    /// Messages, instead of as many as the target says
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Connections, likewise
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    connections: Option<u64>,
    /// Minutes, likewise
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// Leave Dovecot out: the figures of `imap` and `imap-idle` that compare nothing
    #[arg(long)]
    alone: bool,
    /// Rounds whose median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The program to be measured [default: `waypost`, built for this with optimisations]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The folder of the scripts that run other servers
    #[arg(long, value_name = "FOLDER", default_value_os_t = peers())]
    peers: PathBuf,
    /// Build without optimisations: for trying the measurement itself
    #[arg(long)]
    debug: bool,
    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,
}

/// Beside the checkout, or where `.ci/run` is told that it is.
fn peers() -> PathBuf {
    let shared = std::env::var_os("WAYPOST_SHARED");
    shared.map_or_else(|| "../shared".into(), PathBuf::from).join("peers")
}

pub(crate) fn run(arguments: &Measure) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let release = !arguments.debug;
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => build::waypost(release)?,
    };
    let needs_filler = matches!(arguments.name, measure::Name::Million | measure::Name::DeadDestination);
    let filler = needs_filler.then(|| build::filler(release)).transpose()?;
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let context = measure::Context {
        program: &program,
        filler: filler.as_deref(),
        peers: &arguments.peers,
        rounds: arguments.rounds,
        messages: arguments.messages,
        connections: arguments.connections,
        minutes: arguments.minutes,
        alone: arguments.alone,
        progress: &|doing| bar.set_message(doing),
    };
    let report = measure::run(arguments.name, &context)?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{:#}", serde_json::to_value(&report)?);
    } else {
        let measure::Machine { processor, processors, kernel, load_before, .. } = &report.machine;
        println!("{} on {processors} x {processor}, Linux {kernel}, load before {load_before}", report.date);
        report.figures.iter().for_each(|figure| println!("{figure}"));
    }
    let missed = report.figures.iter().any(|figure| figure.reached == Some(false));
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
