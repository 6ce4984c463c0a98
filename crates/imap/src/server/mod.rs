//! The server's side of one connection.
//!
//! ```text
//!              ┌─ STARTTLS ─▶ StartingTls ─ TlsStarted ─┐
//!              │                                        ▼
//!  greeting ──▶ Ready ◀──────────── Refused ── CheckingPassword ◀─ LOGIN
//!              │  ▲ │                  │                │ LoggedIn: not authenticated ▶ authenticated
//!              │  │ └ AUTHENTICATE ─▶ SaslDeciding ◀──▶ SaslListening
//!              │  │
//!              │  ├◀─ finish ── Working ◀─ most commands; select() moves between authenticated and selected
//!              │  ├◀─ finish ── IdleEnding ◀─ DONE ─ Idling ◀─ IDLE
//!              │  ├◀─ Refused ─ Refusing ◀─ Refuse ─ Asking ◀─ APPEND, REPLACE
//!              │  │                          ▲   Take └─▶ Appending ─ the whole command ─▶ Working
//!              │  │                          └─ the next message ───┘
//!              │  ├◀─ finish ── Compressing ◀─ COMPRESS
//!              │  └◀─ finish ── Unauthenticating ◀─ UNAUTHENTICATE: ▶ not authenticated
//!              └─ LOGOUT ─▶ Closing ─▶ Closed
//! ```
//!
//! Commands are carried out one after the other in the order in which they came, which RFC 9051 §5.5 allows; those that
//! are sent ahead wait, within bounds.

mod append;
mod capability;
mod command;
mod config;
mod context;
mod enable;
mod event;
mod fetch;
mod login;
mod session;
mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::config::Config;
pub use self::event::{Decision, Event, Reason, Refusal};
pub use self::session::Session;
pub use self::state::Selected;

/// A client that is logged in and has sent no command for this long is logged out, in IDLE as well (RFC 9051 §5.4, RFC
/// 2177 §3: at least 30 minutes).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// As long may a client be silent that is not logged in; RFC 9051 §5.4 sets no limit there.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// As long may a message pause that is being sent: who is in the middle of a command is not idle, but stuck.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Commands in a row that are refused with BAD before the session is closed. A person who types by hand makes a few; a
/// program that makes this many speaks another protocol.
pub const MAX_ERRORS: u32 = 20;

/// Failed logins before the session is closed. Slowing and shutting out is the driver's.
pub const MAX_LOGIN_FAILURES: u32 = 5;

/// Commands before login before the session is closed: a client needs about five. UNAUTHENTICATE begins the count anew.
pub const MAX_COMMANDS_BEFORE_LOGIN: u32 = 100;

/// Messages in one APPEND (RFC 3502): a client with more sends them in several.
pub const MAX_MESSAGES: u32 = 1_000;

/// Longest line before login. RFC 9051 names no number; this has room for the longest SASL response of RFC 4954 §4 in
/// AUTHENTICATE.
const MAX_LINE_BEFORE_LOGIN: usize = 13 * 1024;

/// Above this [`Session::wants_input`] is false: a command with its literals and some that were sent ahead.
pub const INPUT_LIMIT: usize = 256 * 1024;

/// A session that is given more than this, against `wants_input`, is closed.
pub const INPUT_HARD_LIMIT: usize = 2 * INPUT_LIMIT;

/// Above this [`Session::is_output_full`], and no further command is looked at.
pub const OUTPUT_LIMIT: usize = 64 * 1024;
