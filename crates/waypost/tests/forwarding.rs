//! `policy.rewrite-from`: mail from a stranger through an alias to another's server, which checks what it gets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use smtp::server::Protocol;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::names::name_server;
use support::{Behaviour, Program, Server};

/// The author's domain: its host is known, and it signs nothing.
const AUTHOR: [&str; 4] = [
    "far.test TXT v=spf1 ip4:192.0.2.9 -all",
    "far.test MX 10 mx.far.test",
    "mx.far.test A 192.0.2.9",
    "_dmarc.far.test TXT v=DMARC1; p=reject",
];
const LIMIT: Duration = Duration::from_secs(60);

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(program: &Program) -> Serving {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .arg("serve")
        .env("WAYPOST_HOME", program.folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Serving(child)
}

/// Brings a message of Joe's to the alias, as his own host.
fn bring(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |line: &str, expected: &str| {
        stream.write_all(line.as_bytes()).unwrap();
        let last = replies.by_ref().map(Result::unwrap).find(|line| line.as_bytes()[3] == b' ').unwrap();
        assert!(last.starts_with(expected), "{line} {last}");
    };
    say(&format!("PROXY TCP4 192.0.2.9 127.0.0.1 40000 {port}\r\n"), "220");
    say("EHLO mx.far.test\r\n", "250");
    say("MAIL FROM:<joe@far.test>\r\n", "250");
    say("RCPT TO:<team@example.org>\r\n", "250");
    say("DATA\r\n", "354");
    say("From: Joe <joe@far.test>\r\nSubject: a letter\r\n\r\nHi!\r\n.\r\n", "250");
    say("QUIT\r\n", "221");
}

/// What the next host gets, and what DMARC is there: the word, and the exit status of the program that says it.
fn forwarded(policy: &str) -> (String, String, Option<i32>) {
    let (next, dns) = (Server::start(Behaviour::new(Protocol::Smtp)), name_server(&AUTHOR));
    let (program, port) = (Program::new(), xtask::free_port().unwrap());
    let configuration = format!(
        "hostname = 'mail.example.org'\ndata = 'data'\n[dns]\nservers = ['{dns}']\n\
         [listen]\nsmtp = [{{ address = '127.0.0.1:{port}', proxy-from = ['127.0.0.0/8'], tls = false }}]\n\
         [delivery]\nsmarthost = 'smtp://{}'\n[policy]\n{policy}\n",
        next.place
    );
    program.write("waypost.toml", configuration);
    program.run(&["domain", "add", "example.org"]).done();
    program.run(&["alias", "add", "team@example.org", "you@elsewhere.test"]).done();
    let serving = serve(&program);
    bring(port);
    let limit = Instant::now() + LIMIT;
    while next.received().is_empty() {
        assert!(Instant::now() < limit, "nothing goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(serving);
    let message = next.only().message;

    let published = program.run(&["domain", "dns", "example.org", "--json"]).done().json();
    let published = published.as_array().unwrap().iter().filter(|record| record["type"] == "TXT");
    let records: Vec<String> = published
        .map(|record| {
            let text = record["value"].as_str().unwrap().replace("\" \"", "").replace('"', "");
            format!("{} TXT {text}", record["name"].as_str().unwrap())
        })
        .collect();
    let all: Vec<&str> = AUTHOR.iter().copied().chain(records.iter().map(String::as_str)).collect();
    let dns = name_server(&all);
    let file = program.write("message.eml", &message);
    let words =
        ["--ip", "198.51.100.1", "--from", "x@none.test", "--helo", "none.test", "--dns", &dns, "--json"];
    let ran = program.run(&[&["check", "dmarc", &file][..], &words].concat());
    (message, ran.json()["result"].as_str().unwrap().to_owned(), ran.code)
}

#[test]
fn what_only_spf_vouched_for_goes_on_in_the_name_of_the_alias() {
    let (message, result, code) = forwarded("rewrite-from = true");
    for line in [
        "From: \"Joe via example.org\" <team@example.org>",
        "Reply-To: Joe <joe@far.test>",
        "X-Original-From: Joe <joe@far.test>",
    ] {
        assert!(message.lines().any(|one| one == line), "{line}\n{message}");
    }
    assert!(message.starts_with("ARC-Seal: i=1;") && message.ends_with("\r\n\r\nHi!\r\n"), "{message}");
    assert_eq!((&*result, code), ("pass", Some(0)), "{message}");
}

#[test]
fn without_the_setting_it_goes_on_as_it_is() {
    let (message, result, code) = forwarded("");
    assert!(
        message.contains("\r\nFrom: Joe <joe@far.test>\r\n") && !message.contains("\r\nReply-To:"),
        "{message}"
    );
    assert_eq!((&*result, code), ("fail", Some(1)), "{message}");
}
