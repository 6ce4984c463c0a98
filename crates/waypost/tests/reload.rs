//! SIGHUP: what a running server takes over from a changed configuration, and what it says about the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_waypost");
const PASSWORD: &str = "correct horse battery\n";

struct Server {
    child: Child,
    home: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(home: &Path, words: &[&str]) -> i32 {
    let mut child = Command::new(PROGRAM)
        .args(words)
        .env("WAYPOST_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(PASSWORD.as_bytes());
    child.wait().unwrap().code().unwrap()
}

fn configure(home: &Path, port: u16, hostname: &str, messages_per_hour: u32, level: &str) {
    let text = format!(
        "hostname = '{hostname}'\ndata = 'data'\n[listen]\nsubmissions = ['127.0.0.1:{port}']\n\
         [limits]\nmessages-per-hour = {messages_per_hour}\n[log]\nfile = 'log'\nlevel = '{level}'\n"
    );
    std::fs::write(home.join("waypost.toml"), text).unwrap();
}

impl Server {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        configure(home.path(), port, "mail.example.org", 1, "warn");
        assert_eq!(run(home.path(), &["domain", "add", "example.org"]), 0);
        assert_eq!(run(home.path(), &["account", "add", "me@example.org", "--password-stdin"]), 0);
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .env("WAYPOST_HOME", home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, home, port }
    }

    /// Sends itself a message; the exit status.
    fn send(&self) -> i32 {
        let server = format!("smtps://127.0.0.1:{}", self.port);
        let words =
            ["--from", "me@example.org", "--to", "me@example.org", "--body", "x", "--server", &server];
        let login = ["--auth", "me@example.org", "--password-stdin", "--insecure"];
        run(self.home.path(), &[&["send"], &words[..], &login[..]].concat())
    }

    /// Makes it read its configuration; what it has logged when it is done.
    fn reload(&self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        let log: PathBuf = self.home.path().join("log");
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(&log).unwrap();
            if text.contains("reloaded") {
                return text;
            }
            assert!(Instant::now() < limit, "not reloaded: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn rates_and_the_level_of_the_log_are_taken_over() {
    let server = Server::start();
    assert_eq!(server.send(), 0);
    assert_ne!(server.send(), 0, "one an hour");
    configure(server.home.path(), server.port, "other.example.org", 0, "info");
    let log = server.reload();
    assert!(log.contains("after a restart") && log.contains("hostname"), "{log}");
    assert_eq!((server.send(), server.send()), (0, 0), "as many as one likes");
}
