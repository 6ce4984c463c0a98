//! SIGHUP: what a running server takes over from a changed configuration, and what it says about the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::{Program, Running};

const PASSWORD: &str = "correct horse battery\n";
/// The exit status of a command that did what it was to do.
const DONE: Option<i32> = Some(0);

struct Server {
    program: Program,
    running: Running,
    port: u16,
    pop3: u16,
    /// Where mail for others goes.
    next: TcpListener,
}

/// What the tests change.
struct Settings {
    hostname: &'static str,
    messages_per_hour: u32,
    level: &'static str,
    log: &'static str,
    more: &'static str,
}

const BEFORE: Settings =
    Settings { hostname: "mail.example.org", messages_per_hour: 1, level: "warn", log: "log", more: "" };

impl Server {
    fn start() -> Self {
        let program = Program::new();
        let (port, pop3) = (xtask::free_port().unwrap(), xtask::free_port().unwrap());
        let next = TcpListener::bind("127.0.0.1:0").unwrap();
        configure(&program, [port, pop3], &next, &BEFORE);
        program.run(&["domain", "add", "example.org"]).done();
        program.run_with(&["account", "add", "me@example.org", "--password-stdin"], PASSWORD).done();
        let running = program.serve();
        Self { program, running, port, pop3, next }
    }

    fn configure(&self, settings: &Settings) {
        configure(&self.program, [self.port, self.pop3], &self.next, settings);
    }

    /// Sends itself a message; the exit status.
    fn send(&self) -> Option<i32> {
        self.send_to("me@example.org")
    }

    /// How it greets who comes for mail, and whom it brings some.
    fn names(&self) -> (String, String) {
        let greeting = line(&TcpStream::connect(("127.0.0.1", self.pop3)).unwrap());
        assert_eq!(self.send_to("you@example.net"), DONE);
        (greeting, take(&self.called()))
    }

    /// Its next connection to where mail for others goes.
    fn called(&self) -> TcpStream {
        self.next.set_nonblocking(true).unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok((stream, _)) = self.next.accept() {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            assert!(Instant::now() < limit, "nobody calls");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn send_to(&self, recipient: &str) -> Option<i32> {
        let server = format!("smtps://127.0.0.1:{}", self.port);
        let words = ["--from", "me@example.org", "--to", recipient, "--body", "x", "--server", &server];
        let login = ["--auth", "me@example.org", "--password-stdin", "--insecure"];
        self.program.run_with(&[&["send"], &words[..], &login[..]].concat(), PASSWORD).code
    }

    /// Makes it read its configuration; what is in that log when it is done.
    fn reload(&self, log: &str) -> String {
        self.running.hang_up();
        let log = self.program.path(log);
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if text.contains("reloaded") {
                return text;
            }
            assert!(Instant::now() < limit, "not reloaded: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn configure(program: &Program, ports: [u16; 2], next: &TcpListener, settings: &Settings) {
    let Settings { hostname, messages_per_hour, level, log, more } = settings;
    let ([port, pop3], next) = (ports, next.local_addr().unwrap());
    let text = format!(
        "hostname = '{hostname}'\ndata = 'data'\n\
         [listen]\nsubmissions = ['127.0.0.1:{port}']\npop3 = ['127.0.0.1:{pop3}']\n\
         [delivery]\nsmarthost = 'smtp://{next}'\n[log]\nfile = '{log}'\nlevel = '{level}'\n\
         {more}\n[limits]\nmessages-per-hour = {messages_per_hour}\n"
    );
    program.write("waypost.toml", text);
}

/// What the other end says first.
fn line(stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

/// Takes a message; how the client called itself.
fn take(mut client: &TcpStream) -> String {
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client.write_all(b"220 next.example.net\r\n").unwrap();
    let (mut hello, mut in_data) = (String::new(), false);
    for line in BufReader::new(client).lines() {
        let line = line.unwrap();
        let answer: &[u8] = match line.as_str() {
            "DATA" => b"354 go on\r\n",
            "." => b"250 ok\r\n",
            _ if in_data => continue,
            _ => b"250 ok\r\n",
        };
        in_data |= line == "DATA";
        client.write_all(answer).unwrap();
        if line.starts_with("EHLO ") {
            hello.clone_from(&line);
        }
        if line == "." {
            break;
        }
    }
    hello
}

#[test]
fn rates_and_the_level_of_the_log_are_taken_over() {
    let server = Server::start();
    assert_eq!(server.send(), DONE);
    assert_ne!(server.send(), DONE, "one an hour");
    server.configure(&Settings { messages_per_hour: 0, level: "info", ..BEFORE });
    let log = server.reload("log");
    assert!(!log.contains("after a restart"), "{log}");
    assert_eq!((server.send(), server.send()), (DONE, DONE), "as many as one likes");
}

#[test]
fn the_host_s_name_is_taken_over_everywhere() {
    let server = Server::start();
    let (greeting, hello) = server.names();
    assert!(greeting.contains(" mail.example.org "), "{greeting}");
    assert_eq!(hello, "EHLO mail.example.org");
    server.configure(&Settings {
        hostname: "other.example.org",
        messages_per_hour: 0,
        level: "info",
        ..BEFORE
    });
    let log = server.reload("log");
    assert!(!log.contains("after a restart"), "{log}");
    let (greeting, hello) = server.names();
    assert!(greeting.contains(" other.example.org "), "{greeting}");
    assert_eq!(hello, "EHLO other.example.org");
}

#[test]
fn the_log_goes_on_in_another_file_and_form() {
    let server = Server::start();
    let after = Settings { level: "info", log: "other", more: "format = 'json'", ..BEFORE };
    server.configure(&after);
    let log = server.reload("other");
    let reloaded = log.lines().find(|line| line.contains("\"message\":\"reloaded\"")).unwrap();
    assert!(reloaded.starts_with("{\"timestamp\":") && reloaded.ends_with('}'), "{log}");
    assert!(!log.contains("after a restart"), "{log}");
    let before = std::fs::read_to_string(server.program.path("log")).unwrap();
    assert!(before.contains("the log goes on there") && !before.contains("reloaded"), "{before}");

    // Where it cannot be opened it stays, and mail goes on.
    server.configure(&Settings { log: "no/such/folder", messages_per_hour: 0, ..after });
    server.program.write("other", "");
    let log = server.reload("other");
    assert!(log.contains("the log file cannot be opened"), "{log}");
    assert_eq!(server.send(), DONE);
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let server = Server::start();
    server.configure(&Settings {
        level: "info",
        more: "[dns]\nservers = ['127.0.0.1:5353']\n[[route]]\ndomain = 'example.com'\nto = 'hold'",
        ..BEFORE
    });
    let path = server.program.path("waypost.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("data = 'data'", "data = 'other'");
    std::fs::write(path, text).unwrap();
    let log = server.reload("log");
    assert!(log.contains("changes of these act after a restart keys=\"data\""), "{log}");
}
