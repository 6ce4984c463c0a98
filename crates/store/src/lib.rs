//! All durable state and all SQL.
//!
//! A folder a noun: [`queue`], [`mailbox`], [`directory`], [`trail`], [`body`], [`search`], [`report`], [`backup`], [`sts`], each with its types and
//! functions in `mod.rs` and its SQL in `sqlite.rs`. No SQL and no type of the database leaves this crate: its
//! face is [`Store`], typed functions in mail terms. It knows no protocol, socket or configuration.
//!
//! Writes go through one committer, which runs what all sessions have ready in one transaction and wakes them
//! when that is durable: an `Ok` from a writing function is a promise. Reads use their own connections, are
//! short, and never wait for the committer.
//!
//! ```no_run
//! # async fn example() -> Result<(), store::StoreError> {
//! let store = store::Store::open("data".as_ref(), &store::Options::default())?;
//! let mut spool = store.spool();
//! spool.write("Subject: hello\r\n\r\nworld\r\n".into()).await?;
//! let body = spool.finish().await?;
//! // … store.accept(NewMessage { body, … }).await? … and only then 250.
//! # Ok(()) }
//! ```

pub mod backup;
pub mod body;
mod change;
pub mod clock;
mod committer;
mod database;
pub mod directory;
mod error;
mod freelist;
mod greylist;
mod id;
mod lock;
mod log;
pub mod mailbox;
mod open;
pub mod queue;
pub mod report;
pub mod search;
mod sender;
pub mod sts;
pub mod trail;

pub use body::{Body, BodyReader, Budget, Spool};
pub use change::{Change, Changes, MailboxChange, QueueFeed};
pub use error::StoreError;
pub use freelist::FreelistLimits;
pub use id::{Id, IdError};
pub use log::LogHold;
pub use open::{Options, Store, make_folder};
pub use sender::MAX_SENDERS;
pub use sts::{OwnSts, StsPolicyRecord};

#[cfg(test)]
mod tests;
