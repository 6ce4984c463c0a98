//! `waypost dev`: everything on loopback, for people who develop against a mail server.

use std::path::PathBuf;

const EXAMPLES: &str = "\
Ports, each plus the offset: SMTP 1025, submission 1587 and 1465, IMAP 1143 and 1993, POP3 1110 and 1995,
ManageSieve 14190, HTTP 8025. Mailbox: dev@localhost, password: dev.

Examples:
  waypost dev
  waypost dev --dir /tmp/mail --port-offset 10000";

/// Run everything on loopback, on high ports, and capture every message
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Keep the data here [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Add this to every port
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=51_345))]
    pub port_offset: u16,
}
