//! `waypost` with the shim below it.

use super::shim;
use crate::{Error, free_port};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A domain, its server, and where what happens to it is kept.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    program: PathBuf,
    library: PathBuf,
    port: u16,
}

impl Site {
    /// Mail for remote.example goes to the port `next`.
    ///
    /// # Errors
    /// When its folder cannot be made, or the shim not be compiled.
    pub fn new(program: &Path, next: u16) -> Result<Self, Error> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let library = shim::compile(folder.path())?;
        std::fs::create_dir(folder.path().join("disk"))?;
        let settings = format!(
            "hostname = \"mail.example.org\"\ndata = \"disk/data\"\n[listen]\nsmtp = [\"127.0.0.1:{port}\"]\n\
             [relay]\ntrusted = [\"127.0.0.0/8\"]\n[[route]]\ndomain = \"remote.example\"\nto = \"smtp://127.0.0.1:{next}\"\n\
             [limits]\nexempt = [\"127.0.0.0/8\"]\nmessages-per-session = 0\nmessage-size = \"2 MiB\"\n"
        );
        std::fs::write(folder.path().join("waypost.toml"), settings)?;
        Ok(Self { folder, program: program.to_owned(), library, port })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it takes mail.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The disk: all that the shim looks at.
    pub fn root(&self) -> PathBuf {
        self.path("disk")
    }

    pub fn data(&self) -> PathBuf {
        self.path("disk/data")
    }

    /// Where the shim notes every call, if this file is there.
    pub fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    /// Where the shim is told what fails, if this file is there.
    pub fn control(&self) -> PathBuf {
        self.path("control")
    }

    pub fn log(&self) -> String {
        std::fs::read(self.path("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// The lines of the log that say what went wrong.
    pub fn complaints(&self) -> String {
        let log = self.log();
        let complains =
            |line: &&str| [" WARN ", " ERROR ", "refused", "panicked"].iter().any(|word| line.contains(word));
        log.lines().filter(complains).collect::<Vec<_>>().join("\n")
    }

    /// Leaves the folder where it is, for somebody to look at.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    fn command(&self, words: &[&str]) -> Result<Command, Error> {
        let mut command = Command::new(&self.program);
        let log = File::options().create(true).append(true).open(self.path("log"))?;
        command.args(words).arg("--config").arg(self.path("waypost.toml")).stderr(log);
        command.env("LD_PRELOAD", &self.library).env("FAULTS_ROOT", self.root());
        for (name, file) in [("FAULTS_TRACE", self.trace()), ("FAULTS_CONTROL", self.control())] {
            if file.exists() {
                command.env(name, file);
            }
        }
        Ok(command)
    }

    /// Makes the domain and its two accounts.
    ///
    /// # Errors
    /// When a command fails.
    pub fn set_up(&self) -> Result<(), Error> {
        self.run(&["domain", "add", "example.org"], "")?;
        ["me@example.org", "you@example.org"].into_iter().try_for_each(|account| {
            self.run(&["account", "add", account, "--password-stdin"], "a long password\n")
        })
    }

    fn run(&self, words: &[&str], input: &str) -> Result<(), Error> {
        let mut child = self.command(words)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it may be gone by now.
            let _ = stdin.write_all(input.as_bytes());
        }
        if child.wait()?.success() {
            return Ok(());
        }
        Err(Error::Command { words: words.join(" "), said: self.complaints() })
    }

    /// Starts the server and returns when it is ready.
    ///
    /// # Errors
    /// When it ends instead; its complaints are in the text.
    pub fn start(&self) -> Result<Server, Error> {
        let child = self.command(&["serve"])?.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut server = Server(child);
        let mut line = String::new();
        if let Some(stdout) = server.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line == "ready\n" { Ok(server) } else { Err(Error::NotReady(self.complaints())) }
    }

    /// Puts another disk in the place of this one, and forgets what was logged and recorded, and what the shim was told.
    ///
    /// # Errors
    /// When the old one cannot be removed, or `build` fails.
    pub fn replace_disk(&self, build: impl FnOnce(&Path) -> Result<(), std::io::Error>) -> Result<(), Error> {
        std::fs::remove_dir_all(self.root())?;
        for file in [self.path("log"), self.trace(), self.control()] {
            let _ = std::fs::remove_file(file);
        }
        Ok(build(&self.root())?)
    }
}

/// A server that is killed when it is dropped.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the system does not know it any more.
    pub fn kill(mut self) -> Result<(), Error> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Whether it runs still.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// SIGTERM, and its end.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).map_err(std::io::Error::from)?;
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(Error::Stuck(format!("the stop ended with {status}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
