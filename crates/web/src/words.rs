//! Times, sizes, links and the trail in words.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use store::trail::{Delivery, Event, Origin, Outcome};

/// A moment for people, in the machine's time zone: the time alone when it was today.
pub(crate) fn moment(at: Timestamp) -> String {
    brief(at, &Zoned::now())
}

fn brief(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let form = match (at.date() == now.date(), at.year() == now.year()) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%-d %b, %H:%M",
        (false, false) => "%-d %b %Y, %H:%M",
    };
    at.strftime(form).to_string()
}

/// A moment in full.
pub(crate) fn full_moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%a, %-d %b %Y, %H:%M:%S %Z").to_string()
}

pub(crate) fn size(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{:.1} kB", octets as f64 / 1e3),
        _ => format!("{:.1} MB", octets as f64 / 1e6),
    }
}

/// A piece of plain text, which may be an address of the web.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) link: bool,
}

/// Splits plain text so that the addresses in it can be followed.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = link_start(rest) {
        let from = &rest[start..];
        let end = from.find(|c: char| c.is_whitespace() || "<>\"".contains(c)).unwrap_or(from.len());
        // What ends a sentence does not belong to the address.
        let link = from[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'']);
        pieces.push(Piece { text: rest[..start].to_owned(), link: false });
        pieces.push(Piece { text: link.to_owned(), link: true });
        rest = &from[link.len()..];
    }
    pieces.push(Piece { text: rest.to_owned(), link: false });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

/// Where the next address begins that has something after its scheme.
fn link_start(text: &str) -> Option<usize> {
    let mut places = text.match_indices("http").map(|(place, _)| place);
    places.find(|&place| {
        let rest = &text[place..];
        let rest = rest.strip_prefix("https://").or_else(|| rest.strip_prefix("http://"));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
    })
}

/// One line about an event.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Accepted { origin, from, recipients, delivered, size: octets, verdicts } => {
            let mut line = format!(
                "Accepted {}: from {} to {}, {}.",
                origin_words(origin),
                sender(from),
                list(recipients),
                size(*octets)
            );
            delivered.iter().for_each(|to| line.push_str(&format!(" {}.", delivery(to))));
            verdicts.iter().for_each(|verdict| line.push_str(&format!(" {verdict}.")));
            line
        }
        Event::Refused { origin, from, recipients, reply, verdicts } => {
            let from = sender(from);
            let origin = origin_words(origin);
            let mut line = format!("Refused {origin}: from {from} to {}: {reply}", list(recipients));
            verdicts.iter().for_each(|verdict| line.push_str(&format!(" {verdict}.")));
            line
        }
        Event::Attempt { recipients, host, tls, outcome, reply, next } => {
            let outcome = match outcome {
                Outcome::Delivered => "Delivered to",
                Outcome::Deferred => "Not yet delivered to",
                Outcome::Failed => "Failed for good at",
            };
            let tls = tls.as_ref().map(|tls| format!(" over {tls}")).unwrap_or_default();
            let next = next.map(|at| format!(" Next attempt: {}.", full_moment(crate::shown::timestamp(at))));
            format!("{outcome} {host}{tls} for {}: {reply}{}", list(recipients), next.unwrap_or_default())
        }
        Event::Delivered { delivery: to } => format!("{}.", delivery(to)),
        Event::Notified { kind, notice, to, recipients } => {
            format!("Notification ({kind}) {notice} sent to {} about {}.", sender(to), list(recipients))
        }
        Event::Command { action, actor, recipients } => {
            format!("{actor} asked to {action} it for {}.", list(recipients))
        }
        Event::Note { text } => text.clone(),
    }
}

fn origin_words(origin: &Origin) -> String {
    let mut words = format!("by {}", origin.via);
    let mut add = |word: &str, value: &str| {
        if !value.is_empty() {
            words.push_str(&format!(" {word} {value}"));
        }
    };
    add("from", &origin.client.map(|client| client.to_string()).unwrap_or_default());
    add("calling itself", &origin.helo);
    add("with", &origin.protocol);
    add("over", origin.tls.as_deref().unwrap_or_default());
    add("for account", origin.account.as_deref().unwrap_or_default());
    words
}

fn delivery(to: &Delivery) -> String {
    if to.recipient == to.account {
        return format!("Delivered to {} of {}", to.mailbox, to.account);
    }
    format!("Delivered for {} to {} of {}", to.recipient, to.mailbox, to.account)
}

fn sender(from: &str) -> &str {
    if from.is_empty() { "<> (a notification)" } else { from }
}

fn list(addresses: &[String]) -> String {
    addresses.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_text_are_links_without_what_ends_the_sentence() {
        let check = |text: &str, links: &[&str]| {
            let found = pieces(text);
            let whole: String = found.iter().map(|piece| piece.text.as_str()).collect();
            let linked: Vec<_> = found.iter().filter(|p| p.link).map(|p| p.text.as_str()).collect();
            assert_eq!((whole.as_str(), linked.as_slice()), (text, links));
        };
        check(
            "see https://a.example/x?y=1&z, or (http://b.example).",
            &["https://a.example/x?y=1&z", "http://b.example"],
        );
        check("<http://[::1]:80/>", &["http://[::1]:80/"]);
        check("http:// https:// httpd javascript:http: é", &[]);
        check("", &[]);
    }

    #[test]
    fn moments_are_as_long_as_they_must_be() {
        let now: Zoned = "2028-03-02T10:00:00+01:00[+01:00]".parse().unwrap();
        let check = |at: &str, words: &str| assert_eq!(brief(at.parse().unwrap(), &now), words);
        check("2028-03-02T08:59:01Z", "09:59:01");
        check("2028-03-01T22:59:01Z", "1 Mar, 23:59");
        check("2027-03-01T22:59:01Z", "1 Mar 2027, 23:59");
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!([0, 999, 1_234, 12_345_678].map(size), ["0 B", "999 B", "1.2 kB", "12.3 MB"]);
    }

    #[test]
    fn an_event_is_a_line() {
        let origin = Origin {
            via: "smtp".into(),
            client: "127.0.0.1:4000".parse().ok(),
            helo: "me.example".into(),
            ..Origin::default()
        };
        let recipient = String::from("you@example.net");
        let delivered = vec![Delivery {
            recipient: recipient.clone(),
            account: "dev@localhost".into(),
            mailbox: "INBOX".into(),
        }];
        let accepted = Event::Accepted {
            origin,
            from: "me@example.org".into(),
            recipients: vec![recipient],
            delivered,
            size: 1_500,
            verdicts: Vec::new(),
        };
        assert_eq!(
            event(&accepted),
            "Accepted by smtp from 127.0.0.1:4000 calling itself me.example: from me@example.org to \
             you@example.net, 1.5 kB. Delivered for you@example.net to INBOX of dev@localhost."
        );
    }
}
