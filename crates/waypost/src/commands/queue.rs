//! `waypost queue`: what is waiting to leave, and why.

use crate::cli::values;
use address::{Address, Domain};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  waypost queue
  waypost queue list --domain example.org
  waypost queue show 01J8Z3K7
  waypost queue retry --domain example.org
  waypost queue drop --sender spammer@example.org --yes";

/// See and change what is waiting to be delivered
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// [default: summary]
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// How much is waiting for whom, grouped by provider and reply
    #[command(after_help = "Example:\n  waypost queue summary --json")]
    Summary,
    /// The messages that wait
    #[command(after_help = "Example:\n  waypost queue list --state deferred --older-than '4 h'")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// One message: envelope, each recipient's state and next attempt
    #[command(after_help = "Example:\n  waypost queue show 01J8Z3K7")]
    Show {
        #[arg(value_name = "ID")]
        id: String,
        /// The message as it was received, instead
        #[arg(long)]
        source: bool,
    },
    /// Try again now
    #[command(after_help = "Example:\n  waypost queue retry --domain example.org")]
    Retry(Selection),
    /// Keep back until released
    #[command(after_help = "Example:\n  waypost queue hold 01J8Z3K7")]
    Hold(Selection),
    /// Let go what was held
    #[command(after_help = "Example:\n  waypost queue release --all")]
    Release(Selection),
    /// Give up, and tell the sender
    #[command(after_help = "Example:\n  waypost queue bounce 01J8Z3K7")]
    Bounce(Selection),
    /// Remove without telling the sender; the trail says who did it
    #[command(after_help = "Example:\n  waypost queue drop --sender spammer@example.org --yes")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which messages: those that every one of the given filters lets through.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// From this sender
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<Address>,
    /// To this recipient
    #[arg(long, value_name = "ADDRESS")]
    pub recipient: Option<Address>,
    /// To recipients of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<Domain>,
    /// In this state
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// Waiting for longer than this
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub older_than: Option<Duration>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        let Self { sender, recipient, domain, state, older_than } = self;
        sender.is_none() && recipient.is_none() && domain.is_none() && state.is_none() && older_than.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Never tried, or being tried
    Active,
    /// Tried, and will be again
    Deferred,
    /// Kept back
    Held,
}

/// Which messages to change: by id, by filter, or all. One of them must be given, lest a slip changes everything.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["ids", "all", "sender", "recipient", "domain", "state", "older_than"]))]
pub struct Selection {
    #[arg(value_name = "ID", conflicts_with_all = ["all", "sender", "recipient", "domain", "state", "older_than"])]
    pub ids: Vec<String>,
    /// Everything in the queue
    #[arg(long, conflicts_with_all = ["sender", "recipient", "domain", "state", "older_than"])]
    pub all: bool,
    #[command(flatten)]
    pub filter: Filter,
}
