//! A private Dovecot to measure beside, by the script of the project's peers: Maildir, and fsync as it comes.

use super::Context;
use super::load::wait;
use super::postfix::{allow_others, free_place};
use crate::Error;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Of every user; there is one by any name.
pub(super) const PASSWORD: &str = "pass";

/// Running; dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Dovecot {
    script: PathBuf,
    folder: TempDir,
    pub(super) imap: SocketAddrV4,
    pub(super) lmtp: SocketAddrV4,
}

impl Dovecot {
    pub(super) fn start(context: &Context<'_>) -> Result<Self, Error> {
        let script = context.peers.join("dovecot");
        let folder = tempfile::tempdir()?;
        allow_others(folder.path())?;
        let dovecot = Self { script, folder, imap: free_place()?, lmtp: free_place()? };
        dovecot.run("up", &[dovecot.imap.port().to_string(), dovecot.lmtp.port().to_string()])?;
        Ok(dovecot)
    }

    /// The process that all others come from. It says so somewhat after it began to listen.
    pub(super) fn id(&self) -> Result<u32, Error> {
        let file = self.place().join("run/master.pid");
        let read = || std::fs::read_to_string(&file).ok()?.trim().parse().ok();
        wait("Dovecot's process id", || read().is_some())?;
        read().ok_or_else(|| Error::Stuck(format!("{} has no process", file.display())))
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("dovecot")
    }

    fn run(&self, verb: &str, more: &[String]) -> Result<(), Error> {
        let mut command = Command::new(&self.script);
        command.arg(verb).arg(self.place()).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        let missing =
            |error| Error::Stuck(format!("{}: {error}; say where with --peers", self.script.display()));
        let status = command.status().map_err(missing)?;
        if status.success() { Ok(()) } else { Err(Error::Stuck(format!("dovecot {verb}: {status}"))) }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let _ = self.run("down", &[]);
    }
}
