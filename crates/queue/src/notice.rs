//! Notifications: which, to whom, and as a message of its own.
//!
//! A failure of a message that has no sender (itself a notification, as a rule) is told to the postmaster; when that
//! fails too, the message is held, because there is nobody left to tell.

use crate::conclude::Settled;
use crate::deadline::Deadlines;
use crate::here;
use crate::shared::Shared;
use address::{Address, Host, ReversePath};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use bytes::Bytes;
use directory::Signers;
use jiff::{Timestamp, Zoned, tz::TimeZone};
use mailauth::dkim::BodyHasher;
use message::{
    Action, Diagnostic, Header, Language, MAX_RETURNED, Original, RecipientReport, Return, Status,
};
use smtp::parameter::{Hold, MailParameters, RcptParameters, Ret};
use store::queue::{NewMessage, QueuedMessage, QueuedRecipient};
use store::trail::Origin;
use store::{Body, StoreError};

/// The session that double bounces name as their origin.
const DOUBLE_BOUNCE: &str = "double-bounce";

/// What a recipient's part says. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// `expired`: because the time of BY has come (RFC 2852 §4.1.3), as for `Delayed`.
    Failed {
        expired: bool,
    },
    Delayed {
        until: u64,
        expired: bool,
    },
    Delivered,
    /// `notifies`: the next server sends notifications of its own.
    Relayed {
        notifies: bool,
    },
    Expanded,
}

/// One recipient's part.
#[derive(Debug)]
pub(crate) struct News {
    recipient: QueuedRecipient,
    report: Report,
    host: String,
    reply: String,
    /// The words of `host`, not ours about it.
    theirs: bool,
}

impl News {
    pub(crate) fn new(one: &Settled, report: Report) -> Self {
        let (host, reply, theirs) = (one.host.clone(), one.reply.clone(), one.theirs);
        Self { recipient: one.recipient.clone(), report, host, reply, theirs }
    }
}

/// A notification written.
#[derive(Debug)]
pub(crate) struct Notice {
    /// `None`: there is nobody to tell.
    pub(crate) message: Option<NewMessage>,
    pub(crate) kind: &'static str,
    pub(crate) to: String,
    pub(crate) recipients: Vec<String>,
    /// Positions of those that failed.
    pub(crate) failed: Vec<u32>,
}

/// Whether the message tells the postmaster of a notification that could not be delivered.
pub(crate) fn is_double_bounce(message: &QueuedMessage) -> bool {
    message.origin.session == DOUBLE_BOUNCE
}

/// Writes one notification for all the news about a message. `None` when there are none worth it.
pub(crate) async fn write(
    shared: &Shared,
    message: &QueuedMessage,
    news: Vec<News>,
) -> Result<Option<Notice>, StoreError> {
    let kind = kind(&news);
    let recipients: Vec<String> = news.iter().map(|one| one.recipient.address.to_string()).collect();
    let failed = news.iter().filter(|one| matches!(one.report, Report::Failed { .. }));
    let failed: Vec<u32> = failed.map(|one| one.recipient.position).collect();
    let (to, double) = match &message.reverse_path {
        ReversePath::Address(sender) => (Some(sender.clone()), false),
        ReversePath::Null => (shared.postmaster(), true),
    };
    let Some(to) = to else {
        return Ok(Some(Notice { message: None, kind, to: String::new(), recipients, failed }));
    };
    let id = shared.clock.id();
    let body = build(shared, message, &news, &to).await?;
    let trace = signatures(shared, &body).await;
    let session = if double { DOUBLE_BOUNCE.to_owned() } else { message.origin.session.clone() };
    let new = NewMessage {
        id,
        reverse_path: ReversePath::Null,
        parameters: parameters(&body, message),
        body: Body::from_bytes(body),
        trace,
        origin: Origin { session, via: "local".into(), ..Origin::default() },
        local: Vec::new(),
        remote: Vec::new(),
    };
    let new = here::address_to(shared, new, &to, "");
    Ok(Some(Notice { message: Some(new), kind, to: to.to_string(), recipients, failed }))
}

fn kind(news: &[News]) -> &'static str {
    if news.iter().any(|one| matches!(one.report, Report::Failed { .. })) {
        "failure"
    } else if news.iter().any(|one| matches!(one.report, Report::Delayed { .. })) {
        "delay"
    } else {
        "success"
    }
}

/// What the next server has to be told of the notification: it may return an 8-bit message whole, is as urgent as the
/// message (RFC 6710 §4.6), and must be as well protected (RFC 8689 §5).
fn parameters(body: &[u8], message: &QueuedMessage) -> String {
    let of_message = MailParameters::parse(&message.parameters).unwrap_or_default();
    let parameters = MailParameters {
        body: (!body.is_ascii()).then_some(smtp::parameter::Body::EightBitMime),
        requiretls: of_message.requiretls,
        priority: of_message.priority,
        ..MailParameters::default()
    };
    parameters.to_string().trim_start().to_owned()
}

/// Signatures of the domain of its From (`dsn_sender`), or of the one above where that has no keys, which DMARC takes as well
/// (RFC 9989 §4.4.1): with the null sender nothing but SPF's look at the name of EHLO would speak for it. Nothing when there
/// are no keys: a notification without signatures is better than none.
async fn signatures(shared: &Shared, notice: &[u8]) -> Bytes {
    let sender = shared.rules().settings.dsn_sender.clone();
    let Some(domain) = sender.domain() else { return Bytes::new() };
    let signers = std::iter::once(domain.clone()).chain(domain.parent()).find_map(|domain| {
        let read = shared.directory.signers(&domain);
        let signers =
            read.inspect_err(|error| tracing::warn!(%domain, %error, "the keys cannot be read")).ok()?;
        (!signers.is_empty()).then_some(signers)
    });
    let Some(signers) = signers else { return Bytes::new() };
    let (header, text) = notice.split_at(Header::parse(notice).body_offset().min(notice.len()));
    let mut hasher = BodyHasher::new(Signers::BODY_FORM);
    hasher.update(text);
    let (header, hash, now) = (header.to_vec(), hasher.finish(), shared.clock.now() / 1000);
    // A quarter of a millisecond where the key is RSA.
    tokio::task::spawn_blocking(move || signers.sign(&header, &hash, now)).await.unwrap_or_default().into()
}

/// RFC 8689 §5: of a message that requires TLS no more than the header is returned.
fn returned(parameters: &MailParameters) -> Return {
    let headers = parameters.ret == Some(Ret::Headers) || parameters.requiretls;
    if headers { Return::Headers } else { Return::Full }
}

/// `orig-hold-param-value` of RFC 4865 §5.1.2.
fn release(hold: Hold) -> String {
    match hold {
        Hold::For(seconds) => format!("for;{seconds}"),
        Hold::Until(time) => format!("until;{time}"),
    }
}

async fn build(
    shared: &Shared,
    message: &QueuedMessage,
    news: &[News],
    to: &Address,
) -> Result<Vec<u8>, StoreError> {
    let rules = shared.rules();
    let settings = &rules.settings;
    let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
    // One octet more than is returned whole, so that a longer message is seen to be longer.
    let start = shared.body(message).await?.read(MAX_RETURNED + 1).await;
    let start = start.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let original = [&message.trace[..], &start].concat();
    let now = zoned(shared.clock.now());
    let arrival = zoned(message.id.unix_ms().max(0) as u64);
    let details: Vec<Details> = news.iter().map(Details::of).collect();
    let recipients: Vec<RecipientReport<'_>> = details.iter().map(|one| one.report(&now)).collect();
    let language = shared.directory.language_of(to).unwrap_or_default().unwrap_or_default();
    let envelope_id = parameters.envid.as_ref().map(|id| id.as_str());
    let ret = returned(&parameters);
    let deadlines = Deadlines::of(message, &parameters, &settings.backoff);
    let deliver_by = deadlines.by.map(|(time, _)| zoned(time));
    let release = parameters.hold.map(release);
    let report = message::Report {
        reporting_mta: &settings.hostname,
        from: &settings.dsn_sender,
        to,
        arrival: Some(&arrival),
        deliver_by: deliver_by.as_ref(),
        release: release.as_deref(),
        envelope_id,
        queue_id: &message.id.to_string(),
        language: Language::choose(&language),
        recipients: &recipients,
        original: Original { message: &original, ret, smtputf8: parameters.smtputf8 },
    };
    let mut random = [0; 16];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| StoreError::Unavailable("the system gives no random numbers".into()))?;
    Ok(report.build(&now, random))
}

/// What a recipient's report borrows from.
struct Details<'a> {
    news: &'a News,
    original_recipient: Option<String>,
    until: Option<Zoned>,
    remote: Option<String>,
    /// What we say ourselves, with the host that it is about.
    local: String,
    status: Option<Status>,
}

impl<'a> Details<'a> {
    fn of(news: &'a News) -> Self {
        let parameters = RcptParameters::parse(&news.recipient.parameters).unwrap_or_default();
        let until = match news.report {
            Report::Delayed { until, .. } => Some(zoned(until)),
            _ => None,
        };
        Self {
            news,
            original_recipient: parameters.orcpt.map(|o| format!("{};{}", o.kind(), o.address())),
            until,
            remote: remote(&news.host).filter(|_| news.theirs),
            local: match remote(&news.host) {
                Some(host) => format!("{host}: {}", news.reply),
                None => news.reply.clone(),
            },
            status: status(news.report, &news.reply),
        }
    }

    fn report(&'a self, now: &'a Zoned) -> RecipientReport<'a> {
        let action = match self.news.report {
            Report::Failed { .. } => Action::Failed,
            Report::Delayed { .. } => Action::Delayed { until: self.until.as_ref() },
            Report::Delivered => Action::Delivered,
            Report::Relayed { notifies } => Action::Relayed { notifies },
            Report::Expanded => Action::Expanded,
        };
        let diagnostic = match self.news.report {
            Report::Delivered | Report::Expanded => None,
            _ if self.remote.is_some() => Some(Diagnostic::Smtp(&self.news.reply)),
            _ => Some(Diagnostic::Local(&self.local)),
        };
        RecipientReport {
            recipient: &self.news.recipient.address,
            original_recipient: self.original_recipient.as_deref(),
            action,
            status: self.status.unwrap_or_else(unknown),
            remote: self.remote.as_deref(),
            diagnostic,
            last_attempt: Some(now),
        }
    }
}

/// The name in `mx.example.org [192.0.2.1]:25`, or a literal for an address without one (RFC 3461 §9.3); only who was called
/// has an address and port. A socket is called by its path.
fn remote(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<std::net::SocketAddr>() {
        return Some(Host::Literal(address.ip().into()).to_string());
    }
    let called = (host.contains(':') || host.contains('[')) && !host.contains('/');
    let end = host.find(['[', ' ', '(', ':']).unwrap_or(host.len());
    Some(host.get(..end)?.trim()).filter(|name| called && !name.is_empty()).map(str::to_owned)
}

/// The status that goes with a reply: its own, else one of its class.
fn status(report: Report, reply: &str) -> Option<Status> {
    match report {
        Report::Failed { expired: true } => return Status::new(5, 4, 7).ok(),
        Report::Delayed { expired: true, .. } => return Status::new(4, 4, 7).ok(),
        Report::Failed { .. } | Report::Delayed { .. } => {}
        Report::Delivered | Report::Relayed { .. } | Report::Expanded => return Status::new(2, 0, 0).ok(),
    }
    let said = reply.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<Status>().ok());
    // `550-5.1.1 text` of several lines.
    let joined = || reply.get(4..)?.split_ascii_whitespace().next()?.parse::<Status>().ok();
    let class = if reply.starts_with('4') { 4 } else { 5 };
    let class = if matches!(report, Report::Delayed { .. }) { 4 } else { class };
    said.or_else(joined).filter(|status| status.class() != 2).or_else(|| Status::new(class, 0, 0).ok())
}

fn unknown() -> Status {
    Status::new(5, 0, 0).unwrap_or_else(|_| unreachable!("5.0.0 is a status"))
}

/// In the machine's own time zone, as mail writes its dates.
fn zoned(unix_ms: u64) -> Zoned {
    let time = Timestamp::from_millisecond(unix_ms as i64).unwrap_or(Timestamp::MAX);
    time.to_zoned(TimeZone::system())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_only_when_it_was_called() {
        for (host, expected) in [
            ("mx.example.org [192.0.2.1]:25", Some("mx.example.org")),
            ("mx.example.org[192.0.2.1]:25", Some("mx.example.org")),
            ("mx.example.org:25", Some("mx.example.org")),
            ("example.org", None),
            ("", None),
            ("192.0.2.1:25", Some("[192.0.2.1]")),
            ("[2001:db8::1]:25", Some("[IPv6:2001:db8::1]")),
            ("unix:/run/lmtp", None),
        ] {
            assert_eq!(remote(host).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn a_status_is_that_of_the_reply() {
        let delayed = Report::Delayed { until: 0, expired: false };
        let failed = Report::Failed { expired: false };
        for (report, reply, expected) in [
            (failed, "550 5.1.1 no such user", "5.1.1"),
            (failed, "550-5.1.1 no\n550 5.1.1 such user", "5.1.1"),
            (failed, "550 no", "5.0.0"),
            (failed, "451 4.4.1 no answer", "4.4.1"),
            (Report::Failed { expired: true }, "451 4.4.1 no answer", "5.4.7"),
            (delayed, "421 busy", "4.0.0"),
            (Report::Delayed { until: 0, expired: true }, "421 busy", "4.4.7"),
            (Report::Relayed { notifies: false }, "250 2.1.5 ok", "2.0.0"),
        ] {
            assert_eq!(status(report, reply).unwrap().to_string(), expected, "{reply}");
        }
    }
}
