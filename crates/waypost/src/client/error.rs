//! Why a dialogue could not be had, and what the shell is told.

use crate::exit::{Exit, Failure};
use net::NetError;
use smtp::Reply;
use smtp::client::{Ended, Misuse, SendError, Stage};

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
    #[error("{0}")]
    Send(SendError),
    #[error("{0}")]
    Ended(#[from] Ended),
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
    /// 75 when it may work later, else 1.
    pub fn exit(&self) -> Exit {
        let later = match self {
            Self::Dns(error) => error.is_temporary(),
            Self::Net(error) => !matches!(error, NetError::TlsSetup(_)),
            Self::Unreachable { .. } => true,
            Self::Refused { reply, .. } | Self::Ended(Ended::Refused { reply, .. }) => !reply.is_permanent(),
            Self::Ended(Ended::Malformed(_) | Ended::PlaintextAfterStartTls | Ended::OutOfTurn(_)) => false,
            Self::Ended(_) | Self::Send(SendError::UsedUp) => true,
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
