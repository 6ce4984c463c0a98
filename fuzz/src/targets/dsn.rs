//! A notification about hostile mail: whatever the sender, the recipient and the next server wrote, it is a message of
//! three parts whose first two are ours, and it goes where 7-bit mail goes unless it returns more.

use super::{Settings, has_bare_newline};
use address::{Address, Domain};
use jiff::Zoned;
use message::{
    Action, Body, Diagnostic, Header, Language, MAX_LINE, Needs, Original, RecipientReport, Report, Return,
    Status, View,
};

/// The settings, and texts with `|` between them: recipient, ORCPT, ENVID, queue id, remote host, diagnostic, status;
/// behind them the message.
pub fn run(data: &[u8]) {
    let Some((settings, rest)) = data.split_first() else { return };
    let texts: Vec<&[u8]> = rest.splitn(8, |octet| *octet == b'|').collect();
    let Some((message, texts)) = texts.split_last() else { return };
    let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text)).collect();
    let text = |place: usize| texts.get(place).map_or("", |text| text.as_ref());
    let settings = Settings(*settings);
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let status = text(6).parse::<Status>();
    if let Ok(status) = &status {
        assert_eq!(status.to_string(), text(6));
    }
    let one = RecipientReport {
        recipient: &address(text(0)),
        original_recipient: Some(text(1)),
        action: action(settings, &now),
        status: status.unwrap_or_else(|_| "5.0.0".parse().expect("a status")),
        remote: settings.bit(4).then_some(text(4)),
        diagnostic: Some(if settings.bit(5) {
            Diagnostic::Local(text(5))
        } else {
            Diagnostic::Smtp(text(5))
        }),
        last_attempt: Some(&now),
    };
    let report = Report {
        reporting_mta: &"mx.example".parse::<Domain>().expect("a name"),
        from: &address("MAILER-DAEMON@mx.example"),
        to: &address("sender@client.example"),
        arrival: Some(&now),
        deliver_by: None,
        release: None,
        envelope_id: Some(text(2)),
        queue_id: text(3),
        language: if settings.bit(3) { Language::German } else { Language::English },
        recipients: &[one.clone(), one],
        original: Original {
            message,
            ret: if settings.bit(6) { Return::Headers } else { Return::Full },
            smtputf8: settings.bit(7),
        },
    };
    check(&report.build(&now, [7; 16]));
}

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|_| "a@b.example".parse().expect("an address"))
}

fn action(settings: Settings, now: &Zoned) -> Action<'_> {
    match settings.0 & 7 {
        0 => Action::Failed,
        1 => Action::Delayed { until: Some(now) },
        2 => Action::Delivered,
        3 => Action::Relayed { notifies: true },
        4 => Action::Expanded,
        _ => Action::Failed,
    }
}

const FIELDS: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "Content-Type",
];
const PART_FIELDS: [&str; 4] =
    ["Content-Language", "Content-Description", "Content-Type", "Content-Transfer-Encoding"];
const GROUP_FIELDS: [&str; 12] = [
    "Original-Envelope-Id",
    "Reporting-MTA",
    "Arrival-Date",
    "X-Waypost-Queue-Id",
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Will-Retry-Until",
];

fn check(out: &[u8]) {
    let header = Header::parse(out);
    only(&header, &FIELDS);
    for name in ["From", "To", "Subject", "Date", "Message-ID", "Content-Type"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
    let says_8bit = header.contains("Content-Transfer-Encoding");
    assert!(says_8bit || out.is_ascii(), "8-bit, and does not say so");
    assert_ne!(Needs::of(out).body, Body::Binary, "nobody takes it");
    let boundary = header.get("Content-Type").map(|field| field.value()).unwrap_or_default();
    let boundary = boundary.split('"').nth(1).expect("a boundary");
    // Only at the beginning of a line; the first follows the empty line directly.
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut parts = split(&out[header.body_offset() - 2..], &delimiter);
    assert_eq!(parts.next(), Some(&b""[..]), "something stands before the parts");
    let (words, fields) = (parts.next().expect("words"), parts.next().expect("fields"));
    for part in [&out[..header.body_offset()], words, fields] {
        assert!(!has_bare_newline(part) && part.is_ascii());
        assert!(part.split(|octet| *octet == b'\n').all(|line| line.len() <= MAX_LINE + 1));
    }
    groups(words, fields);
    assert!(parts.next().is_some(), "the message is missing");
    assert!(!View::read(out).text().trim().is_empty(), "nothing for a person");
}

/// Two recipients, so three groups: none was ended or begun by what somebody said.
fn groups(words: &[u8], fields: &[u8]) {
    only(&Header::parse(&words[2..]), &PART_FIELDS);
    let fields = &fields[2..];
    let header = Header::parse(fields);
    only(&header, &PART_FIELDS);
    if header.contains("Content-Transfer-Encoding") {
        return;
    }
    let groups = split(&fields[header.body_offset()..], b"\r\n\r\n");
    let groups: Vec<_> = groups.filter(|group| !group.is_empty() && *group != b"\r\n").collect();
    assert_eq!(groups.len(), 3, "{}", String::from_utf8_lossy(fields));
    groups.iter().for_each(|group| only(&Header::parse(group), &GROUP_FIELDS));
}

fn only(header: &Header<'_>, names: &[&str]) {
    for field in header.fields() {
        let known = field.name().is_some_and(|name| names.contains(&name));
        assert!(known, "{:?} is none of ours", String::from_utf8_lossy(field.as_bytes()));
    }
}

fn split<'a>(octets: &'a [u8], at: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(octets);
    std::iter::from_fn(move || {
        let whole = rest?;
        let end = whole.windows(at.len()).position(|window| window == at);
        rest = end.map(|end| &whole[end + at.len()..]);
        Some(&whole[..end.unwrap_or(whole.len())])
    })
}
