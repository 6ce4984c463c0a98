//! A private Postfix to measure beside, by the script of the project's peers.

use super::Context;
use crate::{Error, free_port};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Running; dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Postfix {
    script: PathBuf,
    folder: TempDir,
    pub(super) smtp: SocketAddrV4,
    /// Where it relays everything to.
    pub(super) sink: SocketAddrV4,
}

impl Postfix {
    /// With STARTTLS and a certificate when `tls`.
    pub(super) fn start(context: &Context<'_>, tls: bool) -> Result<Self, Error> {
        let script = context.peers.join("postfix");
        let folder = tempfile::tempdir()?;
        let (smtp, sink) = (free_place()?, free_place()?);
        let postfix = Self { script, folder, smtp, sink };
        allow_others(postfix.folder.path())?;
        let ports = [smtp.port().to_string(), sink.port().to_string()];
        postfix.run(if tls { "tls" } else { "up" }, &ports)?;
        Ok(postfix)
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("postfix")
    }

    /// Gives another server its certificate and key, so that both do the same work.
    pub(super) fn share_certificate(&self, with: &Path) -> Result<(), Error> {
        for name in ["cert.pem", "key.pem"] {
            std::fs::copy(self.place().join("etc").join(name), with.join(name))?;
        }
        Ok(())
    }

    fn run(&self, verb: &str, more: &[String]) -> Result<(), Error> {
        let mut command = Command::new(&self.script);
        command.arg(verb).arg(self.place()).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        let missing =
            |error| Error::Stuck(format!("{}: {error}; say where with --peers", self.script.display()));
        let status = command.status().map_err(missing)?;
        if status.success() { Ok(()) } else { Err(Error::Stuck(format!("postfix {verb}: {status}"))) }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.run("down", &[]);
    }
}

/// Its own processes run as other users, and must reach what lies in the folder.
pub(super) fn allow_others(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?)
}

/// Where nobody listens.
pub(super) fn free_place() -> Result<SocketAddrV4, Error> {
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?))
}
