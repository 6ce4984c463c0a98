//! The program, as a command and as a server.

use super::USER;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program, in a folder of its own.
pub(crate) struct Program {
    pub(crate) folder: tempfile::TempDir,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With an account, [`USER`].
    pub(crate) fn installed() -> Self {
        let program = Self::new();
        program.write(
            "waypost.toml",
            "hostname = \"mail.example.org\"\ndata = \"data\"\n[listen]\nlmtp = [\"unix:lmtp\"]\n",
        );
        program.run(&["domain", "add", "example.org"]).done();
        program.run_with(&["account", "add", USER, "--password-stdin"], "correct horse battery\n").done();
        program
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, "")
    }

    /// With this on standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read it may be gone by now.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_ref());
        Ran::new(child.wait_with_output().unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.args(words).current_dir(self.folder.path()).env("WAYPOST_HOME", self.folder.path());
        command.env("LOGNAME", "ann").env("NO_COLOR", "1");
        command
    }

    /// Without waiting for it, unheard.
    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts `serve`; returns when it is ready.
    pub(crate) fn serve(&self) -> Running {
        let mut child = self
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Running(child);
        assert_eq!(line, "ready\n");
        running
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The program while it serves; killed at the end.
pub(crate) struct Running(Child);

impl Running {
    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
