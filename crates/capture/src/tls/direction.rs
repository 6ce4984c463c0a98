//! The records of one direction: framed, and opened where there is a key.

use super::keys::{HEADER, Opener};
use super::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Longest content of a record, with what encryption may add (RFC 5246 §6.2.3).
const MAX_RECORD: usize = 16_384 + 2048;
/// Most octets of one handshake message: a long chain of certificates has some ten thousand.
const MAX_MESSAGE: usize = 256 * 1024;
/// Most records that may have been lost between two that are there; behind a larger gap nothing is looked for.
const MAX_LOST_RECORDS: u64 = 256;
/// Most octets of early data, which cannot be opened, before the handshake must go on.
const MAX_EARLY_DATA: u64 = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Direction {
    buffer: BytesMut,
    /// Octets of a damaged record that have not come yet.
    skip: usize,
    handshake: BytesMut,
    state: State,
    /// Keys that come into use one after another.
    next: VecDeque<Opener>,
    /// Octets of early data that may still be passed over.
    early_data: u64,
    /// Application data that was not opened.
    pub(super) sealed: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Records are in the clear.
    #[default]
    Clear,
    Open(Opener),
    /// Records were lost: the next that opens tells how many.
    Searching(Opener),
    /// There is no key: what comes is counted.
    Sealed,
    /// It makes no sense any more.
    Broken,
}

/// What a look at the buffer brought.
pub(super) enum Record {
    Content(u8, Bytes),
    Lost(u64),
    Nonsense(&'static str),
}

impl Direction {
    pub(super) fn push(&mut self, octets: &[u8]) {
        let skipped = self.skip.min(octets.len());
        self.skip -= skipped;
        match self.state {
            State::Broken => self.sealed += octets.len() as u64,
            _ => self.buffer.extend_from_slice(octets.get(skipped..).unwrap_or_default()),
        }
    }

    /// Keys for later, in the order of their use.
    pub(super) fn expect_keys<const N: usize>(&mut self, keys: [Opener; N], early_data: bool) {
        self.next = keys.into();
        self.early_data = if early_data { MAX_EARLY_DATA } else { 0 };
    }

    /// The next key comes into use.
    pub(super) fn use_next_key(&mut self) {
        self.state = match self.next.pop_front() {
            Some(opener) => State::Open(opener),
            None if matches!(self.state, State::Broken) => State::Broken,
            None => State::Sealed,
        };
        // Messages do not span a change of keys (RFC 8446 §5.1).
        self.handshake.clear();
    }

    /// The key is replaced by the one that follows from it.
    pub(super) fn update_key(&mut self) {
        if let State::Open(opener) = &self.state
            && let Some(updated) = opener.updated()
        {
            self.state = State::Open(updated);
        }
    }

    /// The next record that has come whole.
    pub(super) fn next(&mut self) -> Option<Record> {
        loop {
            if matches!(self.state, State::Broken) {
                return None;
            }
            if matches!(self.state, State::Searching(_)) {
                return self.search();
            }
            let length = match frame(&self.buffer) {
                Frame::Partial => return None,
                Frame::Nonsense => return Some(self.give_up("no record begins where one must")),
                Frame::Whole(length) => length,
            };
            let record = self.buffer.split_to(length).freeze();
            if let Some(found) = self.read(record) {
                return Some(found);
            }
        }
    }

    fn read(&mut self, record: Bytes) -> Option<Record> {
        let kind = *record.first()?;
        let body = record.slice(HEADER..);
        match &mut self.state {
            State::Sealed => {
                self.sealed += if kind == APPLICATION_DATA { body.len() as u64 } else { 0 };
                None
            }
            // TLS 1.3 has one in the clear, for middleboxes (RFC 8446 §D.4); so may an alert before keys are used.
            State::Open(_) if kind == CHANGE_CIPHER_SPEC || (kind == ALERT && body.len() == 2) => None,
            State::Open(opener) => match opener.open(&record) {
                Some((kind, content)) => Some(Record::Content(kind, content.into())),
                None if self.early_data >= record.len() as u64 => {
                    self.early_data -= record.len() as u64;
                    None
                }
                None => Some(self.give_up("a record does not open with its key")),
            },
            _ => Some(Record::Content(kind, body)),
        }
    }

    /// So many octets are missing here; says so when nothing more can be read.
    pub(super) fn gap(&mut self, octets: u64) -> Option<&'static str> {
        let missing = usize::try_from(octets).unwrap_or(usize::MAX);
        let rest = match frame_length(&self.buffer) {
            Some(length) => length.saturating_sub(self.buffer.len()),
            None => self.skip,
        };
        let in_record = (rest > 0 && missing <= rest).then(|| rest - missing);
        self.buffer.clear();
        self.handshake.clear();
        self.skip = 0;
        match (std::mem::take(&mut self.state), in_record) {
            // The gap ends in the record it began in.
            (State::Open(mut opener), Some(rest)) => {
                opener.set_number(opener.number() + 1);
                self.skip = rest;
                self.state = State::Open(opener);
                None
            }
            (State::Sealed, Some(rest)) => {
                self.skip = rest;
                self.state = State::Sealed;
                None
            }
            (State::Open(opener) | State::Searching(opener), _) => {
                self.state = State::Searching(opener);
                None
            }
            (State::Broken, _) => {
                self.state = State::Broken;
                None
            }
            (State::Clear | State::Sealed, _) => {
                self.state = State::Broken;
                Some("records are missing")
            }
        }
    }

    /// Looks for a record that opens, behind a gap.
    fn search(&mut self) -> Option<Record> {
        let State::Searching(mut opener) = std::mem::take(&mut self.state) else { return None };
        let mut lost = 0;
        loop {
            let at = memchr::memchr(APPLICATION_DATA, &self.buffer).unwrap_or(self.buffer.len());
            self.buffer.advance(at);
            lost += at as u64;
            if let Frame::Whole(length) = frame(&self.buffer) {
                let record = self.buffer.get(..length).unwrap_or_default();
                if let Some((kind, content)) = open_later(&mut opener, record) {
                    self.buffer.advance(length);
                    self.state = State::Open(opener);
                    return Some(Record::Content(kind, content.into()));
                }
            } else if frame_length(&self.buffer).is_some() || self.buffer.len() < HEADER {
                self.state = State::Searching(opener);
                return (lost > 0).then_some(Record::Lost(lost));
            }
            self.buffer.advance(1);
            lost += 1;
        }
    }

    fn give_up(&mut self, why: &'static str) -> Record {
        self.sealed += self.buffer.len() as u64;
        self.buffer.clear();
        self.state = State::Broken;
        Record::Nonsense(why)
    }

    pub(super) fn handshake(&mut self, octets: &[u8]) {
        self.handshake.extend_from_slice(octets);
    }

    /// The next handshake message that has come whole: its type and its body.
    pub(super) fn message(&mut self) -> Option<(u8, Bytes)> {
        let [kind, high, middle, low] = *self.handshake.first_chunk::<4>()?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > MAX_MESSAGE {
            self.handshake.clear();
            return None;
        }
        if self.handshake.len() < 4 + length {
            return None;
        }
        self.handshake.advance(4);
        Some((kind, self.handshake.split_to(length).freeze()))
    }

    pub(super) fn weight(&self) -> usize {
        self.buffer.len() + self.handshake.len()
    }
}

/// Opens a record before which some were lost.
fn open_later(opener: &mut Opener, record: &[u8]) -> Option<(u8, Vec<u8>)> {
    let first = opener.number();
    for lost in 0..=MAX_LOST_RECORDS {
        opener.set_number(first + lost);
        if let Some(found) = opener.open(record) {
            return Some(found);
        }
    }
    opener.set_number(first);
    None
}

enum Frame {
    Partial,
    Nonsense,
    Whole(usize),
}

fn frame(buffer: &[u8]) -> Frame {
    match frame_length(buffer) {
        None if buffer.len() >= HEADER => Frame::Nonsense,
        None => Frame::Partial,
        Some(length) if buffer.len() < length => Frame::Partial,
        Some(length) => Frame::Whole(length),
    }
}

/// The length of the record that begins here, with its header: type, version, length.
fn frame_length(buffer: &[u8]) -> Option<usize> {
    let [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, 0..=4, high, low] = *buffer.first_chunk::<HEADER>()?
    else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    (length <= MAX_RECORD).then_some(HEADER + length)
}
