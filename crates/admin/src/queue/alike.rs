//! What is the same trouble: whose server said it, and what it said but for what differs from message to message.

use std::net::Ipv4Addr;

/// Octets of a reply that are compared.
const MAX_REPLY: usize = 200;
/// Providers that people know by a name, by the domain of their servers.
const PROVIDERS: [(&str, &str); 7] = [
    ("google.com", "Gmail"),
    ("googlemail.com", "Gmail"),
    ("outlook.com", "Microsoft"),
    ("hotmail.com", "Microsoft"),
    ("yahoodns.net", "Yahoo"),
    ("icloud.com", "Apple"),
    ("gmx.net", "GMX"),
];

/// `host: reply`, or a reply alone, which begins with a digit.
pub(super) fn split(last: &str) -> (&str, &str) {
    let code = last.get(..3).is_some_and(|code| code.bytes().all(|b| b.is_ascii_digit()));
    match last.split_once(": ") {
        Some((host, reply))
            if !(code && last.as_bytes().get(3).is_some_and(|b| matches!(b, b' ' | b'-'))) =>
        {
            (host, reply)
        }
        _ => ("", last),
    }
}

/// Whose server it is: a known name, else the domain above the host's.
pub(super) fn provider(host: &str) -> String {
    let end = host.find(['[', ' ', '(', ':']).unwrap_or(host.len());
    let name = host.get(..end).unwrap_or_default().trim().trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() || name.parse::<Ipv4Addr>().is_ok() {
        return host.to_owned();
    }
    let below = |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|n| n.ends_with('.'));
    if let Some((_, known)) = PROVIDERS.iter().find(|(domain, _)| below(domain)) {
        return (*known).to_owned();
    }
    match name.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent.to_owned(),
        _ => name,
    }
}

/// The first line of a reply without addresses, ids and numbers, so that equal troubles are equal texts.
pub(super) fn normalised(reply: &str) -> String {
    let line = reply.lines().next().unwrap_or_default();
    let line = line.get(..line.floor_char_boundary(MAX_REPLY)).unwrap_or_default();
    let mut words = Vec::new();
    for (index, word) in line.split_whitespace().enumerate() {
        let is_code = index == 0 && word.len() == 3;
        let is_status = index == 1
            && word.split('.').count() == 3
            && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let differs = word.contains('@') || word.bytes().any(|b| b.is_ascii_digit());
        let shown = if differs && !is_code && !is_status { "…" } else { word };
        // Several in a row are as many as one.
        if shown != "…" || words.last() != Some(&"…") {
            words.push(shown);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_mean_the_same_are_the_same() {
        for (reply, expected) in [
            (
                "421 4.7.28 [192.0.2.1 15] Our system has detected unusual mail. abc12-3456si",
                "421 4.7.28 … Our system has detected unusual mail. …",
            ),
            (
                "450 4.2.0 <me@example.org>: greylisted for 300 seconds",
                "450 4.2.0 … greylisted for … seconds",
            ),
            ("451 try later\nreally", "451 try later"),
            ("", ""),
        ] {
            assert_eq!(normalised(reply), expected);
        }
    }

    #[test]
    fn servers_belong_to_providers() {
        for (host, expected) in [
            ("gmail-smtp-in.l.google.com [192.0.2.1]:25", "Gmail"),
            ("mx1.example.org[192.0.2.1]:25", "example.org"),
            ("example.org", "example.org"),
            ("notgoogle.com", "notgoogle.com"),
            ("[192.0.2.1]:25", "[192.0.2.1]:25"),
            ("192.0.2.1:25", "192.0.2.1:25"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
        ] {
            assert_eq!(provider(host), expected);
        }
    }

    #[test]
    fn the_last_attempt_is_host_and_reply() {
        for (last, expected) in [
            (
                "mx.example.org [192.0.2.1]:25: 450 4.2.0 a: b",
                ("mx.example.org [192.0.2.1]:25", "450 4.2.0 a: b"),
            ),
            ("451 4.3.0 cannot: no", ("", "451 4.3.0 cannot: no")),
            ("due by command", ("", "due by command")),
        ] {
            assert_eq!(split(last), expected);
        }
    }
}
