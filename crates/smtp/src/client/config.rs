//! What a session is told at its beginning.

use crate::command::HelloName;
use std::fmt;
use std::time::Duration;

/// Settings of one [`Session`](super::Session).
#[derive(Debug, Clone)]
pub struct Config {
    /// What we call ourselves in EHLO (RFC 5321 §4.1.4).
    pub helo: HelloName,
    pub protocol: Protocol,
    /// The connection was TLS from its first octet (ports 465 and 24 with TLS; RFC 8314 §3).
    pub tls: bool,
    /// Use PIPELINING where it is offered.
    pub pipelining: bool,
    /// Use BDAT where CHUNKING is offered. A BINARYMIME body is always sent so.
    pub chunking: bool,
    pub timeouts: Timeouts,
    /// Stop after this stage with [`Event::Stopped`](super::Event::Stopped): for a person to look, and type on.
    pub stop_after: Option<Stage>,
    /// Show every line as [`Event::Sent`](super::Event::Sent) and [`Event::Received`](super::Event::Received).
    pub trace: bool,
}

impl Config {
    /// SMTP on an unencrypted connection, using everything that the peer offers.
    pub fn new(helo: HelloName) -> Self {
        Self {
            helo,
            protocol: Protocol::Smtp,
            tls: false,
            pipelining: true,
            chunking: true,
            timeouts: Timeouts::default(),
            stop_after: None,
            trace: false,
        }
    }
}

/// Which of the two dialogues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: LHLO, and a reply a recipient after the data.
    Lmtp,
}

/// Where in the dialogue something happened: which command was answered, or what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The greeting.
    Connect,
    /// EHLO, HELO or LHLO.
    Hello,
    StartTls,
    Xclient,
    Xforward,
    Auth,
    Reset,
    Mail,
    Rcpt,
    /// The DATA command, up to its 354.
    Data,
    /// The body itself: DATA's lines, or a BDAT chunk that is not the last.
    Body,
    /// The lone dot, or BDAT LAST.
    EndOfData,
    Quit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Xclient => "XCLIENT",
            Self::Xforward => "XFORWARD",
            Self::Auth => "AUTH",
            Self::Reset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the message",
            Self::EndOfData => "the end of the message",
            Self::Quit => "QUIT",
        })
    }
}

/// How long each stage may take; the default is RFC 5321 §4.5.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// §4.5.3.2.1.
    pub greeting: Duration,
    /// EHLO, STARTTLS, XCLIENT, XFORWARD, RSET, and each step of AUTH; no RFC says a number, as for MAIL.
    pub hello: Duration,
    /// §4.5.3.2.2.
    pub mail: Duration,
    /// §4.5.3.2.3.
    pub rcpt: Duration,
    /// §4.5.3.2.4: until the 354.
    pub data: Duration,
    /// §4.5.3.2.5: for each piece of the body to leave.
    pub block: Duration,
    /// §4.5.3.2.6: short ones make duplicates (RFC 5321 §6.1, RFC 1047).
    pub end_of_data: Duration,
    /// QUIT: nothing depends on its reply.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            greeting: 5 * MINUTE,
            hello: 5 * MINUTE,
            mail: 5 * MINUTE,
            rcpt: 5 * MINUTE,
            data: 2 * MINUTE,
            block: 3 * MINUTE,
            end_of_data: 10 * MINUTE,
            quit: MINUTE / 2,
        }
    }
}

impl Timeouts {
    /// All of them times `factor` (0.001 for a test); a factor that is no positive number changes nothing.
    pub fn scaled(self, factor: f64) -> Self {
        let scale = |duration: Duration| {
            Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
        };
        Self {
            greeting: scale(self.greeting),
            hello: scale(self.hello),
            mail: scale(self.mail),
            rcpt: scale(self.rcpt),
            data: scale(self.data),
            block: scale(self.block),
            end_of_data: scale(self.end_of_data),
            quit: scale(self.quit),
        }
    }

    /// How long `stage` may take.
    pub fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Connect => self.greeting,
            Stage::Hello
            | Stage::StartTls
            | Stage::Xclient
            | Stage::Xforward
            | Stage::Auth
            | Stage::Reset => self.hello,
            Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            Stage::Body => self.block,
            Stage::EndOfData => self.end_of_data,
            Stage::Quit => self.quit,
        }
    }
}
