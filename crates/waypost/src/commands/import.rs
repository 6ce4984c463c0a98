//! `waypost import`: mail from elsewhere into mailboxes here, each message once, however often it is run.
//!
//! A [`source`] reads the other side and says what there is; [`transfer`] puts it into folders through the operations
//! of `admin`, in bounded batches, and keeps the account of it. What was brought is noted with the data, in the transaction
//! that brings it, by the key of the message at its source.

mod imap;
mod maildir;
mod mbox;
mod packed;
mod place;
mod remote;
mod report;
mod source;
mod transfer;

use super::administer;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use place::{Placing, Rename};
pub use remote::Remote;
use source::Source;
use std::path::PathBuf;
use transfer::Transfer;

const EXAMPLES: &str = "\
What was imported is remembered: run it again, and only what is new comes, with the flags that changed there since.

Examples:
  waypost import maildir /home/you/Maildir --account you@example.org
  waypost import mbox ~/mail/*.mbox --account you@example.org --folder Old
  waypost import imap --server imaps://imap.example.net --user you --account you@example.org";

/// Bring mail from elsewhere: Maildir, mbox, another IMAP server
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
    /// A Maildir with its folders, flags, keywords, subscriptions and dates, as Dovecot, Courier and mutt have it
    #[command(
        after_help = "Example:\n  waypost import maildir /var/vmail/you/Maildir --account you@example.org"
    )]
    Maildir {
        #[arg(value_name = "PATH")]
        path: PathBuf,
        #[command(flatten)]
        into: Target,
    },
    /// mbox files, or directories of them: a file is a folder
    #[command(
        after_help = "A file goes into a folder of its own name; INBOX, inbox and mbox go into INBOX.\n\n\
Example:\n  waypost import mbox /var/mail/you --account you@example.org --folder INBOX"
    )]
    Mbox {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        into: Target,
    },
    /// All folders of an account of an IMAP server, with flags, keywords, subscriptions and dates; nothing is changed there
    #[command(
        after_help = "Folders that only show messages of others (\\All, \\Flagged) are left out, unless --rename names them.\n\n\
Examples:\n  waypost import imap --server imaps://imap.example.net --user you --password-stdin --account you@example.org\n  \
waypost import imap --csv accounts.csv --jobs 8"
    )]
    Imap(Box<Remote>),
}

/// Where it goes.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// Whose mailbox
    #[arg(long, value_name = "ADDRESS")]
    pub account: Address,
    #[command(flatten)]
    pub how: How,
}

/// What is done with folders.
#[derive(Debug, Clone, clap::Args)]
pub struct How {
    /// Into this folder: its INBOX becomes it, the others go below it
    #[arg(long, value_name = "NAME")]
    pub folder: Option<String>,
    /// Put the folder OLD, and what is below it, into NEW
    #[arg(long = "rename", value_name = "OLD=NEW")]
    pub renames: Vec<Rename>,
    /// Leave this folder out, and what is below it
    #[arg(long, value_name = "NAME")]
    pub exclude: Vec<String>,
    /// Remove here what was brought before and has gone there since, unless it was changed or moved here
    #[arg(long)]
    pub remove_gone: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let json = args.json;
    match args.verb {
        Verb::Maildir { path, into } => local(global, into, json, maildir::Maildir::new(absolute(path)?)),
        Verb::Mbox { files, into } => {
            let files = files.into_iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
            let named = into.how.folder.is_some();
            local(global, into, json, mbox::Mbox::new(files, named))
        }
        Verb::Imap(words) => remote::run(global, *words, json),
    }
}

/// The name of a source must be the same wherever the command is run.
fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::no(format!("cannot use {}: {error}", path.display())))
}

/// From files into one account.
fn local(global: &Global, target: Target, json: bool, mut source: impl Source) -> Result<Exit, Failure> {
    administer::with_client_reading(global, async move |client, _| {
        let transfer = Transfer {
            client,
            account: target.account,
            placing: target.how.placing(),
            dry_run: target.how.dry_run,
            remove_gone: target.how.remove_gone,
            bar: output::progress(0, "importing", json),
        };
        let report = transfer.run(&mut source).await;
        transfer.bar.finish_and_clear();
        let report = report?;
        if json {
            output::json(&report)?
        } else {
            report.print()?
        }
        Ok(report.exit())
    })
}

impl How {
    fn placing(&self) -> Placing {
        Placing { under: self.folder.clone(), renames: self.renames.clone(), exclude: self.exclude.clone() }
    }
}
