//! What full checking costs a message that arrives, with all answers of the DNS in the cache: `cargo bench -p policy`.
//!
//! A message of 4 KiB with one RSA-2048 signature comes from connection to verdict: iprev, HELO, SPF (an `mx` to look up),
//! the sender's domain, DKIM, DMARC, Authentication-Results. Time is of the CPU of the one thread that does all of it, the resolver's cache
//! included; the server that answered is asked once. Target: 100 µs (an RSA verification alone is about 20).

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use address::ReversePath;
use dns::test_server::TestServer;
use dns::{Lookup, Resolver};
use mailauth::dkim::{BodyHasher, Signer, SigningKey};
use mailauth::{Signatures, zone_text};
use policy::arrival::{Arrival, ReverseName, Settings};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Options, Store};

const MESSAGES: u32 = 10_000;
const IP: &str = "192.0.2.9";
const NOW: u64 = 1_795_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let key = SigningKey::generate_rsa().unwrap();
    let record = key.dns_record();
    let server = TestServer::new()
        .unsigned("sender.test", &format!(
            "@ MX 10 mx\nmx A {IP}\n@ TXT \"v=spf1 mx -all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\ns1._domainkey TXT {}",
            zone_text(&record)
        ))
        .unsigned("2.0.192.in-addr.arpa", "9 PTR mx.sender.test.")
        .start()
        .await;
    let settings = dns::Settings { servers: vec![server.address()], ..dns::Settings::default() };
    let resolver: Arc<dyn Lookup> = Arc::new(Resolver::new(&settings).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let arrival =
        Arrival::new(Arc::clone(&resolver), store, Settings::new("mail.example.org".parse().unwrap()));
    let arrival = Arc::new(arrival);
    let (header, body) = message(key);
    println!("a message of {} octets, {MESSAGES} times; µs of CPU each", header.len() + body.len());
    let words = arrive(&arrival, &resolver, &header, &body).await;
    assert!(
        words.contains("dkim=pass") && words.contains("spf=pass") && words.contains("dmarc=pass"),
        "{words}"
    );
    let began = (cpu(), Instant::now());
    for _ in 0..MESSAGES {
        arrive(&arrival, &resolver, &header, &body).await;
    }
    show("all checks, from connection to verdict", began);
    let began = (cpu(), Instant::now());
    for _ in 0..MESSAGES {
        let mut signatures = Signatures::new(&header, NOW);
        signatures.update(&body);
        let found = signatures.finish(|_| Ok(vec![record.clone().into_bytes()]));
        assert!(found.dkim[0].passed());
    }
    show("of these, the signature", began);
}

/// From connection to verdict; the field of results.
async fn arrive(arrival: &Arc<Arrival>, dns: &Arc<dyn Lookup>, header: &[u8], body: &[u8]) -> String {
    let ip = IP.parse().unwrap();
    let reverse = ReverseName::look_up(&**dns, ip).await;
    let mut visit = arrival.visit(ip);
    visit.hello("mx.sender.test");
    let from: ReversePath = "joe@sender.test".parse().unwrap();
    assert!(visit.mail(&from, Instant::now(), NOW).is_taken());
    let to = "me@example.org".parse().unwrap();
    assert!(visit.recipient(&to, &reverse, 0).await.is_taken());
    let mut checks = visit.message(header, NOW);
    body.chunks(32 << 10).for_each(|piece| checks.update(piece));
    checks.finish(&mut visit, &reverse, &[to], |_| false).await.field
}

fn message(key: SigningKey) -> (Vec<u8>, Vec<u8>) {
    let header = b"From: Joe <joe@sender.test>\r\nTo: Me <me@example.org>\r\nSubject: the usual\r\nMessage-ID: <1@sender.test>\r\n\
        Date: Sat, 21 Nov 2026 16:08:04 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    let line = b"Some words that fill a line of the usual length, as people write them.\r\n";
    let body = line.repeat(4096 / line.len());
    let signer = Signer::new("sender.test".parse().unwrap(), "s1".parse().unwrap(), key);
    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(&body);
    let field = signer.sign(header, &hasher.finish(), NOW - 60).unwrap();
    ([&field[..], header].concat(), body)
}

/// What this thread has used of the CPU (Linux).
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn show(what: &str, (cpu_before, began): (Option<Duration>, Instant)) {
    let spent = cpu().zip(cpu_before).map_or_else(|| began.elapsed(), |(now, before)| now - before);
    println!("{:8.1}  {what}", spent.as_secs_f64() * 1e6 / f64::from(MESSAGES));
}
