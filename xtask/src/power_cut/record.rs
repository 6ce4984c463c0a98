//! The record of a run: every call that changed a file, in order, and between them what the harness knew.

use crate::Error;
use crate::faults::Mark;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A call that succeeded, or a mark.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// A process begins: nothing is open.
    Process,
    Open {
        fd: i32,
        path: PathBuf,
        /// It was not there before.
        new: bool,
        truncate: bool,
    },
    Copy {
        fd: i32,
        of: i32,
    },
    Close(i32),
    Write {
        fd: i32,
        offset: u64,
        /// Where the record has the bytes.
        data: Range<usize>,
    },
    Truncate(i32, u64),
    SyncBegin(i32),
    SyncEnd {
        fd: i32,
        failed: bool,
    },
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeFolder(PathBuf),
    Mark(Mark, String),
}

#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    pub(super) calls: Vec<Call>,
}

/// The octets of `struct head` in `shim.c`.
const HEAD: usize = 32;

impl Record {
    /// Paths are made relative to `root`. An entry that is not whole is the end: its writer was killed in the middle of it.
    pub(super) fn read(trace: &Path, root: &Path) -> Result<Self, Error> {
        Self::parse(std::fs::read(trace)?, root)
    }

    fn parse(bytes: Vec<u8>, root: &Path) -> Result<Self, Error> {
        let (mut calls, mut at) = (Vec::new(), 0);
        while let Some(entry) = Entry::at(at, &bytes).filter(|entry| entry.end() <= bytes.len()) {
            calls.push(entry.call(&bytes, root).ok_or_else(|| Error::Record(format!("at octet {at}")))?);
            at = entry.end();
        }
        Ok(Self { bytes, calls })
    }

    /// As if the program had not synced these paths.
    pub(super) fn forget_syncs(&mut self, of: fn(&Path) -> bool) {
        let mut open: HashMap<i32, bool> = HashMap::new();
        self.calls.retain(|call| match call {
            Call::Open { fd, path, .. } => {
                open.insert(*fd, of(path));
                true
            }
            Call::Copy { fd, of } => {
                let forgotten = open.get(of).copied().unwrap_or(false);
                open.insert(*fd, forgotten);
                true
            }
            Call::SyncBegin(fd) | Call::SyncEnd { fd, .. } => !open.get(fd).copied().unwrap_or(false),
            _ => true,
        });
    }

    pub(super) fn data(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// What the harness knew at a point of the record.
    pub(super) fn marks(&self, until: usize) -> Vec<(Mark, String)> {
        let marks = self.calls.iter().take(until).filter_map(|call| match call {
            Call::Mark(mark, name) => Some((*mark, name.clone())),
            _ => None,
        });
        marks.collect()
    }

    pub(super) fn syncs(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::SyncEnd { .. })).count()
    }
}

/// `struct head` of `shim.c`, and where what follows it is.
struct Entry {
    kind: u32,
    fd: i32,
    offset: u64,
    flags: u32,
    path: Range<usize>,
    other: Range<usize>,
    data: Range<usize>,
}

impl Entry {
    /// `None` when not even the head is there.
    fn at(at: usize, bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(at..at + HEAD)?;
        let number = |place: usize| head.get(place..place + 4)?.try_into().ok().map(u32::from_le_bytes);
        let length = |place| usize::try_from(number(place)?).ok();
        let path = at + HEAD..at + HEAD + length(16)?;
        let other = path.end..path.end + length(20)?;
        let data = other.end..other.end + length(24)?;
        let offset = u64::from(number(8)?) | u64::from(number(12)?) << 32;
        let (kind, fd, flags) = (number(0)?, number(4)?.cast_signed(), number(28)?);
        Some(Self { kind, fd, offset, flags, path, other, data })
    }

    /// Where the next one begins.
    fn end(&self) -> usize {
        self.data.end
    }

    /// `None` when there is no such call, or a path is not where the disk is.
    fn call(&self, bytes: &[u8], root: &Path) -> Option<Call> {
        let Self { fd, offset, flags, .. } = *self;
        let text = |range: &Range<usize>| std::str::from_utf8(bytes.get(range.clone())?).ok();
        let inside = |range| Path::new(text(range)?).strip_prefix(root).ok().map(Path::to_owned);
        let path = || inside(&self.path);
        Some(match u8::try_from(self.kind).ok()? {
            b'P' => Call::Process,
            b'O' => Call::Open { fd, path: path()?, new: flags & 1 != 0, truncate: flags & 2 != 0 },
            b'D' => Call::Copy { fd, of: i32::try_from(offset).ok()? },
            b'C' => Call::Close(fd),
            b'W' => Call::Write { fd, offset, data: self.data.clone() },
            b'T' => Call::Truncate(fd, offset),
            b'S' => Call::SyncBegin(fd),
            b'E' => Call::SyncEnd { fd, failed: flags != 0 },
            b'R' => Call::Rename(path()?, inside(&self.other)?),
            b'L' => Call::Link(path()?, inside(&self.other)?),
            b'U' => Call::Remove(path()?),
            b'M' => Call::MakeFolder(path()?),
            b'K' => Mark::read(text(&self.path)?).map(|(mark, name)| Call::Mark(mark, name))?,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, path: &str, data: &[u8]) -> Vec<u8> {
        let (path_length, data_length) = (path.len() as u32, data.len() as u32);
        let head = [u32::from(kind), 7, 4096, 0, path_length, 0, data_length, 0];
        [&head.map(u32::to_le_bytes).concat()[..], path.as_bytes(), data].concat()
    }

    /// The calls of a record, in a word each.
    fn calls(bytes: &[u8]) -> Result<Vec<String>, Error> {
        let record = Record::parse(bytes.to_vec(), Path::new("/disk"))?;
        let word = |call: &Call| match call {
            Call::Open { path, .. } => format!("open {}", path.display()),
            Call::Write { offset, data, .. } => format!("write {offset} {:?}", record.data(data)),
            Call::Mark(mark, name) => format!("{mark:?} {name}"),
            other => format!("{other:?}"),
        };
        Ok(record.calls.iter().map(word).collect())
    }

    #[test]
    fn a_record_ends_with_the_last_entry_that_is_whole() {
        let entries = [
            (entry(b'O', "/disk/data/a", b""), "open data/a"),
            (entry(b'W', "", b"xyz"), "write 4096 [120, 121, 122]"),
            (entry(b'K', "promised m-1", b""), "Promised m-1"),
        ];
        let whole: Vec<u8> = entries.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let ends = entries.iter().scan(0, |end, (bytes, _)| {
            *end += bytes.len();
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        for cut in 0..=whole.len() {
            let there = ends.iter().filter(|end| **end <= cut).count();
            let expected: Vec<&str> = entries.iter().take(there).map(|(_, words)| *words).collect();
            assert_eq!(calls(&whole[..cut]).unwrap(), expected, "{cut} octets of it");
        }
    }

    #[test]
    fn what_is_whole_and_no_call_is_an_error() {
        for wrong in [entry(b'?', "", b""), entry(b'O', "/elsewhere", b""), entry(b'K', "nothing", b"")] {
            let bytes = [&wrong[..], &entry(b'C', "", b"")].concat();
            assert!(matches!(calls(&bytes), Err(Error::Record(_))), "{bytes:?}");
        }
    }
}
