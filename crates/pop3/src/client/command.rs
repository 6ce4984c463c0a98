//! Commands, and what is remembered until they are answered.

use address::Secret;
use bytes::BytesMut;
use data_encoding::BASE64;

use super::Phase;
use crate::{Error, MAX_COMMAND};

/// What a client may ask. Message-numbers count from 1.
#[derive(Clone, Debug)]
pub enum Command {
    Capa,
    Stls,
    /// Switches to UTF-8 mode (RFC 6856 §2.1); before login, after STLS.
    Utf8,
    User(String),
    Pass(Secret<String>),
    /// An initial response that does not fit the line is sent after the server's empty challenge instead (RFC 5034
    /// §4).
    Auth {
        mechanism: String,
        initial: Option<Secret<Vec<u8>>>,
    },
    Stat,
    List(Option<u64>),
    Uidl(Option<u64>),
    Retr(u64),
    /// A message's header and so many lines of its body.
    Top(u64, u64),
    Dele(u64),
    Noop,
    Rset,
    Quit,
}

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) enum Asked {
    /// Answered by one line that says all.
    Simple,
    Capa,
    Stls,
    Pass,
    Auth {
        held_back: Option<Secret<String>>,
    },
    Stat,
    /// One line, as a row.
    Size,
    UniqueId,
    Sizes,
    UniqueIds,
    Message,
    Quit,
}

impl Asked {
    pub(super) fn may_be_followed(&self) -> bool {
        !matches!(self, Self::Stls | Self::Pass | Self::Auth { .. } | Self::Quit)
    }
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Utf8 => "UTF8",
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Auth { .. } => "AUTH",
            Self::Stat => "STAT",
            Self::List(_) => "LIST",
            Self::Uidl(_) => "UIDL",
            Self::Retr(_) => "RETR",
            Self::Top(..) => "TOP",
            Self::Dele(_) => "DELE",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
        }
    }

    pub(super) fn carries_password(&self) -> bool {
        matches!(self, Self::User(_) | Self::Pass(_) | Self::Auth { .. })
    }

    pub(super) fn stands_alone(&self) -> bool {
        matches!(self, Self::Stls | Self::Auth { .. })
    }

    pub(super) fn check_phase(&self, phase: Phase) -> Result<(), Error> {
        match (self, phase) {
            (Self::Capa | Self::Quit, _) => Ok(()),
            (Self::Stls | Self::Utf8 | Self::User(_) | Self::Pass(_) | Self::Auth { .. }, phase) => {
                let fits = phase == Phase::Authorization;
                fits.then_some(()).ok_or_else(|| Error::State(self.name(), "it belongs before login"))
            }
            (_, Phase::Authorization) => Err(Error::State(self.name(), "log in first")),
            (_, Phase::Transaction) => Ok(()),
        }
    }

    /// Appends the command's line, if it can be one.
    pub(super) fn write(self, out: &mut BytesMut) -> Result<Asked, Error> {
        let name = self.name();
        let (line, asked) = match self {
            Self::Capa => (String::new(), Asked::Capa),
            Self::Stls => (String::new(), Asked::Stls),
            Self::Utf8 | Self::Noop | Self::Rset => (String::new(), Asked::Simple),
            Self::User(user) => (argument("user name", &user, |c| c != ' ')?, Asked::Simple),
            Self::Pass(password) => (argument("password", password.reveal(), |_| true)?, Asked::Pass),
            Self::Auth { mechanism, initial } => auth(&mechanism, initial.as_ref())?,
            Self::Stat => (String::new(), Asked::Stat),
            Self::List(None) => (String::new(), Asked::Sizes),
            Self::Uidl(None) => (String::new(), Asked::UniqueIds),
            Self::List(Some(number)) => (number.to_string(), Asked::Size),
            Self::Uidl(Some(number)) => (number.to_string(), Asked::UniqueId),
            Self::Retr(number) => (number.to_string(), Asked::Message),
            Self::Top(number, lines) => (format!("{number} {lines}"), Asked::Message),
            Self::Dele(number) => (number.to_string(), Asked::Simple),
            Self::Quit => (String::new(), Asked::Quit),
        };
        if line_length(name, &line) > MAX_COMMAND {
            return Err(Error::TooLong(name));
        }
        out.extend_from_slice(name.as_bytes());
        if !line.is_empty() {
            out.extend_from_slice(b" ");
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(asked)
    }
}

/// With the space and CRLF.
fn line_length(name: &str, arguments: &str) -> usize {
    name.len() + 1 + arguments.len() + 2
}

/// A value without what could end the line or be taken for another argument.
fn argument(what: &'static str, value: &str, fits: fn(char) -> bool) -> Result<String, Error> {
    let good = !value.is_empty() && value.chars().all(|c| !c.is_control() && fits(c));
    good.then(|| value.to_owned()).ok_or(Error::Character(what))
}

fn auth(mechanism: &str, initial: Option<&Secret<Vec<u8>>>) -> Result<(String, Asked), Error> {
    let mechanism = argument("mechanism", mechanism, |c| c.is_ascii_graphic())?;
    let Some(initial) = initial else { return Ok((mechanism, Asked::Auth { held_back: None })) };
    let encoded = BASE64.encode(initial.reveal());
    let word = if encoded.is_empty() { "=" } else { &encoded };
    let line = format!("{mechanism} {word}");
    if line_length("AUTH", &line) <= MAX_COMMAND {
        return Ok((line, Asked::Auth { held_back: None }));
    }
    if encoded.len() > crate::MAX_SASL {
        return Err(Error::TooLong("AUTH"));
    }
    Ok((mechanism, Asked::Auth { held_back: Some(Secret::new(encoded)) }))
}
