//! SMTP and LMTP, server and client, sans-IO: bytes and times come in, bytes and events go out.
//!
//! This room knows the grammar and the order of the dialogue (RFC 5321, RFC 2033 and their extensions). It
//! must not know sockets, clocks, configuration files, accounts or what anybody thinks of a message.
//!
//! - [`reply`]: what a server says.
//! - [`client`]: the client's half of the dialogue.
//! - [`command`] and [`parameter`]: what a client says; each type reads and writes itself.
//! - [`server`]: the server's half of the dialogue.

pub mod client;
pub mod command;
pub mod parameter;
pub mod reply;
pub mod server;

pub use reply::{EnhancedCode, Reply};
