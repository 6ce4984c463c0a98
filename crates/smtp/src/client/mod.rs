//! The client's half of the dialogue: SMTP (RFC 5321) and LMTP (RFC 2033).
//!
//! [`Session`] speaks with one server over one connection. It knows the order of the dialogue, and nothing of
//! sockets, names, TLS, credentials or what is to be tried when. Its parts: [`ReplyParser`] frames what the
//! peer says, [`Capabilities`] are what it offers, [`BodyEncoder`] writes a message, [`Transaction`] and
//! [`Outcome`] are what goes in and what comes of it.
//!
//! # Run loop
//!
//! 1. [`Session::new`], when the connection stands.
//! 2. Take [`Session::poll_event`] until it is `None`, and do what each [`Event`] asks.
//! 3. Write [`Session::poll_transmit`] until it is `None`, without ceasing to read: a server that cannot get
//!    rid of its replies stops reading. If anything was written begin again at 2, as more of a body may be wanted.
//! 4. Wait for octets ([`Session::handle_input`]), the end of the connection ([`Session::handle_closed`]) or
//!    [`Session::poll_timeout`] ([`Session::handle_timeout`]), then begin again at 2.
//!
//! It is the driver's turn after [`Event::Ready`], [`Event::Refused`] and [`Event::Outcome`]: it may
//! [`starttls`](Session::starttls), [`auth`](Session::auth), [`xclient`](Session::xclient),
//! [`send`](Session::send) or [`quit`](Session::quit), now or later.
//!
//! ```
//! use smtp::client::{Config, Event, Fate, Session, Transaction};
//! use smtp::command::{HelloName, Mail, Rcpt};
//! use std::time::Instant;
//!
//! let now = Instant::now();
//! let mut session = Session::new(Config::new(HelloName::new("client.example").unwrap()), now);
//! let mut server = ["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 a\r\n250 b\r\n354 c\r\n", "250 d\r\n"].into_iter();
//! let mut sent = String::new();
//! 'run: loop {
//!     while let Some(event) = session.poll_event() {
//!         match event {
//!             Event::Ready { .. } => session
//!                 .send(now, Transaction {
//!                     mail: Mail { from: "me@client.example".parse().unwrap(), parameters: Default::default() },
//!                     recipients: vec![Rcpt { to: "you@mx.example".parse().unwrap(), parameters: Default::default() }],
//!                     length: 8,
//!                 })
//!                 .unwrap(),
//!             Event::WantBody { .. } => session.provide_body(now, b"Hello.\n\n").unwrap(),
//!             Event::Outcome(outcome) => {
//!                 assert!(matches!(&outcome.recipients[0].fate, Fate::Accepted(reply) if reply.code() == 250));
//!                 break 'run;
//!             }
//!             Event::Ended(why) => panic!("{why}"),
//!             _ => {}
//!         }
//!     }
//!     while let Some(block) = session.poll_transmit() {
//!         sent.push_str(std::str::from_utf8(&block).unwrap());
//!     }
//!     session.handle_input(now, server.next().unwrap().as_bytes());
//! }
//! assert!(sent.ends_with("DATA\r\nHello.\r\n\r\n.\r\n"));
//! ```

mod auth;
mod body;
mod capabilities;
mod config;
mod event;
mod output;
mod parser;
mod sending;
mod session;
mod transaction;

pub use body::BodyEncoder;
pub use capabilities::{Capabilities, DeliverBy, FutureRelease, Limits, SizeLimit};
pub use config::{Config, Protocol, Stage, Timeouts};
pub use event::{Ended, Event, Misuse, SendError};
pub use parser::{MAX_CHALLENGE_LINE, MAX_LINE, MAX_REPLY, ReplyError, ReplyParser};
pub use session::Session;
pub use transaction::{Dropped, Fate, Outcome, RecipientOutcome, TooMany, Transaction, Unsendable};
