//! The record of a run: every call that changed a file, in order, and between them what the test knows.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What the test knows of a message by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The domain and the accounts are there.
    Ready,
    /// Its end of data is about to be sent.
    Sent,
    /// It was answered 250.
    Promised,
    /// The sink has it whole and is about to answer 250.
    Sunk,
}

const MARKS: [(Mark, &str); 4] =
    [(Mark::Ready, "ready"), (Mark::Sent, "sent"), (Mark::Promised, "promised"), (Mark::Sunk, "sunk")];

/// Where the marks go: into memory, and between the calls of a record when there is one.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    trace: Option<File>,
    marks: Mutex<Vec<(Mark, String)>>,
}

impl Journal {
    pub(crate) fn recording(trace: &Path) -> Self {
        let file = File::options().append(true).create(true).open(trace).unwrap();
        Self { trace: Some(file), ..Self::default() }
    }

    pub(crate) fn note(&self, mark: Mark, name: &str) {
        let mut marks = self.marks.lock().unwrap();
        if let Some(mut trace) = self.trace.as_ref() {
            let word = MARKS.iter().find(|known| known.0 == mark).unwrap().1;
            let text = format!("{word} {name}");
            let mut record = Vec::new();
            for field in [u32::from(b'K'), u32::MAX, 0, 0, text.len() as u32, 0, 0, 0] {
                record.extend_from_slice(&field.to_le_bytes());
            }
            record.extend_from_slice(text.as_bytes());
            trace.write_all(&record).unwrap();
        }
        marks.push((mark, name.to_owned()));
    }

    pub(crate) fn marks(&self) -> Vec<(Mark, String)> {
        self.marks.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, mark: Mark) -> usize {
        self.marks.lock().unwrap().iter().filter(|noted| noted.0 == mark).count()
    }
}

/// A call that succeeded, or a mark.
#[derive(Debug, Clone)]
pub(crate) enum Call {
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
pub(crate) struct Record {
    bytes: Vec<u8>,
    pub(crate) calls: Vec<Call>,
}

/// The octets of `struct head` in `shim.c`.
const HEAD: usize = 32;

impl Record {
    /// Paths are made relative to `root`.
    pub(crate) fn read(trace: &Path, root: &Path) -> Self {
        let bytes = std::fs::read(trace).unwrap();
        let (mut calls, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            calls.push(call(&bytes, &mut at, root));
        }
        Self { bytes, calls }
    }

    pub(crate) fn data(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// What the test knew at a point of the record.
    pub(crate) fn marks(&self, until: usize) -> Vec<(Mark, String)> {
        let marks = self.calls[..until].iter();
        marks
            .filter_map(
                |call| if let Call::Mark(mark, name) = call { Some((*mark, name.clone())) } else { None },
            )
            .collect()
    }
}

fn call(bytes: &[u8], at: &mut usize, root: &Path) -> Call {
    let head = &bytes[*at..*at + HEAD];
    let number = |place: usize| u32::from_le_bytes(head[place..place + 4].try_into().unwrap());
    let (kind, fd) = (number(0) as u8, number(4) as i32);
    let offset = u64::from_le_bytes(head[8..16].try_into().unwrap());
    let (path, other, data, flags) =
        (number(16) as usize, number(20) as usize, number(24) as usize, number(28));
    let path = *at + HEAD..*at + HEAD + path;
    let other = path.end..path.end + other;
    let data = other.end..other.end + data;
    *at = data.end;
    let text = |range: &Range<usize>| std::str::from_utf8(&bytes[range.clone()]).unwrap();
    let inside = |range| Path::new(text(range)).strip_prefix(root).unwrap().to_owned();
    match kind {
        b'P' => Call::Process,
        b'O' => Call::Open { fd, path: inside(&path), new: flags & 1 != 0, truncate: flags & 2 != 0 },
        b'D' => Call::Copy { fd, of: offset as i32 },
        b'C' => Call::Close(fd),
        b'W' => Call::Write { fd, offset, data },
        b'T' => Call::Truncate(fd, offset),
        b'S' => Call::SyncBegin(fd),
        b'E' => Call::SyncEnd { fd, failed: flags != 0 },
        b'R' => Call::Rename(inside(&path), inside(&other)),
        b'L' => Call::Link(inside(&path), inside(&other)),
        b'U' => Call::Remove(inside(&path)),
        b'M' => Call::MakeFolder(inside(&path)),
        b'K' => {
            let (word, name) = text(&path).split_once(' ').unwrap();
            Call::Mark(MARKS.iter().find(|known| known.1 == word).unwrap().0, name.to_owned())
        }
        other => panic!("a record of kind {other}"),
    }
}
