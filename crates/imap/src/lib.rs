//! IMAP (RFC 9051, RFC 3501 and their extensions), server and client, without sockets and without a clock.
//!
//! This room reads and writes the protocol and knows its rules. It must not know sockets, TLS, passwords' storage,
//! mailboxes' storage or settings: it asks. Below it are `message`, whose structure of a message it writes, and
//! `address`.

pub mod command;
pub mod encode;
pub mod fetch;
mod flag;
pub mod framing;
pub mod name;
pub mod parse;
pub mod response;
pub mod search;
pub mod section;
pub mod set;
pub mod sort;
pub mod thread;

pub use encode::{Enabled, Encoder};
pub use flag::{Flag, Keyword, MAX_KEYWORD};
pub use name::MailboxName;
pub use set::{Runs, SeqNumber, SequenceSet};

/// `ATOM-CHAR` (RFC 9051 §9).
pub(crate) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte)
}
