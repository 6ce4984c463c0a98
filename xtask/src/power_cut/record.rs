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
    /// Paths are made relative to `root`.
    pub(super) fn read(trace: &Path, root: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(trace)?;
        let (mut calls, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (call, end) =
                call(&bytes, at, root).ok_or_else(|| Error::Record(format!("at octet {at}")))?;
            calls.push(call);
            at = end;
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

/// The call whose record begins `at`, and where the next one begins.
fn call(bytes: &[u8], at: usize, root: &Path) -> Option<(Call, usize)> {
    let head = bytes.get(at..at + HEAD)?;
    let number = |place: usize| head.get(place..place + 4)?.try_into().ok().map(u32::from_le_bytes);
    let length = |place| usize::try_from(number(place)?).ok();
    let (kind, fd, flags) = (u8::try_from(number(0)?).ok()?, number(4)?.cast_signed(), number(28)?);
    let offset = u64::from(number(8)?) | u64::from(number(12)?) << 32;
    let path = at + HEAD..at + HEAD + length(16)?;
    let other = path.end..path.end + length(20)?;
    let data = other.end..other.end + length(24)?;
    let end = data.end;
    let text = |range: &Range<usize>| std::str::from_utf8(bytes.get(range.clone())?).ok();
    let inside = |range| Path::new(text(range)?).strip_prefix(root).ok().map(Path::to_owned);
    let call = match kind {
        b'P' => Call::Process,
        b'O' => Call::Open { fd, path: inside(&path)?, new: flags & 1 != 0, truncate: flags & 2 != 0 },
        b'D' => Call::Copy { fd, of: i32::try_from(offset).ok()? },
        b'C' => Call::Close(fd),
        b'W' => Call::Write { fd, offset, data },
        b'T' => Call::Truncate(fd, offset),
        b'S' => Call::SyncBegin(fd),
        b'E' => Call::SyncEnd { fd, failed: flags != 0 },
        b'R' => Call::Rename(inside(&path)?, inside(&other)?),
        b'L' => Call::Link(inside(&path)?, inside(&other)?),
        b'U' => Call::Remove(inside(&path)?),
        b'M' => Call::MakeFolder(inside(&path)?),
        b'K' => Mark::read(text(&path)?).map(|(mark, name)| Call::Mark(mark, name))?,
        _ => return None,
    };
    (end <= bytes.len()).then_some((call, end))
}
