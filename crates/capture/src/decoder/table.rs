//! The connections that are being read, in bounded memory.

use super::connection::{Around, Connection};
use super::{Event, Settings};
use crate::Time;
use crate::dialogue::Ending;
use crate::packet::Segment;
use crate::stream::Reassembly;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// Most connections at once; the one that has been silent longest makes room.
pub const MAX_CONNECTIONS: usize = 4096;
/// Most memory of all connections together; the one that has been silent longest makes room.
pub const MAX_MEMORY: usize = 256 * 1024 * 1024;
/// A connection that is silent so long is told of and forgotten. RFC 5321 §4.5.3.2.6 lets a client wait ten minutes
/// for a reply.
const MAX_SILENCE: Duration = Duration::from_secs(30 * 60);
/// After a reset only what was late on its way still comes.
const RESET_SILENCE: Duration = Duration::from_secs(10);
/// How often silent connections are looked for, in segments.
const SWEEP: u64 = 1024;
/// Connections that ended are remembered, so that a late segment of theirs begins no new one.
const MAX_REMEMBERED: usize = 1024;

/// Both ends, the lower first.
type Pair = (SocketAddr, SocketAddr);

#[derive(Debug, Default)]
pub(super) struct Table {
    open: BTreeMap<Pair, Connection>,
    ended: BTreeMap<Pair, Reassembly>,
    /// The order in which they ended.
    ended_order: VecDeque<Pair>,
    weight: usize,
    segments: u64,
    now: Time,
    pub(super) connections: u64,
    pub(super) dialogues: u64,
    pub(super) evicted: u64,
}

impl Table {
    pub(super) fn add(&mut self, segment: &Segment, settings: &Settings, events: &mut VecDeque<Event>) {
        let (source, destination) = (segment.source, segment.destination);
        let (pair, from) =
            if source <= destination { ((source, destination), 0) } else { ((destination, source), 1) };
        self.now = self.now.max(segment.time);
        self.segments += 1;
        if self.segments.is_multiple_of(SWEEP) {
            self.sweep(settings, events);
        }
        if !self.open.contains_key(&pair) {
            if self.ended.get(&pair).is_some_and(|ended| ended.covers(from, segment)) {
                return;
            }
            self.begin(pair, segment, settings, events);
        }
        let accepted = self.feed(pair, from, segment, settings, events);
        if !accepted {
            // The same ports again, for another connection.
            self.close(pair, Ending::Open, settings, events);
            self.begin(pair, segment, settings, events);
            self.feed(pair, from, segment, settings, events);
        }
        if self.open.get(&pair).is_some_and(Connection::is_closed) {
            self.close(pair, Ending::Closed, settings, events);
        }
        while self.weight > MAX_MEMORY && self.evict_one(settings, events) {}
    }

    pub(super) fn finish(&mut self, settings: &Settings, events: &mut VecDeque<Event>) {
        let mut rest: Vec<(Time, Pair)> =
            self.open.iter().map(|(pair, open)| (open.began(), *pair)).collect();
        rest.sort();
        for (_, pair) in rest {
            self.close(pair, Ending::Open, settings, events);
        }
    }

    fn begin(&mut self, pair: Pair, segment: &Segment, settings: &Settings, events: &mut VecDeque<Event>) {
        if self.open.len() >= MAX_CONNECTIONS {
            self.evict_one(settings, events);
        }
        self.connections += 1;
        self.open.insert(pair, Connection::new([pair.0, pair.1], segment.time));
    }

    /// Whether the segment was of this connection.
    fn feed(
        &mut self,
        pair: Pair,
        from: usize,
        segment: &Segment,
        settings: &Settings,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let Some(connection) = self.open.get_mut(&pair) else { return true };
        let before = connection.weight();
        let accepted =
            connection.add(from, segment, &mut Around { settings, dialogues: &mut self.dialogues, events });
        self.weight = (self.weight + connection.weight()).saturating_sub(before);
        accepted
    }

    fn close(&mut self, pair: Pair, ending: Ending, settings: &Settings, events: &mut VecDeque<Event>) {
        let Some(connection) = self.open.remove(&pair) else { return };
        self.weight = self.weight.saturating_sub(connection.weight());
        let stream = connection.end(ending, &mut Around { settings, dialogues: &mut self.dialogues, events });
        if self.ended.insert(pair, stream).is_none() {
            self.ended_order.push_back(pair);
        }
        if self.ended_order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// Tells of and forgets what has been silent too long.
    fn sweep(&mut self, settings: &Settings, events: &mut VecDeque<Event>) {
        let silent = |connection: &Connection| {
            let limit = if connection.is_reset() { RESET_SILENCE } else { MAX_SILENCE };
            self.now.since(connection.last_seen()) > limit
        };
        let found: Vec<(Pair, bool)> = self
            .open
            .iter()
            .filter(|(_, connection)| silent(connection))
            .map(|(pair, connection)| (*pair, connection.is_reset()))
            .collect();
        for (pair, reset) in found {
            self.evicted += u64::from(!reset);
            self.close(pair, Ending::Evicted, settings, events);
        }
    }

    /// Makes room; false when there is nothing to give up.
    fn evict_one(&mut self, settings: &Settings, events: &mut VecDeque<Event>) -> bool {
        let oldest = self.open.iter().min_by_key(|(_, connection)| connection.last_seen());
        let Some(pair) = oldest.map(|(pair, _)| *pair) else { return false };
        self.evicted += 1;
        self.close(pair, Ending::Evicted, settings, events);
        true
    }
}
