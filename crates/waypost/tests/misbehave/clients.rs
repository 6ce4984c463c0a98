//! Clients: silent, slow, or gone at each stage of each port.

use crate::figures::{Figures, Memory};
use crate::{Form, HERE, LIMIT, installation, message, name_of, send, strangers, until};
use data_encoding::BASE64;
use rustls::ClientConnection;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use xtask::installation::{
    Extra, HOSTNAME, IMAPS, Installation, LMTP, PASSWORD, POP3S, SMTP, SUBMISSION, SUBMISSIONS,
};
use xtask::maildrop;
use xtask::wire::{Wire, stuffed};

/// Each is done as often at once.
const TIMES: usize = 2;
/// The same with a login, which costs much.
const TIMES_LOGGED_IN: usize = 1;
/// Between two octets of a slow client.
const DRIP: Duration = Duration::from_micros(200);
/// How long the server waits for SMTP clients that say nothing. With hundreds of them at once on a slow machine, those that do
/// say something must not seem to be silent.
const IDLE: &str = "idle = \"5 s\"";

/// What a client does when it has said what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing, until the server has enough of it.
    Silence,
    Reset,
    Close,
}

const ENDS: [End; 3] = [End::Silence, End::Reset, End::Close];

/// By which port a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Smtp,
    /// SMTP by a proxy, which tells of a client that nobody knows.
    Strangers,
    Lmtp,
    Submission,
    Submissions,
    Imaps,
    Pop3s,
}

impl Door {
    fn port(self) -> u16 {
        match self {
            Self::Smtp => SMTP,
            Self::Strangers => strangers::PORT,
            Self::Lmtp => LMTP,
            Self::Submission => SUBMISSION,
            Self::Submissions => SUBMISSIONS,
            Self::Imaps => IMAPS,
            Self::Pop3s => POP3S,
        }
    }

    /// TLS comes before the first word.
    fn is_implicit(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s)
    }

    fn hello(self) -> &'static str {
        if self == Self::Lmtp { "LHLO c.example\r\n" } else { "EHLO c.example\r\n" }
    }

    fn logs_in(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }
}

/// What a client has said by then.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    door: Door,
    /// Where there can be TLS it stands before the first word.
    secured: bool,
    /// Each is answered before the next; the last is not waited for.
    says: Vec<Vec<u8>>,
    /// It was all there, so the server may have it.
    whole: bool,
    /// The server waits for longer than a test wants to, so that who is silent leaves by himself.
    patient: bool,
}

impl Stage {
    /// With a login among what is said.
    fn is_logged_in(&self) -> bool {
        let logins: [&[u8]; 3] = [b"AUTH PLAIN ", b"PASS ", b"a LOGIN "];
        self.says.iter().any(|said| logins.iter().any(|login| said.starts_with(login)))
    }

    fn times(&self) -> usize {
        if self.is_logged_in() { TIMES_LOGGED_IN } else { TIMES }
    }
}

/// Every stage of every port.
fn stages(name: &str) -> Vec<Stage> {
    let mut all = Vec::new();
    for door in [Door::Smtp, Door::Strangers, Door::Lmtp, Door::Submission, Door::Submissions] {
        all.extend(transaction(door, name));
    }
    all.extend(unanswered());
    all.extend(maildrop_stages());
    all.extend(mailbox_stages());
    all.extend(handshakes());
    all
}

/// How far into a dialogue that brings mail, by the number of commands said.
fn transaction(door: Door, name: &str) -> Vec<Stage> {
    let message = stuffed(&message(name));
    let content = crate::message(name);
    let half = message.len() / 2;
    let mut envelope = vec![door.hello().to_owned()];
    if door.logs_in() {
        let words = BASE64.encode(format!("\0{HERE}\0{PASSWORD}").as_bytes());
        envelope.push(format!("AUTH PLAIN {words}\r\n"));
    }
    match door {
        // Of a domain that has not been looked up yet.
        Door::Strangers => {
            envelope.push(mail_from(&format!("{}{}", strangers::LATER, name.replace(' ', ""))))
        }
        _ => envelope.push(format!("MAIL FROM:<{HERE}>\r\n")),
    }
    envelope.push(format!("RCPT TO:<{HERE}>\r\n"));
    let envelope: Vec<Vec<u8>> = envelope.into_iter().map(String::into_bytes).collect();
    let commands = envelope.len();
    let so_far = |count: usize, more: &[&[u8]]| {
        let mut says = envelope[..count].to_vec();
        says.extend(more.iter().map(|said| said.to_vec()));
        says
    };
    let chunk = |end: &str| [format!("BDAT {}{end}\r\n", content.len()).as_bytes(), &content].concat();
    let stage = |name, says| Stage { name, door, secured: true, says, whole: false, patient: false };
    let whole = |name, says| Stage { whole: true, ..stage(name, says) };
    let mut stages = vec![
        stage("greeting", vec![]),
        stage("half a command", vec![b"EHL".to_vec()]),
        stage("EHLO", so_far(1, &[])),
        stage("MAIL", so_far(commands - 1, &[])),
        stage("RCPT", so_far(commands, &[])),
        stage("DATA", so_far(commands, &[b"DATA\r\n"])),
        stage("half the message", so_far(commands, &[b"DATA\r\n", &message[..half]])),
        stage("all but the dot", so_far(commands, &[b"DATA\r\n", &message[..message.len() - 3]])),
        whole("the dot", so_far(commands, &[b"DATA\r\n", &message])),
        stage("BDAT", so_far(commands, &[b"BDAT 1000 LAST\r\n"])),
        stage("half a chunk", so_far(commands, &[b"BDAT 1000\r\nSubject: x\r\n"])),
        stage("a chunk", so_far(commands, &[&chunk("")])),
        whole("the last chunk", so_far(commands, &[&chunk(" LAST")])),
    ];
    if door.logs_in() {
        stages.push(stage("half a login", so_far(1, &[b"AUTH PLAIN\r\n"])));
        stages.push(stage("login", so_far(2, &[])));
    }
    stages
}

fn mail_from(domain: &str) -> String {
    format!("MAIL FROM:<joe@{domain}.example>\r\n")
}

/// Strangers who leave while the name server is asked for them, and does not answer. At RCPT its answer is waited for, as long as
/// RFC 7208 §4.6.4 grants, also for one who is gone: so that is no stage here.
fn unanswered() -> Vec<Stage> {
    let domain = strangers::NEVER;
    let hello = format!("EHLO {domain}.example\r\n").into_bytes();
    let stage =
        |name, says| Stage { name, door: Door::Strangers, secured: true, says, whole: false, patient: false };
    vec![
        stage("EHLO without DNS", vec![hello.clone()]),
        stage("MAIL without DNS", vec![hello, mail_from(domain).into_bytes()]),
    ]
}

/// How far into a dialogue that reads mail. RFC 1939 §3 gives a silent client ten minutes.
fn maildrop_stages() -> Vec<Stage> {
    let user = format!("USER {HERE}\r\n");
    let pass = format!("PASS {PASSWORD}\r\n");
    let logged_in = |more: &'static str| vec![user.clone(), pass.clone(), more.to_owned()];
    let says = [
        ("greeting", vec![]),
        ("half a command", vec!["US".to_owned()]),
        ("USER", vec![user.clone()]),
        ("PASS", vec![user.clone(), pass.clone()]),
        ("half a command after the login", logged_in("RE")),
        ("STAT", logged_in("STAT\r\n")),
        ("RETR", logged_in("RETR 1\r\n")),
        ("DELE", logged_in("DELE 1\r\n")),
    ];
    says.into_iter().map(|(name, says)| patient(name, Door::Pop3s, says)).collect()
}

/// The same over IMAP, where a silent client has half an hour (RFC 9051 §5.4).
fn mailbox_stages() -> Vec<Stage> {
    let login = format!("a LOGIN {HERE} \"{PASSWORD}\"\r\n");
    let logged_in = |more: &[&str]| {
        let more = more.iter().map(|said| format!("{said}\r\n"));
        [login.clone()].into_iter().chain(more).collect::<Vec<_>>()
    };
    let says = [
        ("greeting", vec![]),
        ("half a command", vec!["a LOG".to_owned()]),
        ("half a literal", vec!["a LOGIN {100}\r\n".to_owned(), "ann".to_owned()]),
        ("LOGIN", logged_in(&[])),
        ("SELECT", logged_in(&["a SELECT INBOX"])),
        ("FETCH", logged_in(&["a SELECT INBOX", "a FETCH 1:* BODY[]"])),
        ("IDLE", logged_in(&["a SELECT INBOX", "a IDLE"])),
        ("half an APPEND", logged_in(&["a APPEND INBOX {1000}", "Subject: x"])),
    ];
    says.into_iter().map(|(name, says)| patient(name, Door::Imaps, says)).collect()
}

/// A stage in which the server waits for longer than a test.
fn patient(name: &'static str, door: Door, says: Vec<String>) -> Stage {
    let says = says.into_iter().map(String::into_bytes).collect();
    Stage { name, door, secured: true, says, whole: false, patient: true }
}

/// TLS that is none, or stops half-way.
fn handshakes() -> Vec<Stage> {
    let words = || b"EHLO c.example\r\n".repeat(100);
    let begun =
        [("no TLS", words()), ("half of TLS", client_hello(2)), ("TLS without an end", client_hello(1))];
    let stage = |name, door, says| Stage { name, door, secured: false, says, whole: false, patient: true };
    let hello = || Door::Submission.hello().as_bytes().to_vec();
    let mut stages = Vec::new();
    for (name, said) in &begun {
        stages.push(stage(name, Door::Submission, vec![hello(), b"STARTTLS\r\n".to_vec(), said.clone()]));
        stages.push(stage(name, Door::Submissions, vec![said.clone()]));
        stages.push(stage(name, Door::Imaps, vec![said.clone()]));
        stages.push(stage(name, Door::Pop3s, vec![said.clone()]));
    }
    stages.push(stage("STARTTLS", Door::Submission, vec![hello(), b"STARTTLS\r\n".to_vec()]));
    stages
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
fn misbehave(installation: &Installation, stage: &Stage, end: End) {
    let mut wire = open(installation, stage).unwrap();
    let said = stage.says.len();
    for (number, words) in (1..).zip(&stage.says) {
        wire.send(words).unwrap();
        if number < said && !is_positive(stage, &mut wire) {
            // One session at a time has a maildrop (RFC 1939 §4).
            assert!(stage.door == Door::Pop3s && stage.is_logged_in(), "{stage:?} at {number}");
            break;
        }
    }
    match end {
        End::Close => {}
        End::Reset => {
            rustix::net::sockopt::set_socket_linger(wire.socket(), Some(Duration::ZERO)).unwrap();
        }
        End::Silence if stage.patient => {}
        End::Silence => while wire.line().is_ok_and(|line| !line.is_empty()) {},
    }
}

/// Connected, greeted and in TLS, as far as the stage has that.
fn open(installation: &Installation, stage: &Stage) -> io::Result<Wire> {
    let door = stage.door;
    let mut wire = Wire::connect(installation.place(door.port()))?;
    if door == Door::Strangers {
        wire.send(strangers::introduction().as_bytes())?;
    }
    if door.is_implicit() && !stage.secured {
        return Ok(wire);
    }
    if door.is_implicit() {
        wire = wire.start_tls(installation.tls(), HOSTNAME)?;
    }
    let greeted = match door {
        Door::Imaps => wire.line()?.starts_with(b"* OK"),
        _ => is_positive(stage, &mut wire),
    };
    assert!(greeted, "{door:?} greets");
    if door == Door::Submission && stage.secured {
        wire.ask(door.hello())?;
        wire.ask("STARTTLS\r\n")?;
        wire = wire.start_tls(installation.tls(), HOSTNAME)?;
    }
    Ok(wire)
}

fn is_positive(stage: &Stage, wire: &mut Wire) -> bool {
    match stage.door {
        Door::Pop3s => wire.line().unwrap().starts_with(b"+OK"),
        Door::Imaps => loop {
            let line = wire.line().unwrap();
            if !line.starts_with(b"* ") {
                return line.starts_with(b"a OK") || line.starts_with(b"+");
            }
        },
        _ => wire.reply().unwrap().is_positive(),
    }
}

/// Says everything one octet at a time; the server answers 250 all the same.
fn drip(installation: &Installation, name: &str) {
    let mut wire = Wire::connect(installation.place(SMTP)).unwrap();
    wire.reply().unwrap();
    for said in the_dot(name).says {
        for octet in said.chunks(1) {
            wire.send(octet).unwrap();
            std::thread::sleep(DRIP);
        }
        assert!(wire.reply().unwrap().is_positive());
    }
}

/// The stage of SMTP in which all was said.
fn the_dot(name: &str) -> Stage {
    transaction(Door::Smtp, name).into_iter().find(|stage| stage.name == "the dot").unwrap()
}

/// Everybody misbehaves at once. What they sent, and whether the server may have it.
fn everybody(installation: &Installation, round: usize) -> HashMap<String, bool> {
    let mut sent = HashMap::new();
    std::thread::scope(|scope| {
        for (number, end) in ENDS.iter().enumerate() {
            for (index, stage) in stages("").iter().enumerate() {
                for time in 0..stage.times() {
                    let name = format!("r{round}n{number}s{index}t{time}");
                    let stage = stages(&name).swap_remove(index);
                    sent.insert(name, stage.whole);
                    scope.spawn(move || misbehave(installation, &stage, *end));
                }
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

fn leave_nothing_behind(form: Form) {
    let installation = installation(&Extra::default());
    let smtp = strangers::listener(&installation);
    installation
        .configure(&Extra { smtp: &smtp, limits: IDLE, tables: &strangers::dns(), ..Extra::default() })
        .unwrap();
    let server = installation.serve().unwrap();
    send(&installation, [("before", HERE)]);
    let mut sent = everybody(&installation, 0);
    let start = Figures::at_rest(&installation, &server);
    let mut memory = Memory::new(start);
    for round in 1..=form.rounds {
        sent.extend(everybody(&installation, round));
        memory.note(start.return_to(&installation, &server, form.within));
    }
    memory.assert_flat();
    send(&installation, [("after", HERE)]);
    check_mailbox(&installation, &sent);
}

#[test]
fn clients_that_misbehave_leave_nothing_behind() {
    leave_nothing_behind(Form::SHORT);
}

/// `cargo test -p waypost --test misbehave -- --ignored --test-threads 1`
#[test]
#[ignore = "asserts on time: for a machine with nothing else to do"]
fn clients_that_misbehave_leave_nothing_behind_for_long() {
    leave_nothing_behind(Form::LONG);
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
    misbehave(&installation, &the_dot("orphan"), End::Close);
    until(
        LIMIT,
        || "the message that was whole arrives".to_owned(),
        || {
            let mut found = Vec::new();
            maildrop::empty(&installation, HERE, |arrived| found.extend(name_of(arrived))).unwrap();
            !found.is_empty()
        },
    );
}
