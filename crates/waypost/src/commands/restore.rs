//! `waypost restore`: what `waypost backup` copied, as data again.

mod moment;
mod sink;

use super::administer;
use crate::cli::{Global, values::Json};
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::{output, privileges};
use address::Address;
use backup::{AccountReport, Repository, Snapshot, WholeReport};
use serde::Serialize;
use sink::Served;
use std::path::PathBuf;
use store::backup::{Loaded, QueueFate};

const EXAMPLES: &str = "\
Without --account all data is made again, where there is none: UIDs, flags, keywords, dates, passwords, domains, aliases, keys. What
was in the queue is held until you release or drop it, as it may have been delivered since.

With --account mail that is missing is put back, while the server runs; what is there stays as it is and is not doubled.

Examples:
  waypost restore /srv/backup
  waypost restore /srv/backup --list
  waypost restore /srv/backup --at 2026-03-31 --account you@example.org
  waypost restore /srv/backup --account you@example.org --folder Archive";

/// Make data again from back-ups: all of it, or mail of one account
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The directory that `waypost backup` wrote
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// As it was at that time: the newest back-up from then or before [default: the newest]
    ///
    /// As `--list` prints it, as `at` in its `--json`, or less exactly: a time without seconds is all of its minute, a day
    /// alone all of it, and what has no zone is a time of here.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub at: Option<i64>,
    /// Only say which back-ups there are
    #[arg(long, conflicts_with_all = ["at", "account", "queue"])]
    pub list: bool,
    /// Only mail of this account, into the account that there is
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<Address>,
    /// Only this folder, and what is below it
    #[arg(long = "folder", value_name = "NAME", requires = "account")]
    pub folders: Vec<String>,
    /// What becomes of messages that were in the queue [default: hold]
    #[arg(long, value_name = "WHAT", conflicts_with = "account")]
    pub queue: Option<Queue>,
    #[command(flatten)]
    pub json: Json,
}

/// They may have been delivered since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Queue {
    /// Kept until `waypost queue release` or `drop`
    Hold,
    /// Sent, perhaps for the second time
    Send,
    /// Forgotten
    Drop,
}

impl From<Queue> for QueueFate {
    fn from(queue: Queue) -> Self {
        match queue {
            Queue::Hold => Self::Hold,
            Queue::Send => Self::Send,
            Queue::Drop => Self::Drop,
        }
    }
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    match &args.account {
        _ if args.list => list(global, &args),
        Some(account) => one_account(global, &args, account.clone()),
        None => whole(global, &args),
    }
}

#[derive(Debug, Serialize)]
struct Listed {
    at: i64,
    accounts: u64,
    folders: u64,
    messages: u64,
    octets: u64,
    queued: u64,
}

impl From<&Snapshot> for Listed {
    fn from(snapshot: &Snapshot) -> Self {
        let Snapshot { at, accounts, folders, messages, octets, queued, .. } = *snapshot;
        Self { at, accounts, folders, messages, octets, queued }
    }
}

fn list(global: &Global, args: &Args) -> Result<Exit, Failure> {
    if let Some((_, config)) = global.load_if_any()? {
        privileges::become_reader(config.user.as_deref())?;
    }
    let found = Repository::read(&args.folder)?.snapshots()?;
    if args.json.json {
        output::json(&found.good.iter().map(Listed::from).collect::<Vec<_>>())?;
    } else {
        let rows = found.good.iter().map(|one| {
            let counts = [one.accounts, one.folders, one.messages, one.queued].map(|count| count.to_string());
            let [accounts, folders, messages, queued] = counts;
            [output::exact_moment(one.at), accounts, folders, messages, show_size(one.octets), queued]
        });
        output::table(["TIME", "ACCOUNTS", "FOLDERS", "MESSAGES", "SIZE", "QUEUED"], rows)?;
    }
    found.damaged.iter().for_each(|what| output::warn(&format!("{what} is damaged")));
    Ok(if found.damaged.is_empty() { Exit::Done } else { Exit::No })
}

/// Without the server: it must not run, as there is no data.
fn whole(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let (_, config) = global.load()?;
    privileges::make_for(&config.data, config.user.as_deref())?;
    privileges::become_reader(config.user.as_deref())?;
    let repository = Repository::read(&args.folder)?;
    let snapshot = repository.snapshot_at(args.at)?;
    let bar = output::progress(snapshot.messages, "restoring", args.json.json);
    let queue = args.queue.map_or(QueueFate::Hold, Into::into);
    let report = backup::whole(&repository, &snapshot, &config.data, queue, &|read, of| {
        bar.set_length(of);
        bar.set_position(read);
    });
    bar.finish_and_clear();
    let report = report?;
    if args.json.json {
        output::json(&report)?;
    } else {
        print_whole(&report, queue)?;
    }
    let good = report.damaged.is_empty() && report.loaded.without_body == 0;
    Ok(if good { Exit::Done } else { Exit::No })
}

fn print_whole(report: &WholeReport, queue: QueueFate) -> Result<(), Failure> {
    let Loaded { accounts, folders, messages, queued, without_body } = &report.loaded;
    let at = output::exact_moment(report.at);
    output::line(&format!(
        "{messages} messages, {folders} folders, {accounts} accounts, as they were at {at}"
    ))?;
    if *queued > 0 && queue == QueueFate::Hold {
        output::line(&format!(
            "{queued} recipients of messages in the queue are held: they may have been delivered since; see `waypost queue list`, then `waypost queue release` or `drop`"
        ))?;
    }
    for what in &report.damaged {
        output::line(&format!("wrong: {what} is damaged"))?;
    }
    if *without_body > 0 {
        output::line(&format!("{without_body} messages are left out: their bodies are missing or damaged"))?;
    }
    Ok(())
}

fn one_account(global: &Global, args: &Args, account: Address) -> Result<Exit, Failure> {
    let (folder, wanted, json) = (args.folder.clone(), args.folders.clone(), args.json.json);
    let at = args.at;
    administer::with_client_reading(global, async move |client, _| {
        let repository = Repository::read(&folder)?;
        let snapshot = repository.snapshot_at(at)?;
        let sink = Served { client, account: &account, anywhere: wanted.is_empty() };
        let bar = output::progress(0, "restoring", json);
        let progress = |read, of| {
            bar.set_length(of);
            bar.set_position(read);
        };
        let is_wanted =
            |name: &str| wanted.is_empty() || wanted.iter().any(|one| super::export::is_in(name, one));
        let report = backup::account(&repository, &snapshot, &account, is_wanted, &sink, &progress).await;
        bar.finish_and_clear();
        let report = report?;
        if json {
            output::json(&report)?;
        } else {
            print_account(&report)?;
        }
        Ok(if report.failed.is_empty() { Exit::Done } else { Exit::No })
    })
}

fn print_account(report: &AccountReport) -> Result<(), Failure> {
    let rows = report.folders.iter().map(|one| {
        let counts = [one.messages, one.restored, one.known, one.failed].map(|count| count.to_string());
        let [messages, restored, known, failed] = counts;
        [one.folder.clone(), messages, restored, known, failed]
    });
    output::table(["FOLDER", "BACKED UP", "RESTORED", "THERE", "FAILED"], rows)?;
    report.failed.iter().try_for_each(|what| output::line(&format!("failed: {}", output::printable(what))))
}
