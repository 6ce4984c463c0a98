//! `waypost mail --server`: a mailbox over POP3, in the clear (it is loopback), after STLS and over POP3S; and over IMAP, of our own
//! server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use net::{Listener, Stream};
use support::{PASSWORD, Program, Ran, Running, USER, tls_server};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

const FIRST: &str =
    "From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nTo: ann@example.org\r\nSubject: old\r\n\r\n.hello\r\n";
const SECOND: &str = "From: b@example.org\r\nSubject: new\r\nX-Other: 1\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee the invoice\r\n--x\r\nContent-Type: application/pdf\r\n\
Content-Disposition: attachment; filename=\"../../a.pdf\"\r\n\r\nPDF\r\n--x--\r\n";

#[derive(Clone, Copy, PartialEq)]
enum Tls {
    None,
    Stls,
    Implicit,
}

/// A server with two messages and one user.
fn server(tls: Tls) -> String {
    let (told, tell) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
            told.send(listener.local().to_string()).unwrap();
            let keys = tls_server();
            loop {
                let mut stream = listener.accept().await.unwrap();
                if tls == Tls::Implicit {
                    stream = stream.start_tls(&keys).await.unwrap();
                }
                let mut stream = BufReader::new(stream);
                stream.write_all(b"+OK ready\r\n").await.unwrap();
                while let Some(line) = line(&mut stream).await {
                    if line == "STLS" {
                        stream.write_all(b"+OK begin\r\n").await.unwrap();
                        stream = BufReader::new(stream.into_inner().start_tls(&keys).await.unwrap());
                        continue;
                    }
                    let secure = stream.get_ref().tls().is_some();
                    stream.write_all(answer(&line, tls == Tls::Stls && !secure).as_bytes()).await.unwrap();
                }
            }
        });
    });
    tell.recv().unwrap()
}

async fn line(stream: &mut BufReader<Stream>) -> Option<String> {
    let mut line = String::new();
    let count = stream.read_line(&mut line).await.ok()?;
    (count > 0).then(|| line.trim_end().to_owned())
}

fn answer(line: &str, wants_tls: bool) -> String {
    let stuffed = |text: &str| format!("+OK\r\n{}.\r\n", text.replace("\r\n.", "\r\n.."));
    let whole = |number: &str| if number == "1" { FIRST } else { SECOND };
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["CAPA"] => format!("+OK\r\nUSER\r\nTOP\r\nUIDL\r\n{}.\r\n", if wants_tls { "STLS\r\n" } else { "" }),
        _ if wants_tls => "-ERR TLS first\r\n".to_owned(),
        ["USER", _] => "+OK\r\n".to_owned(),
        ["PASS", ..] if line["PASS ".len()..] == *PASSWORD => "+OK\r\n".to_owned(),
        ["LIST"] => format!("+OK\r\n1 {}\r\n2 {}\r\n.\r\n", FIRST.len(), SECOND.len()),
        ["UIDL"] => "+OK\r\n1 aaa\r\n2 bbb\r\n.\r\n".to_owned(),
        ["TOP", number @ ("1" | "2"), "0"] => {
            stuffed(&format!("{}\r\n\r\n", whole(number).split("\r\n\r\n").next().unwrap()))
        }
        ["RETR", number @ ("1" | "2")] => stuffed(whole(number)),
        ["QUIT"] => "+OK bye\r\n".to_owned(),
        _ => "-ERR no\r\n".to_owned(),
    }
}

fn mail_in(program: &Program, place: &str, words: &[&str]) -> Ran {
    let all = [&["mail"], words, &["--server", place, "--user", USER, "--password-stdin"]].concat();
    program.run_with(&all, format!("{PASSWORD}\n"))
}

fn mail(place: &str, words: &[&str]) -> Ran {
    mail_in(&Program::new(), place, words)
}

#[test]
fn messages_are_listed_newest_first() {
    let place = server(Tls::None);
    let ran = mail(&place, &["list"]).done();
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[1].trim_start().starts_with('2') && lines[1].contains("new"), "{}", ran.out);
    assert!(lines[2].contains("Jörg <j@example.org>") && lines[2].contains("old"), "{}", ran.out);
    let json = mail(&place, &["list", "--json", "--limit", "1"]).done().json();
    assert_eq!(
        (json.as_array().unwrap().len(), &json[0]["unique_id"], &json[0]["id"]),
        (1, &"bbb".into(), &2.into())
    );
    let folders = mail(&place, &["list", "--folders", "--json"]).done().json();
    assert_eq!(folders, serde_json::json!([{ "name": "INBOX", "messages": 2 }]));
    assert_eq!(mail(&place, &["list", "--folder", "Archive"]).code, Some(2));
}

#[test]
fn a_message_is_shown_by_number_or_lasting_name() {
    let place = server(Tls::None);
    for id in ["1", "aaa"] {
        let ran = mail(&place, &["show", id]).done();
        assert_eq!(ran.out, "From: Jörg <j@example.org>\nTo: ann@example.org\nSubject: old\n\n.hello\n");
    }
    assert_eq!(mail(&place, &["show", "1", "--source"]).done().out, FIRST);
    let all = mail(&place, &["show", "2", "--headers"]).done();
    assert!(all.out.contains("X-Other: 1") && all.out.contains("a.pdf"), "{}", all.out);
    for id in ["9", "zzz"] {
        assert_eq!(mail(&place, &["show", id]).code, Some(1));
    }
}

#[test]
fn all_words_must_be_in_what_is_found() {
    let place = server(Tls::None);
    for (words, found) in
        [(&["INVOICE"][..], 1), (&["invoice", "new"], 1), (&["invoice", "old"], 0), (&["example.org"], 2)]
    {
        let json = mail(&place, &[&["search", "--json"], words].concat()).done().json();
        assert_eq!(json.as_array().unwrap().len(), found, "{words:?}: {json}");
    }
}

#[test]
fn attachments_are_saved_under_safe_names_and_never_over_others() {
    let (place, program) = (server(Tls::None), Program::new());
    for expected in ["a.pdf", "a-2.pdf"] {
        mail_in(&program, &place, &["save", "2"]).done();
        assert_eq!(std::fs::read(program.path(expected)).unwrap(), b"PDF", "{expected}");
    }
    mail_in(&program, &place, &["save", "aaa", "--source"]).done();
    assert_eq!(std::fs::read_to_string(program.path("aaa.eml")).unwrap(), FIRST);
    assert_eq!(mail_in(&program, &place, &["save", "1"]).code, Some(1));
}

#[test]
fn tls_is_used_where_it_is_offered_or_asked_for() {
    let stls = server(Tls::Stls);
    mail(&stls, &["list"]).done();
    mail(&stls, &["list", "--tls", "starttls"]).done();
    assert_eq!(mail(&stls, &["list", "--tls", "none"]).code, Some(1));
    let implicit = server(Tls::Implicit);
    mail(&format!("pop3s://{implicit}"), &["list"]).done();
    mail(&implicit, &["list", "--tls", "pop3s", "--insecure"]).done();
}

#[test]
fn wrong_passwords_and_absent_servers() {
    let (place, program) = (server(Tls::None), Program::new());
    let words = ["mail", "list", "--server", &place, "--user", USER, "--password-stdin"];
    let ran = program.run_with(&words, "wrong\n");
    assert!(ran.code == Some(1) && ran.err.contains("refused the login"), "{ran:?}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(mail(&free, &["list"]).code, Some(75));
    assert_eq!(program.run(&["mail", "list", "--server", &place]).code, Some(2));
}

/// Our own server, with IMAP in both ways and the two messages.
struct Served {
    program: Program,
    _running: Running,
    imap: String,
    imaps: String,
}

impl Served {
    fn new() -> Self {
        let program = Program::new();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (imap, imaps) = (free(), free());
        program.write(
            "waypost.toml",
            format!("hostname = 'mail.example.org'\ndata = 'data'\n[listen]\nimap = ['{imap}']\nimaps = ['{imaps}']\n"),
        );
        program.run(&["domain", "add", "example.org"]).done();
        program.run_with(&["account", "add", USER, "--password-stdin"], format!("{PASSWORD}\n")).done();
        let mbox =
            |text: &str| format!("From a@b Tue Nov 14 22:13:20 2023\n{}\n", text.replace("\r\n", "\n"));
        program.write("INBOX.mbox", [mbox(FIRST), mbox(SECOND)].concat());
        program.write("Entwürfe.mbox", mbox(FIRST));
        for file in ["INBOX.mbox", "Entwürfe.mbox"] {
            program.run(&["import", "mbox", file, "--account", USER]).done();
        }
        let _running = program.serve();
        Self { program, _running, imap: format!("imap://{imap}"), imaps: format!("imaps://{imaps}") }
    }

    fn mail(&self, words: &[&str]) -> Ran {
        mail_in(&self.program, &self.imaps, words)
    }
}

#[test]
fn a_mailbox_is_read_over_imap_and_nothing_changes() {
    let served = Served::new();
    let json = served.mail(&["list", "--json"]).done().json();
    let subjects: Vec<&str> =
        json.as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["new", "old"]);
    assert_eq!((&json[1]["id"], &json[1]["from"]), (&1.into(), &"Jörg <j@example.org>".into()));
    assert_eq!(served.mail(&["list", "--limit", "1", "--json"]).done().json().as_array().unwrap().len(), 1);
    assert!(served.mail(&["list"]).done().out.contains("Jörg"));
    let folders = served.mail(&["list", "--folders", "--json"]).done().json();
    assert_eq!(
        (&folders[0]["name"], &folders[0]["messages"], &folders[0]["unseen"]),
        (&"INBOX".into(), &2.into(), &2.into())
    );
    let other = served.mail(&["list", "--folder", "Entwürfe", "--json"]).done().json();
    assert_eq!(other.as_array().unwrap().len(), 1);

    let shown = served.mail(&["show", "1"]).done();
    assert_eq!(shown.out, "From: Jörg <j@example.org>\nTo: ann@example.org\nSubject: old\n\n.hello\n");
    assert_eq!(served.mail(&["show", "1", "--source"]).done().out, FIRST);
    for (words, found) in
        [(&["INVOICE"][..], 1), (&["invoice", "new"], 1), (&["invoice", "old"], 0), (&["jörg"], 1)]
    {
        let json = served.mail(&[&["search", "--json"], words].concat()).done().json();
        assert_eq!(json.as_array().unwrap().len(), found, "{words:?}: {json}");
    }
    served.mail(&["save", "2"]).done();
    assert_eq!(std::fs::read(served.program.path("a.pdf")).unwrap(), b"PDF");
    let after = served.mail(&["list", "--json"]).done().json();
    assert_eq!(after, json);

    for words in [&["show", "9"][..], &["list", "--folder", "Nowhere"]] {
        assert_eq!(served.mail(words).code, Some(1), "{words:?}");
    }
    for words in [&["show", "x"][..], &["undelete"]] {
        assert_eq!(served.mail(words).code, Some(2), "{words:?}");
    }
    mail_in(&served.program, &served.imap, &["list"]).done();
    mail_in(&served.program, &served.imap, &["list", "--tls", "starttls"]).done();
    let words = ["mail", "list", "--server", &served.imaps, "--user", USER, "--password-stdin"];
    let ran = served.program.run_with(&words, "wrong\n");
    assert!(ran.code == Some(1) && ran.err.contains("refused the login"), "{ran:?}");
}
