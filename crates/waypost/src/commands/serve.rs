//! `waypost serve`: the servers and the queue, as the configuration says.

const EXAMPLES: &str = "\
Prints the line `ready` when every listener is open. SIGHUP reloads settings and certificates, SIGTERM stops.

Examples:
  waypost serve
  waypost serve --config /etc/waypost/waypost.toml";

/// Run the mail system
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}
