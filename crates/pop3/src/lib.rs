//! POP3, server and client, without sockets and without a clock.
//!
//! This room speaks the Post Office Protocol: RFC 1939 with TOP and UIDL, CAPA, RESP-CODES, PIPELINING, EXPIRE,
//! LOGIN-DELAY and IMPLEMENTATION (RFC 2449), STLS (RFC 2595), AUTH-RESP-CODE (RFC 3206), AUTH (RFC 5034) and UTF8
//! (RFC 6856). It must not know sockets, TLS, passwords' storage, mailboxes or settings: it asks. APOP is not
//! offered: it needs every password stored in the clear and rests on MD5. LANG is not offered either.
//!
//! The main types are [`server::Session`] and [`client::Session`]. Both are driven alike:
//!
//! 1. write what [`poll_transmit`](server::Session::poll_transmit) gives, until it gives nothing;
//! 2. carry out what [`poll_event`](server::Session::poll_event) gives; an event that asks parks the session
//!    until [`answer`](server::Session::answer); then go back to 1;
//! 3. feed the message that RETR or TOP asked for, while
//!    [`message_flow`](server::Session::message_flow) says `Open`; after each piece go back to 1;
//! 4. wait for input, if [`wants_input`](server::Session::wants_input), or for the instant of
//!    [`poll_timeout`](server::Session::poll_timeout); hand either in; go back to 1.
//!
//! ```
//! use std::time::Instant;
//! use pop3::{Message, UniqueId, server::{Config, Decision, Event, Session}};
//!
//! let now = Instant::now();
//! let mut session = Session::new(Config { require_tls: false, ..Config::new("mail.example") }, now);
//! session.handle_input(now, b"USER mrose\r\nPASS secret\r\nSTAT\r\n");
//! let mut sent = Vec::new();
//! loop {
//!     while let Some(bytes) = session.poll_transmit() {
//!         sent.extend_from_slice(&bytes);
//!     }
//!     match session.poll_event() {
//!         Some(Event::Login { user, password }) if user == "mrose" && password.reveal() == "secret" => {
//!             session.answer(now, Decision::LoggedIn)
//!         }
//!         Some(Event::OpenMaildrop) => {
//!             let unique_id = UniqueId::new("whqtswO00WBw418f9t5JxYwZ").unwrap();
//!             session.answer(now, Decision::Maildrop(vec![Message { octets: 120, unique_id }]))
//!         }
//!         Some(other) => panic!("{other:?}"),
//!         None => break,
//!     }
//! }
//! assert!(sent.ends_with(b"+OK 1 120\r\n"));
//! ```

pub mod client;
mod code;
mod error;
mod line;
mod maildrop;
mod multiline;
pub mod server;

pub use code::ResponseCode;
pub use error::Error;
pub use maildrop::{MAX_UNIQUE_ID, Message, UniqueId};
pub use multiline::Octets;

/// Longest command, its CRLF included (RFC 2449 §4).
pub const MAX_COMMAND: usize = 255;

/// Longest base64 line of a SASL exchange, its CRLF not included. RFC 5034 §4 asks for as much as the mechanisms
/// need and names no number; this is the one of RFC 4954 §4.
pub const MAX_SASL: usize = 12_288;
