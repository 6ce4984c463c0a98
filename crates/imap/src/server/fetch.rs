//! FETCH responses some of whose sections are not in memory: written by pieces.

use super::event::Reason;
use super::session::Session;
use crate::encode::OpenFetch;
use crate::response::{ContentName, FetchData};

/// How far the driver is in a FETCH that it writes by pieces.
#[derive(Debug)]
pub(super) enum Writing {
    Nothing,
    Items(OpenFetch),
    /// So many octets are still owed.
    Literal(OpenFetch, u64),
}

impl Session {
    /// Begins a FETCH response some of whose sections are not in memory: then [`Self::fetch_item`] and
    /// [`Self::fetch_literal`] in any order, at least one, and [`Self::end_fetch`].
    pub fn begin_fetch(&mut self, number: u32) {
        if self.may_write() {
            let fetch = self.context.encoder().begin_fetch(number);
            self.context.writing = Writing::Items(fetch);
        }
    }

    pub fn fetch_item(&mut self, item: &FetchData) {
        match self.take_writing() {
            Writing::Items(mut fetch) => {
                self.context.encoder().fetch_item(&mut fetch, item);
                self.context.writing = Writing::Items(fetch);
            }
            other => self.misuse(other),
        }
    }

    /// A section of exactly `size` octets, which [`Self::fetch_octets`] gives. `nul`: they may hold NUL, which BINARY gives out as it
    /// is, and everything else as 0x80 (RFC 9051 §4.3.1).
    pub fn fetch_literal(&mut self, name: &ContentName, size: u64, nul: bool) {
        match self.take_writing() {
            Writing::Items(mut fetch) => {
                self.context.encoder().fetch_literal(&mut fetch, name, size, nul);
                self.context.writing = match size {
                    0 => Writing::Items(fetch),
                    _ => Writing::Literal(fetch, size),
                };
            }
            other => self.misuse(other),
        }
    }

    /// The literal's next octets: some 64 KiB at most at once, as they are buffered, and not while
    /// [`Self::is_output_full`].
    pub fn fetch_octets(&mut self, octets: &[u8]) {
        match self.take_writing() {
            Writing::Literal(fetch, left) if octets.len() as u64 <= left => {
                self.context.encoder().octets(&fetch, octets);
                self.context.writing = match left - octets.len() as u64 {
                    0 => Writing::Items(fetch),
                    left => Writing::Literal(fetch, left),
                };
            }
            other if octets.is_empty() => self.context.writing = other,
            other => self.misuse(other),
        }
    }

    pub fn end_fetch(&mut self) {
        match self.take_writing() {
            Writing::Items(fetch) => self.context.encoder().end_fetch(fetch),
            other => self.misuse(other),
        }
    }

    /// Between [`Self::begin_fetch`] and [`Self::end_fetch`]: whatever is written now is taken for a part of the response.
    pub fn is_inside_fetch(&self) -> bool {
        !matches!(self.context.writing, Writing::Nothing)
    }

    fn misuse(&mut self, writing: Writing) {
        self.context.writing = writing;
        self.close(Reason::WrongAnswer);
    }

    fn take_writing(&mut self) -> Writing {
        std::mem::replace(&mut self.context.writing, Writing::Nothing)
    }
}
