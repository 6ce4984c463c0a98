//! Why a line is no command, and what to reply.

use crate::parameter::ParameterError;
use crate::reply::Reply;
use address::AddressError;

/// Most characters of a peer's words that are repeated in a reply.
const MAX_QUOTED: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("a command has no bare CR, bare LF or NUL")]
    Control,
    #[error("the command {0:?} is not known here")]
    Unknown(String),
    #[error("the command is not UTF-8")]
    NotUtf8,
    #[error("syntax: {0}")]
    Syntax(&'static str),
    #[error("bad sender address: {0}")]
    Sender(AddressError),
    #[error("bad recipient address: {0}")]
    Recipient(AddressError),
    #[error("an address outside ASCII needs SMTPUTF8 in this command")]
    NonAsciiSender,
    #[error("an address outside ASCII needs SMTPUTF8 in the MAIL command")]
    NonAsciiRecipient,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("the response is not base64")]
    Base64,
}

impl CommandError {
    /// RFC 5321 §4.3.2, RFC 3463 §3, RFC 6531 §3.5.
    pub fn reply(&self) -> Reply {
        let (code, enhanced) = match self {
            Self::Control => (500, (5, 5, 2)),
            Self::Unknown(_) => (500, (5, 5, 1)),
            Self::NotUtf8 => (501, (5, 5, 2)),
            Self::Syntax(_) => (501, (5, 5, 4)),
            Self::Sender(_) => (501, (5, 1, 7)),
            Self::Recipient(_) => (501, (5, 1, 3)),
            Self::NonAsciiSender => (550, (5, 6, 7)),
            Self::NonAsciiRecipient => (553, (5, 6, 7)),
            Self::Parameter(ParameterError::Unknown(_)) => (555, (5, 5, 4)),
            // RFC 6710 §4.1 wants another enhanced code than the others.
            Self::Parameter(
                ParameterError::Value { name: "MT-PRIORITY", .. } | ParameterError::Twice("MT-PRIORITY"),
            ) => (501, (5, 5, 2)),
            Self::Parameter(_) => (501, (5, 5, 4)),
            Self::Base64 => (501, (5, 5, 2)),
        };
        Reply::new(code, enhanced, quote(&self.to_string()))
    }
}

/// Bounds what is repeated of a peer's words; [`Reply`] itself takes care of control characters.
pub(super) fn quote(words: &str) -> String {
    let mut quoted: String = words.chars().take(2 * MAX_QUOTED).collect();
    if quoted.len() < words.len() {
        quoted.push('…');
    }
    quoted
}
