//! `waypost quickstart`: all that a new domain needs, made in one go.

use crate::cli::values::PasswordStdin;
use address::{Address, Domain};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Nothing that exists is overwritten, and what was made is deleted again when something fails.

Examples:
  waypost quickstart you@example.org
  waypost quickstart you@example.org --dir /etc/waypost --hostname mx.example.org";

/// Make configuration, keys, certificate and the first account, and print the DNS records to publish
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The first account; its domain becomes the first domain
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// Where to make it all [default: here]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The name of this machine in DNS [default: mail. and the domain]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<Domain>,
    #[command(flatten)]
    pub password: PasswordStdin,
}
