//! Why a connection did not come to where it should.

use net::NetError;
use smtp::Reply;
use smtp::client::{Ended, Misuse};

/// Where [`Client::open`](super::Client::open) failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Connect(NetError),
    #[error(transparent)]
    Handshake(NetError),
    #[error("TLS is required and the server does not offer STARTTLS")]
    TlsNotOffered,
    #[error("TLS is required and the server refused STARTTLS: {0}")]
    TlsRefused(Reply),
    /// In the greeting, EHLO, or later.
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("there are credentials for this server, and it does not offer AUTH")]
    AuthNotOffered,
    #[error("the server refused the credentials: {0}")]
    AuthRefused(Reply),
    /// Of a token, with what the server said of it beside its reply (RFC 7628 §3.2.2).
    #[error("the server refused the token: {reply}: {why}")]
    TokenRefused { reply: Reply, why: String },
    /// No common mechanism, or the server's part of the exchange was wrong.
    #[error(transparent)]
    Auth(#[from] sasl::Error),
    #[error("the system has no random numbers")]
    NoRandomness,
    /// A bug here.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl OpenError {
    /// Whether TLS is what failed.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Handshake(_) | Self::TlsNotOffered | Self::TlsRefused(_))
    }

    /// Whether nobody answers there, or nobody who could take mail now: other addresses are better tried first for a while.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Ended(ended) => !matches!(ended, Ended::Quit | Ended::Aborted),
            _ => false,
        }
    }

    /// The server's words where it said something, else ours in the form of a reply.
    pub fn to_reply(&self) -> String {
        match self {
            Self::TlsRefused(reply) | Self::AuthRefused(reply) => reply.to_string(),
            Self::TokenRefused { reply, why } => format!("{reply}: {why}"),
            Self::Ended(ended) => ended_reply(ended),
            Self::Connect(error) => format!("451 4.4.1 {error}"),
            Self::Handshake(error) => format!("451 4.7.5 {error}"),
            Self::TlsNotOffered => format!("451 4.7.4 {self}"),
            Self::AuthNotOffered | Self::Auth(_) => format!("451 4.7.0 {self}"),
            Self::NoRandomness | Self::Misuse(_) => format!("451 4.3.0 {self}"),
        }
    }
}

/// As [`OpenError::to_reply`], for a session that ended.
pub(crate) fn ended_reply(ended: &Ended) -> String {
    match ended {
        Ended::Refused { reply, .. } | Ended::Shutdown(reply) => reply.to_string(),
        Ended::Malformed(_) | Ended::OutOfTurn(_) | Ended::PlaintextAfterStartTls => {
            format!("451 4.5.0 {ended}")
        }
        Ended::Quit | Ended::Timeout(_) | Ended::Lost(_) | Ended::Aborted => format!("451 4.4.2 {ended}"),
    }
}

/// Why [`Client::send`](super::Client::send) did not send.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was said to the server.
    #[error(transparent)]
    NotSent(#[from] smtp::client::SendError),
    #[error("the message cannot be read: {0}")]
    Body(std::io::Error),
}
