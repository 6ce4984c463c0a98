//! Why a dialogue could not be had, and what the shell is told.

use super::{Place, Settings};
use crate::cli::values::Tls;
use crate::exit::{Exit, Failure};
use net::NetError;
use smtp::Reply;
use smtp::client::{Ended, Misuse, SendError as NotSent, Stage};
use transport::client::{OpenError, SendError};

/// See each; the exit status is by [`Error::exit`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Dns(#[from] dns::DnsError),
    #[error("{0}")]
    Net(#[from] NetError),
    /// None of a name's addresses answered; the first one's reason.
    #[error("{host}: {first}{}", and_others(*others))]
    Unreachable { host: String, first: NetError, others: usize },
    #[error("the server's certificate is not valid for {host}: {source} (--insecure takes any certificate)")]
    Certificate { host: String, source: NetError },
    #[error("the server does not offer STARTTLS")]
    NoStartTls,
    #[error("the server does not offer AUTH{hint}")]
    NoAuth { hint: &'static str },
    #[error("{0}")]
    Sasl(#[from] sasl::Error),
    #[error("the server refused {at}: {reply}")]
    Refused { at: Stage, reply: Reply },
    #[error("the server refused the token: {reply}: {why}")]
    TokenRefused { reply: Reply, why: String },
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("{0}")]
    Ended(#[from] Ended),
    #[error("the system gives no random numbers")]
    NoRandomness,
    #[error("{0}")]
    Misuse(#[from] Misuse),
}

fn and_others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (and neither did its other address)".to_owned(),
        count => format!(" (and none of its {count} other addresses)"),
    }
}

impl Error {
    pub(super) fn of_open(error: OpenError, settings: &Settings) -> Self {
        match error {
            OpenError::Connect(error) => Self::Net(error),
            OpenError::Handshake(source) => match (&settings.place, source.refused_certificate()) {
                (Place::Tcp(peer), Some(_)) => Self::Certificate { host: peer.host.to_string(), source },
                _ => Self::Net(source),
            },
            OpenError::TlsNotOffered => Self::NoStartTls,
            OpenError::TlsRefused(reply) => Self::Refused { at: Stage::StartTls, reply },
            OpenError::Ended(ended) => Self::Ended(ended),
            OpenError::AuthNotOffered => {
                Self::NoAuth { hint: if settings.tls == Tls::None { " without TLS" } else { "" } }
            }
            OpenError::AuthRefused(reply) => Self::Refused { at: Stage::Auth, reply },
            OpenError::TokenRefused { reply, why } => Self::TokenRefused { reply, why },
            OpenError::Auth(error) => Self::Sasl(error),
            OpenError::NoRandomness => Self::NoRandomness,
            OpenError::Misuse(misuse) => Self::Misuse(misuse),
        }
    }

    /// 75 when it may work later, else 1.
    pub fn exit(&self) -> Exit {
        let later = match self {
            Self::Dns(error) => error.is_temporary(),
            Self::Net(error) => !matches!(error, NetError::TlsSetup(_)),
            Self::Unreachable { .. } | Self::NoRandomness => true,
            Self::Refused { reply, .. }
            | Self::TokenRefused { reply, .. }
            | Self::Ended(Ended::Refused { reply, .. }) => !reply.is_permanent(),
            Self::Ended(Ended::Malformed(_) | Ended::PlaintextAfterStartTls | Ended::OutOfTurn(_)) => false,
            Self::Ended(_) | Self::Send(SendError::NotSent(NotSent::UsedUp)) => true,
            Self::Certificate { .. }
            | Self::NoStartTls
            | Self::NoAuth { .. }
            | Self::Sasl(_)
            | Self::Send(_)
            | Self::Misuse(_) => false,
        };
        if later { Exit::TryAgain } else { Exit::No }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.exit(), error.to_string())
    }
}
