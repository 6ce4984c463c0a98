//! `waypost serve` with the shim below it.

use crate::shim;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_waypost");

/// A domain, its server, and where what happens to it is kept.
#[derive(Debug)]
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    /// The shim writes every call to [`Site::trace`].
    records: bool,
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Site {
    /// Mail for remote.example goes to the port `sink`.
    pub(crate) fn new(sink: u16, records: bool) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), records };
        std::fs::create_dir(site.root()).unwrap();
        let settings = format!(
            "hostname = \"mail.example.org\"\ndata = \"disk/data\"\n[listen]\nsmtp = [\"127.0.0.1:{}\"]\n\
             [relay]\ntrusted = [\"127.0.0.0/8\"]\n[[route]]\ndomain = \"remote.example\"\nto = \"smtp://127.0.0.1:{sink}\"\n\
             [limits]\nexempt = [\"127.0.0.0/8\"]\nmessages-per-session = 0\nmessage-size = \"2 MiB\"\n",
            site.port
        );
        std::fs::write(site.path("waypost.toml"), settings).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The disk: all that the shim looks at.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("disk")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("disk/data")
    }

    pub(crate) fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.path("control")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The lines of the log that say what went wrong.
    pub(crate) fn complaints(&self) -> String {
        let log = self.log();
        let lines = log
            .lines()
            .filter(|line| [" WARN ", " ERROR ", "refused"].iter().any(|word| line.contains(word)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.args(words).arg("--config").arg(self.path("waypost.toml")).stderr(log);
        command.env("LD_PRELOAD", shim::library()).env("FAULTS_ROOT", self.root());
        if self.records {
            command.env("FAULTS_TRACE", self.trace());
        }
        if self.control().exists() {
            command.env("FAULTS_CONTROL", self.control());
        }
        command
    }

    /// Makes the domain and its two accounts.
    pub(crate) fn set_up(&self) {
        self.run(&["domain", "add", "example.org"], "");
        for account in ["me@example.org", "you@example.org"] {
            self.run(&["account", "add", account, "--password-stdin"], "a long password\n");
        }
    }

    fn run(&self, words: &[&str], input: &str) {
        let mut child = self.command(words).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{words:?}: {}", self.complaints());
    }

    /// Starts the server and returns when it is ready, or with its log when it ends before.
    pub(crate) fn start(&self) -> Result<Server, String> {
        let mut child = self.command(&["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line == "ready\n" {
            return Ok(Server(child));
        }
        child.wait().unwrap();
        Err(self.complaints())
    }

    /// Puts another disk in the place of this one.
    pub(crate) fn replace_disk(&self, build: impl FnOnce(&Path)) {
        std::fs::remove_dir_all(self.root()).unwrap();
        let _ = std::fs::remove_file(self.path("log"));
        build(&self.root());
    }
}

/// A server that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Whether it runs still.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success(), "the stop failed");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
