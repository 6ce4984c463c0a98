//! `waypost export`: mailboxes into files that other programs read. What is there already is not written again.

mod maildir;
mod mbox;
mod messages;
mod report;

use super::administer;
use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::{output, privileges};
use address::Address;
use admin::export;
use messages::Messages;
use report::{FolderReport, Report};
use std::path::PathBuf;
use store::mailbox::Mailbox;

const EXAMPLES: &str = "\
Run it again, and only what is new is written: messages of a Maildir, files of mbox.

Examples:
  waypost export maildir /srv/export/you --account you@example.org
  waypost export mbox archive --account you@example.org --folder Archive";

/// Write mailboxes into files: Maildir, mbox
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
    /// A Maildir as Dovecot has it (Maildir++), with folders, flags, keywords, subscriptions and dates
    #[command(after_help = "Example:\n  waypost export maildir /srv/export/you --account you@example.org")]
    Maildir(What),
    /// A directory with an mbox file for each folder, with flags, keywords and dates
    #[command(
        after_help = "Example:\n  waypost export mbox archive --account you@example.org --folder Archive"
    )]
    Mbox(What),
}

#[derive(Debug, clap::Args)]
pub struct What {
    /// The directory; made if it is missing
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
    /// Whose mailbox
    #[arg(long, value_name = "ADDRESS")]
    pub account: Address,
    /// Only this folder, and what is below it
    #[arg(long, value_name = "NAME")]
    pub folder: Vec<String>,
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let (What { target, account, folder: wanted }, as_mbox) = match args.verb {
        Verb::Maildir(what) => (what, false),
        Verb::Mbox(what) => (what, true),
    };
    let json = args.json;
    let (_, config) = global.load()?;
    privileges::make_for(&target, config.user.as_deref())?;
    administer::with_client(global, async move |client, _| {
        let all = client.call(export::Folders { account: account.clone() }).await?;
        let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| is_in(name, one));
        let folders: Vec<Mailbox> =
            all.folders.into_iter().filter(|folder| is_wanted(&folder.name)).collect();
        if folders.is_empty() {
            return Err(Failure::no("there is no such folder; `waypost mail list --folders` shows them"));
        }
        let count = folders.iter().map(|folder| folder.messages).sum();
        let bar = output::progress(count, "exporting", json);
        let mut report = Report { account: account.to_string(), ..Report::default() };
        for folder in folders {
            let messages = Messages { client, account: &account, folder: &folder };
            let one = if as_mbox {
                mbox::write(&target, &messages, &bar).await?
            } else {
                maildir::write(&target, &messages, &bar, &mut report.differences).await?
            };
            report.folders.push(one);
        }
        bar.finish_and_clear();
        if !as_mbox {
            let names = all.subscriptions.iter().filter(|name| is_wanted(name));
            maildir::subscribe(&target, names.map(String::as_str))?;
        }
        if json {
            output::json(&report)?
        } else {
            report.print()?
        }
        Ok(report.exit())
    })
}

/// Whether a folder is this one or below it.
pub(super) fn is_in(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
