//! Clients: silent, slow, or gone at each stage.

use crate::figures::Figures;
use crate::{HERE, installation, message, name_of, send, until};
use rustls::ClientConnection;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use xtask::installation::{Extra, HOSTNAME, Installation, LMTP, POP3S, SMTP, SUBMISSION, SUBMISSIONS};
use xtask::maildrop;
use xtask::wire::{Wire, stuffed};

/// Each is done as often at once.
const TIMES: usize = 4;
/// Between two octets of a slow client.
const DRIP: Duration = Duration::from_micros(200);

/// What a client does when it has said what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing, until the server has enough of it.
    Silence,
    Reset,
    Close,
}

const ENDS: [End; 3] = [End::Silence, End::Reset, End::Close];

/// What it has said by then. The last is not waited for when it is to be answered.
struct Stage {
    name: &'static str,
    port: u16,
    says: Vec<Vec<u8>>,
    /// It was all there, so the server may have it.
    whole: bool,
}

/// How far into the dialogue, by the number of commands said.
fn stages(name: &str) -> Vec<Stage> {
    let message = stuffed(&message(name));
    let length = crate::message(name).len();
    let half = message.len() / 2;
    let envelope = |hello: &str| -> Vec<Vec<u8>> {
        let lines = [
            format!("{hello} c.example\r\n"),
            format!("MAIL FROM:<{HERE}>\r\n"),
            format!("RCPT TO:<{HERE}>\r\n"),
        ];
        lines.map(String::into_bytes).to_vec()
    };
    let after = |hello: &str, more: &[&[u8]]| {
        let mut says = envelope(hello);
        says.extend(more.iter().map(|said| said.to_vec()));
        says
    };
    let chunk = |end: &str| [format!("BDAT {length}{end}\r\n").as_bytes(), &crate::message(name)].concat();
    let stage = |name, port, says| Stage { name, port, says, whole: false };
    vec![
        stage("greeting", SMTP, vec![]),
        stage("half a command", SMTP, vec![b"EHL".to_vec()]),
        stage("EHLO", SMTP, envelope("EHLO")[..1].to_vec()),
        stage("MAIL", SMTP, envelope("EHLO")[..2].to_vec()),
        stage("RCPT", SMTP, envelope("EHLO")),
        stage("DATA", SMTP, after("EHLO", &[b"DATA\r\n"])),
        stage("half the message", SMTP, after("EHLO", &[b"DATA\r\n", &message[..half]])),
        stage("all but the dot", SMTP, after("EHLO", &[b"DATA\r\n", &message[..message.len() - 3]])),
        Stage { whole: true, ..stage("the dot", SMTP, after("EHLO", &[b"DATA\r\n", &message])) },
        stage("BDAT", SMTP, after("EHLO", &[b"BDAT 1000 LAST\r\n"])),
        stage("half a chunk", SMTP, after("EHLO", &[b"BDAT 1000\r\nSubject: x\r\n"])),
        stage("a chunk", SMTP, after("EHLO", &[&chunk("")])),
        Stage { whole: true, ..stage("the last chunk", SMTP, after("EHLO", &[&chunk(" LAST")])) },
        Stage { whole: true, ..stage("LMTP, the dot", LMTP, after("LHLO", &[b"DATA\r\n", &message])) },
        stage("LMTP, half the message", LMTP, after("LHLO", &[b"DATA\r\n", &message[..half]])),
        stage("STARTTLS", SUBMISSION, vec![b"EHLO c.example\r\n".to_vec(), b"STARTTLS\r\n".to_vec()]),
        stage("no TLS", SUBMISSION, tls(b"EHLO c.example\r\n".repeat(100))),
        stage("half of TLS", SUBMISSION, tls(client_hello(2))),
        stage("TLS without an end", SUBMISSION, tls(client_hello(1))),
        stage("no TLS at all", SUBMISSIONS, vec![b"EHLO c.example\r\n".repeat(100)]),
        stage("half of TLS at once", SUBMISSIONS, vec![client_hello(2)]),
        stage("half of TLS at once, POP3", POP3S, vec![client_hello(2)]),
    ]
}

fn tls(said: Vec<u8>) -> Vec<Vec<u8>> {
    vec![b"EHLO c.example\r\n".to_vec(), b"STARTTLS\r\n".to_vec(), said]
}

/// The first `1/part` of a handshake.
fn client_hello(part: usize) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), HOSTNAME.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello.truncate(hello.len() / part);
    hello
}

/// Goes as far as the stage, and ends so. What the server does then is its affair.
fn misbehave(place: std::net::SocketAddr, stage: &Stage, end: End) {
    let mut wire = Wire::connect(place).unwrap();
    let greeted = ![SUBMISSIONS, POP3S].contains(&stage.port);
    if greeted {
        wire.reply().unwrap();
    }
    let said = stage.says.len();
    for (number, words) in (1..).zip(&stage.says) {
        wire.send(words).unwrap();
        if number < said {
            assert!(
                wire.reply().unwrap().is_positive(),
                "{}: {:?}",
                stage.name,
                String::from_utf8_lossy(words)
            );
        }
    }
    match end {
        End::Close => {}
        End::Reset => {
            rustix::net::sockopt::set_socket_linger(wire.socket(), Some(Duration::ZERO)).unwrap();
        }
        // Until it is closed; a handshake has a longer limit of its own than a test wants to wait for.
        End::Silence if stage.name.contains("TLS") => {}
        End::Silence => while wire.line().is_ok_and(|line| !line.is_empty()) {},
    }
}

/// Says everything one octet at a time; the server answers 250 all the same.
fn drip(installation: &Installation, name: &str) {
    let mut wire = Wire::connect(installation.place(SMTP)).unwrap();
    wire.reply().unwrap();
    let words = stages(name).into_iter().find(|stage| stage.name == "the dot").unwrap().says;
    for said in words {
        for octet in said.chunks(1) {
            wire.send(octet).unwrap();
            std::thread::sleep(DRIP);
        }
        assert!(wire.reply().unwrap().is_positive());
    }
}

/// Everybody misbehaves at once. What they sent, and whether the server may have it.
fn everybody(installation: &Installation, round: usize) -> HashMap<String, bool> {
    let mut sent = HashMap::new();
    std::thread::scope(|scope| {
        for (number, end) in ENDS.iter().cycle().take(ENDS.len() * TIMES).enumerate() {
            for index in 0..stages("").len() {
                let name = format!("r{round}n{number}s{index}");
                let stage = stages(&name).swap_remove(index);
                sent.insert(name, stage.whole);
                scope.spawn(move || misbehave(installation.place(stage.port), &stage, *end));
            }
        }
        for number in 0..TIMES {
            let name = format!("drip{number} of r{round}");
            sent.insert(name.clone(), true);
            scope.spawn(move || drip(installation, &name));
        }
    });
    sent
}

#[test]
fn clients_that_misbehave_leave_nothing_behind() {
    let extra = Extra { limits: "idle = \"1 s\"", ..Extra::default() };
    let installation = installation(&extra);
    let server = installation.serve().unwrap();
    send(&installation, [("before", HERE)]);
    let start = Figures::of(server.id());

    let mut sent = everybody(&installation, 1);
    start.return_to(server.id());
    let once = Figures::of(server.id());
    sent.extend(everybody(&installation, 2));
    start.return_to(server.id());
    Figures::of(server.id()).grew_little(once);

    send(&installation, [("after", HERE)]);
    check_mailbox(&installation, &sent);
}

fn check_mailbox(installation: &Installation, sent: &HashMap<String, bool>) {
    let mut found: HashMap<String, usize> = HashMap::new();
    maildrop::empty(installation, HERE, |arrived| {
        let name = name_of(arrived).unwrap();
        assert!(arrived.ends_with(&message(&name)), "{name} is not whole");
        *found.entry(name).or_default() += 1;
    })
    .unwrap();
    for name in ["before", "after"] {
        assert_eq!(found.remove(name), Some(1), "{name} was answered 250");
    }
    for (name, whole) in sent {
        let times = found.remove(name).unwrap_or(0);
        assert!(times <= usize::from(*whole), "{name} arrived {times} times");
        assert!(times == 1 || !name.starts_with("drip"), "{name} was answered 250");
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_client_that_is_gone_before_its_answer_is_no_reason_to_forget_its_message() {
    let installation = installation(&Extra::default());
    let _server = installation.serve().unwrap();
    let stage = stages("orphan").into_iter().find(|stage| stage.name == "the dot").unwrap();
    misbehave(installation.place(SMTP), &stage, End::Close);
    until("the message that was whole arrives", || {
        let mut found = Vec::new();
        maildrop::empty(&installation, HERE, |arrived| found.extend(name_of(arrived))).unwrap();
        !found.is_empty()
    });
}
