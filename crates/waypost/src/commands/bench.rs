//! `waypost bench`: a load generator and a sink, for SMTP.
//!
//! [`generator`] sends by a [`plan`] made of the words, [`sink`] takes; each counts in its [`report`]. Latency is
//! the time from a transaction's first octet, or from when the message was due, to the reply that ended it, in a
//! [`histogram`]. Both need no
//! configuration and know nothing of Waypost's own server: any will do.

mod generator;
mod histogram;
mod letter;
mod plan;
mod report;
mod sink;
#[cfg(test)]
mod tests;

use crate::cli::values::{self, PasswordStdin, Server, Tls};
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use std::net::SocketAddr;

const EXAMPLES: &str = "\
Examples:
  waypost bench sink --listen 127.0.0.1:2526
  waypost bench --server 127.0.0.1:1025 --connections 20 --messages 10000 --size '4 KiB'
  waypost bench --server 127.0.0.1:1587 --auth dev@localhost --password-stdin --tls starttls --insecure --rate 100 --json

Latency is the time from the first octet of a transaction (MAIL), on a connection that stands, to the reply to the end of its
message; of accepted messages only. With --rate it begins when the message was due, if all connections were busy then, so that
a server which stalls is charged for all who waited; connecting, TLS and the login count then, too. docs/performance.md has the
keys of --json.";

const SINK_EXAMPLES: &str = "\
The sink has neither TLS nor AUTH: to load a server with these, send to one that delivers to the sink.

Example:
  waypost bench sink --listen 127.0.0.1:2526";

/// Measure a server: send it messages, or take them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Option<Verb>,
    #[command(flatten)]
    pub load: Load,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Take and forget every message, and count them
    #[command(after_help = SINK_EXAMPLES)]
    Sink(Sink),
}

impl Args {
    pub(crate) fn wants_json(&self) -> bool {
        match &self.verb {
            Some(Verb::Sink(sink)) => sink.json.json,
            None => self.load.json.json,
        }
    }
}

/// What to send. Present unless a verb is.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The server to send to: HOST[:PORT], smtp://, smtps://, lmtp://, unix:/path
    #[arg(long, required = true, value_name = "SERVER")]
    pub server: Option<Server>,
    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Messages in all
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,
    /// Messages a second at most, in even steps [default: as many as it takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// The size of each
    #[arg(long, value_name = "SIZE", default_value = "4 KiB", value_parser = values::size)]
    pub size: u64,
    /// Recipients of each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub recipients: u32,
    /// The sender
    #[arg(long, value_name = "ADDRESS", default_value = "bench@localhost")]
    pub from: Address,
    /// The recipient; with more than one, its local part is numbered
    #[arg(long, value_name = "ADDRESS", default_value = "dev@localhost")]
    pub to: Address,
    /// How to use TLS
    #[arg(long, value_enum, default_value_t)]
    pub tls: Tls,
    /// Take any certificate
    #[arg(long)]
    pub insecure: bool,
    /// Log in as this user
    #[arg(long, value_name = "USER")]
    pub auth: Option<String>,
    #[command(flatten)]
    pub password: PasswordStdin,
    /// Keep each connection for many messages
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub dns: values::Dns,
    #[command(flatten)]
    pub json: values::Json,
}

#[derive(Debug, clap::Args)]
pub struct Sink {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2526")]
    pub listen: SocketAddr,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    #[command(flatten)]
    pub json: values::Json,
}

/// Carries it out.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    // All the cores: what is to be measured is the other side.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_again(format!("cannot begin: {error}")))?;
    match &args.verb {
        Some(Verb::Sink(sink)) => runtime.block_on(run_sink(sink)),
        None => runtime.block_on(run_load(&args.load)),
    }
}

async fn run_load(load: &Load) -> Result<Exit, Failure> {
    let plan = plan::Plan::new(load).await?;
    let bar = output::progress(plan.messages, "sending", load.json.json);
    let report = generator::run(plan, &bar, interrupted()).await;
    bar.finish_and_clear();
    if load.json.json {
        output::json(&report)?
    } else {
        report.print()?
    }
    Ok(report.exit())
}

async fn run_sink(words: &Sink) -> Result<Exit, Failure> {
    let sink = sink::Sink::bind(words.listen)?;
    if !words.json.json {
        output::line(&format!("listening on {}; Ctrl-C ends it", sink.local()))?;
    }
    let report = sink.run(words.messages, interrupted()).await;
    if words.json.json {
        output::json(&report)?
    } else {
        report.print()?
    }
    Ok(Exit::Done)
}

/// Ctrl-C, or SIGTERM, with which scripts end what they began.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
