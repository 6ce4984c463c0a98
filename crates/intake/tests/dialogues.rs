//! Dialogues with a whole server on loopback, one behaviour a file of `tests/dialogues`.
//!
//! ```text
//! @ key value   a setting (see `Setup`)
//! L: relay      a new connection, which is talked to from here on; U: 1 goes back to the first
//! C: line       sent with CRLF (C+ the same, but together with the next; C> octets with escapes; C* 9 line: 9 times)
//! S: line       must come; `*` stands for anything; S: = is the end of the connection
//! E: EHLO x     sent; the whole reply must begin with 250. O: one of its lines, O! none of its lines
//! TLS           the handshake, after STARTTLS
//! X             the client hangs up
//! T: stop       something happens (see `World::trouble`)
//! G: a.example  a message (with escapes) is sent, signed by that domain, and ended
//! A: b.example a.example  the same, sealed by the first, who found that DMARC passed for the second
//! M: me 2       me@example.org has so many messages (me/Junk: in that folder); of the last one:
//! H: field      its header has the field, after those named before; H! it has none such
//! B: octets     its body, with escapes
//! N: a@b        the newest that is queued for that recipient, as its next host gets it: H:, H! and B: are of this one
//! K: 1          it has so many DKIM signatures, and all verify
//! Q: a@b …      a row of the queue with its parameters: all rows, in order; Q- there is none
//! D: 3600       all rows are due in so many seconds
//! F: 0          so many bodies are files
//! V: words      found of the newest message by its trail, after those named before; V! nothing such; V- nothing at all
//! {srs a@b}     anywhere in a line: the address that stands for a@b in mail which `team@` passes on
//! W: NAME=x     whom the newest message was forwarded for, by its trail; W: - nobody
//! ```

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

mod support;

use address::Secret;
use data_encoding::BASE64;
use sasl::client::{Credentials, Exchange};
use sasl::{Bindings, Channel, Nonce};
use std::path::PathBuf;
use support::client::Client;
use support::world::{Setup, World};

macro_rules! dialogues {
    ($($name:ident)*) => {
        const ALL: &[&str] = &[$(stringify!($name)),*];
        $(#[tokio::test] async fn $name() { play(stringify!($name)).await })*
    };
}

dialogues! {
    alias_elsewhere
    arrival_dmarc
    arrival_dns_failure
    arrival_forged_results
    arrival_greylist
    arrival_greylist_spared
    arrival_helo
    arrival_helo_spf
    arrival_links
    arrival_lists
    arrival_lists_per_domain
    arrival_offices
    arrival_own_domain
    arrival_per_domain
    arrival_put_aside
    arrival_put_aside_for_some
    arrival_rates
    arrival_results
    arrival_sealed
    arrival_sealed_untold
    arrival_several_authors
    arrival_spared
    auth
    auth_limits
    author
    bare_newline
    bdat
    connection_rate
    connections_scarce
    cram_md5
    delivered_before
    disconnect
    disk_scarce
    dkim
    dkim_trusted
    exempt
    foreign_sender
    header_too_large
    hidden_client
    hold_for
    hops
    lf_header
    lmtp
    lmtp_quota
    local
    local_user
    memory_scarce
    message_rate
    notify
    panic
    pipelining
    proxy
    quota
    quota_at_end
    quota_together
    recipient_rate
    recipients
    relay_denied
    relay_domain
    relay_tricks
    removed_recipient
    reset
    shut_out
    shutdown
    shutdown_in_message
    silence
    silence_in_message
    smtputf8
    smuggling
    smuggling_normalised
    srs
    starttls
    starttls_injection
    submission
    submission_keeps_id
    submission_needs_login
    too_large
    trouble
    trusted
    two_messages
    verified_recipients
    wrong_password
    xclient
    xclient_login
    xclient_shut_out
    xclient_stranger
    xforward
}

#[test]
fn every_file_is_played() {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let mut all = ALL.to_vec();
    all.sort_unstable();
    assert_eq!(names, all);
}

/// RFC 5802, RFC 7677, RFC 2195: mechanisms whose messages no file can hold, because both sides' randomness is in them.
#[tokio::test]
async fn exchanges_that_are_computed_log_in() {
    let mut setup = Setup::new();
    setup.set("cram-md5");
    let world = World::new(setup).await;
    for name in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "CRAM-MD5"] {
        for (password, expected) in [("wrong", "535 5.7.8 *"), ("secret", "235 2.7.0 *")] {
            let mut client = world.call("submissions").await;
            client.reply().await;
            client.send(b"EHLO laptop.example\r\n").await;
            client.reply().await;
            let answer = log_in(&mut client, name, password).await;
            assert!(matches(expected, &answer), "{name}: {answer}");
        }
    }
}

/// Thousands of connections may be idle at once.
#[tokio::test]
async fn a_connection_costs_a_few_kilobytes() {
    let size = World::new(Setup::new()).await.task_size();
    assert!(size < 4 * 1024, "{size}");
}

/// DESIGN.md, Trouble: the write-ahead log has a bound, at which mail is put off until the log can be copied. How many messages it
/// holds is the store's affair, so no file can have this dialogue.
#[tokio::test]
async fn mail_is_put_off_while_the_log_is_full() {
    let mut setup = Setup::new();
    setup.set("log-limit 1048576");
    let world = World::new(setup).await;
    let mut client = world.call("relay").await;
    client.reply().await;
    client.send(b"EHLO client.example\r\n").await;
    client.reply().await;
    let hold = world.hold_logs();
    let mut sent = Vec::new();
    let reply = loop {
        assert!(sent.len() < 100, "the log has no bound");
        let message = format!("Subject: {}\r\n\r\n{}", sent.len(), "a line\r\n".repeat(10_000));
        match send(&mut client, &message).await {
            Ok(()) => sent.push(message),
            Err(reply) => break reply,
        }
    };
    assert!(matches("451 4.3.0 *", &reply), "{reply}");
    assert!(sent.len() > 1, "{sent:?}");
    // The trail has the reason.
    let found = world.verdicts();
    assert!(matches("refused: 451 4.3.0 * (store: the write-ahead log is full*", &found[0]), "{found:?}");
    // Another session is told the same, and this one stays.
    let mut other = world.call("relay").await;
    other.reply().await;
    other.send(b"EHLO other.example\r\n").await;
    other.reply().await;
    assert_eq!(send(&mut other, "Subject: x\r\n\r\nx\r\n").await, Err(reply));
    drop(hold);
    world.recover().await;
    for client in [&mut client, &mut other] {
        let message = format!("Subject: {}\r\n\r\nafter\r\n", sent.len());
        assert_eq!(send(client, &message).await, Ok(()));
        sent.push(message);
    }
    let kept = world.folder("me").await;
    assert_eq!(kept.len(), sent.len());
    for (kept, sent) in kept.iter().zip(&sent) {
        assert!(kept.ends_with(sent.as_str()), "{sent:.20}");
    }
}

/// A message for me@example.org; what it was refused with.
async fn send(client: &mut Client, message: &str) -> Result<(), String> {
    let end = format!("{message}.");
    for (words, code) in [
        ("MAIL FROM:<a@b.example>", "250"),
        ("RCPT TO:<me@example.org>", "250"),
        ("DATA", "354"),
        (&end, "250"),
    ] {
        client.send(format!("{words}\r\n").as_bytes()).await;
        let reply = client.line().await;
        if !reply.starts_with(code) {
            return Err(reply);
        }
    }
    Ok(())
}

/// The server's last word.
async fn log_in(client: &mut Client, name: &str, password: &str) -> String {
    let stream = client.take();
    let found = stream.tls().unwrap().bindings.clone();
    client.put(stream);
    // A client that could bind and does not would be taken for the victim of an attack (RFC 5802 §6).
    let bindings = match name.ends_with("-PLUS") {
        true => Bindings { exporter: found.exporter, server_end_point: found.server_end_point },
        false => Bindings::default(),
    };
    let credentials = Credentials::password("me@example.org", Secret::new(password.to_owned()));
    let (mechanism, channel) = (name.parse().unwrap(), Channel::Tls(bindings));
    let mut exchange = Exchange::new(mechanism, credentials, &channel, Nonce::new([7; 18])).unwrap();
    let initial = exchange.initial();
    client.send(format!("AUTH {name}\r\n").as_bytes()).await;
    let mut response = initial;
    loop {
        let line = client.line().await;
        let Some(challenge) = line.strip_prefix("334 ") else { return line };
        let challenge = BASE64.decode(challenge.as_bytes()).unwrap();
        let next = response.take().unwrap_or_else(|| exchange.respond(&challenge).unwrap());
        client.send(format!("{}\r\n", BASE64.encode(next.reveal())).as_bytes()).await;
    }
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "dialogues"].iter().collect()
}

async fn play(name: &str) {
    let script = std::fs::read_to_string(folder().join(format!("{name}.smtp"))).unwrap();
    let steps = || script.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut setup = Setup::new();
    steps().filter_map(|(_, line)| line.strip_prefix("@ ")).for_each(|text| setup.set(text));
    let mut player = Player::new(World::new(setup).await);
    for (number, line) in steps().filter(|(_, line)| !line.starts_with("@ ")) {
        // The last one shown is where it failed.
        println!("{name}.smtp:{}: {line}", number + 1);
        let line = player.world.rewrite_senders(line);
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        player.step(verb, rest).await;
    }
    player.finish();
}

struct Player {
    world: World,
    clients: Vec<Client>,
    current: usize,
    /// Sent with the next `C:`.
    held: Vec<u8>,
    offers: Vec<String>,
    /// Fields of the message looked at, unfolded; where those begin that come after the last one named.
    fields: Vec<String>,
    after: usize,
    /// What was found of the newest message and not yet named.
    verdicts: Option<Vec<String>>,
    message: String,
    /// Rows of the queue not yet named.
    queue: Option<Vec<String>>,
}

impl Player {
    fn new(world: World) -> Self {
        let (clients, offers, fields) = (Vec::new(), Vec::new(), Vec::new());
        let (held, message, queue) = (Vec::new(), String::new(), None);
        let verdicts = None;
        Self { world, clients, current: 0, held, offers, fields, after: 0, verdicts, message, queue }
    }

    fn client(&mut self) -> &mut Client {
        self.clients.get_mut(self.current).expect("L: comes first")
    }

    async fn step(&mut self, verb: &str, rest: &str) {
        match verb {
            "L:" => {
                let client = self.world.call(rest).await;
                self.current = self.clients.len();
                self.clients.push(client);
            }
            "U:" => self.current = rest.parse::<usize>().unwrap() - 1,
            "C+" => self.held.extend(format!("{rest}\r\n").bytes()),
            "C:" => self.send(format!("{rest}\r\n").as_bytes()).await,
            "C>" => self.send(&unescape(rest)).await,
            "C*" => {
                let (times, line) = rest.split_once(' ').unwrap();
                self.send(format!("{line}\r\n").repeat(times.parse().unwrap()).as_bytes()).await;
            }
            "S:" if rest == "=" => self.client().expect_end().await,
            "S:" => {
                let line = self.client().line().await;
                assert!(matches(rest, &line), "{line}");
            }
            "E:" => {
                self.send(format!("{rest}\r\n").as_bytes()).await;
                self.offers = self.client().reply().await;
                assert!(self.offers.iter().all(|line| line.starts_with("250")), "{:?}", self.offers);
            }
            "O:" => assert!(self.offers.iter().any(|line| matches(rest, &line[4..])), "{:?}", self.offers),
            "O!" => assert!(!self.offers.iter().any(|line| matches(rest, &line[4..])), "{:?}", self.offers),
            "G:" => {
                let (domain, message) = rest.split_once(' ').unwrap();
                let message = String::from_utf8(unescape(message)).unwrap();
                let signed = self.world.sign(domain, &message);
                self.send(format!("{signed}.\r\n").as_bytes()).await;
            }
            "A:" => {
                let mut words = rest.splitn(3, ' ');
                let (domain, author) = (words.next().unwrap(), words.next().unwrap());
                let message = String::from_utf8(unescape(words.next().unwrap())).unwrap();
                let sealed = self.world.seal(domain, author, &message);
                self.send(format!("{sealed}.\r\n").as_bytes()).await;
            }
            "TLS" => {
                let stream = self.client().take();
                let stream = self.world.secure(stream).await;
                self.client().put(stream);
            }
            "X" => self.client().hang_up().await,
            "T:" => self.world.trouble(rest).await,
            _ => self.look(verb, rest).await,
        }
    }

    /// At what has become of the messages.
    async fn look(&mut self, verb: &str, rest: &str) {
        match verb {
            "M:" => {
                let (name, count) = rest.split_once(' ').unwrap();
                let messages = self.world.folder(name).await;
                assert_eq!(messages.len(), count.parse::<usize>().unwrap(), "{messages:#?}");
                self.read(messages.last().cloned().unwrap_or_else(|| "\r\n\r\n".into()));
            }
            "N:" => self.read(self.world.queued(rest).await),
            "H:" => {
                let found = self.fields.iter().skip(self.after).position(|field| matches(rest, field));
                self.after += found.unwrap_or_else(|| panic!("not so in {:#?}", self.fields)) + 1;
            }
            "H!" => {
                assert!(!self.fields.iter().any(|field| matches(rest, field)), "{:#?}", self.fields);
            }
            "B:" => {
                let (_, body) = self.message.split_once("\r\n\r\n").unwrap();
                assert_eq!(body.as_bytes(), unescape(rest));
            }
            "K:" => assert_eq!(self.world.signatures(&self.message), rest.parse::<usize>().unwrap()),
            "Q:" => {
                let rows = self.queue.get_or_insert_with(|| rows(&self.world));
                assert!(!rows.is_empty() && rows.remove(0) == rest, "{rows:?}");
            }
            "Q-" => assert_eq!(rows(&self.world), Vec::<String>::new()),
            "D:" => {
                let due = store::Id::generate().unix_ms() + rest.parse::<i64>().unwrap() * 1000;
                for row in self.world.schedule() {
                    // The message was accepted at most a minute ago.
                    assert!((due - 60_000..=due).contains(&row.recipient.due), "{row:?} is not due at {due}");
                }
            }
            "V:" => {
                let verdicts = self.verdicts.get_or_insert_with(|| self.world.verdicts());
                let found = verdicts.iter().position(|words| matches(rest, words));
                let found = found.unwrap_or_else(|| panic!("not so in {verdicts:#?}"));
                verdicts.drain(..=found);
            }
            "V!" => {
                let verdicts = self.world.verdicts();
                assert!(!verdicts.iter().any(|words| matches(rest, words)), "{verdicts:#?}");
            }
            "V-" => assert_eq!(self.world.verdicts(), Vec::<String>::new()),
            "W:" => assert_eq!(self.world.forwarded().as_deref().unwrap_or("-"), rest),
            "F:" => assert_eq!(self.world.body_files(), rest.parse::<usize>().unwrap()),
            _ => panic!("no such step: {verb}"),
        }
    }

    /// Looks at a message from here on.
    fn read(&mut self, message: String) {
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        let unfolded = header.replace("\r\n\t", " ").replace("\r\n ", " ");
        self.fields = unfolded.split("\r\n").map(str::to_owned).collect();
        self.after = 0;
        self.message = message;
    }

    async fn send(&mut self, octets: &[u8]) {
        self.verdicts = None;
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(octets);
        self.client().send(&held).await;
    }

    fn finish(self) {
        self.clients.iter().for_each(Client::expect_silence);
        assert_eq!(
            self.queue.unwrap_or_default(),
            Vec::<String>::new(),
            "rows of the queue that nobody named"
        );
    }
}

fn rows(world: &World) -> Vec<String> {
    let schedule = world.schedule().into_iter().map(|row| row.recipient);
    schedule.map(|row| format!("{} {}", row.address, row.parameters).trim().to_owned()).collect()
}

/// Whether a line is as expected, where `*` stands for any characters.
fn matches(expected: &str, line: &str) -> bool {
    match expected.split_once('*') {
        None => expected == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| matches(rest, &line[at..]))
        }),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").into_bytes()
}
