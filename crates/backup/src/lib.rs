//! Back-ups of an installation's data, in a folder, and the way back.
//!
//! A [`Repository`] stores each body once, by its id, and rows by their content, in files that are written once; a [`Snapshot`] names the
//! rows that there were at a moment. A run reads through a [`Source`] what the last snapshot does not have, whether a server
//! runs or not. What is written is on disk and was read back before a snapshot names it, and everything has a checksum.
//!
//! This room knows `store`'s rows and nothing of what is in them but their keys. It must not know the command line, the
//! control socket or settings.
//!
//! ```
//! use backup::{Repository, run, whole};
//! use store::backup::QueueFate;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let place = tempfile::tempdir()?;
//! let store = store::Store::open(&place.path().join("data"), &store::Options::default())?;
//! let facts = store.backup_facts().await?;
//! let mut repository = Repository::create(&place.path().join("backup"), facts.installation)?;
//! let report = run(&store, &facts, &mut repository, &|_, _| ()).await?;
//! assert_eq!(report.messages, 0);
//!
//! let snapshot = repository.snapshot_at(None)?;
//! whole(&repository, &snapshot, &place.path().join("again"), QueueFate::Hold, &|_, _| ())?;
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod account;
mod error;
mod name;
mod pack;
mod prune;
mod repository;
mod restore;
mod run;
mod snapshot;
mod source;
mod verify;

pub use account::{AccountReport, Back, FolderReport, Put, Sink, account};
pub use error::BackupError;
pub use name::Name;
pub use prune::{Keep, PruneReport, prune};
pub use repository::Repository;
pub use restore::{WholeReport, whole};
pub use run::{Progress, RunReport, run};
pub use snapshot::{Snapshot, Snapshots};
pub use source::{Fetched, Source, first_of};
pub use verify::{VerifyReport, verify};
