//! IP fragments, held until their datagram is whole (RFC 791 §3.2, RFC 8200 §4.5).

use crate::Time;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Most datagrams that wait for fragments; TCP is hardly ever fragmented.
pub const MAX_DATAGRAMS: usize = 64;
/// Most fragments of one: a datagram of 64 KiB in pieces of the smallest MTU there is (576 octets).
pub const MAX_HELD_FRAGMENTS: usize = 128;
/// Most octets of a datagram (the length field of IP has 16 bits).
const MAX_DATAGRAM: usize = 65_535;
/// How long fragments wait for their fellows (RFC 8200 §4.5).
const MAX_AGE: Duration = Duration::from_secs(60);

/// What the fragments of one datagram have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) identification: u32,
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    pub(super) offset: usize,
    pub(super) last: bool,
}

#[derive(Debug, Default)]
pub(super) struct Fragments {
    held: HashMap<Key, Datagram>,
    given_up: u64,
}

#[derive(Debug)]
struct Datagram {
    first_seen: Time,
    pieces: Vec<(usize, Vec<u8>)>,
    /// Known when the last fragment has come.
    length: Option<usize>,
}

impl Fragments {
    /// Takes a fragment; the whole datagram when it was the last that was missing.
    pub(super) fn add(&mut self, key: Key, fragment: Fragment, now: Time, octets: &[u8]) -> Option<Vec<u8>> {
        self.make_room(now, &key);
        let datagram = self.held.entry(key.clone()).or_insert_with(|| Datagram {
            first_seen: now,
            pieces: Vec::new(),
            length: None,
        });
        let end = fragment.offset + octets.len();
        if datagram.pieces.len() == MAX_HELD_FRAGMENTS || end > MAX_DATAGRAM {
            self.held.remove(&key);
            self.given_up += 1;
            return None;
        }
        datagram.pieces.push((fragment.offset, octets.to_vec()));
        if fragment.last {
            datagram.length = Some(end);
        }
        let whole = datagram.whole()?;
        self.held.remove(&key);
        Some(whole)
    }

    pub(super) fn incomplete(&self) -> u64 {
        self.given_up + self.held.len() as u64
    }

    /// Gives up what has waited too long, and the oldest when there are too many.
    fn make_room(&mut self, now: Time, key: &Key) {
        let before = self.held.len();
        self.held.retain(|_, datagram| now.since(datagram.first_seen) <= MAX_AGE);
        if self.held.len() >= MAX_DATAGRAMS && !self.held.contains_key(key) {
            let oldest = self.held.iter().min_by_key(|(_, datagram)| datagram.first_seen);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.held.remove(&oldest);
            }
        }
        self.given_up += (before - self.held.len()) as u64;
    }
}

impl Datagram {
    /// The datagram, if nothing is missing. Where fragments overlap the first that came counts.
    fn whole(&mut self) -> Option<Vec<u8>> {
        let length = self.length?;
        self.pieces.sort_by_key(|(offset, _)| *offset);
        let mut whole = Vec::with_capacity(length);
        for (offset, piece) in &self.pieces {
            let known = whole.len().checked_sub(*offset)?;
            whole.extend_from_slice(piece.get(known..).unwrap_or_default());
        }
        (whole.len() >= length).then(|| {
            whole.truncate(length);
            whole
        })
    }
}
