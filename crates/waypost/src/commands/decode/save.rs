//! The folder that messages are saved in.

use crate::exit::Failure;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(super) struct Folder {
    path: PathBuf,
    /// The file that was written last stays open: most messages come in one piece after another.
    last: Option<(u64, u64, File)>,
    /// Files of dialogues that are not told of yet, by their numbers and those of their messages.
    files: BTreeMap<u64, BTreeMap<u64, PathBuf>>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path)
            .map_err(|error| Failure::no(format!("cannot make the folder {}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), last: None, files: BTreeMap::new() })
    }

    /// Adds to a message; its file is made with the first octets.
    pub(super) fn write(&mut self, dialogue: u64, message: u64, octets: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(format!("{dialogue:04}-{message}.eml"));
        let failed = |error: std::io::Error| {
            Failure::no(format!("cannot write {}: {error}; an empty folder is best", path.display()))
        };
        let open = matches!(&self.last, Some((one, other, _)) if (*one, *other) == (dialogue, message));
        if !open {
            let files = self.files.entry(dialogue).or_default();
            // A file that is not ours stays as it is.
            let new = !files.contains_key(&message);
            let file = OpenOptions::new().append(true).create_new(new).open(&path).map_err(failed)?;
            files.insert(message, path.clone());
            self.last = Some((dialogue, message, file));
        }
        match &mut self.last {
            Some((.., file)) => file.write_all(octets).map_err(failed),
            None => Ok(()),
        }
    }

    /// The files of a dialogue, by the numbers of their messages. They are forgotten.
    pub(super) fn files(&mut self, dialogue: u64) -> BTreeMap<u64, PathBuf> {
        self.last = None;
        self.files.remove(&dialogue).unwrap_or_default()
    }
}
