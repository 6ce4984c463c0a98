//! Packs: files of many objects, written once, each object with its checksum.
//!
//! ```text
//! "WPPACK1\n"  object …  index  count (8)  checksum of the index (32)  "WPPEND1\n"
//! object: name (16)  how it is stored (1)  octets stored (8)  octets (8)  SHA-256 of all the rest (32)  what is stored
//! index:  name (16)  where the object begins (8), for each
//! ```
//!
//! Numbers are big-endian. A pack has its name only once all of it is on disk; before, its file ends in `.part`.

use crate::BackupError;
use crate::name::{LENGTH, Name, checksum};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const BEGIN: &[u8; 8] = b"WPPACK1\n";
const END: &[u8; 8] = b"WPPEND1\n";
const HEADER: usize = LENGTH + 1 + 8 + 8 + 32;
const INDEX_ENTRY: usize = LENGTH + 8;
const TRAILER: usize = 8 + 32 + 8;
/// Octets of an object: the largest message, and more than rows ever have.
const MAX_OBJECT: u64 = 1 << 30;
/// Stored as it is.
const PLAIN: u8 = 0;
/// Stored compressed.
const DEFLATE: u8 = 1;

/// Where objects are in a pack.
pub(crate) type Index = Vec<(Name, u64)>;

/// A pack that is being written.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    path: PathBuf,
    length: u64,
    index: Index,
}

impl Draft {
    /// `path`: what it is to be called; for its owner alone, as it has everybody's mail.
    pub(crate) fn create(path: &Path) -> Result<Self, BackupError> {
        let part = path.with_extension("part");
        let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&part);
        let mut file = file.map_err(|e| BackupError::file(&part, e))?;
        file.write_all(BEGIN).map_err(|e| BackupError::file(&part, e))?;
        Ok(Self { file, path: path.to_owned(), length: BEGIN.len() as u64, index: Vec::new() })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Adds an object; returns where it begins.
    pub(crate) fn add(&mut self, name: Name, octets: &[u8]) -> Result<u64, BackupError> {
        let packed = deflated(octets);
        let (how, stored) = match &packed {
            Some(packed) => (DEFLATE, packed.as_slice()),
            None => (PLAIN, octets),
        };
        let mut object = Vec::with_capacity(HEADER + stored.len());
        object.extend_from_slice(&name.0);
        object.push(how);
        object.extend_from_slice(&(stored.len() as u64).to_be_bytes());
        object.extend_from_slice(&(octets.len() as u64).to_be_bytes());
        object.extend_from_slice(&checksum(&[&object, stored]));
        object.extend_from_slice(stored);
        self.file.write_all(&object).map_err(|e| self.failed(e))?;
        let begin = self.length;
        self.length += object.len() as u64;
        self.index.push((name, begin));
        Ok(begin)
    }

    /// An object of it.
    pub(crate) fn read(&self, name: Name, begin: u64) -> Result<Vec<u8>, BackupError> {
        read(&self.file, &self.path, name, begin)
    }

    /// Ends it: all is on disk, read back and found right, before it has its name.
    pub(crate) fn finish(mut self) -> Result<PathBuf, BackupError> {
        let mut end: Vec<u8> = Vec::with_capacity(self.index.len() * INDEX_ENTRY + TRAILER);
        for (name, begin) in &self.index {
            end.extend_from_slice(&name.0);
            end.extend_from_slice(&begin.to_be_bytes());
        }
        let sum = checksum(&[&end]);
        end.extend_from_slice(&(self.index.len() as u64).to_be_bytes());
        end.extend_from_slice(&sum);
        end.extend_from_slice(END);
        let written = self.file.write_all(&end).and_then(|()| self.file.sync_all());
        written.map_err(|e| self.failed(e))?;
        for (name, begin) in &self.index {
            self.read(*name, *begin)?;
        }
        std::fs::rename(self.path.with_extension("part"), &self.path).map_err(|e| self.failed(e))?;
        sync_parent(&self.path)?;
        Ok(self.path)
    }

    fn failed(&self, error: std::io::Error) -> BackupError {
        BackupError::file(&self.path.with_extension("part"), error)
    }
}

/// A finished pack, open for reading.
#[derive(Debug)]
pub(crate) struct Pack {
    file: File,
    path: PathBuf,
}

impl Pack {
    pub(crate) fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(|e| BackupError::file(path, e))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(crate) fn length(&self) -> Result<u64, BackupError> {
        Ok(self.file.metadata().map_err(|e| BackupError::file(&self.path, e))?.len())
    }

    /// What is in it, in the order in which it is there.
    pub(crate) fn index(&self) -> Result<Index, BackupError> {
        let damaged = || damaged(&self.path, "its index");
        let length = self.length()?;
        let at = |from: u64, octets: &mut [u8]| self.file.read_exact_at(octets, from).map_err(|_| damaged());
        let mut begin = [0; BEGIN.len()];
        at(0, &mut begin)?;
        let mut trailer = [0; TRAILER];
        at(length.checked_sub(TRAILER as u64).ok_or_else(damaged)?, &mut trailer)?;
        let (count, rest) = trailer.split_at(8);
        let (sum, end) = rest.split_at(32);
        let size = number(count).checked_mul(INDEX_ENTRY as u64).filter(|size| *size < length);
        let size = size.ok_or_else(damaged)?;
        let from = length.checked_sub(TRAILER as u64 + size).ok_or_else(damaged)?;
        let mut index = vec![0; usize::try_from(size).map_err(|_| damaged())?];
        at(from, &mut index)?;
        if &begin != BEGIN || end != END || checksum(&[&index]) != sum {
            return Err(damaged());
        }
        let entry = |entry: &[u8]| {
            let (name, begin) = entry.split_at(LENGTH);
            Some((Name(name.try_into().ok()?), number(begin)))
        };
        index.chunks_exact(INDEX_ENTRY).map(|one| entry(one).ok_or_else(damaged)).collect()
    }

    pub(crate) fn read(&self, name: Name, begin: u64) -> Result<Vec<u8>, BackupError> {
        read(&self.file, &self.path, name, begin)
    }

    /// Octets that an object takes in the pack.
    pub(crate) fn space(&self, begin: u64) -> Result<u64, BackupError> {
        let mut header = [0; HEADER];
        self.file.read_exact_at(&mut header, begin).map_err(|_| damaged(&self.path, "a header"))?;
        Ok(HEADER as u64 + number(&header[LENGTH + 1..LENGTH + 9]))
    }
}

/// Reads an object and holds it against its name, length and checksum.
fn read(file: &File, path: &Path, name: Name, begin: u64) -> Result<Vec<u8>, BackupError> {
    let wrong = || damaged(path, &name.to_string());
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, begin).map_err(|_| wrong())?;
    let (found, rest) = header.split_at(LENGTH);
    let (how, rest) = rest.split_at(1);
    let (lengths, sum) = rest.split_at(16);
    let (stored, length) = (number(&lengths[..8]), number(&lengths[8..]));
    if found != name.0 || stored > MAX_OBJECT || length > MAX_OBJECT {
        return Err(wrong());
    }
    let mut octets = vec![0; usize::try_from(stored).map_err(|_| wrong())?];
    file.read_exact_at(&mut octets, begin + HEADER as u64).map_err(|_| wrong())?;
    if checksum(&[&header[..HEADER - 32], &octets]) != sum {
        return Err(wrong());
    }
    if how == [DEFLATE] {
        let mut inflated = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut decoder = DeflateDecoder::new(octets.as_slice()).take(length + 1);
        decoder.read_to_end(&mut inflated).map_err(|_| wrong())?;
        octets = inflated;
    }
    if octets.len() as u64 == length { Ok(octets) } else { Err(wrong()) }
}

/// Compressed, where that is worth reading it back through the decoder.
fn deflated(octets: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(octets.len() / 2), Compression::fast());
    encoder.write_all(octets).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < octets.len() - octets.len() / 16).then_some(packed)
}

fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn damaged(path: &Path, what: &str) -> BackupError {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    BackupError::Damaged(format!("packs/{file} ({what})"))
}

/// Makes a file's name safe on disk.
pub(crate) fn sync_parent(path: &Path) -> Result<(), BackupError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| BackupError::file(folder, e))
}
