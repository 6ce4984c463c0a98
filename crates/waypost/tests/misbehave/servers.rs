//! Next servers: each misbehaves in its own way, at its own stage, until it is told to behave.

use crate::figures::{Figures, Memory};
use crate::{Form, HERE, LIMIT, installation, name_of, send, until};
use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xtask::installation::{Extra, Installation};
use xtask::maildrop;
use xtask::wire::{Wire, unstuffed};

/// Ports of the servers begin here, on the installation's own address.
const FIRST_PORT: u16 = 3000;
/// How often one who looks whether to behave looks.
const TICK: Duration = Duration::from_millis(20);
/// Attempts at one that is bad each time.
const ATTEMPTS: usize = 3;
/// Between two octets of a slow server.
const DRIP: Duration = Duration::from_micros(500);
/// Octets of a reply without end, at most: a client that has read so much will read on for ever.
const ENDLESS: usize = 64 << 20;

/// What is answered badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Hello,
    StartTls,
    Mail,
    Rcpt,
    Data,
    /// The middle of the message: not answered at all, so only some ways go with it.
    Body,
    Dot,
    Quit,
}

const STAGES: [Stage; 8] = [
    Stage::Connect,
    Stage::Hello,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Body,
    Stage::Dot,
    Stage::Quit,
];

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Silence,
    Reset,
    Close,
    /// 4xx.
    Later,
    /// 5xx.
    Never,
    /// A reply of more and more lines.
    EndlessLines,
    /// One line of more and more octets.
    EndlessLine,
    /// Not a reply.
    Garbage,
    /// One octet at a time, and right.
    Drip,
    /// TLS that is none, stops half-way, or breaks.
    Handshake(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Garbage,
    Half,
    Reset,
}

const WAYS: [Way; 8] = [
    Way::Silence,
    Way::Reset,
    Way::Close,
    Way::Later,
    Way::Never,
    Way::EndlessLines,
    Way::EndlessLine,
    Way::Garbage,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    stage: Stage,
    way: Way,
}

/// Every way at every stage.
fn manners() -> Vec<Manner> {
    let goes = |stage, way| stage != Stage::Body || matches!(way, Way::Silence | Way::Reset | Way::Close);
    let everywhere = STAGES.into_iter().flat_map(|stage| {
        WAYS.into_iter().filter(move |way| goes(stage, *way)).map(move |way| Manner { stage, way })
    });
    let handshakes = [End::Garbage, End::Half, End::Reset].map(Way::Handshake);
    let starttls = [Way::Silence, Way::Reset, Way::Later, Way::Never].into_iter().chain(handshakes);
    let more = starttls.map(|way| Manner { stage: Stage::StartTls, way });
    everywhere.chain(more).chain([Manner { stage: Stage::Connect, way: Way::Drip }]).collect()
}

impl Manner {
    /// The sender is told that it will not be delivered, so it is not.
    fn is_final(self) -> bool {
        self.way == Way::Never && matches!(self.stage, Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Dot)
    }

    /// How often it is met: as often as it is tried again. A silent one holds on to the first attempt; without TLS
    /// and before QUIT the message gets through; slow is not wrong.
    fn attempts(self) -> usize {
        let once = matches!(self.way, Way::Silence | Way::Drip | Way::Handshake(_)) || self.is_final();
        if once || matches!(self.stage, Stage::StartTls | Stage::Quit) { 1 } else { ATTEMPTS }
    }
}

/// One server.
struct Peer {
    manner: Manner,
    port: u16,
    /// From now on it is as good as any.
    good: AtomicBool,
    /// How often it has misbehaved.
    done: AtomicUsize,
    /// Messages that came to their end.
    had: Mutex<Vec<String>>,
    /// And were answered 250.
    kept: Mutex<Vec<String>>,
    /// All of a reply without end was read.
    read_on: AtomicBool,
    /// Connections that stand.
    open: AtomicUsize,
}

impl Peer {
    fn start(installation: &Installation, port: u16, manner: Manner) -> Arc<Self> {
        let (good, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (had, kept) = (Mutex::default(), Mutex::default());
        let (read_on, open) = (AtomicBool::new(false), AtomicUsize::new(0));
        let peer = Arc::new(Self { manner, port, good, done, had, kept, read_on, open });
        let listener = TcpListener::bind(installation.place(port)).unwrap();
        let listening = Arc::clone(&peer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let peer = Arc::clone(&listening);
                peer.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let session =
                        Session { wire: Wire::over(stream.unwrap()).unwrap(), peer, to_reset: false };
                    // Broken connections are what this is about.
                    let _ = session.serve();
                });
            }
        });
        peer
    }

    fn domain(&self) -> String {
        format!("p{}.example", self.port)
    }

    fn is_good(&self) -> bool {
        self.good.load(Ordering::SeqCst)
    }

    /// How often it came to an end here, and how often it was answered 250.
    fn count(&self, name: &str) -> (usize, usize) {
        let times = |of: &Mutex<Vec<String>>| of.lock().unwrap().iter().filter(|one| *one == name).count();
        (times(&self.had), times(&self.kept))
    }
}

struct Session {
    wire: Wire,
    peer: Arc<Peer>,
    to_reset: bool,
}

impl Session {
    fn serve(mut self) -> io::Result<()> {
        self.answer(Stage::Connect, "220 peer.example ESMTP")?;
        loop {
            let line = String::from_utf8_lossy(&self.wire.line()?).trim_end().to_owned();
            let verb = line.split(' ').next().unwrap_or_default();
            match verb {
                "" => return Ok(()),
                "EHLO" if self.peer.manner.stage == Stage::StartTls && !self.peer.is_good() => {
                    self.answer(Stage::Hello, "250-peer.example\r\n250 STARTTLS")?;
                }
                "EHLO" => self.answer(Stage::Hello, "250 peer.example")?,
                "STARTTLS" => self.answer(Stage::StartTls, "220 2.0.0 go on")?,
                "MAIL" => self.answer(Stage::Mail, "250 2.1.0 ok")?,
                "RCPT" => self.answer(Stage::Rcpt, "250 2.1.5 ok")?,
                "DATA" if self.misbehaves(Stage::Data) => self.misbehave()?,
                "DATA" => {
                    self.say("354 go on")?;
                    self.message()?;
                }
                "QUIT" => return self.answer(Stage::Quit, "221 2.0.0 bye"),
                "RSET" => self.say("250 2.0.0 ok")?,
                _ => self.say("502 5.5.1 what")?,
            }
        }
    }

    fn message(&mut self) -> io::Result<()> {
        if self.misbehaves(Stage::Body) {
            self.wire.line()?;
            return self.misbehave();
        }
        let message = unstuffed(&mut self.wire)?;
        let name = name_of(&message).unwrap();
        assert!(message.ends_with(&crate::message(&name)), "{name} is not whole");
        self.peer.had.lock().unwrap().push(name.clone());
        if self.misbehaves(Stage::Dot) {
            return self.misbehave();
        }
        self.peer.kept.lock().unwrap().push(name);
        self.say("250 2.0.0 kept")
    }

    fn misbehaves(&self, stage: Stage) -> bool {
        self.peer.manner.stage == stage && !self.peer.is_good()
    }

    /// The reply, or what this peer says in its place.
    fn answer(&mut self, stage: Stage, reply: &str) -> io::Result<()> {
        if self.misbehaves(stage) { self.misbehave() } else { self.say(reply) }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        if self.peer.manner.way != Way::Drip {
            return self.wire.send(format!("{reply}\r\n").as_bytes());
        }
        for octet in format!("{reply}\r\n").as_bytes().chunks(1) {
            self.wire.send(octet)?;
            std::thread::sleep(DRIP);
        }
        Ok(())
    }

    /// Goes on only where the dialogue can.
    fn misbehave(&mut self) -> io::Result<()> {
        self.peer.done.fetch_add(1, Ordering::SeqCst);
        let over = || io::Error::from(io::ErrorKind::ConnectionAborted);
        match self.peer.manner.way {
            Way::Silence => {
                while !self.peer.is_good() {
                    std::thread::sleep(TICK);
                }
                return Err(over());
            }
            Way::Reset => self.to_reset = true,
            Way::Close => {}
            Way::Later => return self.wire.send(b"451 4.3.0 later\r\n"),
            Way::Never => return self.wire.send(b"554 5.7.1 never\r\n"),
            Way::Garbage => self.wire.send(&[0xff; 300])?,
            Way::EndlessLines => self.endless(b"250-and more\r\n")?,
            Way::EndlessLine => self.endless(b"250 and more and more")?,
            Way::Drip => return self.say("220 peer.example ESMTP"),
            Way::Handshake(end) => {
                self.wire.send(b"220 2.0.0 go on\r\n")?;
                self.wire.octets(100)?;
                match end {
                    End::Garbage => self.wire.send(&[0x30; 3000])?,
                    // A record of a handshake that says it has more octets than come.
                    End::Half => self.wire.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")?,
                    End::Reset => self.to_reset = true,
                }
            }
        }
        Err(over())
    }

    /// Until the other end has enough.
    fn endless(&mut self, words: &[u8]) -> io::Result<()> {
        let block = words.repeat(1000);
        let mut said = 0;
        while said < ENDLESS {
            self.wire.send(&block)?;
            said += block.len();
        }
        self.peer.read_on.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.peer.open.fetch_sub(1, Ordering::SeqCst);
        if self.to_reset {
            let _ = rustix::net::sockopt::set_socket_linger(self.wire.socket(), Some(Duration::ZERO));
        }
    }
}

/// A route to each peer's port, for a domain of its own.
fn routes(installation: &Installation, manners: &[Manner]) -> String {
    let mut routes = String::new();
    for (port, _) in (FIRST_PORT..).zip(manners) {
        let place = installation.place(port);
        let _ = write!(routes, "[[route]]\ndomain = \"p{port}.example\"\nto = \"smtp://{place}\"\n");
    }
    routes
}

fn start(installation: &Installation, manners: &[Manner]) -> Vec<Arc<Peer>> {
    let start = |(port, manner): (u16, &Manner)| Peer::start(installation, port, *manner);
    (FIRST_PORT..).zip(manners).map(start).collect()
}

/// Returns when no connection to any of them stands.
fn gone(peers: &[Arc<Peer>]) {
    let open = |peer: &Arc<Peer>| peer.open.load(Ordering::SeqCst) > 0;
    until(LIMIT, || "no connection is kept".to_owned(), || !peers.iter().any(open));
}

/// Every peer is sent a message, misbehaves, and gets it when it is good again.
fn everybody(installation: &Installation, peers: &[Arc<Peer>], round: usize) {
    for peer in peers {
        peer.good.store(false, Ordering::SeqCst);
        peer.done.store(0, Ordering::SeqCst);
    }
    let names: Vec<String> = peers.iter().map(|peer| format!("r{round} for {}", peer.port)).collect();
    let recipients: Vec<String> = peers.iter().map(|peer| format!("you@{}", peer.domain())).collect();
    send(installation, names.iter().map(String::as_str).zip(recipients.iter().map(String::as_str)));
    for peer in peers {
        let met = || peer.done.load(Ordering::SeqCst) >= peer.manner.attempts();
        until(LIMIT, || format!("{:?} is met", peer.manner), met);
        peer.good.store(true, Ordering::SeqCst);
    }
    installation.wait_for_empty_queue(LIMIT).unwrap();
    for (peer, name) in peers.iter().zip(&names) {
        let (had, kept) = peer.count(name);
        assert_eq!(kept, usize::from(!peer.manner.is_final()), "{name}, {:?}", peer.manner);
        assert!(!peer.read_on.load(Ordering::SeqCst), "{:?} was read to its end", peer.manner);
        // Only who had it and did not say so may get it again.
        assert!(had <= 1 || peer.manner.stage == Stage::Dot, "{name}, {:?}, {had} times", peer.manner);
    }
}

fn leave_nothing_behind(form: Form) {
    let manners = manners();
    let installation = installation(&Extra::default());
    installation.configure(&Extra { tables: &routes(&installation, &manners), ..Extra::default() }).unwrap();
    let peers = start(&installation, &manners);
    let server = installation.serve().unwrap();
    send(&installation, [("before", HERE)]);
    everybody(&installation, &peers, 0);
    gone(&peers);
    let start = Figures::at_rest(&installation, &server);
    let mut memory = Memory::new(start);
    for round in 1..=form.rounds {
        everybody(&installation, &peers, round);
        memory.note(start.return_to(&installation, &server, form.within));
        // None is kept for the next round, in which a peer misbehaves from the greeting on.
        gone(&peers);
    }
    memory.assert_flat();

    let mut told = 0;
    maildrop::empty(&installation, HERE, |arrived| {
        told += usize::from(name_of(arrived).is_none_or(|name| name != "before"));
    })
    .unwrap();
    let finally = manners.iter().filter(|manner| manner.is_final()).count();
    assert_eq!(
        told,
        (1 + form.rounds) * finally,
        "the sender hears of each message that was refused for good"
    );
}

#[test]
fn servers_that_misbehave_leave_nothing_behind_and_get_their_mail_when_they_behave() {
    leave_nothing_behind(Form::SHORT);
}

/// `cargo test -p waypost --test misbehave -- --ignored --test-threads 1`
#[test]
#[ignore = "asserts on time: for a machine with nothing else to do"]
fn servers_that_misbehave_leave_nothing_behind_for_long() {
    leave_nothing_behind(Form::LONG);
}

/// Of servers that never behave: they take the connection, some of them the message, and are gone.
const FOR_EVER: [Manner; 6] = [
    Manner { stage: Stage::Connect, way: Way::Close },
    Manner { stage: Stage::Connect, way: Way::Reset },
    Manner { stage: Stage::Hello, way: Way::Close },
    Manner { stage: Stage::Body, way: Way::Reset },
    Manner { stage: Stage::Dot, way: Way::Close },
    Manner { stage: Stage::Dot, way: Way::Reset },
];

fn who_drops_for_ever_is_given_up(form: Form) {
    let installation = installation(&Extra::default());
    let tables = routes(&installation, &FOR_EVER);
    // Some attempts: the first retry is after a second, the next after two.
    installation
        .configure(&Extra { queue: "lifetime = \"6 s\"", tables: &tables, ..Extra::default() })
        .unwrap();
    let peers = start(&installation, &FOR_EVER);
    let server = installation.serve().unwrap();
    let recipients: Vec<String> = peers.iter().map(|peer| format!("you@{}", peer.domain())).collect();
    let round = || {
        peers.iter().for_each(|peer| peer.done.store(0, Ordering::SeqCst));
        send(&installation, recipients.iter().map(|recipient| ("for ever", recipient.as_str())));
        installation.wait_for_empty_queue(LIMIT).unwrap();
        gone(&peers);
        for peer in &peers {
            assert!(peer.done.load(Ordering::SeqCst) > 1, "{:?} was tried again", peer.manner);
        }
    };
    round();
    let start = Figures::at_rest(&installation, &server);
    let mut memory = Memory::new(start);
    for _ in 0..form.rounds {
        round();
        memory.note(start.return_to(&installation, &server, form.within));
    }
    memory.assert_flat();

    let mut told = Vec::new();
    maildrop::empty(&installation, HERE, |arrived| told.push(String::from_utf8_lossy(arrived).into_owned()))
        .unwrap();
    let times = 1 + form.rounds;
    assert_eq!(told.len(), times * peers.len(), "one notification for each: {told:#?}");
    for recipient in &recipients {
        let field = format!("Final-Recipient: rfc822; {recipient}");
        let notices: Vec<&String> = told.iter().filter(|notice| notice.contains(&field)).collect();
        assert_eq!(notices.len(), times, "{recipient}: {notices:#?}");
        assert!(notices.iter().all(|notice| notice.contains("Action: failed")), "{notices:#?}");
    }
}

#[test]
fn who_accepts_and_then_drops_for_ever_is_given_up_and_the_sender_told_once() {
    who_drops_for_ever_is_given_up(Form::SHORT);
}

/// `cargo test -p waypost --test misbehave -- --ignored --test-threads 1`
#[test]
#[ignore = "asserts on time: for a machine with nothing else to do"]
fn who_accepts_and_then_drops_for_ever_is_given_up_for_long() {
    who_drops_for_ever_is_given_up(Form::LONG);
}
