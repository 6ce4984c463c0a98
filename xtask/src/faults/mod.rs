//! What is below the program: a layer in C below its file calls plays the disk (`shim.c`, put there by LD_PRELOAD). It
//! makes calls fail or slow, or records them. Here is also what both need: a site whose disk it is, sessions that bring
//! mail there, a next server, a journal of what they know, and an oracle that compares it with what the site has.
//!
//! The layer needs Linux with glibc, and a C compiler, which SQLite needs anyway.

mod journal;
mod load;
mod oracle;
mod shim;
mod sink;
mod site;

pub use journal::{Journal, Mark};
pub use load::{Message, Session};
pub use oracle::{Kept, broken};
pub use shim::{ALL, Control, EIO, ENOSPC, EROFS, Fault, NAME, OPEN, SYNC, WRITE};
pub use sink::Sink;
pub use site::{Server, Site};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The paths of all files below `folder`, relative to it. Files may come and go meanwhile; sockets are none.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            // One that has gone since is none.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.extend(entry.path().strip_prefix(folder).map(Path::to_owned));
            }
        }
    }
    Ok(found)
}
