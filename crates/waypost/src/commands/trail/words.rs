//! A message's way in words that a newcomer understands.

use crate::config::units::show_size;
use crate::output::{moment, printable};
use admin::trail::{Fate, Fated, Journey};
use store::trail::{Delivery, Entry, Event, Origin, Outcome};

/// Who sent what, how it stands with each recipient, then what happened when.
pub(super) fn journey(journey: &Journey) -> String {
    let mut lines = vec![format!("{} from {}, {}", journey.id, sender(&journey.from), moment(journey.at))];
    lines.extend(journey.message_id.iter().map(|id| format!("  Message-ID {id}")));
    lines.extend(journey.recipients.iter().map(|one| format!("  {}", fate(one))));
    lines.push(String::new());
    for entry in &journey.events {
        let mut said = event(entry).into_iter();
        lines.extend(said.next().map(|first| format!("  {}  {first}", moment(entry.at))));
        lines.extend(said.map(|more| format!("      {more}")));
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn sender(from: &str) -> &str {
    if from.is_empty() { "<> (a notification)" } else { from }
}

fn fate(one: &Fated) -> String {
    let word = match one.fate {
        Fate::Delivered => "delivered",
        Fate::Waiting => "waiting in the queue",
        Fate::Held => "held in the queue until released",
        Fate::Failed => "not delivered, given up",
        Fate::Refused => "refused, never accepted",
        Fate::Dropped => "removed from the queue",
    };
    let detail = one.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let next = one.next_attempt.map(|at| format!("; next attempt {}", moment(at))).unwrap_or_default();
    format!("{}: {word}{detail}{next}", one.recipient)
}

/// The first line says what happened, the others why.
fn event(entry: &Entry) -> Vec<String> {
    match &entry.event {
        Event::Accepted { origin, from, recipients, delivered, size, verdicts } => {
            let to = recipients.join(", ");
            let mut said = vec![format!(
                "accepted {}: from {} to {to}, {}",
                source(origin),
                sender(from),
                show_size(*size)
            )];
            said.extend(verdicts.iter().map(|verdict| format!("found: {verdict}")));
            said.extend(delivered.iter().map(delivery));
            said
        }
        Event::Refused { origin, from, recipients, reply, verdicts } => {
            // Some are refused before they say for whom it is.
            let to =
                if recipients.is_empty() { String::new() } else { format!(" to {}", recipients.join(", ")) };
            let mut said = vec![
                format!("refused {}: from {}{to}", source(origin), sender(from)),
                format!("our reply: {reply}"),
            ];
            said.extend(verdicts.iter().map(|verdict| format!("found: {verdict}")));
            said
        }
        Event::Attempt { recipients, host, tls, outcome, reply, next } => {
            let word = match outcome {
                Outcome::Delivered => "delivered",
                Outcome::Deferred => "not delivered for now",
                Outcome::Failed => "not delivered, given up",
            };
            let tls = tls.as_deref().map(|tls| format!(" with {tls}")).unwrap_or_default();
            let to = recipients.join(", ");
            let mut said = match host.as_str() {
                // Found out without asking anybody.
                "" => vec![format!("{word} for {to}"), format!("because: {reply}")],
                host => {
                    vec![format!("tried at {host}{tls} for {to}: {word}"), format!("the answer: {reply}")]
                }
            };
            said.extend(next.map(|at| format!("next attempt {}", moment(at))));
            said
        }
        Event::Delivered { delivery: one } => vec![delivery(one)],
        Event::Notified { kind, notice, to, recipients } => {
            vec![format!("{to} was told ({kind} notification {notice}) about {}", recipients.join(", "))]
        }
        Event::Command { action, actor, recipients } => {
            vec![format!("{actor} gave the command {action} for {}", recipients.join(", "))]
        }
        Event::Note { text } => vec![text.clone()],
    }
}

/// Who brought it, and how.
fn source(origin: &Origin) -> String {
    let mut text = match origin.client {
        Some(client) if origin.helo.is_empty() => format!("from {client}"),
        Some(client) => format!("from {} ({client})", origin.helo),
        None => "on this machine".to_owned(),
    };
    let protocol = if origin.protocol.is_empty() { &origin.via } else { &origin.protocol };
    text.push_str(&format!(" by {protocol}"));
    text.extend(origin.tls.iter().map(|tls| format!(" with {tls}")));
    text.extend(origin.account.iter().map(|account| format!(", logged in as {account}")));
    text.extend(origin.forwarded.iter().map(|client| format!(", forwarded for {client}")));
    if !origin.session.is_empty() {
        text.push_str(&format!(", session {}", origin.session));
    }
    text
}

fn delivery(one: &Delivery) -> String {
    format!("put into {} of {} for {}", one.mailbox, one.account, one.recipient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Id;

    #[test]
    fn the_whole_way_is_told() {
        let (id, zero) = (Id::at(0), moment(0));
        let origin = Origin {
            session: "s1".into(),
            via: "submission".into(),
            client: Some("192.0.2.1:40000".parse().unwrap()),
            helo: "laptop.example".into(),
            protocol: "ESMTPSA".into(),
            tls: Some("TLSv1.3".into()),
            account: Some("me@example.org".into()),
            forwarded: Some("NAME=phone.example".into()),
            message_id: None,
        };
        let to = vec!["you@far.example".to_owned()];
        let accepted = Event::Accepted {
            origin,
            from: "me@example.org".into(),
            recipients: to.clone(),
            delivered: Vec::new(),
            size: 2048,
            verdicts: vec!["authenticated".into()],
        };
        let attempt = Event::Attempt {
            recipients: to,
            host: "mx.far.example [198.51.100.7]:25".into(),
            tls: None,
            outcome: Outcome::Deferred,
            reply: "421 4.7.28 slow\x1b[2J down".into(),
            next: Some(0),
        };
        let given_up = Event::Attempt {
            recipients: vec!["him@far.example".to_owned()],
            host: String::new(),
            tls: None,
            outcome: Outcome::Failed,
            reply: "550 5.7.0 returned by the administrator".into(),
            next: None,
        };
        let entry = |event| Entry { message: id, at: 0, event };
        let waiting = Fated {
            recipient: "you@far.example".into(),
            fate: Fate::Waiting,
            detail: Some("421 4.7.28 slow down".into()),
            at: 0,
            next_attempt: Some(0),
        };
        let told = journey(&Journey {
            id,
            at: 0,
            from: "me@example.org".into(),
            message_id: Some("<1@example.org>".into()),
            recipients: vec![waiting],
            events: vec![entry(accepted), entry(attempt), entry(given_up)],
        });
        let expected = format!(
            "{id} from me@example.org, {zero}
  Message-ID <1@example.org>
  you@far.example: waiting in the queue: 421 4.7.28 slow down; next attempt {zero}

  {zero}  accepted from laptop.example (192.0.2.1:40000) by ESMTPSA with TLSv1.3, logged in as me@example.org, forwarded for NAME=phone.example, session s1: from me@example.org to you@far.example, 2 KiB
      found: authenticated
  {zero}  tried at mx.far.example [198.51.100.7]:25 for you@far.example: not delivered for now
      the answer: 421 4.7.28 slow\u{fffd}[2J down
      next attempt {zero}
  {zero}  not delivered, given up for him@far.example
      because: 550 5.7.0 returned by the administrator"
        );
        assert_eq!(told, expected);
    }
}
