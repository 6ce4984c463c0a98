//! `waypost domain`: the domains whose mail this system takes.

use crate::cli::values::{Quota, Recipients, relay_to};
use crate::config::Target;
use address::Domain;

const EXAMPLES: &str = "\
Examples:
  waypost domain add example.org
  waypost domain add branch.example --relay-to smtp://mail.branch.example --recipients verify
  waypost domain add example.net --alias-of example.org
  waypost domain dns example.org
  waypost domain dkim rotate example.org";

/// Add, list, show and remove domains
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
    /// Take mail for a domain
    #[command(after_help = "\
Examples:
  waypost domain add example.org
  waypost domain add branch.example --relay-to mx --recipients addresses.txt")]
    Add(Add),
    /// All domains
    #[command(after_help = "Example:\n  waypost domain list --json")]
    List,
    /// One domain: its kind, accounts, keys
    #[command(after_help = "Example:\n  waypost domain show example.org")]
    Show {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
    /// Take no more mail for a domain
    #[command(after_help = "Example:\n  waypost domain remove example.org --yes")]
    Remove {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// Do not ask, also when it has accounts
        #[arg(long)]
        yes: bool,
    },
    /// The records to publish
    #[command(after_help = "Example:\n  waypost domain dns example.org")]
    Dns {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
    /// The keys that sign its mail
    #[command(after_help = "Example:\n  waypost domain dkim rotate example.org")]
    Dkim {
        #[command(subcommand)]
        verb: Dkim,
    },
    /// The most that its accounts together may keep
    #[command(after_help = "Example:\n  waypost domain quota example.org '100 GiB'")]
    Quota {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
        /// A size, or none
        #[arg(value_name = "SIZE")]
        quota: Quota,
    },
}

#[derive(Debug, clap::Args)]
pub struct Add {
    #[arg(value_name = "DOMAIN")]
    pub domain: Domain,
    /// Hand its mail on: smtp://HOST[:PORT], smtps://HOST[:PORT], lmtp://HOST[:PORT], or mx (be its backup)
    #[arg(long, value_name = "WHERE", value_parser = relay_to)]
    pub relay_to: Option<Target>,
    /// The recipients it has: a file with an address a line, or verify (ask the next host) [default: verify]
    #[arg(long, value_name = "FILE|verify", requires = "relay_to")]
    pub recipients: Option<Recipients>,
    /// Another name for this domain
    #[arg(long, value_name = "DOMAIN", conflicts_with = "relay_to")]
    pub alias_of: Option<Domain>,
    /// The most that its accounts together may keep: a size, or none
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["relay_to", "alias_of"])]
    pub quota: Option<Quota>,
    /// The language of notifications, such as de
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
pub enum Dkim {
    /// Make a new key, and print its record; the old one stays valid until the new one is published
    #[command(after_help = "Example:\n  waypost domain dkim rotate example.org")]
    Rotate {
        #[arg(value_name = "DOMAIN")]
        domain: Domain,
    },
}
