//! Ours beside mail-auth: SPF, DKIM and DMARC of one message of 4 KiB. `cargo bench -p mailauth --bench beside`
//!
//! Both do the same work in turns, in one thread, with every answer of the DNS at hand, and parse the message each time.
//! mail-auth keeps records parsed, as its cache does; we read the text of each anew, as from ours. Both use the same
//! cryptography (aws-lc). Time is of the CPU; of the rounds the median counts.

#![allow(clippy::unwrap_used, reason = "a bench may stop")]

#[path = "../tests/oracle/theirs.rs"]
mod theirs;
#[path = "../tests/zone/mod.rs"]
mod zone;

use mail_auth::{AuthenticatedMessage, DkimResult, DmarcResult, SpfResult};
use mailauth::dkim::{BodyHasher, Signer, SigningKey, Verifier};
use mailauth::dmarc::{self, Identifier, Outcome};
use mailauth::spf::{self, Identity, Query};
use mailauth::{Dns, Found, LookupError, Mx};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use theirs::Theirs;
use zone::{Zone, ready};

const ROUNDS: usize = 11;
const MESSAGES: u32 = 1_000;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const HELO: &str = "mx.sender.example";
const FROM: &str = "joe@sender.example";
const RECEIVER: &str = "mail.example.org";

fn main() {
    println!("a message of 4 KiB: SPF, DKIM and DMARC; µs of CPU, ours and mail-auth's");
    let kinds = [("rsa-2048", SigningKey::generate_rsa()), ("ed25519", SigningKey::generate_ed25519())];
    for (kind, key) in kinds {
        let [ours, theirs] = compare(key.unwrap());
        println!("{kind:>9}: {ours:6.1} {theirs:6.1}   ours over theirs: {:.2}", ours / theirs);
    }
}

/// The median of each.
fn compare(key: SigningKey) -> [f64; 2] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let zone = Zone::new(&format!(
        "sender.example TXT v=spf1 mx include:other.example -all\nsender.example MX 10 mx.sender.example\n\
         mx.sender.example A {IP}\nother.example TXT v=spf1 ip4:203.0.113.0/24 -all\n\
         _dmarc.sender.example TXT v=DMARC1; p=reject; rua=mailto:dmarc@sender.example\n\
         s1._domainkey.sender.example TXT {}",
        key.dns_record()
    ));
    let (header, body) = message(key, now);
    let whole = [&header[..], b"\r\n", &body].concat();
    let (records, theirs) = (Records::new(&zone), Theirs::new(&zone));
    let mut spent = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        spent[0].push(time(|| ours(&records, black_box(&header), &body, now)));
        spent[1].push(time(|| mail_auth(&theirs, black_box(&whole))));
    }
    spent.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[ROUNDS / 2]
    })
}

fn ours(dns: &Records, header: &[u8], body: &[u8], now: u64) {
    let query = Query { ip: IP, helo: HELO, identity: Identity::MailFrom(FROM), receiver: RECEIVER, now };
    let envelope = ready(spf::check(dns, &query));
    assert_eq!(envelope.word, spf::ResultWord::Pass);
    let mut verifier = Verifier::new(header, now);
    verifier.update(body);
    let signatures = verifier.finish(|name| ready(dns.txt(name)));
    assert!(signatures[0].passed());
    let author = dmarc::author_domain(header).unwrap();
    let passed = |domain| Identifier { domain, outcome: Outcome::Pass };
    let vouched: Vec<_> = signatures.iter().filter_map(|s| s.domain.as_ref()).map(passed).collect();
    let told = ready(dmarc::evaluate(dns, &author, envelope.domain.as_ref().map(passed), &vouched));
    assert_eq!(told.word, dmarc::Word::Pass);
}

fn mail_auth(theirs: &Theirs, message: &[u8]) {
    let envelope = theirs.spf(IP, HELO, FROM, RECEIVER);
    assert_eq!(envelope.result(), SpfResult::Pass);
    let message = AuthenticatedMessage::parse(message).unwrap();
    let signatures = theirs.dkim(&message);
    assert_eq!(*signatures[0].result(), DkimResult::Pass);
    let told = theirs.dmarc(&message, &signatures, "sender.example", &envelope);
    assert_eq!(*told.spf_result(), DmarcResult::Pass);
}

/// Microseconds of one message.
fn time(check: impl Fn()) -> f64 {
    let began = (cpu(), Instant::now());
    for _ in 0..MESSAGES {
        check();
    }
    let spent = cpu().zip(began.0).map_or_else(|| began.1.elapsed(), |(now, before)| now - before);
    spent.as_secs_f64() * 1e6 / f64::from(MESSAGES)
}

/// What this thread has used of the CPU (Linux).
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The header without its empty line, signed, and the body.
fn message(key: SigningKey, now: u64) -> (Vec<u8>, Vec<u8>) {
    let header = b"Received: from mx.sender.example (mx.sender.example [192.0.2.9])\r\n\tby mail.example.org with ESMTPS id 1;\r\n\
        \tSat, 21 Nov 2026 16:08:05 +0000\r\nFrom: Joe <joe@sender.example>\r\nTo: Me <me@example.org>\r\nSubject: the usual\r\n\
        Message-ID: <1@sender.example>\r\nDate: Sat, 21 Nov 2026 16:08:04 +0000\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\n";
    let line = b"Some words that fill a line of the usual length, as people write them.\r\n";
    let body = line.repeat(4096 / line.len());
    let signer = Signer::new("sender.example".parse().unwrap(), "s1".parse().unwrap(), key);
    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(&body);
    let field = signer.sign(header, &hasher.finish(), now).unwrap();
    ([&field[..], header].concat(), body)
}

/// Answers at hand, as a resolver's cache has them.
struct Records {
    txt: HashMap<String, Vec<Vec<u8>>>,
    a: HashMap<String, Vec<Ipv4Addr>>,
    mx: HashMap<String, Vec<Mx>>,
}

impl Records {
    fn new(zone: &Zone) -> Self {
        let mut records = Self { txt: HashMap::new(), a: HashMap::new(), mx: HashMap::new() };
        for name in zone.records().map(|(name, _, _)| name) {
            records.txt.extend(ready(zone.txt(name)).ok().map(|found| (name.to_owned(), found)));
            records.a.extend(ready(zone.a(name)).ok().map(|found| (name.to_owned(), found)));
            records.mx.extend(ready(zone.mx(name)).ok().map(|found| (name.to_owned(), found)));
        }
        records
    }
}

fn get<T: Clone>(records: &HashMap<String, Vec<T>>, name: &str) -> Found<T> {
    records.get(name).cloned().ok_or(LookupError::NoName)
}

impl Dns for Records {
    async fn txt(&self, name: &str) -> Found<Vec<u8>> {
        get(&self.txt, name)
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        get(&self.a, name)
    }

    async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> {
        Err(LookupError::NoName)
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        get(&self.mx, name)
    }

    async fn ptr(&self, _: IpAddr) -> Found<String> {
        Err(LookupError::NoName)
    }
}
