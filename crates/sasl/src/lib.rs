//! SASL (RFC 4422): how a client proves who it is, as server and as client, without sockets.
//!
//! This room turns decoded messages of an `AUTH` exchange into the next message, and nothing else: base64, line
//! lengths and the words `AUTH`, `334` or `+` belong to the protocol (SMTP, POP3, IMAP, ManageSieve); accounts belong
//! to the caller, who answers the look-ups; randomness and time come in through [`server::Context`] and [`Nonce`]. It
//! depends on [`address::Secret`] alone and must not know of configuration, storage or logging.
//!
//! | mechanism | server | client | RFC |
//! |---|---|---|---|
//! | PLAIN, LOGIN | yes | yes | 4616, none |
//! | SCRAM-SHA-256, SCRAM-SHA-1, each with -PLUS | yes | yes | 5802, 7677, 5929, 9266 |
//! | CRAM-MD5 | yes | yes | 2195 |
//! | EXTERNAL | yes | yes | 4422 |
//! | OAUTHBEARER, XOAUTH2 | no | yes | 7628 |
//!
//! **As a server**: [`server::begin`], then until it is over:
//! 1. [`Step::Challenge`](server::Step::Challenge): send the text, give the answer to `next.respond`;
//! 2. [`Step::VerifyPassword`](server::Step::VerifyPassword) and the other look-ups: ask the directory, answer;
//! 3. [`Step::Done`](server::Step::Done) or [`Step::Failed`](server::Step::Failed): reply.
//!
//! **As a client**: [`client::choose`], [`client::Exchange::new`], `initial`, then `respond` to each challenge, and
//! `finish` when the server reports success: only then is the server believed.
//!
//! ```
//! use address::Secret;
//! use sasl::{Channel, Mechanism, Nonce, client, server};
//!
//! # fn main() -> Result<(), sasl::Error> {
//! let channel = Channel::Tls(Default::default());
//! let credentials = client::Credentials::password("tim", Secret::new("tanstaaf".to_owned()));
//! let mechanism = client::choose(&[Mechanism::Plain, Mechanism::Login], &credentials, &channel)?;
//! let mut client = client::Exchange::new(mechanism, credentials, &channel, Nonce::new([7; 18]))?;
//! let initial = client.initial();
//!
//! let context = server::Context {
//!     channel,
//!     nonce: Nonce::new([9; 18]),
//!     decoy: server::Decoy::new(Secret::new([1; 32])),
//!     host: "mail.example.org".to_owned(),
//!     unix_time: 0,
//!     certificate: None,
//! };
//! let mut step = server::begin(mechanism, context, initial.as_ref().map(|m| m.reveal().as_slice()));
//! let identity = loop {
//!     step = match step {
//!         server::Step::Challenge { text, next } => next.respond(client.respond(&text)?.reveal()),
//!         server::Step::VerifyPassword(lookup) => {
//!             let matches = lookup.password().reveal() == "tanstaaf"; // the directory does this with argon2id
//!             lookup.answer(matches)
//!         }
//!         server::Step::Done(identity) => break identity,
//!         other => panic!("{other:?}"),
//!     }
//! };
//! client.finish(None)?;
//! assert_eq!(identity.authcid, "tim");
//! # Ok(())
//! # }
//! ```

pub mod client;
pub mod server;

mod channel;
mod crypto;
mod error;
mod mechanism;
mod nonce;
mod prepare;
mod scram;

pub use channel::{BindingType, Bindings, Channel, server_end_point};
pub use crypto::Hash;
pub use error::Error;
pub use mechanism::Mechanism;
pub use nonce::Nonce;
pub use prepare::{Unassigned, saslprep};
pub use scram::{DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_SALT, MIN_ITERATIONS, SALT_LEN, ScramKeys};

/// Octets of the longest message taken from a peer, decoded. RFC 4954 §4 finds 12288 octets of base64 sufficient for
/// every mechanism; decoded that is less still.
pub const MAX_MESSAGE: usize = 12 * 1024;

/// Octets of the longest authentication or authorization identity, as sent. RFC 4616 §2 asks for at least 255.
pub const MAX_NAME: usize = 255;

/// Octets of the longest password, as sent. RFC 4616 §2 asks for at least 255; a bound keeps hashing it cheap.
pub const MAX_PASSWORD: usize = 1024;

#[cfg(test)]
mod tests;
