//! HTTP: the pages that show captured mail to people, the same as JSON to programs, and health; over HTTPS the MTA-STS policies of
//! our domains ([`serve_policies`]).
//!
//! [`serve`] runs one listener over the messages of one account, which is what `waypost dev` captures. Pages are
//! made here, on the server, and work without script; a small script of our own makes new messages appear as they
//! arrive. `docs/dev.md` describes the JSON.
//!
//! Who may ask: anybody who reaches the listener, so it is for loopback. Two doors stay shut all the same, because
//! every web page that a browser shows can reach loopback as well: requests under another name than a loopback one
//! (DNS rebinding) and requests that change something from another origin. What a message brings along is never
//! trusted: its HTML is made harmless and shown in a frame without scripts, its files are only ever downloads.
//!
//! This room knows the store and no SMTP. Sockets, limits and the stop come from `net`.
//!
//! ```no_run
//! # async fn example(listener: net::Listener, store: store::Store, account: store::Id) {
//! let shutdown = net::Shutdown::new();
//! let app = web::App { store, account, shutdown: shutdown.clone(), title: "Waypost dev".into() };
//! tokio::spawn(web::serve(listener, app));
//! // … later:
//! shutdown.trigger();
//! # }
//! ```

mod api;
mod captured;
mod downloads;
mod error;
mod events;
mod guard;
mod pages;
mod policy_host;
mod server;
mod shown;
mod words;

pub use policy_host::{PolicyHost, serve_policies};
pub use server::{App, serve};
