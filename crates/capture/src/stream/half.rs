//! One direction of a connection.

use super::{Piece, Side};
use crate::Time;
use crate::packet::Segment;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Where the count of octets begins: far from zero, so that an earlier segment than the first seen has a place too.
const ORIGIN: u64 = 1 << 40;
/// No window of TCP is larger (RFC 7323 §2.3): what is further off is not of this connection.
const MAX_WINDOW: u64 = 1 << 30;
/// What a held piece costs besides its octets.
const PIECE_OVERHEAD: usize = 128;

/// What one end says. Sequence numbers, which wrap around, are counted on as offsets, which do not.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// A sequence number and its offset, near the newest ones; none before the first segment.
    mark: Option<(u32, u64)>,
    /// The offset of what is given next, once the beginning is known.
    next: Option<u64>,
    /// Pieces that do not overlap, by offset.
    held: BTreeMap<u64, Held>,
    octets: usize,
    end: Option<End>,
    closed: bool,
    syn: Option<Syn>,
}

#[derive(Debug, Clone, Copy)]
struct Syn {
    sequence: u32,
    /// With an acknowledgement it answers one.
    answers: bool,
}

/// Where the FIN stands.
#[derive(Debug, Clone, Copy)]
struct End {
    offset: u64,
    acknowledged: Option<u32>,
    time: Time,
}

#[derive(Debug)]
struct Held {
    content: Content,
    acknowledged: Option<u32>,
    time: Time,
}

#[derive(Debug)]
enum Content {
    Octets(Bytes),
    /// Sent, and not captured.
    Cut(u64),
}

/// The first piece that is held.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) time: Time,
    pub(super) acknowledged: Option<u32>,
    /// Nothing is missing before it.
    pub(super) is_next: bool,
}

impl Half {
    /// Takes a SYN; false when it begins another connection.
    pub(super) fn take_syn(&mut self, segment: &Segment) -> bool {
        if let Some(syn) = self.syn {
            return syn.sequence == segment.sequence;
        }
        let begin = segment.sequence.wrapping_add(1);
        let offset = self.offset(begin);
        let first = self.next.or_else(|| self.held.keys().next().copied());
        if first.is_some_and(|first| offset > first || first - offset > MAX_WINDOW) {
            return false;
        }
        self.syn = Some(Syn { sequence: segment.sequence, answers: segment.acknowledged.is_some() });
        if self.next.is_none() {
            self.mark = Some((begin, offset));
            self.next = Some(offset);
        }
        true
    }

    /// Takes what a segment carries.
    pub(super) fn add(&mut self, segment: &Segment) {
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let begin = self.offset(sequence);
        if !self.is_near(begin) {
            return;
        }
        self.mark.get_or_insert((sequence, begin));
        let end = begin + segment.payload.len() as u64;
        self.hold(begin, end, segment, |from, to| {
            let slice = |at: u64| usize::try_from(at - begin).unwrap_or(usize::MAX);
            Content::Octets(segment.payload.slice(slice(from)..slice(to)))
        });
        let after = end + segment.cut as u64;
        self.hold(end, after, segment, |from, to| Content::Cut(to - from));
        if segment.fin && self.end.is_none() {
            self.end = Some(End { offset: after, acknowledged: segment.acknowledged, time: segment.time });
        }
    }

    /// Holds what stands from `begin` to `end`, as far as it is new. What came first counts where two segments
    /// differ; of two that say the same the earlier time and acknowledgement count.
    fn hold(&mut self, begin: u64, end: u64, segment: &Segment, content: impl Fn(u64, u64) -> Content) {
        let mut at = self.next.map_or(begin, |next| begin.max(next));
        while at < end {
            if let Some((start, held)) = self.held.range_mut(..=at).next_back()
                && start + held.length() > at
            {
                held.meet(segment);
                at = start + held.length();
                continue;
            }
            let stop = self.held.range(at..end).next().map_or(end, |(start, _)| *start);
            let held =
                Held { content: content(at, stop), acknowledged: segment.acknowledged, time: segment.time };
            self.octets += held.octets();
            self.held.insert(at, held);
            at = stop;
        }
    }

    /// Begins with the first piece there is, if the beginning is not known.
    pub(super) fn start_anywhere(&mut self) {
        if self.next.is_none() {
            self.next = self.held.keys().next().copied().or_else(|| self.end.map(|end| end.offset));
        }
    }

    /// The first piece, or the end, that can be given or given up for.
    pub(super) fn head(&self) -> Option<Head> {
        let next = self.next?;
        if let Some((offset, held)) = self.held.first_key_value() {
            return Some(Head { time: held.time, acknowledged: held.acknowledged, is_next: *offset == next });
        }
        let end = self.end.filter(|_| !self.closed)?;
        Some(Head { time: end.time, acknowledged: end.acknowledged, is_next: end.offset <= next })
    }

    /// Gives the head, before which nothing is missing.
    pub(super) fn give(&mut self, side: Side) -> Option<Piece> {
        let Some((offset, held)) = self.held.pop_first() else {
            let end = self.end?;
            self.closed = true;
            // A FIN takes a sequence number.
            self.advance((end.offset + 1).max(self.next?));
            return Some(Piece::Closed { side, time: end.time });
        };
        self.octets -= held.octets();
        self.advance(offset + held.length());
        Some(match held.content {
            Content::Octets(octets) => Piece::Octets { side, time: held.time, octets },
            Content::Cut(octets) => Piece::Gap { side, time: held.time, octets },
        })
    }

    /// Gives up what is missing before the head.
    pub(super) fn give_up(&mut self, side: Side, now: Time) -> Option<Piece> {
        let next = self.next?;
        let first = self.held.first_key_value().map(|(offset, held)| (*offset, held.time));
        let (offset, time) = first.or_else(|| self.end.map(|end| (end.offset, end.time)))?;
        self.advance(offset);
        Some(Piece::Gap { side, time: time.min(now), octets: offset.saturating_sub(next) })
    }

    /// Whether all before this sequence number was given.
    pub(super) fn has_given(&self, number: u32) -> bool {
        match (self.next, self.mark) {
            (Some(next), Some(_)) => {
                let offset = self.offset(number);
                // An acknowledgement of what was never in sight is nothing to wait for.
                offset <= next || offset - next > MAX_WINDOW
            }
            _ => false,
        }
    }

    /// Whether a segment is one that was given already, or the end of those.
    pub(super) fn covers(&self, segment: &Segment) -> bool {
        if segment.syn {
            return self.syn.is_some_and(|syn| syn.sequence == segment.sequence);
        }
        self.next.is_some_and(|next| self.mark.is_some() && self.offset(segment.sequence) <= next)
    }

    pub(super) fn first_held(&self) -> Option<Time> {
        self.held.first_key_value().map(|(_, held)| held.time)
    }

    pub(super) fn weight(&self) -> usize {
        self.octets + self.held.len() * PIECE_OVERHEAD
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn has_syn(&self) -> bool {
        self.syn.is_some()
    }

    pub(super) fn is_caller(&self) -> bool {
        self.syn.is_some_and(|syn| !syn.answers)
    }

    pub(super) fn is_answerer(&self) -> bool {
        self.syn.is_some_and(|syn| syn.answers)
    }

    /// Whether the first that is held begins with three digits.
    pub(super) fn begins_like_a_reply(&self) -> bool {
        match self.held.first_key_value().map(|(_, held)| &held.content) {
            Some(Content::Octets(octets)) => {
                octets.first_chunk::<3>().is_some_and(|three| three.iter().all(u8::is_ascii_digit))
            }
            _ => false,
        }
    }

    fn offset(&self, sequence: u32) -> u64 {
        let Some((mark, offset)) = self.mark else { return ORIGIN };
        offset.saturating_add_signed(i64::from(sequence.wrapping_sub(mark).cast_signed()))
    }

    fn is_near(&self, offset: u64) -> bool {
        let here = self.next.or_else(|| self.held.keys().next().copied()).unwrap_or(offset);
        offset.abs_diff(here) <= MAX_WINDOW
    }

    /// Moves on to an offset; the mark goes with it, so that sequence numbers are read right for ever.
    fn advance(&mut self, offset: u64) {
        if let Some((mark, at)) = self.mark {
            // Less than a window apart: what is held is near.
            let distance = offset.wrapping_sub(at) as u32;
            self.mark = Some((mark.wrapping_add(distance), offset));
        }
        self.next = Some(offset);
    }
}

impl Held {
    fn length(&self) -> u64 {
        match &self.content {
            Content::Octets(octets) => octets.len() as u64,
            Content::Cut(octets) => *octets,
        }
    }

    fn octets(&self) -> usize {
        match &self.content {
            Content::Octets(octets) => octets.len(),
            Content::Cut(_) => 0,
        }
    }

    /// The same was seen again: the earlier one was what the other side reacted to.
    fn meet(&mut self, again: &Segment) {
        self.time = self.time.min(again.time);
        self.acknowledged = match (self.acknowledged, again.acknowledged) {
            (Some(one), Some(other)) if other.wrapping_sub(one).cast_signed() >= 0 => Some(one),
            (Some(_), other) => other,
            (None, _) => None,
        };
    }
}
