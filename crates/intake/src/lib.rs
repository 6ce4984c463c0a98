//! SMTP and LMTP in: from a connection to a message that is durable.
//!
//! [`Intake`] is what all sessions share; [`Intake::serve`] runs one connection. The dialogue itself is
//! `smtp::server`'s; here each of its questions is answered: who may log in, who may send, whom a message may be for,
//! and, at the end of the data, that the store has it. A 250 follows `store.accept_all` and nothing else.
//!
//! ```text
//! driver ──events──▶ session ──▶ login      AUTH
//!   ▲  octets           │  ├──▶ envelope   MAIL, RCPT: permit, quota, rates
//!   │                   │  ├──▶ receive    DATA, BDAT: header fields (author), body, signature
//!   │                   │  ├──▶ arrival    what `policy` thinks of strangers and their mail
//!   │                   │  ├──▶ quota      the end of the data, for those with room
//!   └──decisions────────┘  └──▶ handover   copies, queue entries (plan), trail, 250
//! ```
//!
//! Accepting a recipient takes a permit, which only `permit` can make: an open relay cannot be written.

mod arrival;
mod author;
mod checked;
mod driver;
mod envelope;
mod forwarded;
mod handover;
mod listener;
mod login;
mod permit;
mod plan;
mod quota;
mod receive;
mod room;
mod session;
mod settings;
mod shared;

pub use checked::{Checked, Reporter};
pub use listener::{Listener, Role};
pub use settings::Settings;
pub use shared::{Intake, RecipientCheck, Verification};
