//! Maildir, read: a folder is a directory with `cur` and `new` in it, a message a file in one of these.
//!
//! ```text
//! Maildir/cur/1795289400.M1P2.host,S=120:2,FSa   flagged, seen, and the keyword that dovecot-keywords gives the letter a
//! Maildir/new/…                                  no program has seen it yet
//! Maildir/.Archive.2024/{cur,new,maildirfolder}  a folder of Maildir++: its levels with dots between
//! Maildir/Archive/2024/{cur,new}                 the same in plain directories, as some programs have it
//! Maildir/dovecot-keywords, subscriptions        see [`Keywords`] and [`subscriptions`]
//! ```

mod keywords;
mod subscriptions;
#[cfg(test)]
mod tests;
mod uidlist;
mod writer;

pub use keywords::{Keywords, MAX_LETTERS};
pub use subscriptions::{
    courier as courier_subscriptions, dovecot as dovecot_subscriptions, read as subscriptions,
    write as write_subscriptions,
};
pub use uidlist::parse as uids;
pub use writer::{Delivery, FolderWriter, Meta};

use crate::flags::FORWARDED;
use crate::{Error, Flags};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Directories in directories that are looked into.
const MAX_DEPTH: usize = 32;
/// Before the letters of the flags.
const INFO: &[u8] = b":2,";

/// A folder on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As they stand on the disk, outermost first; none: the Maildir itself, which is INBOX.
    pub levels: Vec<String>,
    pub path: PathBuf,
}

/// All folders below `root`, itself first, then by name.
///
/// # Errors
/// [`Error::NotMaildir`] when there is none; [`Error::File`].
pub fn folders(root: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    look_into(root, Vec::new(), &mut found)?;
    if found.is_empty() {
        return Err(Error::NotMaildir(root.to_owned()));
    }
    found.sort_by(|a, b| a.levels.cmp(&b.levels));
    Ok(found)
}

fn look_into(path: &Path, levels: Vec<String>, found: &mut Vec<Found>) -> Result<(), Error> {
    let mut below = Vec::new();
    let mut is_folder = false;
    for entry in std::fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        // Links are followed: a folder kept on another disk is one. A cycle ends at the depth.
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if !path.is_dir() {
            continue;
        }
        match name.as_str() {
            "cur" | "new" => is_folder = true,
            "tmp" => {}
            _ => below.push((name, path)),
        }
    }
    for (name, path) in below {
        let mut inner = levels.clone();
        match name.strip_prefix('.') {
            // A dot in a folder that is none of Maildir++ hides something.
            Some(_) if !levels.is_empty() => continue,
            Some(dotted) => {
                inner.extend(dotted.split('.').filter(|level| !level.is_empty()).map(str::to_owned))
            }
            None => inner.push(name),
        }
        if !inner.is_empty() && inner.len() <= MAX_DEPTH {
            look_into(&path, inner, found)?;
        }
    }
    if is_folder {
        found.push(Found { levels, path: path.to_owned() });
    }
    Ok(())
}

/// A message of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    name: OsString,
    /// In `new`: delivered, and shown to nobody yet.
    new: bool,
}

impl Entry {
    /// A file of this name; `new`: in `new`.
    pub fn new(name: OsString, new: bool) -> Self {
        Self { name, new }
    }

    /// What stays when flags change or the message is moved: the file's name up to `:2,` and to the sizes after a comma.
    pub fn unique(&self) -> &[u8] {
        unique(self.name.as_encoded_bytes())
    }

    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(if self.new { "new" } else { "cur" }).join(&self.name)
    }

    pub fn flags(&self, keywords: &Keywords) -> Flags {
        let mut flags = Flags::default();
        if self.new {
            return flags;
        }
        let name = self.name.as_encoded_bytes();
        let info = name.windows(INFO.len()).rposition(|part| part == INFO).map(|at| &name[at + INFO.len()..]);
        for &letter in info.unwrap_or_default() {
            match letter {
                b'S' => flags.seen = true,
                b'R' => flags.answered = true,
                b'F' => flags.flagged = true,
                b'T' => flags.deleted = true,
                b'D' => flags.draft = true,
                b'P' => flags.add_keyword(FORWARDED),
                b'a'..=b'z' => {
                    if let Some(keyword) = keywords.of(letter) {
                        flags.add_keyword(keyword);
                    }
                }
                _ => {}
            }
        }
        flags
    }
}

fn unique(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b':' || byte == b',').next().unwrap_or(name)
}

/// The messages of a folder, oldest first: by Dovecot's UIDs where it has given them, then by the time of delivery
/// that names begin with.
pub fn entries(folder: &Path) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    for (sub, new) in [("cur", false), ("new", true)] {
        let path = folder.join(sub);
        let files = match std::fs::read_dir(&path) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::File { path, source: error }),
        };
        for file in files {
            let name = file.map_err(Error::file(&path))?.file_name();
            if !name.as_encoded_bytes().starts_with(b".") {
                all.push(Entry { name, new });
            }
        }
    }
    let uids = uidlist::read(folder);
    all.sort_by_cached_key(|entry| {
        let uid = uids.get(entry.unique()).copied().unwrap_or(u32::MAX);
        (uid, delivered(entry.unique()), entry.name.clone())
    });
    Ok(all)
}

/// Seconds since 1970, which names begin with.
fn delivered(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).take(19);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// A message whose flags another program has changed meanwhile, which gave its file another name.
pub fn find_again(folder: &Path, entry: &Entry) -> Result<Option<Entry>, Error> {
    Ok(entries(folder)?.into_iter().find(|other| other.unique() == entry.unique()))
}
