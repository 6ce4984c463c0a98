//! Maildir, written. A message is written in `tmp` and moved into `cur` when it is whole, so that what is there after a
//! kill is right, and what is there already need not be written again.

use super::{Keywords, entries};
use crate::flags::FORWARDED;
use crate::{Error, Flags};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a message's file tells beside its text.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    pub flags: Flags,
    /// Milliseconds since 1970: the file's time.
    pub received: i64,
}

/// A folder that messages are put into.
#[derive(Debug)]
pub struct FolderWriter {
    path: PathBuf,
    keywords: Keywords,
    /// Names of the files in `cur`, by what is unique in them.
    there: HashMap<Vec<u8>, PathBuf>,
    lost: usize,
}

impl FolderWriter {
    /// Makes the folder at these levels below `root` where it is missing; none: `root` itself.
    pub fn open(root: &Path, levels: &[String]) -> Result<Self, Error> {
        let path =
            if levels.is_empty() { root.to_owned() } else { root.join(format!(".{}", levels.join("."))) };
        for sub in ["cur", "new", "tmp"] {
            let sub = path.join(sub);
            std::fs::create_dir_all(&sub).map_err(Error::file(&sub))?;
        }
        if !levels.is_empty() {
            let mark = path.join("maildirfolder");
            File::create(&mark).map_err(Error::file(&mark))?;
        }
        let there = entries(&path)?.into_iter().map(|entry| (entry.unique().to_vec(), entry.path(&path)));
        Ok(Self { there: there.collect(), keywords: Keywords::read(&path), path, lost: 0 })
    }

    /// Whether a message of this unique name is there. Its flags are made those of `meta`.
    pub fn refresh(&mut self, unique: &str, meta: &Meta) -> Result<bool, Error> {
        let Some(old) = self.there.get(unique.as_bytes()).cloned() else { return Ok(false) };
        let name = old.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let base = name.split(":2,").next().unwrap_or(&name).to_owned();
        let new = self.path.join("cur").join(base + &self.info(&meta.flags)?);
        if old != new {
            std::fs::rename(&old, &new).map_err(Error::file(&old))?;
            self.there.insert(unique.as_bytes().to_vec(), new);
        }
        Ok(true)
    }

    /// Begins a message. `unique` has neither `/` nor `:` nor a comma, and begins with the time of delivery in seconds.
    pub fn begin(&self, unique: &str) -> Result<Delivery, Error> {
        let path = self.path.join("tmp").join(unique);
        let file = File::create(&path).map_err(Error::file(&path))?;
        Ok(Delivery { unique: unique.to_owned(), path, file, size: 0 })
    }

    /// Puts a whole message into the folder.
    pub fn finish(&mut self, delivery: Delivery, meta: &Meta) -> Result<(), Error> {
        let Delivery { unique, path, file, size } = delivery;
        let name = format!("{unique},S={size}{}", self.info(&meta.flags)?);
        let since = Duration::from_millis(meta.received.max(0).unsigned_abs());
        file.set_modified(SystemTime::UNIX_EPOCH + since).map_err(Error::file(&path))?;
        file.sync_all().map_err(Error::file(&path))?;
        let target = self.path.join("cur").join(name);
        std::fs::rename(&path, &target).map_err(Error::file(&path))?;
        self.there.insert(unique.into_bytes(), target);
        Ok(())
    }

    /// Keywords on messages that could not be written, because all letters of the folder are used up.
    pub fn lost_keywords(&self) -> usize {
        self.lost
    }

    /// `:2,` and the letters, in order. A letter that is new is written down before a name has it.
    fn info(&mut self, flags: &Flags) -> Result<String, Error> {
        let mut letters = Vec::new();
        let marks = [
            (flags.seen, b'S'),
            (flags.answered, b'R'),
            (flags.flagged, b'F'),
            (flags.deleted, b'T'),
            (flags.draft, b'D'),
        ];
        letters.extend(marks.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter));
        let before = self.keywords.clone();
        for keyword in &flags.keywords {
            // mutt reads P, Dovecot the keyword.
            let forwarded = keyword.eq_ignore_ascii_case(FORWARDED);
            letters.extend(forwarded.then_some(b'P'));
            match self.keywords.letter(keyword) {
                Some(letter) => letters.push(letter),
                None => self.lost += usize::from(!forwarded),
            }
        }
        if self.keywords != before {
            self.keywords.write(&self.path)?;
        }
        letters.sort_unstable();
        Ok(format!(":2,{}", String::from_utf8_lossy(&letters)))
    }
}

/// A message on its way into a folder.
#[derive(Debug)]
pub struct Delivery {
    unique: String,
    path: PathBuf,
    file: File,
    size: u64,
}

impl Delivery {
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.size += piece.len() as u64;
        self.file.write_all(piece).map_err(Error::file(&self.path))
    }
}
