//! `waypost serve`: the servers and the queue, as the configuration says.

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::server;

const EXAMPLES: &str = "\
Prints the line `ready` when every listener is open. SIGHUP reloads settings and certificates, SIGTERM stops.

Examples:
  waypost serve
  waypost serve --config /etc/waypost/waypost.toml";

/// Run the mail system
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs until a signal says stop.
pub fn run(global: &Global) -> Result<Exit, Failure> {
    let (file, config) = global.load()?;
    server::run(server::Setup { config, file: Some(file), dev: false }, |_| {})
}
