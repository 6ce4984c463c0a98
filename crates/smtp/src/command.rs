//! What a client says: one type a command, read from a line and written as one (RFC 5321 §4.1.1).
//!
//! ```
//! use smtp::command::{Command, Mode};
//!
//! let command = Command::parse(b"mail from: <a@example.org> size=1000", Mode::Ascii).unwrap();
//! assert_eq!(command.encode(), b"MAIL FROM:<a@example.org> SIZE=1000\r\n");
//! ```

mod attribute;
mod encode;
mod error;
mod parse;

pub use attribute::{Attribute, AttributeName, AttributeValue, MAX_ATTRIBUTE};
pub use error::CommandError;
use error::quote;
pub(crate) use parse::decode_response;

use crate::parameter::{MailParameters, RcptParameters};
use address::{Domain, ForwardPath, ReversePath, Secret};
use std::fmt;

/// Longest name that HELO, EHLO or LHLO may give, in octets (RFC 5321 §4.5.3.1.2).
pub const MAX_HELLO_NAME: usize = 255;
/// Longest name of a SASL mechanism (RFC 4422 §3.1).
pub const MAX_MECHANISM: usize = 20;

/// A command, its parameters checked.
#[derive(Debug, Clone)]
pub enum Command {
    Hello(Hello),
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    Bdat(Bdat),
    Rset,
    Noop,
    Quit,
    /// `utf8`: the client can read UTF-8 in the reply (RFC 6531 §3.7.4.2).
    Vrfy {
        what: String,
        utf8: bool,
    },
    Expn {
        what: String,
        utf8: bool,
    },
    Help(Option<String>),
    StartTls,
    Auth(Auth),
    Etrn(String),
    Xclient(Vec<Attribute>),
    Xforward(Vec<Attribute>),
}

/// Whether addresses outside ASCII may stand in a command: only when its transaction has SMTPUTF8. (MAIL
/// says so itself, so the mode does not matter to it.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Ascii,
    Utf8,
}

/// How a client introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub verb: HelloVerb,
    pub name: HelloName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloVerb {
    Helo,
    Ehlo,
    /// LMTP (RFC 2033 §4.1).
    Lhlo,
}

impl HelloVerb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "HELO",
            Self::Ehlo => "EHLO",
            Self::Lhlo => "LHLO",
        }
    }
}

/// The name that a client gives itself. Many are no domain, so it is taken as it is; whoever cares parses it
/// as an [`address::Host`]. One word, without control characters, 1 to [`MAX_HELLO_NAME`] octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloName(Box<str>);

impl HelloName {
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=MAX_HELLO_NAME).contains(&name.len());
        let plain = !name.chars().any(|c| c.is_control() || c.is_whitespace());
        (fits && plain).then(|| Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HelloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `MAIL FROM:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: ReversePath,
    pub parameters: MailParameters,
}

/// `RCPT TO:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    pub to: ForwardPath,
    pub parameters: RcptParameters,
}

impl Rcpt {
    /// The recipient's domain, unless it is written without one or with an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.to {
            ForwardPath::Address(address) => address.domain(),
            ForwardPath::Unqualified(_) => None,
        }
    }
}

/// `BDAT` (RFC 3030 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bdat {
    /// Octets that follow the command line.
    pub size: u64,
    pub last: bool,
}

/// `AUTH` (RFC 4954 §4).
#[derive(Debug, Clone)]
pub struct Auth {
    /// In upper case, 1 to [`MAX_MECHANISM`] of A–Z, 0–9, `-` and `_`.
    pub mechanism: String,
    /// The initial response, decoded; empty when it was `=`.
    pub initial: Option<Secret<Vec<u8>>>,
}
