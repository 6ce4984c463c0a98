//! Until when a message is tried: its lifetime, DELIVERBY (RFC 2852), FUTURERELEASE (RFC 4865).

use crate::backoff::Backoff;
use smtp::parameter::{ByMode, Hold, MailParameters};
use store::Id;
use store::queue::QueuedMessage;

/// The times of one message, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// When it is given up.
    pub(crate) end: u64,
    /// From when on the sender is told that it is late.
    pub(crate) late: u64,
    /// When BY wants it delivered.
    pub(crate) by: Option<(u64, ByMode)>,
}

/// When the first attempt may be: at once, or when the sender wants it released.
pub(crate) fn start(message: Id, parameters: &MailParameters) -> u64 {
    let arrival = message.unix_ms().max(0) as u64;
    match parameters.hold {
        None => arrival,
        Some(Hold::For(seconds)) => arrival + u64::from(seconds) * 1000,
        Some(Hold::Until(time)) => arrival.max(time.as_millisecond().max(0) as u64),
    }
}

impl Deadlines {
    pub(crate) fn of(message: &QueuedMessage, parameters: &MailParameters, backoff: &Backoff) -> Self {
        let start = start(message.id, parameters);
        let lifetime = if message.reverse_path.is_null() { backoff.lifetime_null } else { backoff.lifetime };
        // "Never" is as far away as a number can say.
        let end = start.saturating_add(lifetime);
        let usual = Self { end, late: start.saturating_add(backoff.delay_notice), by: None };
        let Some(by) = parameters.by else { return usual };
        let arrival = message.id.unix_ms().max(0) as u64;
        let time = arrival.saturating_add_signed(i64::from(by.seconds()) * 1000);
        let by = Some((time, by.mode()));
        match by {
            Some((_, ByMode::Return)) => Self { end: usual.end.min(time), by, ..usual },
            _ => Self { late: usual.late.min(time), by, ..usual },
        }
    }

    /// Whether the time of BY has come: what is said then has status x.4.7 (RFC 2852 §4.1.3).
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.by.is_some_and(|(time, _)| now >= time)
    }

    /// Whether it must go back for it.
    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.by.is_some_and(|(time, mode)| mode == ByMode::Return && now >= time)
    }

    /// When to look again at the latest: the end, and before it the time of BY, when the sender is to be told.
    pub(crate) fn next(&self, now: u64, told: bool) -> u64 {
        let by = self.by.map(|(time, _)| time).filter(|time| *time > now && !told);
        by.unwrap_or(self.end).min(self.end)
    }
}

/// MAIL's parameters as they are passed on at `now`: what is left of BY, and no hold any more.
pub(crate) fn passed_on(message: &QueuedMessage, parameters: &MailParameters, now: u64) -> String {
    let mut onward = parameters.clone();
    onward.hold = None;
    if let Some(by) = parameters.by {
        let waited = now.saturating_sub(message.id.unix_ms().max(0) as u64) / 1000;
        // What must go back at once is not attempted; should the time end just now, one second is the least.
        let last = || by.after(u64::from(by.seconds().unsigned_abs()).saturating_sub(1));
        onward.by = by.after(waited).or_else(last);
    }
    onward.to_string().trim_start().to_owned()
}
