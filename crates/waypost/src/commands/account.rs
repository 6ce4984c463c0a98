//! `waypost account`: the people who have a mailbox here.

use crate::cli::values::{PasswordStdin, Quota};
use address::{Address, Domain};

const EXAMPLES: &str = "\
Examples:
  waypost account add you@example.org
  waypost account list --domain example.org
  waypost account password you@example.org --password-stdin
  waypost account app-password you@example.org --name phone
  waypost account quota you@example.org '5 GiB'";

/// Add, list, show, change and remove accounts
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
    /// Make an account
    #[command(
        after_help = "Example:\n  waypost account add you@example.org --name 'Your Name' --quota '5 GiB'"
    )]
    Add(Add),
    /// All accounts
    #[command(after_help = "Example:\n  waypost account list --domain example.org")]
    List {
        /// Of this domain
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<Domain>,
    },
    /// One account
    #[command(after_help = "Example:\n  waypost account show you@example.org")]
    Show {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// Remove an account and all its mail
    #[command(after_help = "Example:\n  waypost account remove you@example.org --yes")]
    Remove {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Set a new password
    #[command(after_help = "Example:\n  waypost account password you@example.org --password-stdin")]
    Password {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        #[command(flatten)]
        password: PasswordStdin,
        /// Also keep it so that CRAM-MD5 works, which needs it readable
        #[arg(long)]
        cram_md5: bool,
    },
    /// Make a password for one program, and print it once
    #[command(after_help = "\
Examples:
  waypost account app-password you@example.org --name phone
  waypost account app-password you@example.org --list
  waypost account app-password you@example.org --remove phone")]
    AppPassword {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// What it is for
        #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "remove"])]
        name: Option<String>,
        /// The names of those there are, instead
        #[arg(long, conflicts_with = "remove")]
        list: bool,
        /// Take this one away, instead
        #[arg(long, value_name = "NAME")]
        remove: Option<String>,
    },
    /// Let it log in and send again
    #[command(after_help = "Example:\n  waypost account enable you@example.org")]
    Enable {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// Stop it from logging in and sending; its mail is kept
    #[command(after_help = "Example:\n  waypost account disable you@example.org")]
    Disable {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// The most it may keep
    #[command(after_help = "Example:\n  waypost account quota you@example.org '5 GiB'")]
    Quota {
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// A size, or none
        #[arg(value_name = "SIZE")]
        quota: Quota,
    },
}

#[derive(Debug, clap::Args)]
pub struct Add {
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// The person's name
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The most it may keep: a size, or none
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<Quota>,
    /// The language of notifications, such as de [default: the domain's]
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    #[command(flatten)]
    pub password: PasswordStdin,
    /// Also keep the password so that CRAM-MD5 works, which needs it readable
    #[arg(long)]
    pub cram_md5: bool,
}
