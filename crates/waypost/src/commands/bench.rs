//! `waypost bench`: a load generator and a sink, for SMTP.

use crate::cli::values::{self, PasswordStdin, Server, Tls};
use address::Address;
use std::net::SocketAddr;

const EXAMPLES: &str = "\
Examples:
  waypost bench sink --listen 127.0.0.1:2526
  waypost bench --server 127.0.0.1:1025 --connections 20 --messages 10000 --size '4 KiB'
  waypost bench --server 127.0.0.1:1587 --auth dev@localhost --password-stdin --tls starttls --insecure --rate 100 --json";

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
    #[command(after_help = "Example:\n  waypost bench sink --listen 127.0.0.1:2526")]
    Sink(Sink),
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
    /// Messages a second at most [default: as many as it takes]
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
