//! `waypost mail`: read mailboxes, over the control socket or over POP3.

use crate::cli::values::{Server, Tls};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Without --server it reads the mailboxes of this machine, for administrators. Message ids are those that `list` prints.

Examples:
  waypost mail list --user you@example.org
  waypost mail show 7 --user you@example.org
  waypost mail search invoice --user you@example.org --folder Archive
  waypost mail save 7 --user you@example.org --dir attachments
  waypost mail list --server pop.example.org:995 --user you@example.org --password-stdin";

/// List, show, search and save messages
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
    /// Read over POP3 from this server instead
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub server: Option<Server>,
    /// Whose mail; with --server, the name to log in with
    #[arg(long, global = true, visible_alias = "account", value_name = "ADDRESS")]
    pub user: Option<String>,
    /// Read the password from standard input: one line, its end removed
    #[arg(long, global = true)]
    pub password_stdin: bool,
    /// How to use TLS with --server
    #[arg(long, global = true, value_enum, default_value_t)]
    pub tls: Tls,
    /// Take any certificate. Then nobody knows who reads along
    #[arg(long, global = true)]
    pub insecure: bool,
    /// The folder
    #[arg(long, global = true, value_name = "NAME", default_value = "INBOX")]
    pub folder: String,
    /// Ask this name server instead of the configured ones
    #[arg(long, global = true, value_name = "ADDRESS[:PORT]", value_parser = crate::config::name_server)]
    pub dns: Option<std::net::SocketAddr>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The messages of a folder, newest first
    #[command(after_help = "Example:\n  waypost mail list --user you@example.org --limit 20")]
    List {
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// The folders, instead of the messages of one
        #[arg(long)]
        folders: bool,
    },
    /// One message: decoded header and text, and a list of its attachments
    #[command(after_help = "Example:\n  waypost mail show 7 --user you@example.org --source")]
    Show {
        #[arg(value_name = "ID")]
        id: String,
        /// The message as it was received, instead
        #[arg(long, conflicts_with = "headers")]
        source: bool,
        /// All header fields, instead of those for people
        #[arg(long)]
        headers: bool,
    },
    /// The messages that have all of these words in header or text
    #[command(after_help = "Example:\n  waypost mail search invoice 2026 --user you@example.org")]
    Search {
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Write attachments, or the whole message, into files
    #[command(after_help = "Example:\n  waypost mail save 7 --user you@example.org --dir attachments")]
    Save {
        #[arg(value_name = "ID")]
        id: String,
        /// Into this folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
        /// Only the attachment of this number, as `show` prints it
        #[arg(long, value_name = "N")]
        part: Option<u32>,
        /// The message as it was received, instead
        #[arg(long, conflicts_with = "part")]
        source: bool,
    },
}
