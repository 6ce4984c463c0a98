//! `waypost import imap`: one account, or many from a file.

mod csv;

use super::imap::Imap;
use super::report::Report;
use super::transfer::Transfer;
use super::{How, administer};
use crate::cli::Global;
use crate::cli::values::Tls;
use crate::cli::values::{Dns, PasswordStdin};
use crate::client::imap::{Server, Settings};
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use admin::Client;
use csv::Row;
use futures_util::StreamExt as _;
use indicatif::ProgressBar;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which accounts, and where from.
#[derive(Debug, clap::Args)]
pub struct Remote {
    /// The server: imaps://HOST[:PORT], or imap://HOST[:PORT] for STARTTLS
    #[arg(long, value_name = "URL", required_unless_present = "csv", requires = "user")]
    pub server: Option<Server>,
    /// The name to log in with there
    #[arg(long, value_name = "USER", requires = "account")]
    pub user: Option<String>,
    #[command(flatten)]
    pub password: PasswordStdin,
    /// Whose mailbox here
    #[arg(long, value_name = "ADDRESS", requires = "server")]
    pub account: Option<Address>,
    /// Many accounts: lines of server,user,password,account; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "password_stdin"])]
    pub csv: Option<PathBuf>,
    /// Accounts of the file at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub jobs: u8,
    /// Take any certificate. Then nobody knows who reads along
    #[arg(long)]
    pub insecure: bool,
    #[command(flatten)]
    pub dns: Dns,
    #[command(flatten)]
    pub how: How,
}

pub(super) fn run(global: &Global, words: Remote, json: bool) -> Result<Exit, Failure> {
    let (rows, many) = match &words.csv {
        Some(path) => (csv::read(path)?, true),
        None => (vec![asked(&words)?], false),
    };
    administer::with_client(global, async move |client, config| {
        let dns = words.dns.dns.map_or_else(|| config.dns.servers.clone(), |named| vec![named]);
        let bar = output::progress(0, "importing", json);
        let one = |row: Row| account(client, &words, row, dns.clone(), &bar);
        let done: Vec<_> =
            futures_util::stream::iter(rows).map(one).buffered(usize::from(words.jobs)).collect().await;
        bar.finish_and_clear();
        if many { print_all(done, json) } else { print_one(done, json) }
    })
}

/// The account of the command line.
fn asked(words: &Remote) -> Result<Row, Failure> {
    let missing = || Failure::usage("say which account, with --server, --user and --account, or --csv");
    let (Some(server), Some(user), Some(account)) = (&words.server, &words.user, &words.account) else {
        return Err(missing());
    };
    let password = output::password(&format!("password of {user}"), words.password.password_stdin)?;
    Ok(Row { server: server.clone(), user: user.clone(), password, account: account.clone() })
}

async fn account(
    client: &Client,
    words: &Remote,
    row: Row,
    dns: Vec<SocketAddr>,
    bar: &ProgressBar,
) -> (Address, Result<Report, Failure>) {
    let Row { server, user, password, account } = row;
    let settings = Settings { server, tls: Tls::Auto, insecure: words.insecure, dns };
    let wanted = words.how.renames.iter().map(|rename| rename.old().to_owned()).collect();
    let mut source = Imap::new(settings, &user, password, wanted);
    let transfer = Transfer {
        client,
        account: account.clone(),
        placing: words.how.placing(),
        dry_run: words.how.dry_run,
        remove_gone: words.how.remove_gone,
        bar: bar.clone(),
    };
    let done = transfer.run(&mut source).await;
    (account, done)
}

fn print_one(done: Vec<(Address, Result<Report, Failure>)>, json: bool) -> Result<Exit, Failure> {
    let Some((_, report)) = done.into_iter().next() else { return Ok(Exit::Done) };
    let report = report?;
    if json {
        output::json(&report)?
    } else {
        report.print()?
    }
    Ok(report.exit())
}

/// One account that cannot be imported does not end the others.
fn print_all(done: Vec<(Address, Result<Report, Failure>)>, json: bool) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut reports = Vec::new();
    for (account, report) in done {
        let report = report.unwrap_or_else(|failure| {
            if failure.exit == Exit::TryAgain {
                exit = Exit::TryAgain;
            }
            Report { account: account.to_string(), stopped: Some(failure.to_string()), ..Report::default() }
        });
        reports.push(report);
    }
    if json {
        output::json(&reports)?;
    }
    for report in &reports {
        if !json {
            output::line(&report.account)?;
            report.print()?;
        }
        if exit == Exit::Done {
            exit = report.exit();
        }
    }
    Ok(exit)
}
