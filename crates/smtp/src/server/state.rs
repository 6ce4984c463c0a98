//! Where a session stands.

use super::body::BodyDecoder;
use crate::command::{Bdat, Hello, Mail, Rcpt};
use crate::reply::Reply;
use address::Domain;
use std::collections::HashSet;

/// ```text
///            connect        EHLO          MAIL            DATA              CRLF.CRLF
///  Waiting ──────────▶ Fresh ────▶ Ready ─────▶ Mailing ────────▶ Data ────────────────▶ Waiting ──▶ Ready
///     │ 554              ▲           │ ▲  ▲        │ ▲ RCPT         BDAT LAST              ▲
///     ▼                  │ XCLIENT,  │ │  │ RSET,  │ │    BDAT ┌──────────────────▶ Chunk ─┘
///  Unwelcome             │ STARTTLS, │ │  │ EHLO   │ └─┘       │   BDAT ┌─────────── │ ▲
///                        │ handshake │ │  └────────┤           │        │   its end  ▼ │ BDAT
///                        └───────────┘ │ AUTH      └───────────┘        └─────── BetweenChunks
///                                      └──▶ Sasl
/// ```
/// From each of them an event that asks leads through `Waiting`; an unwanted BDAT through `Skip`; a 421 to
/// `Closed`.
#[derive(Debug)]
pub(super) enum State {
    /// The driver is asked.
    Waiting(Question),
    /// Greeted with 554: all but QUIT is 503 (RFC 5321 §3.1).
    Unwelcome,
    /// Before HELO, EHLO or LHLO.
    Fresh,
    Ready(Hello),
    Sasl(Hello),
    /// MAIL was accepted.
    Mailing(Transaction),
    Data(Message),
    Chunk {
        message: Message,
        left: u64,
        last: bool,
    },
    BetweenChunks(Message),
    /// A chunk that nobody wants is read before it is answered (RFC 3030 §2).
    Skip {
        left: u64,
        reply: Option<Reply>,
        then: Box<Self>,
    },
    /// 220 is said, TLS not started: no octet is read.
    Handshake,
    Closed,
}

/// What the driver is asked, with all that is needed to go on.
#[derive(Debug)]
pub(super) enum Question {
    Connect,
    Hello { hello: Hello, previous: Option<Hello> },
    StartTls(Option<Hello>),
    Auth(Hello),
    Mail { hello: Hello, mail: Mail },
    Rcpt { transaction: Transaction, rcpt: Rcpt },
    Data(Transaction),
    Bdat { transaction: Transaction, bdat: Bdat },
    EndOfMessage(Transaction),
    Xclient(Option<Hello>),
    Xforward(Option<Hello>),
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) hello: Hello,
    pub(super) mail: Mail,
    /// Accepted ones.
    pub(super) recipients: usize,
    /// Kept only while their number is limited.
    pub(super) domains: HashSet<Domain>,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) transaction: Transaction,
    pub(super) decoder: BodyDecoder,
    /// Octets read from the wire.
    pub(super) read: u64,
    /// Found wanting: the rest is read and thrown away.
    pub(super) wanting: bool,
}

impl State {
    /// Before a transaction: as fresh or as ready as the client's introduction makes it.
    pub(super) fn idle(hello: Option<Hello>) -> Self {
        hello.map_or(Self::Fresh, Self::Ready)
    }

    /// The client's introduction, and whether a transaction is open.
    pub(super) fn into_hello(self) -> (Option<Hello>, bool) {
        match self {
            Self::Ready(hello) | Self::Sasl(hello) => (Some(hello), false),
            Self::Mailing(transaction) => (Some(transaction.hello), true),
            Self::BetweenChunks(message) => (Some(message.transaction.hello), true),
            _ => (None, false),
        }
    }

    pub(super) fn in_transaction(&self) -> bool {
        matches!(self, Self::Mailing(_) | Self::BetweenChunks(_))
    }
}
