//! TCP segments in any order, lost and repeated, to what both sides said (RFC 9293 §3.4, §3.10).
//!
//! [`Reassembly`] is one connection. Its two directions are put together apart, and given out in the order of their
//! causes: what one side said is given only when all that it had acknowledged of the other side has been. So a
//! reply never comes before its command, in whatever order the packets lie in the file.
//!
//! What is missing is waited for, because it may only be late. It is given up, and said as a [`Piece::Gap`], when
//! too much is held ([`MAX_HELD`]), when what waits is too old ([`MAX_WAIT`]), and at the end.

mod half;

use crate::Time;
use crate::packet::Segment;
use bytes::Bytes;
use half::{Half, Head};
use std::time::Duration;

/// Most octets that one connection holds while something before them is missing: what a window of TCP holds on a
/// fast link (10 Gbit/s, 3 ms).
pub const MAX_HELD: usize = 4 * 1024 * 1024;
/// How long something missing is waited for, by the capture's time: TCP itself retransmits for about so long before
/// a peer's patience ends.
pub const MAX_WAIT: Duration = Duration::from_secs(120);
/// How long the first segment is held of a connection whose beginning is not in the capture: the true first one may
/// be late.
const SETTLE: Duration = Duration::from_secs(2);

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Octets {
        side: Side,
        time: Time,
        octets: Bytes,
    },
    /// So many octets are not in the capture.
    Gap {
        side: Side,
        time: Time,
        octets: u64,
    },
    /// This side has said all (FIN).
    Closed {
        side: Side,
        time: Time,
    },
}

/// One connection. Which end is the client is found out when the first piece is given.
#[derive(Debug, Default)]
pub struct Reassembly {
    /// What each end says, in the order of the caller's choice.
    halves: [Half; 2],
    client: Option<usize>,
    /// The newest time seen.
    now: Time,
    reset: bool,
    /// Nothing more will come: what is missing is given up.
    ended: bool,
}

/// What to do next.
enum Next {
    Give(usize),
    GiveUp(usize),
}

impl Reassembly {
    /// Takes a segment of the end `from` (0 or 1).
    ///
    /// Returns false when it cannot be of this connection, but begins another between the same ends.
    pub fn add(&mut self, from: usize, segment: &Segment) -> bool {
        let Some(half) = self.halves.get_mut(from) else { return true };
        if segment.syn && !half.take_syn(segment) {
            return false;
        }
        self.now = self.now.max(segment.time);
        self.reset |= segment.rst;
        // What a reset carries is not for the application (RFC 9293 §3.10.7.4).
        if !segment.rst {
            half.add(segment);
        }
        true
    }

    /// No more segments will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next piece. `is_server_port` helps where the capture does not show who called whom.
    pub fn poll(&mut self, is_server_port: impl Fn(usize) -> bool) -> Option<Piece> {
        self.settle();
        let next = self.next()?;
        let client = *self.client.get_or_insert_with(|| find_client(&self.halves, is_server_port));
        let (Next::Give(at) | Next::GiveUp(at)) = next;
        let side = if at == client { Side::Client } else { Side::Server };
        let half = self.halves.get_mut(at)?;
        match next {
            Next::Give(_) => half.give(side),
            Next::GiveUp(_) => half.give_up(side, self.now),
        }
    }

    /// Whether both sides have said all, and all was given.
    pub fn is_closed(&self) -> bool {
        self.halves.iter().all(Half::is_closed)
    }

    /// Whether one side broke off (RST).
    pub fn is_reset(&self) -> bool {
        self.reset
    }

    /// Whether the connection's first segment is in the capture.
    pub fn has_beginning(&self) -> bool {
        self.halves.iter().any(Half::has_syn)
    }

    /// The end that called; none before the first piece.
    pub fn client(&self) -> Option<usize> {
        self.client
    }

    /// Who called, for a connection that said nothing.
    pub fn likely_client(&self, is_server_port: impl Fn(usize) -> bool) -> usize {
        self.client.unwrap_or_else(|| find_client(&self.halves, is_server_port))
    }

    /// When the last segment came.
    pub fn last_seen(&self) -> Time {
        self.now
    }

    /// What is held, in octets of memory.
    pub fn weight(&self) -> usize {
        self.halves.iter().map(Half::weight).sum()
    }

    /// Whether a segment that comes after the end was one of this connection.
    pub fn covers(&self, from: usize, segment: &Segment) -> bool {
        self.halves.get(from).is_some_and(|half| half.covers(segment))
    }

    /// Begins directions whose first segment never came.
    fn settle(&mut self) {
        let pressed = self.is_pressed();
        for half in &mut self.halves {
            let waited = half.first_held().is_some_and(|first| self.now.since(first) > SETTLE);
            if waited || pressed {
                half.start_anywhere();
            }
        }
    }

    fn is_pressed(&self) -> bool {
        let oldest = self.halves.iter().filter_map(Half::first_held).min();
        self.ended
            || self.weight() > MAX_HELD
            || oldest.is_some_and(|oldest| self.now.since(oldest) > MAX_WAIT)
    }

    /// What is next: the earliest that waits for nothing; under pressure simply the earliest, and what is missing
    /// before it is given up.
    fn next(&self) -> Option<Next> {
        let heads = [0, 1].map(|at| self.halves.get(at).and_then(Half::head));
        let earliest = |wanted: &dyn Fn(usize, &Head) -> bool| {
            let both = heads.iter().enumerate().filter_map(|(at, head)| Some((at, head.as_ref()?)));
            both.filter(|(at, head)| wanted(*at, head)).min_by_key(|(_, head)| head.time).map(|(at, _)| at)
        };
        if let Some(at) = earliest(&|at, head| head.is_next && self.has_given(1 - at, head.acknowledged)) {
            return Some(Next::Give(at));
        }
        if !self.is_pressed() {
            return None;
        }
        let at = earliest(&|_, _| true)?;
        let is_next = heads.get(at).and_then(Option::as_ref).is_some_and(|head| head.is_next);
        Some(if is_next { Next::Give(at) } else { Next::GiveUp(at) })
    }

    /// Whether all was given that the other side had when it acknowledged this.
    fn has_given(&self, at: usize, acknowledged: Option<u32>) -> bool {
        acknowledged.is_none_or(|number| self.halves.get(at).is_some_and(|half| half.has_given(number)))
    }
}

/// Who called: whoever sent the first SYN; else the end without a server's port; else the one whose first words
/// are no reply; else the one with the higher port is not to be known, and it is the second.
fn find_client(halves: &[Half; 2], is_server_port: impl Fn(usize) -> bool) -> usize {
    let [first, second] = halves;
    if first.is_caller() || second.is_answerer() {
        return 0;
    }
    if second.is_caller() || first.is_answerer() {
        return 1;
    }
    match (is_server_port(0), is_server_port(1)) {
        (true, false) => 1,
        (false, true) => 0,
        _ if first.begins_like_a_reply() => 1,
        _ => 0,
    }
}
