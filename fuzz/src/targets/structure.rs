//! What IMAP shows of a message: structure and text in one pass, however it is cut, what is kept of it, and what a client
//! reads of it in FETCH.

use bytes::BytesMut;
use imap::client::{MAX_RESPONSE, Read, ReadError, Reader, Response};
use imap::response::{Data, FetchData};
use imap::{Enabled, Encoder};
use message::structure::{Kind, Parsed, Part, Scanner, SectionOf, header_fields};
use message::text::{Extractor, fold};
use message::transfer::Decoder;
use message::{base_subject, message_ids, preview};
use std::ops::Range;
use std::sync::Arc;

pub fn run(data: &[u8]) {
    let [cut, message @ ..] = data else { return };
    let parsed = scan(message, usize::from(*cut) + 1);
    assert_eq!(parsed, scan(message, usize::MAX), "it matters how it is cut");
    assert_eq!((parsed.root.header.start, parsed.root.body.end), (0, message.len() as u64));
    part(&parsed.root, message);
    assert_eq!(Parsed::from_bytes(&parsed.to_bytes()).as_ref(), Some(&parsed), "it is not what was kept");
    // What is kept may be damaged, or be anything.
    let _ = Parsed::from_bytes(message);
    let mut kept = parsed.to_bytes();
    for (octet, damage) in kept.iter_mut().skip(usize::from(*cut)).zip(message) {
        *octet ^= damage;
    }
    let _ = Parsed::from_bytes(&kept);
    for names in [&["Subject"][..], &["to", "FROM"]] {
        if let Some(fields) = parsed.fields(names) {
            assert_eq!(fields, header_fields(message, names, false), "other fields were kept");
        }
    }
    for path in [&[1][..], &[1, 1], &[2, 1], &[1, 2, 1], &[1, 1, 1, 1], &[u32::MAX], &[0]] {
        sections(path, &parsed, message);
    }
    numbered(&parsed.root, &mut Vec::new(), &parsed, message);
    fetched(&parsed, false);
    fetched(&parsed, true);
    words(message, usize::from(*cut) + 1, &parsed);
}

fn scan(message: &[u8], cut: usize) -> Parsed {
    let mut scanner = Scanner::new();
    message.chunks(cut).for_each(|piece| scanner.feed(piece));
    scanner.finish()
}

/// Ranges lie in one another and in order, and what the part is called is what it is.
fn part(part: &Part, message: &[u8]) {
    assert!(part.header.start <= part.header.end && part.header.end == part.body.start);
    assert!(part.body.start <= part.body.end && part.body.end <= message.len() as u64);
    let inner: Vec<&Part> = match &part.kind {
        Kind::Leaf => Vec::new(),
        Kind::Multipart(parts) => parts.iter().collect(),
        Kind::Message(_, inner) => vec![&**inner],
    };
    assert_eq!(part.media_type == "multipart", matches!(part.kind, Kind::Multipart(_)));
    let mut next = part.body.start;
    for child in inner {
        assert!(next <= child.header.start && child.body.end <= part.body.end, "parts overlap");
        next = child.body.end;
        self::part(child, message);
    }
    decode(part, &message[range(&part.body)]);
}

/// The sections of every part that has a number.
fn numbered(part: &Part, path: &mut Vec<u32>, parsed: &Parsed, message: &[u8]) {
    sections(path, parsed, message);
    let top = path.is_empty();
    let inner = part.message().filter(|_| !top).unwrap_or(part);
    let parts = match &inner.kind {
        Kind::Multipart(parts) => &parts[..],
        // A message that has no parts is its own first part.
        _ if top => std::slice::from_ref(part),
        _ => &[],
    };
    for (number, part) in (1..).zip(parts) {
        path.push(number);
        assert_eq!(parsed.section(path), Some(part), "{path:?} is another part");
        numbered(part, path, parsed, message);
        path.pop();
    }
}

/// What `BODY[…]` gives: a header and a text make up what they are of, and all lies in what it is a part of.
fn sections(path: &[u32], parsed: &Parsed, message: &[u8]) {
    let octets = |of| parsed.octets(path, of).map(|found| &message[range(&found)]);
    let whole = octets(SectionOf::Whole);
    let (header, text, mime) = (octets(SectionOf::Header), octets(SectionOf::Text), octets(SectionOf::Mime));
    assert_eq!(whole.is_some(), parsed.section(path).is_some());
    assert_eq!(mime.is_some(), whole.is_some() && !path.is_empty());
    assert_eq!(header.is_some(), text.is_some());
    if let (Some(whole), Some(header), Some(text)) = (whole, header, text) {
        assert_eq!(whole, [header, text].concat(), "{path:?} is not its header and its text");
    }
    let (Some(inner), Some((_, above))) = (parsed.octets(path, SectionOf::Whole), path.split_last()) else {
        return;
    };
    let outer = parsed.octets(above, SectionOf::Whole).unwrap_or_default();
    assert!(outer.start <= inner.start && inner.end <= outer.end, "{path:?} is not in what it is a part of");
}

fn range(range: &Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

fn decode(part: &Part, body: &[u8]) {
    let decoded = |cut| {
        let mut decoder = Decoder::new(&part.encoding)?;
        let mut out = Vec::new();
        body.chunks(cut).for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        Some(out)
    };
    assert_eq!(decoded(3), decoded(usize::MAX), "it matters how a body is cut");
}

/// ENVELOPE, BODY and BODYSTRUCTURE go out in one FETCH, and a client reads in it what was found.
fn fetched(parsed: &Parsed, utf8: bool) {
    let items = |shown: fn(&Part, bool) -> Part| {
        let structure =
            |extended| FetchData::Structure { part: Arc::new(shown(&parsed.root, extended)), extended };
        vec![FetchData::Envelope(Arc::clone(&parsed.envelope)), structure(false), structure(true)]
    };
    let mut written = BytesMut::new();
    let found = Data::Fetch { number: 1, items: items(|part, _| part.clone()) };
    Encoder::new(&mut written, Enabled { utf8, ..Enabled::default() }).data(&found);
    let mut reader = Reader::new(u64::MAX);
    reader.unicode = utf8;
    reader.push(&written);
    match reader.read() {
        Ok(Some(Read::Response(Response::Data(read)))) => {
            assert_eq!(read, Data::Fetch { number: 1, items: items(shown) }, "it was written as {written:?}");
            assert_eq!(reader.waiting(), 0, "it ends too early: {written:?}");
        }
        // More than a client takes.
        Err(ReadError::TooLong) if written.len() > MAX_RESPONSE => {}
        Err(ReadError::TooManyLiterals) => {}
        other => panic!("{other:?} from {written:?}"),
    }
}

/// What a client is shown of a part: its size and not where it is; lines where they are told; of a multipart, and in BODY
/// (not `extended`), not everything.
fn shown(part: &Part, extended: bool) -> Part {
    let kind = match &part.kind {
        Kind::Leaf => Kind::Leaf,
        Kind::Multipart(parts) => Kind::Multipart(parts.iter().map(|part| shown(part, extended)).collect()),
        Kind::Message(envelope, inner) => Kind::Message(envelope.clone(), Box::new(shown(inner, extended))),
    };
    let single = !matches!(kind, Kind::Multipart(_));
    let counted = part.media_type == "text" || matches!(kind, Kind::Message(..));
    Part {
        media_type: part.media_type.clone(),
        subtype: part.subtype.clone(),
        parameters: if single || extended { part.parameters.clone() } else { Vec::new() },
        id: part.id.clone().filter(|_| single),
        description: part.description.clone().filter(|_| single),
        encoding: if single { part.encoding.clone() } else { b"7bit".to_vec() },
        md5: part.md5.clone().filter(|_| single && extended),
        disposition: part.disposition.clone().filter(|_| extended),
        language: if extended { part.language.clone() } else { Vec::new() },
        location: part.location.clone().filter(|_| extended),
        header: 0..0,
        body: 0..if single { part.size() } else { 0 },
        lines: if counted { part.lines } else { 0 },
        kind,
    }
}

fn words(message: &[u8], cut: usize, parsed: &Parsed) {
    let extract = |cut| {
        let mut extractor = Extractor::new();
        message.chunks(cut).for_each(|piece| extractor.feed(piece));
        extractor.finish()
    };
    let (same, text) = extract(cut);
    assert_eq!((&same, &text), (parsed, &extract(usize::MAX).1), "the text depends on how it is cut");
    assert!(preview(&text).chars().count() <= message::text::MAX_PREVIEW);
    for words in [&text.header, &text.body] {
        assert_eq!(fold(&fold(words)), fold(words), "folded twice it is another");
        let _ = message_ids(words);
        let (base, _) = base_subject(words);
        assert!(!base.starts_with(' ') && !base.ends_with(' '));
    }
}
