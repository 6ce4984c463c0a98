//! `waypost send`: write a message and submit it, or try a server out step by step.

mod destination;
pub(crate) mod dialogue;
mod interactive;
pub(crate) mod letter;
mod report;

use crate::cli::Global;
use crate::cli::values::{self, Dns, Json, Notify, PasswordStdin, Ret, Server, Tls};
use crate::client::{self, Here};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use address::{Domain, ForwardPath, ReversePath};
use letter::{Envelope, Letter};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  waypost send --to you@example.org --subject Hello --body 'It works.'
  waypost send --from me@example.org --to you@example.org --attach report.pdf --server mail.example.org --auth me@example.org
  waypost send --to you@example.org --server mail.example.org --auth me@example.org --mechanism oauthbearer --password-stdin
  waypost send --raw message.eml --from '<>' --to you@example.org --server 127.0.0.1:1025 --trace
  waypost send --to probe@example.org --server mx.example.org:25 --trace --quit-after rcpt";

/// Write a message and submit it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The sender, in the envelope and in From; <> for none
    #[arg(long, value_name = "ADDRESS", value_parser = values::reverse_path)]
    pub from: Option<ReversePath>,
    /// A recipient; may be repeated
    #[arg(long, required = true, value_name = "ADDRESS", value_delimiter = ',', value_parser = values::forward_path)]
    pub to: Vec<ForwardPath>,
    /// A recipient of a copy; may be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = values::forward_path)]
    pub cc: Vec<ForwardPath>,
    /// A recipient of a copy whom the others do not see; may be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = values::forward_path)]
    pub bcc: Vec<ForwardPath>,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// The text [default: standard input, unless it is a terminal]
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// A file to attach; may be repeated
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// One more header field, as `Name: value`; may be repeated
    #[arg(long, value_name = "FIELD", value_parser = header_field)]
    pub header: Vec<(String, String)>,
    /// Send this file as it is; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "body", "attach", "header", "cc"])]
    pub raw: Option<PathBuf>,
    /// Send to this server: HOST[:PORT], smtp://, smtps://, lmtp://, unix:/path [default: the configured one, else dev's]
    #[arg(long, value_name = "SERVER")]
    pub server: Option<Server>,
    /// Log in as this user
    #[arg(long, value_name = "USER")]
    pub auth: Option<String>,
    #[command(flatten)]
    pub password: PasswordStdin,
    /// The mechanism to log in with [default: the best that both sides know]. With oauthbearer and xoauth2 the password
    /// asked for is a token
    #[arg(long, value_name = "NAME", requires = "auth", ignore_case = true)]
    pub mechanism: Option<Mechanism>,
    /// How to use TLS
    #[arg(long, value_enum, default_value_t)]
    pub tls: Tls,
    /// Take any certificate. Then nobody knows who reads along
    #[arg(long)]
    pub insecure: bool,
    /// The name to say in EHLO
    #[arg(long, value_name = "NAME")]
    pub helo: Option<Domain>,
    /// When to be notified: never, or some of success, failure and delay
    #[arg(long, value_enum, value_name = "WHEN", value_delimiter = ',', ignore_case = true)]
    pub notify: Vec<Notify>,
    /// How much of the message to return in a notification
    #[arg(long, value_enum, ignore_case = true)]
    pub ret: Option<Ret>,
    /// An identifier that notifications repeat
    #[arg(long, value_name = "ID")]
    pub envid: Option<String>,
    /// Send it this many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Show the dialogue, line by line, with timings
    #[arg(long)]
    pub trace: bool,
    /// Stop politely after this stage
    #[arg(long, value_enum, value_name = "STAGE", ignore_case = true)]
    pub quit_after: Option<Stage>,
    /// After the stage of --quit-after (or after EHLO and AUTH) let me go on typing
    #[arg(long)]
    pub interactive: bool,
    #[command(flatten)]
    pub dns: Dns,
    #[command(flatten)]
    pub json: Json,
}

impl Args {
    /// What clap cannot say: the lists that must hold together.
    pub fn check(&self) -> Result<(), String> {
        values::check_notify(&self.notify).map_err(|error| format!("--notify: {error}"))?;
        // xtext is added by the client; what it cannot carry at all is refused here (RFC 3461 §4.4).
        match &self.envid {
            Some(id)
                if id.is_empty() || id.len() > 100 || !id.bytes().all(|b| (b' '..=b'~').contains(&b)) =>
            {
                Err("--envid: must be 1 to 100 printable ASCII characters (RFC 3461 §4.4)".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The envelope's sender: who logs in, or who runs this, unless it is said.
    fn sender(&self, here: &Here) -> Result<ReversePath, Failure> {
        if let Some(from) = &self.from {
            return Ok(from.clone());
        }
        let login = self.auth.as_deref().and_then(|user| user.parse().ok());
        let own = login.or_else(|| here.address()).map(ReversePath::Address);
        own.ok_or_else(|| Failure::usage(format!("{:?} makes no address: give one with --from", here.user)))
    }
}

/// Carries it out.
pub fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    args.check().map_err(Failure::usage)?;
    if args.quit_after == Some(Stage::Auth) && args.auth.is_none() {
        return Err(Failure::usage("--quit-after auth: name a user with --auth"));
    }
    let config = configuration(global, args)?;
    let here = Here::new(config.as_ref());
    let destination = destination::choose(args, config.as_ref(), &here)?;
    let sender = args.sender(&here)?;
    // From must name somebody, whatever the envelope says (RFC 5322 §3.6.2).
    let author = sender.address().cloned().or_else(|| here.address());
    let author = author.ok_or_else(|| Failure::usage("--from: name somebody for the From field"))?;
    let letter = Letter::new(args, &author, &here)?;
    let envelope = Envelope::new(args, sender)?;
    client::block_on(dialogue::run(args, &here, destination, &letter, &envelope))
}

/// A server that is named needs no configuration, and does not fail for a wrong one that nobody named.
fn configuration(global: &Global, args: &Args) -> Result<Option<Config>, Failure> {
    match global.load_if_any() {
        Ok(found) => Ok(found.map(|(_, config)| config)),
        Err(_) if args.server.is_some() && global.config.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where a dialogue may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Stage {
    /// The greeting
    #[value(alias = "banner", alias = "greeting")]
    Connect,
    #[value(alias = "helo", alias = "lhlo")]
    Ehlo,
    /// STARTTLS and the EHLO after it
    #[value(alias = "tls")]
    Starttls,
    Auth,
    #[value(alias = "from")]
    Mail,
    #[value(alias = "to")]
    Rcpt,
    /// The 354 to DATA; the connection is then closed
    Data,
}

impl Stage {
    /// As `--quit-after` names it.
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Ehlo => "ehlo",
            Self::Starttls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
        }
    }
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mechanism {
    Plain,
    Login,
    #[value(name = "cram-md5")]
    CramMd5,
    #[value(name = "scram-sha-1")]
    ScramSha1,
    #[value(name = "scram-sha-1-plus")]
    ScramSha1Plus,
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[value(name = "scram-sha-256-plus")]
    ScramSha256Plus,
    External,
    Xoauth2,
    Oauthbearer,
}

/// Splits `Name: value`, refusing what would break the header (RFC 5322 §2.2).
fn header_field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    if name.is_empty() || !name.bytes().all(|b| (33..=126).contains(&b)) {
        return Err(format!("{name:?} is no name of a header field"));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err("the value must be one line".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}
