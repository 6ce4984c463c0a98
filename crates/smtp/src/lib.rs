//! SMTP and LMTP, server and client, sans-IO: bytes and times come in, bytes and events go out.
//!
//! This room knows the grammar and the order of the dialogue (RFC 5321, RFC 2033 and their extensions). It
//! must not know sockets, clocks, configuration files, accounts or what anybody thinks of a message.
//!
//! - [`reply`]: what a server says.
//! - [`client`]: the client's half of the dialogue.
//! - [`command`] and [`parameter`]: what a client says; each type reads and writes itself.
//! - [`server`]: the server's half of the dialogue.
//!
//! Each half is a machine that is fed and polled; its module gives the run loop. What they share is the grammar:
//!
//! ```
//! use smtp::command::{Command, Mode};
//! use smtp::Reply;
//!
//! let reply = match Command::parse(b"RCPT TO:<a@b@c>", Mode::Ascii) {
//!     Ok(_) => Reply::new(250, (2, 1, 5), "ok"),
//!     Err(error) => error.reply(),
//! };
//! assert_eq!((reply.code(), reply.is_permanent()), (501, true));
//! ```

pub mod client;
pub mod command;
pub mod parameter;
pub mod reply;
pub mod server;

pub use reply::{EnhancedCode, Reply};
