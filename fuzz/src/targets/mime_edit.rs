//! What is done to a message on its way: fields go and come, and it is made 7-bit. The body stays what it was.

use address::Address;
use bytes::Bytes;
use message::{
    Body, Client, Edit, Edited, Greeting, Header, MAX_LINE, Needs, NewField, Protocol, Received, Tls,
    content, delivered_to, downgrade, return_path,
};

/// Who we are, in the seeds too.
const HOST: &str = "mx.example";
/// Parts that are compared. A message with more has the same code run on them.
const PARTS: usize = 20;

pub fn run(data: &[u8]) {
    // The first line is what the client said of itself, the rest the message.
    let end = data.iter().position(|octet| *octet == b'\n').map_or(data.len(), |at| at + 1);
    let (said, message) = data.split_at(end);
    let said = String::from_utf8_lossy(said);
    trace(message, &said);
    remove(message);
    seven_bit(message);
}

/// The fields of a hop stand above all others, one of each, whatever the client said.
fn trace(message: &[u8], said: &str) {
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let by = HOST.parse().expect("a name");
    let protocol = Protocol { greeting: Greeting::Ehlo, tls: true, authenticated: false, smtputf8: true };
    let recipient = said.trim().parse::<Address>().ok();
    let received = Received {
        by: &by,
        client: Client::Shown { helo: said, name: None, ip: [192, 0, 2, 1].into() },
        with: Some(protocol),
        id: said,
        only_recipient: recipient.as_ref(),
        tls: Some(Tls { version: "TLS1.3", cipher: said }),
        priority: Some(-4),
        now: &now,
    };
    let mut fields = vec![received.field(), NewField::new("Subject", said)];
    fields.extend(recipient.iter().map(delivered_to));
    fields.extend(said.trim().parse().ok().map(|path| return_path(&path)));
    for field in &fields {
        let text = field.as_str().as_bytes();
        assert!(!super::has_bare_newline(text) && text.ends_with(b"\r\n"), "{field:?}");
        assert!(text.split(|octet| *octet == b'\n').all(|line| line.len() <= MAX_LINE + 1), "{field:?}");
        assert_eq!(Header::parse(text).fields().count(), 1, "{field:?} is more than a field");
    }
    let before = Header::parse(message);
    let mut edit = Edit::new(message);
    fields.iter().rev().for_each(|field| edit.prepend(field));
    let out = apply(&edit.finish(), message);
    let after = Header::parse(&out);
    for (field, found) in fields.iter().zip(after.fields()) {
        assert_eq!(field.as_str().as_bytes(), found.as_bytes(), "it is not what stands above");
    }
    assert_eq!(after.hops(), before.hops() + 1);
    assert_eq!(&out[after.body_offset()..], &message[before.body_offset()..], "the body changed");
}

/// What goes is gone, and nothing else.
fn remove(message: &[u8]) {
    let ours = |name: Option<&str>| {
        name.is_some_and(|name| ["Bcc", "Return-Path"].iter().any(|gone| name.eq_ignore_ascii_case(gone)))
    };
    let before = Header::parse(message);
    let mut edit = Edit::new(message);
    edit.remove("Bcc");
    mailauth::results::AuthResults::remove_claims(&mut edit, HOST);
    edit.remove_if(|field| ours(field.name()));
    let added = edit.add_missing("Date", || NewField::new("Date", "now"));
    assert_eq!(added, !before.contains("Date"));
    let out = apply(&edit.finish(), message);
    let after = Header::parse(&out);
    assert!(after.contains("Date"));
    assert!(!after.fields().any(|field| ours(field.name())), "left in");
    assert_eq!(&out[after.body_offset()..], &message[before.body_offset()..], "the body changed");
    let gone = ["Authentication-Results", "Bcc", "Return-Path", "Date", "X-Malformed"];
    let others = |header: &Header<'_>| -> Vec<u8> {
        let fields = header.fields().filter(|field| !gone.iter().any(|name| field.is(name)));
        fields.flat_map(|field| field.as_bytes().to_vec()).collect()
    };
    // A first line that continues nothing is a field without a name until ours stands above it.
    if !matches!(message.first(), Some(b' ' | b'\t')) {
        assert_eq!(others(&after), others(&before), "other fields changed");
    }
}

/// As one piece, after a look at the other forms it has.
fn apply(edited: &Edited, message: &[u8]) -> Vec<u8> {
    let out = edited.to_vec(message);
    assert_eq!(out.len(), edited.len(message.len()));
    assert_eq!(edited.pieces(&Bytes::copy_from_slice(message)).concat(), out);
    assert!(!edited.is_unchanged() || out == message);
    out
}

/// A 7-bit form needs nothing of the next server, is no longer changed, and holds what the message held.
fn seven_bit(message: &[u8]) {
    let Some(down) = downgrade(message) else { return };
    let needs = Needs::of(&down.message);
    assert_eq!(needs, Needs { body: Body::SevenBit, smtputf8: false }, "downgraded, and not 7-bit");
    assert!(downgrade(&down.message).is_none(), "downgraded twice");
    let ours = ["Content-Type", "Content-Transfer-Encoding", "MIME-Version", "X-Malformed"];
    let names = |message| -> Vec<String> {
        let names = Header::parse(message).fields().filter_map(|field| field.name().map(str::to_owned));
        names.filter(|name| !ours.iter().any(|ours| name.eq_ignore_ascii_case(ours))).collect()
    };
    assert_eq!(names(&down.message), names(message), "fields came or went");
    // With control characters in it a boundary is no boundary, nor is a media type one that is not ASCII.
    let controlled = message.iter().any(|octet| octet.is_ascii_control() && !b"\r\n\t".contains(octet));
    if controlled || message.split(|octet| *octet == b'\n').any(has_strange_type) {
        return;
    }
    for part in 0..PARTS {
        let (before, after) = (content(message, part), content(&down.message, part));
        assert_eq!(before.is_some(), after.is_some(), "part {part} came or went");
    }
}

/// A line of Content-Type whose beginning is not ASCII.
fn has_strange_type(line: &[u8]) -> bool {
    let begins = line.get(..12).is_some_and(|name| name.eq_ignore_ascii_case(b"Content-Type"));
    begins && !line.split(|octet| *octet == b';').next().unwrap_or_default().is_ascii()
}
