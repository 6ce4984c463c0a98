//! What a session says of itself: every fixed reply stands here.

use super::config::{Config, Protocol};
use super::event::Abort;
use crate::command::AttributeName;
use crate::reply::Reply;

/// Six digits.
const MAX_ADVERTISED: usize = 999_999;

impl Config {
    pub(super) fn greeting(&self) -> Reply {
        let protocol = if self.protocol == Protocol::Lmtp { "LMTP" } else { "ESMTP" };
        Reply::plain(220, format!("{} {protocol}", self.hostname))
    }

    /// The reply to EHLO and LHLO: one keyword a line (RFC 5321 §4.1.1.1).
    pub(super) fn offers(&self, tls: bool) -> Reply {
        let offered = &self.extensions;
        let mut lines = vec![self.hostname.to_string(), "PIPELINING".into()];
        lines.push(format!("SIZE {}", self.limits.message_size));
        let mut offer = |wanted: bool, keyword: &str| {
            if wanted {
                lines.push(keyword.to_owned());
            }
        };
        offer(offered.starttls && !tls, "STARTTLS");
        offer(!self.mechanisms.is_empty(), &format!("AUTH {}", self.mechanisms.join(" ")));
        offer(true, "8BITMIME");
        offer(true, "ENHANCEDSTATUSCODES");
        offer(offered.chunking, "CHUNKING");
        offer(offered.chunking && offered.binarymime, "BINARYMIME");
        offer(offered.smtputf8, "SMTPUTF8");
        offer(offered.dsn, "DSN");
        offer(offered.requiretls && tls, "REQUIRETLS");
        offer(offered.limits, &self.limits_keyword());
        if let Some(by) = offered.deliver_by {
            offer(
                true,
                &by.minimum.map_or_else(|| "DELIVERBY".to_owned(), |seconds| format!("DELIVERBY {seconds}")),
            );
        }
        if let Some(release) = self.future_release() {
            offer(true, &format!("FUTURERELEASE {} {}", release.interval, release.until));
        }
        if let Some(priority) = &offered.mt_priority {
            let profile = priority.profile.as_deref();
            offer(
                true,
                &profile.map_or_else(|| "MT-PRIORITY".to_owned(), |name| format!("MT-PRIORITY {name}")),
            );
        }
        offer(offered.xclient, &names("XCLIENT", &AttributeName::XCLIENT));
        offer(offered.xforward, &names("XFORWARD", &AttributeName::XFORWARD));
        Reply::plain(250, lines.join("\n"))
    }

    /// RFC 9422 §4. A limit of more digits than it allows is none.
    fn limits_keyword(&self) -> String {
        let mut keyword = "LIMITS".to_owned();
        if self.limits.messages <= MAX_ADVERTISED {
            keyword.push_str(&format!(" MAILMAX={}", self.limits.messages));
        }
        keyword.push_str(&format!(" RCPTMAX={}", self.limits.recipients.min(MAX_ADVERTISED)));
        if let Some(domains) = self.limits.recipient_domains {
            keyword.push_str(&format!(" RCPTDOMAINMAX={domains}"));
        }
        keyword
    }

    /// RFC 4865 §4.2: on no port but submission's.
    pub(super) fn future_release(&self) -> Option<super::FutureRelease> {
        self.extensions.future_release.filter(|_| self.protocol == Protocol::Submission)
    }

    pub(super) fn goodbye(&self) -> Reply {
        Reply::new(221, (2, 0, 0), format!("{} closes the connection", self.hostname))
    }
}

fn names(verb: &str, names: &[AttributeName]) -> String {
    names.iter().fold(verb.to_owned(), |line, name| format!("{line} {}", name.as_str()))
}

/// 503.
pub(super) fn out_of_order(hint: &str) -> Reply {
    Reply::new(503, (5, 5, 1), hint)
}

/// A parameter that is known, but not offered.
pub(super) fn not_offered(parameter: &str) -> Reply {
    Reply::new(555, (5, 5, 4), format!("the parameter {parameter} is not offered here"))
}

pub(super) fn line_too_long() -> Reply {
    Reply::new(500, (5, 5, 2), "the line is too long")
}

pub(super) fn bare_newline() -> Reply {
    Reply::new(500, (5, 5, 2), "a line ends with CR LF, not with a bare LF")
}

pub(super) fn help() -> Reply {
    Reply::new(
        214,
        (2, 0, 0),
        "HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS AUTH\nThe commands are those of RFC 5321 and its extensions",
    )
}

/// What a driver's answer that makes no sense is turned into.
pub(super) fn confused() -> Reply {
    Reply::new(451, (4, 3, 0), "local error, try again later")
}

impl Abort {
    /// The reply at the message's end.
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::TooLarge => Reply::new(552, (5, 3, 4), "the message is larger than is taken here"),
            Self::BareNewline => {
                Reply::new(550, (5, 6, 0), "the message has a bare CR or LF; lines end with CR LF")
            }
            Self::LongLine => Reply::new(554, (5, 6, 0), "the message has a line longer than is taken here"),
            Self::Reset | Self::Sequence => out_of_order("the transaction is over"),
        }
    }
}
