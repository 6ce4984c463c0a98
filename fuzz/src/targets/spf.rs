//! SPF records, explanations and names as publishers write them, evaluated for hosts and senders as peers claim to be them.

use mailauth::spf::{self, Identity, MAX_TERMS, MAX_VOID_LOOKUPS, Query, Record, ResultWord};
use mailauth::{Dns, Found, LookupError, Mx};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// The most that one check may ask: the first record, ten terms of a question and its ten names, the names of the client
/// and their addresses, and an explanation.
const MOST_QUESTIONS: u32 = 1 + MAX_TERMS as u32 * 11 + 11 + 1;

/// Each line of the input is a TXT record; the name asked for chooses which it has, and what else.
struct Lines<'a> {
    lines: Vec<&'a [u8]>,
    asked: Mutex<Cell<u32>>,
}

impl Lines<'_> {
    fn number(&self, name: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.set(asked.get() + 1);
        assert!(name.len() <= 255 && !name.split('.').any(str::is_empty), "asked for {name:?}");
        name.bytes().fold(7, |sum, octet| (sum * 31 + usize::from(octet)) % 9973)
    }

    fn found<T>(&self, name: &str, some: impl Fn(u8) -> T) -> Found<T> {
        match self.number(name) % 8 {
            0 => Err(LookupError::NoName),
            1 => Err(LookupError::NoRecord),
            2 => Err(LookupError::Failed),
            count => Ok((0..count as u8 * 2).map(some).collect()),
        }
    }
}

impl Dns for Lines<'_> {
    async fn txt(&self, name: &str) -> Found<Vec<u8>> {
        let number = self.number(name);
        Ok(self.lines.get(number % self.lines.len().max(1)).map(|line| line.to_vec()).into_iter().collect())
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        self.found(name, |n| Ipv4Addr::new(192, 0, 2, n))
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        self.found(name, |n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()))
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        self.found(name, |n| Mx { preference: 1, exchange: format!("m{n}.{name}") })
    }

    async fn ptr(&self, _: IpAddr) -> Found<String> {
        self.found("ptr.example", |n| format!("h{n}.example.org"))
    }
}

pub fn run(data: &[u8]) {
    let _ = Record::parse(data);
    let lines: Vec<&[u8]> = data.split(|octet| *octet == b'\n').collect();
    // The last line is also what the peer says.
    let said = String::from_utf8_lossy(lines.last().copied().unwrap_or_default()).into_owned();
    for ip in ["192.0.2.3", "2001:db8::3"] {
        for from in ["joe@example.org", &said] {
            let dns = Lines { lines: lines.clone(), asked: Mutex::default() };
            let query = Query {
                ip: ip.parse().unwrap(),
                helo: &said,
                identity: Identity::MailFrom(from),
                receiver: "mx.example.net",
                now: 1_528_637_909,
            };
            let result = ready(spf::check(&dns, &query));
            assert!(dns.asked.lock().unwrap().get() <= MOST_QUESTIONS);
            assert!(result.lookups <= MAX_TERMS + 1 && result.void_lookups <= MAX_VOID_LOOKUPS + 1);
            let explanation = result.explanation.as_deref().unwrap_or_default();
            assert!(explanation.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
            assert!(explanation.is_empty() || result.word == ResultWord::Fail);
            let traced = ready(spf::trace(&Lines { lines: lines.clone(), asked: Mutex::default() }, &query));
            assert_eq!((traced.word, traced.reason), (result.word, result.reason));
        }
    }
}

/// What a future gives that waits for nothing.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("every answer is there at once"),
    }
}
