//! Mail in other programs' files: Maildir, Dovecot's Maildir++ and mbox, read and written.
//!
//! A library of words: it knows files, flags and dates, and nothing of accounts, IMAP or the store. All functions block.
//! Names of folders are given as they stand on the disk, level by level; what they mean (modified UTF-7, mostly) is
//! the caller's to say. Messages are given with the line ends of their file; [`Crlf`] makes those of the network.
//!
//! - [`maildir`]: [`maildir::folders`], [`maildir::entries`] to read, [`maildir::FolderWriter`] to write.
//! - [`mbox`]: [`mbox::Reader`], which gives a message piece by piece, and [`mbox::Writer`].
//!
//! ```
//! use mailfile::mbox::{Event, Reader};
//!
//! let file = b"From ann@example.org Sat Nov 21 19:30:00 2026\nSubject: hi\nStatus: RO\n\n>From here\n\n";
//! let mut reader = Reader::new(&file[..]);
//! let mut text = Vec::new();
//! while let Some(event) = reader.next()? {
//!     match event {
//!         Event::Begin(head) => assert!(head.flags.seen && head.date == Some(1_795_289_400_000)),
//!         Event::Data(piece) => text.extend(piece),
//!         Event::End => assert_eq!(text, b"Subject: hi\n\nFrom here\n"),
//!     }
//! }
//! # Ok::<_, std::io::Error>(())
//! ```

mod crlf;
mod flags;
pub mod maildir;
pub mod mbox;

pub use crlf::{Crlf, Lf};
pub use flags::Flags;

use std::path::{Path, PathBuf};

/// What went wrong with which file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use {path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is no Maildir: it has neither cur nor new in it, nor folders that have", path = .0.display())]
    NotMaildir(PathBuf),
}

impl Error {
    fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { path, source }
    }
}
