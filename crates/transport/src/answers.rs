//! What a reply, or the lack of one, means for a recipient.

use crate::client::{OpenError, ended_reply};
use crate::places::NoAddress;
use crate::{NamedHost, Outcome};
use dns::DnsError;
use smtp::Reply;
use smtp::client::{Capabilities, Ended, Fate, Stage, TooMany};

/// An answer without the recipient and the host.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) reply: String,
    /// The other server's words, not ours.
    pub(crate) theirs: bool,
    pub(crate) note: Option<String>,
}

impl Answer {
    pub(crate) fn deferred(reply: String, slow: bool) -> Self {
        Self { outcome: Outcome::Deferred { slow }, reply, theirs: false, note: None }
    }

    pub(crate) fn failed(reply: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, reply: reply.into(), theirs: false, note: None }
    }

    /// The same, when the other server said so itself.
    fn said(self, theirs: bool) -> Self {
        Self { theirs, ..self }
    }
}

/// The answer in a recipient's fate; `None` if it must be sent again, to this host or the next. `offered`: by the host.
pub(crate) fn of(fate: &Fate, offered: &Capabilities) -> Option<Answer> {
    let delivered = Outcome::Delivered { dsn: offered.dsn, deliver_by: offered.deliver_by.is_some() };
    Some(match fate {
        Fate::Accepted(reply) => {
            Answer { outcome: delivered, reply: reply.to_string(), theirs: true, note: None }
        }
        Fate::Refused { reply, .. } if reply.is_permanent() => Answer::failed(reply.to_string()).said(true),
        Fate::Refused { at, reply } => Answer::deferred(reply.to_string(), is_slow(*at, reply)).said(true),
        Fate::NotTried(_) | Fate::Broken { .. } => return None,
        // RFC 5321 §6.1: rather twice than not at all.
        Fate::Unknown => Answer {
            outcome: Outcome::Deferred { slow: true },
            reply: "451 4.4.2 the connection was lost after the whole message was sent".to_owned(),
            theirs: false,
            note: Some("the server may have the message: it may arrive twice".to_owned()),
        },
    })
}

/// Whether a 4xx speaks of the server and not of a recipient or message.
fn is_slow(at: Stage, reply: &Reply) -> bool {
    at == Stage::Mail || reply.code() == 421
}

/// A session that ended before the message was sent. A 5xx in the greeting is no verdict on the message: a server says 554 or
/// 521 to a client it does not want, or when it is the wrong machine (RFC 5321 §3.1, RFC 7504 §3), so other hosts are tried, and
/// the message waits for somebody to put it right.
pub(crate) fn of_ended(ended: &Ended) -> Answer {
    Answer::deferred(ended_reply(ended), true).said(has_reply(ended))
}

fn has_reply(ended: &Ended) -> bool {
    matches!(ended, Ended::Refused { .. } | Ended::Shutdown(_))
}

/// All were put off, with nobody before them: there is nothing left to split.
pub(crate) fn of_put_off(why: &TooMany) -> Answer {
    let reply = match why {
        TooMany::Refused(reply) => reply.to_string(),
        TooMany::Recipients => "451 4.5.3 the server takes no recipient in a transaction".to_owned(),
        TooMany::Domains => "451 4.5.3 the server takes no further domain in a session".to_owned(),
    };
    Answer::deferred(reply, true).said(matches!(why, TooMany::Refused(_)))
}

/// Also a refused password: mail waits for whoever runs this machine to correct it.
pub(crate) fn of_open_error(error: &OpenError) -> Answer {
    let theirs = match error {
        OpenError::TlsRefused(_) | OpenError::AuthRefused(_) => true,
        OpenError::Ended(ended) => has_reply(ended),
        _ => false,
    };
    Answer::deferred(error.to_reply(), true).said(theirs)
}

/// Where the login at a smart host is what keeps it from taking anything: which, and what to do.
pub(crate) fn about_login(user: &str, error: &OpenError) -> Option<String> {
    match error {
        OpenError::AuthRefused(_) | OpenError::TokenRefused { .. } => {
            Some(format!("the server refused the login as {user}: correct username or password-file"))
        }
        error if error.is_tls() => Some(format!(
            "the login as {user} was not shown: that needs TLS and a valid certificate, whatever the setting tls says"
        )),
        _ => None,
    }
}

/// `given`: the host's name is from the configuration, where a mistake is corrected, and not from the DNS of a domain.
pub(crate) fn of_no_address(host: &NamedHost, why: &NoAddress, given: bool) -> Answer {
    match why {
        NoAddress::Dns(error @ (DnsError::Temporary { .. } | DnsError::Bogus { .. })) => {
            Answer::deferred(format!("451 4.4.3 {error}"), true)
        }
        NoAddress::Dns(error) if given => Answer::deferred(format!("451 4.4.4 {error}"), true),
        NoAddress::Dns(error) => Answer::failed(format!("550 5.4.4 {error}")),
        NoAddress::NoSource => Answer::deferred(
            format!(
                "451 4.4.4 {} has no address of a family that we have a source address to call from",
                host.name
            ),
            false,
        ),
        NoAddress::Ourselves => {
            Answer::failed(format!("554 5.4.6 the mail loops back to us: {} is this server", host.name))
        }
    }
}
