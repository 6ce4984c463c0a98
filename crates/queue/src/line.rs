//! What happens to a queued message, as lines of the log: the trail's events, with the same names for the same things.

use store::Id;
use store::trail::{Delivery, Event, Outcome};
use tracing::{Level, info};

/// Logs the event of this message.
pub(crate) fn log(id: Id, event: &Event) {
    if !tracing::enabled!(Level::INFO) {
        return;
    }
    let list = |all: &[String]| all.join(",");
    match event {
        // Logged by whoever accepted or refused it.
        Event::Accepted { .. } | Event::Refused { .. } => {}
        Event::Attempt { recipients, host, tls, outcome, reply, next } => {
            let (to, tls, next) = (list(recipients), tls.as_deref(), *next);
            match outcome {
                Outcome::Delivered => info!(queue = %id, to, host, tls, reply, "delivered"),
                Outcome::Deferred => info!(queue = %id, to, host, tls, reply, next, "deferred"),
                Outcome::Failed => info!(queue = %id, to, host, tls, reply, "failed"),
            }
        }
        Event::Delivered { delivery: Delivery { recipient, account, mailbox } } => {
            info!(queue = %id, to = recipient, account, mailbox, "delivered here");
        }
        Event::Notified { kind, notice, to, recipients } => {
            info!(queue = %id, kind, notice = %notice, to, about = list(recipients), "notified");
        }
        Event::Command { action, actor, recipients } => {
            info!(queue = %id, action, actor, to = list(recipients), "command");
        }
        Event::Note { text } => info!(queue = %id, text, "note"),
    }
}
