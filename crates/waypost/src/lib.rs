//! The program: command line, configuration, wiring.
//!
//! This is the topmost room. It alone reads flags and files of settings ([`cli`], [`config`]), and hands to the
//! crates below what they need as plain values. It must not know how anything works: no protocol, no SQL.
//!
//! A library so that its tests reach every part; the program itself is [`main`]: parse, run one command, turn its
//! [`exit::Failure`] into words and a status.
//!
//! ```
//! use waypost::cli::{Cli, Command};
//!
//! let cli = Cli::parse_words(["waypost", "check", "config", "--config", "waypost.toml"]).unwrap();
//! assert!(matches!(cli.command, Command::Check(_)));
//! ```

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
mod confine;
pub mod exit;
mod logging;
pub mod output;
pub mod privileges;
mod server;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these words, the first being its own name.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Mail, keys and logs are their owner's alone; what others need is opened where it is made.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match cli::Cli::parse_words(words) {
        Ok(cli) => {
            let json = cli.command.wants_json();
            exit::finish(cli::run(cli), json)
        }
        // Help and version go to standard output with status 0, the rest to standard error with status 2.
        Err(error) => error.exit(),
    }
}
