//! `waypost trail`: what happened to a message, and why.

use crate::cli::values::{self, Json, Subject};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  waypost trail 01J8Z3K7
  waypost trail you@example.org --since '2 d'
  waypost trail '<20261121.7@example.org>' --json";

/// Tell what happened to a message, from its connection to its last delivery attempt
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A queue or session id, a Message-ID in brackets, an address, or @ and a domain
    #[arg(value_name = "ID|ADDRESS")]
    pub subject: Subject,
    /// Not older than this
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub since: Option<Duration>,
    /// At most this many messages, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    pub json: Json,
}
