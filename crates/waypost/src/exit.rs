//! How a command ends: with an [`Exit`], or with a [`Failure`] that says why not.

use std::fmt;
use std::process::ExitCode;

/// The exit status of the program: a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is "no", or a check failed.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// It may work later (EX_TEMPFAIL of sysexits).
    TryAgain = 75,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work: what was wrong, where, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// It did not work, and will not until something is changed: status 1.
    pub fn no(message: impl Into<String>) -> Self {
        Self::new(Exit::No, message)
    }

    /// The command was called wrongly: status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// It may work later: status 75.
    pub fn try_again(message: impl Into<String>) -> Self {
        Self::new(Exit::TryAgain, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<crate::config::Error> for Failure {
    fn from(error: crate::config::Error) -> Self {
        Self::no(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::no(error.to_string())
    }
}

/// The status for the shell, after the reason has been told on standard error; with `json` as a document on standard
/// output too, unless the command was called wrongly or has printed its own.
pub fn finish(result: Result<Exit, Failure>, json: bool) -> ExitCode {
    let exit = result.unwrap_or_else(|failure| {
        use std::io::Write as _;
        if json && failure.exit != Exit::Usage && !crate::output::has_document() {
            // What cannot be written there is still told below.
            let _ = crate::output::json(&serde_json::json!({ "error": failure.message }));
        }
        // A standard error that is closed is no reason to panic.
        let _ = writeln!(std::io::stderr(), "waypost: {failure}");
        failure.exit
    });
    exit.into()
}
