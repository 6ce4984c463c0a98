//! Every administrative operation, typed, authorised and audited in one place.
//!
//! An [`Operation`] is a value with all it needs (`account::Add`, `queue::Change`, `trail::Find`) and a type of
//! answer; [`Operations::call`] asks whether the [`Actor`] may, carries it out and tells the log. All faces use
//! these and nothing else: the HTTP API and the pages in the server, the command line through [`Client`], which
//! finds the server's control socket ([`control`]) or, without a server, works on the data itself.
//!
//! This crate knows the store, the directory's passwords and what a running [`Queue`] and [`Server`] let be done to
//! them. It must not know the command line, HTTP, or settings: those who call bring plain values.
//!
//! ```
//! use admin::{Actor, Operations, account, domain};
//! use store::directory::DomainKind;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir()?;
//! let operations = Operations::new(store::Store::open(folder.path(), &store::Options::default())?);
//! let domain = domain::Add {
//!     domain: "example.org".parse()?,
//!     kind: DomainKind::Local,
//!     recipients: Vec::new(),
//!     language: None,
//!     quota: None,
//! };
//! operations.call(&Actor::Root, domain).await?;
//! assert_eq!(operations.call(&Actor::Root, account::List { domain: None }).await?, []);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

pub mod account;
mod actor;
pub mod alias;
pub mod backup;
pub mod control;
pub mod domain;
mod error;
pub mod export;
pub mod import;
pub mod mail;
mod octets;
mod operation;
pub mod queue;
pub mod recipient;
mod secret;
pub mod system;
pub mod trail;

pub use actor::{Access, Actor};
pub use control::Client;
pub use error::AdminError;
pub use octets::Octets;
pub use operation::{Operation, Operations, Request, Response};
pub use queue::Queue;
pub use system::Server;

#[cfg(test)]
mod tests;
