//! A DNS made of lines: `NAME TYPE DATA`, as in a zone file, without quotes.
//!
//! - `TXT`, A, AAAA, `CNAME`: as one expects; `MX` has a preference and a name, `.` for none; of `PTR` the name is an address.
//! - A type `FAIL` makes every look-up of its name fail, and `FAIL` as data those of its type.

#![allow(unreachable_pub, dead_code, reason = "shared by test programs that each use a part")]

use mailauth::{Dns, Found, LookupError, Mx};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

#[derive(Debug, Default)]
pub struct Zone {
    /// By name in lower case; then pairs of type and data.
    names: HashMap<String, Vec<(String, Vec<u8>)>>,
    /// How many questions were asked.
    pub asked: AtomicU32,
}

/// Longest chain of aliases.
const MAX_ALIASES: usize = 8;

impl Zone {
    /// Reads lines; empty ones, and those that begin with `;`, are left out.
    pub fn new(lines: &str) -> Self {
        let mut zone = Self::default();
        for line in
            lines.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with(';'))
        {
            let (name, rest) = line.split_once(' ').unwrap();
            let (kind, data) = rest.trim_start().split_once(' ').unwrap_or_else(|| (rest.trim(), ""));
            zone.add(name, kind, data.as_bytes());
        }
        zone
    }

    pub fn add(&mut self, name: &str, kind: &str, data: &[u8]) {
        let key = name.trim_end_matches('.').to_ascii_lowercase();
        self.names.entry(key).or_default().push((kind.to_owned(), data.to_vec()));
    }

    /// All there is: name, type and data.
    pub fn records(&self) -> impl Iterator<Item = (&str, &str, &[u8])> {
        self.names.iter().flat_map(|(name, list)| {
            list.iter().map(|(kind, data)| (name.as_str(), kind.as_str(), data.as_slice()))
        })
    }

    fn find(&self, name: &str, kind: &str) -> Found<Vec<u8>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut name = name.to_ascii_lowercase();
        for _ in 0..MAX_ALIASES {
            let records = self.names.get(&name).ok_or(LookupError::NoName)?;
            let of = |wanted: &str| {
                let picked = records.iter().filter(|(kind, _)| kind == wanted).map(|(_, data)| data.clone());
                picked.collect::<Vec<_>>()
            };
            let found = of(kind);
            if found.iter().any(|data| data == b"FAIL") || (found.is_empty() && !of("FAIL").is_empty()) {
                return Err(LookupError::Failed);
            }
            match of("CNAME").first() {
                Some(target) => name = text(target).trim_end_matches('.').to_ascii_lowercase(),
                None if found.is_empty() => return Err(LookupError::NoRecord),
                None => return Ok(found),
            }
        }
        Err(LookupError::Failed)
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, kind: &str) -> Found<T> {
        Ok(self.find(name, kind)?.iter().filter_map(|data| text(data).parse().ok()).collect())
    }
}

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap().trim()
}

impl Dns for Zone {
    async fn txt(&self, name: &str) -> Found<Vec<u8>> {
        self.find(name, "TXT")
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        self.parsed(name, "A")
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        self.parsed(name, "AAAA")
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        let read = |data: &Vec<u8>| {
            let (preference, exchange) = text(data).split_once(' ').unwrap_or_else(|| (text(data), ""));
            let exchange = exchange.trim_end_matches('.').to_owned();
            Mx { preference: preference.parse().unwrap(), exchange }
        };
        Ok(self.find(name, "MX")?.iter().map(read).collect())
    }

    async fn ptr(&self, ip: IpAddr) -> Found<String> {
        let names = self.find(&ip.to_string(), "PTR")?;
        Ok(names.iter().map(|name| text(name).trim_end_matches('.').to_owned()).collect())
    }
}

/// The value of a future that waits only for a [`Zone`], which answers at once.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a zone never keeps one waiting"),
    }
}
