//! IMAP (RFC 9051, RFC 3501 and their extensions), server and client, without sockets and without a clock.
//!
//! This room reads and writes the protocol and knows its rules. It must not know sockets, TLS, passwords' storage,
//! mailboxes' storage or settings: it asks. Below it are `message`, whose structure of a message it writes, and
//! `address`.
//!
//! The main type of a server is [`server::Session`], one connection. It is driven so:
//!
//! 1. write what [`poll_transmit`](server::Session::poll_transmit) gives, until it gives nothing;
//! 2. carry out what [`poll_event`](server::Session::poll_event) gives, then go back to 1. An event that asks parks the
//!    session until [`answer`](server::Session::answer), a command until [`finish`](server::Session::finish), which comes
//!    after what there is to tell: [`data`](server::Session::data), or, where a message is too large for memory,
//!    [`begin_fetch`](server::Session::begin_fetch), [`fetch_item`](server::Session::fetch_item),
//!    [`fetch_literal`](server::Session::fetch_literal), [`fetch_octets`](server::Session::fetch_octets),
//!    [`end_fetch`](server::Session::end_fetch). Write as in 1 in between, when
//!    [`is_output_full`](server::Session::is_output_full);
//! 3. when there is news and [`may_tell`](server::Session::may_tell), tell it and go back to 1;
//! 4. wait for input, if [`wants_input`](server::Session::wants_input), or for the instant of
//!    [`poll_timeout`](server::Session::poll_timeout); hand either in; go back to 1.
//!
//! ```
//! use imap::command::Command;
//! use imap::response::{Data, Status};
//! use imap::server::{Config, Decision, Event, Selected, Session};
//! use std::time::Instant;
//!
//! let now = Instant::now();
//! let mut session = Session::new(Config { require_tls: false, ..Config::new("mx.example") }, now);
//! session.handle_input(now, b"a LOGIN mrose secret\r\nb EXAMINE inbox\r\n");
//! let mut sent = Vec::new();
//! loop {
//!     while let Some(bytes) = session.poll_transmit() {
//!         sent.extend_from_slice(&bytes);
//!     }
//!     match session.poll_event() {
//!         Some(Event::Login { user, password }) if user == "mrose" && password.reveal() == "secret" => {
//!             session.answer(now, Decision::LoggedIn)
//!         }
//!         Some(Event::Command(Command::Select(select))) => {
//!             assert_eq!(select.mailbox.as_str(), "INBOX");
//!             session.data(&Data::Exists(3));
//!             session.select(Some(Selected { read_only: select.read_only }));
//!             session.finish(now, Status::ok("EXAMINE completed"))
//!         }
//!         Some(other) => panic!("{other:?}"),
//!         None => break,
//!     }
//! }
//! assert!(sent.ends_with(b"* 3 EXISTS\r\nb OK EXAMINE completed\r\n"));
//! ```

pub mod client;
pub mod command;
pub mod encode;
pub mod fetch;
mod flag;
pub mod framing;
pub mod name;
pub mod parse;
pub mod response;
mod runs;
pub mod search;
pub mod section;
pub mod server;
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
