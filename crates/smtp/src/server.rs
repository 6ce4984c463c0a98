//! The server's half of the dialogue, for SMTP, submission and LMTP.
//!
//! A [`Session`] knows one connection's place in the dialogue, and nothing of who may send what to whom: it
//! asks its driver by [`Event`]s and carries out the [`Decision`]s. The run loop of a driver:
//!
//! 1. [`Session::poll_event`] until it has no more. An event that asks is answered with [`Session::answer`].
//! 2. [`Session::poll_transmit`]; send what it has, and begin again at 1. When neither has anything, and
//!    [`Session::is_closed`], close the connection.
//! 3. Wait for octets (while [`Session::wants_input`]), give them to [`Session::handle_input`]; for the end of
//!    the connection, say [`Session::handle_disconnect`]; or for [`Session::poll_timeout`], and call
//!    [`Session::handle_timeout`]. Begin again at 1.
//!
//! ```
//! use smtp::server::{Config, Decision, Event, Protocol, Session};
//! use std::time::Instant;
//!
//! let config = Config::new("mx.example".parse().unwrap(), Protocol::Smtp);
//! let mut session = Session::new(config, Instant::now());
//! assert!(matches!(session.poll_event(), Some(Event::Connect)));
//! session.answer(Decision::Accept);
//! assert_eq!(session.poll_transmit().unwrap(), "220 mx.example ESMTP\r\n");
//!
//! session.handle_input(Instant::now(), b"HELO client.example\r\n");
//! assert!(matches!(session.poll_event(), Some(Event::Hello(_))));
//! session.answer(Decision::Accept);
//! assert_eq!(session.poll_transmit().unwrap(), "250 mx.example\r\n");
//! ```

mod answer;
mod body;
mod clock;
mod commands;
mod config;
mod event;
mod line;
mod receive;
mod session;
mod state;
mod words;

pub use body::{BareNewline, BodyDecoder, BodyFacts, Decoded, Framing};
pub use config::{
    Config, DeliverByOffer, EXTENSION_ALLOWANCE, Extensions, FutureRelease, Limits, MinimumRate,
    PriorityOffer, Protocol, Timeouts, XCLIENT_ALLOWANCE,
};
pub use event::{Abort, Closed, Decision, Event, Transfer};
pub use session::{MAX_INPUT, MAX_OUTPUT, Session};
