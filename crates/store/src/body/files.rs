//! Large bodies: a file each, in 256 folders, written and synced outside the committer.

use crate::{Id, StoreError};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the files of large bodies are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// Makes the folders that are missing and syncs them once, so that later only the file's own folder needs it.
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        let root = data.join("bodies");
        let make = || -> std::io::Result<()> {
            for shelf in 0..=255u8 {
                let path = root.join(format!("{shelf:02x}"));
                if !path.is_dir() {
                    std::fs::create_dir_all(&path)?;
                }
            }
            sync_folder(&root)?;
            sync_folder(data)
        };
        make().map_err(|e| StoreError::file(&root, e))?;
        Ok(Self { root })
    }

    pub(crate) fn path(&self, id: Id) -> PathBuf {
        self.root.join(format!("{:02x}", id.get() & 0xff)).join(id.to_string())
    }

    pub(crate) fn create(&self, id: Id) -> Result<Draft, StoreError> {
        let path = self.path(id);
        let file = File::create_new(&path).map_err(|e| StoreError::file(&path, e))?;
        Ok(Draft { file, unnamed: Unnamed { path, taken: AtomicBool::new(false) } })
    }

    /// Removing what is not there is no error: a kill may have come between the file and its row.
    pub(crate) fn remove(&self, id: Id) -> Result<(), StoreError> {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::file(&path, error)),
            _ => Ok(()),
        }
    }

    /// The ids of all files, for the sweep at start.
    pub(crate) fn list(&self) -> Result<Vec<Id>, StoreError> {
        let mut found = Vec::new();
        for shelf in std::fs::read_dir(&self.root).map_err(|e| StoreError::file(&self.root, e))?.flatten() {
            let Ok(entries) = std::fs::read_dir(shelf.path()) else { continue };
            found.extend(entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<Id>().ok()));
        }
        Ok(found)
    }
}

/// A file being written; it goes away unless [`Draft::finish`] made it durable and it was named.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    unnamed: Unnamed,
}

impl Draft {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| self.unnamed.failed(&error))
    }

    /// Syncs the file and the entry of its folder.
    pub(crate) fn finish(self) -> Result<Unnamed, StoreError> {
        let sync = || -> std::io::Result<()> {
            self.file.sync_all()?;
            self.unnamed.path.parent().map_or(Ok(()), sync_folder)
        };
        sync().map_err(|error| self.unnamed.failed(&error))?;
        Ok(self.unnamed)
    }
}

/// A file that nothing names yet. It goes when the last who has it lets go of it, unless a job took it before: then the
/// committer sees to it.
#[derive(Debug)]
pub(crate) struct Unnamed {
    path: PathBuf,
    taken: AtomicBool,
}

impl Unnamed {
    pub(crate) fn take(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    fn failed(&self, error: &std::io::Error) -> StoreError {
        StoreError::Unavailable(format!("{}: {error}", self.path.display()))
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if !*self.taken.get_mut() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes the names in it safe on disk.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
