//! What can go wrong at the client's side, and with stored keys. A server's outcome is
//! [`server::Failure`](crate::server::Failure), since it becomes a reply and not a text for a person.

use crate::{Mechanism, client};

/// Characters of a peer's words that a text of ours repeats.
pub(crate) const QUOTED: usize = 200;

/// An error of the client's side, or of stored keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "unknown SASL mechanism {0:?}: use one of PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-1 (each also with -PLUS), CRAM-MD5, EXTERNAL, OAUTHBEARER, XOAUTH2"
    )]
    UnknownMechanism(String),
    #[error("the server offers no mechanism that fits {credentials} (it offers: {offered})")]
    NoMechanism { credentials: client::Kind, offered: String },
    #[error("{0} would show the password or token to anyone on the way: use TLS")]
    NeedsPrivacy(Mechanism),
    #[error("{mechanism} does not work with {credentials}: choose another mechanism")]
    WrongCredentials { mechanism: Mechanism, credentials: client::Kind },
    #[error("{0} needs a TLS connection with channel binding data: use the mechanism without -PLUS")]
    NoChannelBinding(Mechanism),
    #[error("the user name is empty or has characters that SASLprep (RFC 4013) does not allow: correct it")]
    Name,
    #[error(
        "the password is empty or has characters that this mechanism does not allow (RFC 4013): change it, or use PLAIN over TLS"
    )]
    Password,
    #[error("the token is empty or has characters other than printable ASCII: get a new one")]
    Token,
    #[error("the {what} is longer than {max} octets: shorten it")]
    TooLong { what: &'static str, max: usize },
    #[error("the server's message does not follow the mechanism ({why}): {text:?}")]
    Malformed { why: &'static str, text: String },
    #[error(
        "the server asks for {0} SCRAM iterations, outside 4096 to 5000000: that would expose the password or stall this machine"
    )]
    Iterations(u64),
    #[error("the server refused the credentials: {0}")]
    Refused(String),
    #[error("the server's signature is wrong: it does not know the password, or someone stands between")]
    ServerSignature,
    #[error("the server reported success before it proved that it knows the password: do not trust it")]
    Unfinished,
    #[error("the server sent a challenge after the exchange was over")]
    Over,
    #[error(
        "the stored SCRAM keys are not of the form SCRAM-SHA-256$iterations:salt$stored:server (RFC 5803): set the password anew"
    )]
    Keys,
}

impl Error {
    /// A malformed message, with as much of it as is fit to show.
    pub(crate) fn malformed(why: &'static str, message: &[u8]) -> Self {
        Self::Malformed { why, text: quote(message) }
    }
}

/// A peer's words, bounded; control characters become escapes when shown with `{:?}`.
pub(crate) fn quote(message: &[u8]) -> String {
    String::from_utf8_lossy(message).chars().take(QUOTED).collect()
}
