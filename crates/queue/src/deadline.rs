//! Until when a message is tried: its lifetime, DELIVERBY (RFC 2852), FUTURERELEASE (RFC 4865).

use crate::backoff::Backoff;
use smtp::parameter::{ByMode, Hold, MailParameters};
use store::queue::QueuedMessage;

/// The times of one message, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// When it is given up.
    pub(crate) end: u64,
    /// From when on the sender is told that it is late.
    pub(crate) late: u64,
}

/// When the first attempt may be: at once, or when the sender wants it released.
pub(crate) fn start(message: &QueuedMessage, parameters: &MailParameters) -> u64 {
    let arrival = message.id.unix_ms().max(0) as u64;
    match parameters.hold {
        None => arrival,
        Some(Hold::For(seconds)) => arrival + u64::from(seconds) * 1000,
        Some(Hold::Until(time)) => arrival.max(time.as_millisecond().max(0) as u64),
    }
}

impl Deadlines {
    pub(crate) fn of(message: &QueuedMessage, parameters: &MailParameters, backoff: &Backoff) -> Self {
        let start = start(message, parameters);
        let lifetime = if message.reverse_path.is_null() { backoff.lifetime_null } else { backoff.lifetime };
        // "Never" is as far away as a number can say.
        let usual =
            Self { end: start.saturating_add(lifetime), late: start.saturating_add(backoff.delay_notice) };
        let Some(by) = parameters.by else { return usual };
        let arrival = message.id.unix_ms().max(0) as u64;
        let time = arrival.saturating_add_signed(i64::from(by.seconds()) * 1000);
        match by.mode() {
            ByMode::Return => Self { end: usual.end.min(time), ..usual },
            ByMode::Notify => Self { late: usual.late.min(time), ..usual },
        }
    }
}

/// MAIL's parameters as they are passed on at `now`: what is left of BY, and no hold any more.
pub(crate) fn passed_on(message: &QueuedMessage, parameters: &MailParameters, now: u64) -> String {
    let mut onward = parameters.clone();
    onward.hold = None;
    if let Some(by) = parameters.by {
        let waited = now.saturating_sub(message.id.unix_ms().max(0) as u64) / 1000;
        let left = i64::from(by.seconds()) - waited as i64;
        let left = left.clamp(-i64::from(smtp::parameter::MAX_SECONDS), i64::from(i32::MAX)) as i32;
        onward.by = smtp::parameter::DeliverBy::new(left, by.mode(), by.trace()).ok();
    }
    onward.to_string().trim_start().to_owned()
}
