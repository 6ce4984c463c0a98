//! Mailboxes, for those who read them: the IMAP and POP3 servers over the store.
//!
//! This room joins what the layers below keep apart: it drives [`::imap::server::Session`] and
//! [`::pop3::server::Session`], which know neither
//! sockets nor passwords, over a [`net::Connection`]; it asks [`directory`] who may log in and [`policy`] what to
//! think of those who fail; it reads and removes messages through [`store`]. It opens no socket, knows no setting's
//! file and no SQL, and delivers nothing.
//!
//! Its main type is [`Context`], what all connections share. [`imap::serve`] and [`pop3::serve`] serve one connection each:
//!
//! ```no_run
//! # async fn example(store: store::Store) -> Result<(), Box<dyn std::error::Error>> {
//! use access::{Context, Locks, pop3};
//! use std::sync::Arc;
//!
//! let shutdown = net::Shutdown::new();
//! let context = Arc::new(Context {
//!     mailboxes: access::imap::OpenMailboxes::start(store.clone()),
//!     message_size: Arc::new((50 << 20).into()),
//!     directory: directory::Directory::open(store, "mail.example.org".parse()?).await?,
//!     guard: Arc::new(policy::AuthGuard::new(policy::AuthRules::default())),
//!     tls: None,
//!     require_tls: true,
//!     locks: Locks::default(),
//!     unauthenticate: Arc::new(true.into()),
//!     sign_of_life: access::SIGN_OF_LIFE,
//!     shutdown: shutdown.clone(),
//! });
//! let listener = net::Listener::bind(&"127.0.0.1:1110".parse()?, None)?;
//! let options = net::ServeOptions::new(net::Limits::default(), shutdown).refusal(pop3::refusal);
//! net::serve(listener, options, move |connection| {
//!     pop3::serve(connection, pop3::Port::Pop3, Arc::clone(&context))
//! })
//! .await;
//! # Ok(()) }
//! ```

mod context;
pub mod imap;
mod locks;
mod login;
pub mod pop3;
mod socket;

pub use context::{Context, SIGN_OF_LIFE};
pub use locks::Locks;
