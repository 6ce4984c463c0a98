//! `waypost alias`: addresses whose mail goes to others.

use crate::cli::values::AliasName;
use address::{Address, Domain};

const EXAMPLES: &str = "\
Examples:
  waypost alias add info@example.org you@example.org friend@example.net
  waypost alias add @example.org you@example.org          whatever the domain has not
  waypost alias remove info@example.org";

/// Add, list, show and remove aliases
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Send what comes for one address to others too; those it has already stay
    #[command(after_help = "Example:\n  waypost alias add info@example.org you@example.org")]
    Add {
        /// An address, or @ and a domain for all it has not
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
        #[arg(required = true, value_name = "ADDRESS")]
        targets: Vec<Address>,
    },
    /// All aliases
    #[command(after_help = "Example:\n  waypost alias list --domain example.org")]
    List {
        /// Of this domain
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<Domain>,
    },
    /// Where one alias goes
    #[command(after_help = "Example:\n  waypost alias show info@example.org")]
    Show {
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
    },
    /// Take an alias away, or some of its targets
    #[command(after_help = "Example:\n  waypost alias remove info@example.org friend@example.net")]
    Remove {
        #[arg(value_name = "ALIAS")]
        alias: AliasName,
        #[arg(value_name = "ADDRESS")]
        targets: Vec<Address>,
    },
}
