//! The command line: its grammar, and which command does the work.
//!
//! Each command's words are in `commands/<name>.rs` beside the code that carries them out. The words are a
//! contract (DESIGN.md): they may be added to, not changed.

#[cfg(test)]
mod tests;
pub mod values;

use crate::commands::{
    account, alias, backup, bench, check, completions, decode, dev, domain, export, import, mail, queue,
    quickstart, restore, send, sendmail, serve, sign, trail,
};
use crate::config::{Config, Error};
use crate::exit::{Exit, Failure};
use clap::{Args, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  waypost dev                                a mail system on loopback, to try things with
  waypost quickstart you@example.org         everything for a domain of your own
  waypost serve
  waypost send --to you@example.org --subject Hello --body 'It works.'

Exit status: 0 done, 1 the answer is \"no\" or a check failed, 2 wrong usage, 75 try again later.";

/// A complete mail system in one program.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, after_help = EXAMPLES, propagate_version = false, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes, before or after its words.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The configuration file [default: waypost.toml in $WAYPOST_HOME, here, or in /etc/waypost]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Global {
    /// Finds, reads and checks the configuration.
    pub fn load(&self) -> Result<(PathBuf, Config), Error> {
        Config::load(self.config.as_deref())
    }

    /// As [`Global::load`] for a command that can do without: none when no file was named and none is found.
    pub fn load_if_any(&self) -> Result<Option<(PathBuf, Config)>, Error> {
        match self.load() {
            Err(Error::NotFound(_)) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    Dev(dev::Args),
    Quickstart(quickstart::Args),
    Serve(serve::Args),
    Send(Box<send::Args>),
    Sendmail(sendmail::Args),
    Mail(mail::Args),
    Queue(queue::Args),
    Trail(trail::Args),
    Domain(domain::Args),
    Account(account::Args),
    Alias(alias::Args),
    Check(check::Args),
    Decode(decode::Args),
    Sign(Box<sign::Args>),
    Import(import::Args),
    Export(export::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Bench(Box<bench::Args>),
    Completions(completions::Args),
}

impl Command {
    /// Whether `--json` was among its words.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Account(args) => args.json,
            Self::Alias(args) => args.json,
            Self::Backup(args) => args.json.json,
            Self::Bench(args) => args.wants_json(),
            Self::Check(args) => args.json,
            Self::Decode(args) => args.json,
            Self::Domain(args) => args.json,
            Self::Export(args) => args.json,
            Self::Import(args) => args.json,
            Self::Mail(args) => args.json,
            Self::Queue(args) => args.json,
            Self::Quickstart(args) => args.json.json,
            Self::Restore(args) => args.json.json,
            Self::Send(args) => args.json.json,
            Self::Trail(args) => args.json.json,
            Self::Completions(_) | Self::Dev(_) | Self::Sendmail(_) | Self::Serve(_) | Self::Sign(_) => false,
        }
    }
}

impl Cli {
    /// Parses words of which the first is the program's own name: called as `sendmail`, `mailq` or `newaliases`, the program is
    /// that.
    pub fn parse_words<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Result<Self, clap::Error> {
        let words = as_sendmail(words.into_iter().map(Into::into).collect());
        let matches = <Self as clap::CommandFactory>::command().try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }
}

/// The words as they would have been with the program's own name first.
fn as_sendmail(words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().and_then(|word| Path::new(word).file_name()).and_then(|name| name.to_str());
    let mode: &[&str] = match name {
        Some("sendmail") => &[],
        Some("mailq") => &["-bp"],
        Some("newaliases") => &["-bi"],
        _ => return words,
    };
    let start = ["waypost", "sendmail"].iter().chain(mode).map(OsString::from);
    start.chain(words.into_iter().skip(1)).collect()
}

/// Carries out the command.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Account(args) => account::run(&cli.global, args),
        Command::Alias(args) => alias::run(&cli.global, args),
        Command::Domain(args) => domain::run(&cli.global, args),
        Command::Mail(args) => mail::run(&cli.global, args),
        Command::Queue(args) => queue::run(&cli.global, args),
        Command::Trail(args) => trail::run(&cli.global, args),
        Command::Check(args) => check::run(&cli.global, args),
        Command::Decode(args) => decode::run(&cli.global, &args),
        Command::Sign(args) => sign::run(&cli.global, &args),
        Command::Import(args) => import::run(&cli.global, args),
        Command::Export(args) => export::run(&cli.global, args),
        Command::Backup(args) => backup::run(&cli.global, args),
        Command::Restore(args) => restore::run(&cli.global, args),
        Command::Completions(args) => completions::run(&args),
        Command::Dev(args) => dev::run(&args),
        Command::Serve(_) => serve::run(&cli.global),
        Command::Quickstart(args) => quickstart::run(&args),
        Command::Send(args) => send::run(&cli.global, &args),
        Command::Sendmail(args) => sendmail::run(&cli.global, &args),
        Command::Bench(args) => bench::run(&args),
    }
}
