//! A folder of back-ups.
//!
//! ```text
//! DIR/waypost-backup.json    that it is one, of which data
//! DIR/lock                   held while it is written to
//! DIR/packs/ID.pack          bodies and rows
//! DIR/snapshots/TIME.json    what was there at a moment: names of rows
//! ```

use crate::BackupError;
use crate::name::Name;
use crate::pack::{Draft, Pack, sync_parent};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use store::Id;

/// The format of what is in the folder.
const FORMAT: u32 = 1;
const MARK: &str = "waypost-backup.json";
/// Octets of a pack; the object that passes it is its last.
const PACK_SIZE: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    format: u32,
    installation: Id,
}

/// Where an object is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Which of the packs; one that is not there is the draft.
    pack: u32,
    begin: u64,
}

/// A folder of back-ups, open.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
    installation: Id,
    packs: Vec<PathBuf>,
    places: HashMap<Name, Place>,
    draft: Option<Draft>,
    /// Packs whose index cannot be read: what they had is not there.
    damaged: Vec<String>,
    /// Octets of the packs that were written since it was opened.
    written: u64,
    _lock: File,
}

impl Repository {
    /// Opens the folder for back-ups of an installation's data, and makes it when it is not there or empty. What an interrupted
    /// run left half-written is removed, what it had finished is kept.
    ///
    /// # Errors
    /// [`BackupError::Refused`] for a folder with other things, or another installation's back-ups; [`BackupError::Temporary`] while
    /// it is in use.
    pub fn create(folder: &Path, installation: Id) -> Result<Self, BackupError> {
        make(folder)?;
        let mark = folder.join(MARK);
        if !mark.exists() {
            let mut entries = std::fs::read_dir(folder).map_err(|e| BackupError::file(folder, e))?;
            if entries.any(|entry| entry.is_ok_and(|entry| !is_ours(&entry.file_name()))) {
                let text = format!(
                    "{} has other things than back-ups in it: name an empty folder",
                    folder.display()
                );
                return Err(BackupError::Refused(text));
            }
            ["packs", "snapshots"].iter().try_for_each(|name| make(&folder.join(name)))?;
            let text = serde_json::to_vec(&Mark { format: FORMAT, installation })
                .map_err(|e| BackupError::file(&mark, e))?;
            write_file(&mark, &text)?;
        }
        let repository = Self::open(folder, FlockOperation::NonBlockingLockExclusive)?;
        if repository.installation != installation {
            let text =
                format!("{} has back-ups of another installation: name another folder", folder.display());
            return Err(BackupError::Refused(text));
        }
        repository.remove_parts()?;
        Ok(repository)
    }

    /// Opens what is there, to be read. Several can at the same time.
    ///
    /// # Errors
    /// [`BackupError::Refused`] when there are no back-ups; [`BackupError::Temporary`] while one is being written.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        Self::open(folder, FlockOperation::NonBlockingLockShared)
    }

    /// Opens what is there, to be changed.
    ///
    /// # Errors
    /// As [`Repository::read`].
    pub fn change(folder: &Path) -> Result<Self, BackupError> {
        let repository = Self::open(folder, FlockOperation::NonBlockingLockExclusive)?;
        repository.remove_parts()?;
        Ok(repository)
    }

    fn open(folder: &Path, how: FlockOperation) -> Result<Self, BackupError> {
        let mark = folder.join(MARK);
        let text = match std::fs::read(&mark) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = format!("there are no back-ups in {}", folder.display());
                return Err(BackupError::Refused(text));
            }
            read => read.map_err(|e| BackupError::file(&mark, e))?,
        };
        let mark: Mark = serde_json::from_slice(&text).map_err(|_| BackupError::Damaged(MARK.to_owned()))?;
        if mark.format > FORMAT {
            let text = format!("{} is of a newer version of Waypost: use that", folder.display());
            return Err(BackupError::Refused(text));
        }
        let lock = lock(folder, how)?;
        let mut repository = Self {
            folder: folder.to_owned(),
            installation: mark.installation,
            packs: Vec::new(),
            places: HashMap::new(),
            draft: None,
            damaged: Vec::new(),
            written: 0,
            _lock: lock,
        };
        for path in list(&folder.join("packs"), "pack")? {
            match Pack::open(&path).and_then(|pack| pack.index()) {
                Ok(index) => repository.learn(path, index),
                Err(BackupError::Damaged(what)) => repository.damaged.push(what),
                Err(error) => return Err(error),
            }
        }
        Ok(repository)
    }

    fn learn(&mut self, path: PathBuf, index: Vec<(Name, u64)>) {
        let pack = self.packs.len() as u32;
        self.packs.push(path);
        self.places.extend(index.into_iter().map(|(name, begin)| (name, Place { pack, begin })));
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn has(&self, name: Name) -> bool {
        self.places.contains_key(&name)
    }

    pub(crate) fn damaged(&self) -> &[String] {
        &self.damaged
    }

    pub(crate) fn packs(&self) -> &[PathBuf] {
        &self.packs
    }

    /// The names of their files.
    pub(crate) fn pack_names(&self) -> Vec<String> {
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        self.packs.iter().filter_map(name).collect()
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Where each object of a pack is, of those that are read from there.
    pub(crate) fn is_at(&self, name: Name, pack: usize, begin: u64) -> bool {
        self.places.get(&name).is_some_and(|place| place.pack as usize == pack && place.begin == begin)
    }

    /// Stores an object, unless it is there. Durable after [`Repository::seal`].
    pub(crate) fn put(&mut self, name: Name, octets: &[u8]) -> Result<(), BackupError> {
        if self.has(name) {
            return Ok(());
        }
        self.put_anew(name, octets)
    }

    /// Stores an object once more, to be read from there.
    pub(crate) fn put_anew(&mut self, name: Name, octets: &[u8]) -> Result<(), BackupError> {
        let mut draft = match self.draft.take() {
            Some(draft) => draft,
            None => Draft::create(&self.folder.join("packs").join(format!("{}.pack", Id::generate())))?,
        };
        let begin = draft.add(name, octets)?;
        self.places.insert(name, Place { pack: self.packs.len() as u32, begin });
        let full = draft.length() > PACK_SIZE;
        self.draft = Some(draft);
        if full { self.seal() } else { Ok(()) }
    }

    /// Stores rows, as JSON; returns their name.
    pub(crate) fn put_rows(&mut self, rows: &impl Serialize) -> Result<Name, BackupError> {
        let octets =
            serde_json::to_vec(rows).map_err(|e| BackupError::Other(format!("cannot write JSON: {e}")))?;
        let name = Name::rows(&octets);
        self.put(name, &octets)?;
        Ok(name)
    }

    pub(crate) fn get_rows<T: for<'de> Deserialize<'de>>(&self, name: Name) -> Result<T, BackupError> {
        let octets = self.get(name)?;
        serde_json::from_slice(&octets).map_err(|_| BackupError::Damaged(name.to_string()))
    }

    /// An object, found to be as it was stored.
    pub fn get(&self, name: Name) -> Result<Vec<u8>, BackupError> {
        let missing = || BackupError::Damaged(format!("{name}, which is in none of the packs,"));
        let place = self.places.get(&name).ok_or_else(missing)?;
        match (self.packs.get(place.pack as usize), &self.draft) {
            (Some(path), _) => Pack::open(path)?.read(name, place.begin),
            (None, Some(draft)) => draft.read(name, place.begin),
            (None, None) => Err(missing()),
        }
    }

    /// Makes all that was stored durable.
    pub(crate) fn seal(&mut self) -> Result<(), BackupError> {
        if let Some(draft) = self.draft.take() {
            let path = draft.finish()?;
            self.written += path.metadata().map_err(|e| BackupError::file(&path, e))?.len();
            self.packs.push(path);
        }
        Ok(())
    }

    /// Removes a pack of which nothing is needed any more.
    pub(crate) fn remove_pack(&mut self, path: &Path) -> Result<(), BackupError> {
        std::fs::remove_file(path).map_err(|e| BackupError::file(path, e))?;
        sync_parent(path)
    }

    fn remove_parts(&self) -> Result<(), BackupError> {
        for folder in ["packs", "snapshots"] {
            for path in list(&self.folder.join(folder), "part")? {
                std::fs::remove_file(&path).map_err(|e| BackupError::file(&path, e))?;
            }
        }
        Ok(())
    }
}

/// What the folder may have before it is marked: a run that was interrupted just then.
fn is_ours(name: &std::ffi::OsStr) -> bool {
    ["packs", "snapshots", "lock", "waypost-backup.part", "lost+found"].iter().any(|ours| name == *ours)
}

fn lock(folder: &Path, how: FlockOperation) -> Result<File, BackupError> {
    let path = folder.join("lock");
    // Where nothing can be written, nobody writes: reading needs no lock file.
    let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.or_else(|_| File::open(folder)).map_err(|e| BackupError::file(&path, e))?;
    match rustix::fs::flock(&file, how) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(BackupError::Temporary(format!(
            "{} is in use by another back-up or restore",
            folder.display()
        ))),
        Err(error) => Err(BackupError::file(&path, error)),
    }
}

/// The files with an extension, in the order of their names.
pub(crate) fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, BackupError> {
    let entries = std::fs::read_dir(folder).map_err(|e| BackupError::file(folder, e))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    Ok(found)
}

fn make(folder: &Path) -> Result<(), BackupError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| BackupError::file(folder, e))?;
    missing
        .into_iter()
        .filter(|path| path.parent().is_some_and(|up| up != Path::new("")))
        .try_for_each(sync_parent)
}

/// Writes a file that is there only with all that it has.
pub(crate) fn write_file(path: &Path, octets: &[u8]) -> Result<(), BackupError> {
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(octets)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|e| BackupError::file(path, e))?;
    sync_parent(path)
}
