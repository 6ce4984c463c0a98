use super::*;
use crate::mime;
use proptest::prelude::*;

fn scan(message: &[u8]) -> Parsed {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    scanner.finish()
}

fn text(message: &[u8], range: &Range<u64>) -> String {
    let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
    String::from_utf8_lossy(&message[range]).into_owned()
}

fn shape(part: &Part, message: &[u8]) -> String {
    let inside = match &part.kind {
        Kind::Leaf => format!("={:?}", text(message, &part.body)),
        Kind::Message(_, inner) => format!("<{}>", shape(inner, message)),
        Kind::Multipart(parts) => {
            format!("[{}]", parts.iter().map(|part| shape(part, message)).collect::<Vec<_>>().join(" "))
        }
    };
    format!("{}/{}:{}{inside}", part.media_type, part.subtype, part.lines)
}

fn check(message: &str, expected: &str) {
    for message in [message.to_owned(), message.replace('\n', "\r\n")] {
        let shape = shape(&scan(message.as_bytes()).root, message.as_bytes());
        assert_eq!(shape.replace("\\r\\n", "\\n"), expected, "{message}");
    }
}

#[test]
fn messages_without_mime() {
    check("", "text/plain:0=\"\"");
    check("\n", "text/plain:0=\"\"");
    check("Subject: only a header", "text/plain:0=\"\"");
    check("Subject: x\n\nhello\nworld\nend", "text/plain:2=\"hello\\nworld\\nend\"");
    check("\n--b\n", "text/plain:1=\"--b\\n\"");
    let plain = scan(b"Subject: x\r\n\r\nhello").root;
    assert_eq!(plain.parameters, [(b"charset".to_vec(), b"us-ascii".to_vec())]);
    assert_eq!(
        (plain.encoding.as_slice(), plain.header.clone(), plain.body.clone()),
        (&b"7bit"[..], 0..14, 14..19)
    );
}

#[test]
fn multiparts() {
    check(
        "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b \nContent-Type: IMAGE/png\n\ntwo\n\n--b--\nepi\n--b\n",
        "multipart/mixed:12[text/plain:0=\"one\" image/png:1=\"two\\n\"]",
    );
    check(
        "Content-Type: multipart/digest; boundary=\"b\"\n\n--b\n\nSubject: in\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n",
        "multipart/digest:10[message/rfc822:2<text/plain:0=\"x\"> text/plain:0=\"y\"]",
    );
    check(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\nA: b\n--b--",
        "multipart/mixed:5[text/plain:0=\"\" text/plain:0=\"\" text/plain:0=\"\"]",
    );
}

#[test]
fn the_outer_delimiter_ends_what_is_inside() {
    let inner = "--a\nContent-Type: multipart/mixed; boundary=aa\n\n--aa\n\n1\n";
    check(
        &format!("Content-Type: multipart/mixed; boundary=a\n\n{inner}--a\n\n2\n--aa\n--a--\n"),
        "multipart/mixed:11[multipart/mixed:2[text/plain:0=\"1\"] text/plain:1=\"2\\n--aa\"]",
    );
    check(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b\nContent-Type: message/rfc822\n--b--\n",
        "multipart/mixed:6[message/rfc822:0<text/plain:0=\"\"> message/rfc822:0<text/plain:0=\"\">]",
    );
    check(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nleft open\n",
        "multipart/mixed:3[text/plain:1=\"left open\\n\"]",
    );
}

#[test]
fn what_cannot_be_split_is_shown_as_a_leaf() {
    check("Content-Type: multipart/mixed\n\n--b\n", "text/plain:1=\"--b\\n\"");
    check("Content-Type: multipart/mixed; boundary=x\n\n--b\n", "text/plain:1=\"--b\\n\"");
    check("Content-Type: multipart/mixed; boundary=b\n\nx\n--b--\n", "text/plain:2=\"x\\n--b--\\n\"");
    check("Content-Type: nonsense\n\nx", "text/plain:0=\"x\"");
    check(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nx",
        "application/octet-stream:0=\"x\"",
    );
    // Programs put an encoding on multiparts, where it means nothing (RFC 2045 §6.4).
    check(
        "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n--b\n\nx\n--b--\n",
        "multipart/mixed:4[text/plain:0=\"x\"]",
    );
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = "Content-Type: message/rfc822\n\n".repeat(100_000);
    let shown = shape(&scan(deep.as_bytes()).root, deep.as_bytes());
    assert_eq!(shown.matches('<').count(), MAX_DEPTH);
    let wide = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\n".repeat(2 * MAX_PARTS));
    let parsed = scan(wide.as_bytes());
    let Kind::Multipart(parts) = &parsed.root.kind else { panic!("no multipart") };
    assert_eq!(parts.len(), MAX_PARTS - 1);
    assert_eq!(parts.last().unwrap().body.end, wide.len() as u64);
    assert_eq!(Parsed::from_bytes(&parsed.to_bytes()).unwrap(), parsed);
}

/// RFC 9051 §6.4.5.1 has this message as its example.
#[test]
fn sections_are_numbered() {
    let alternative = "Content-Type: multipart/alternative; boundary=d\n\n--d\n\n4.2.2.1\n--d\nContent-Type: text/richtext\n\n4.2.2.2\n--d--\n";
    let in_four = format!(
        "Subject: 4.2\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n4.2.1\n--c\n{alternative}--c--\n"
    );
    let four = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/gif\n\n4.1\n--b\nContent-Type: message/rfc822\n\n{in_four}--b--\n"
    );
    let three = "Subject: 3\nContent-Type: multipart/mixed; boundary=e\n\n--e\n\n3.1\n--e\nContent-Type: application/octet-stream\n\n3.2\n--e--\n";
    let message = format!(
        "Subject: all\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\n1\n--a\nContent-Type: application/octet-stream\n\n2\n--a\nContent-Type: message/rfc822\n\n{three}--a\n{four}--a--\n"
    );
    let parsed = scan(message.as_bytes());
    for path in ["1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"] {
        let numbers: Vec<u32> = path.split('.').map(|number| number.parse().unwrap()).collect();
        let part = parsed.section(&numbers).unwrap();
        assert_eq!(text(message.as_bytes(), &part.body), path);
    }
    for (path, subtype) in
        [(&[4][..], "mixed"), (&[3], "rfc822"), (&[4, 2], "rfc822"), (&[4, 2, 2], "alternative")]
    {
        assert_eq!(parsed.section(path).unwrap().subtype, subtype);
    }
    let inner = parsed.section(&[4, 2]).and_then(Part::message).unwrap();
    assert_eq!(
        text(message.as_bytes(), &inner.body),
        in_four.split_once("\n\n").unwrap().1.trim_end_matches('\n')
    );
    assert!(text(message.as_bytes(), &inner.header).starts_with("Subject: 4.2\n"));
    for path in [&[0][..], &[5], &[1, 1], &[3, 3], &[4, 2, 1, 1], &[1, 0]] {
        assert_eq!(parsed.section(path), None, "{path:?}");
    }
}

#[test]
fn a_message_without_parts_is_its_own_first() {
    let parsed = scan(b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx");
    assert_eq!(parsed.section(&[]).unwrap(), &*parsed.root);
    assert_eq!(parsed.section(&[1]).unwrap(), &*parsed.root);
    assert_eq!(parsed.section(&[1, 1]), parsed.root.message());
    assert_eq!(parsed.section(&[1, 1, 1]), None);
    assert_eq!(parsed.section(&[2]), None);
}

#[test]
fn the_envelope_is_of_raw_octets() {
    let parsed = scan(b"Subject: =?utf-8?Q?=C3=A4?=\r\n b \xff\r\nSubject: second\r\nFrom: A <a@x>\r\nTo: b@x\r\nTo: c@x\r\nMessage-ID:\r\nReply-To: \r\nSender: s@x\r\n\r\n");
    let envelope = &parsed.envelope;
    assert_eq!(envelope.subject.as_deref(), Some(&b"=?utf-8?Q?=C3=A4?= b \xff"[..]));
    assert_eq!((envelope.date.as_ref(), envelope.message_id.as_deref()), (None, Some(&b""[..])));
    assert_eq!((envelope.to.len(), envelope.cc.len()), (2, 0));
    assert_eq!(envelope.reply_to, envelope.from);
    assert_eq!(envelope.sender[0].mailbox.as_deref(), Some(&b"s"[..]));
}

#[test]
fn the_fields_of_a_part_are_there() {
    let message = "Content-Type: Text/X; a*0*=utf-8''%C3; b\nContent-ID: <i@x>\nContent-Description: d\n e\nContent-Transfer-Encoding: BASE64\nContent-MD5: m\nContent-Disposition: attachment; filename=\"f\"\nContent-Language: en, de\nContent-Location: http://x\n\n";
    let part = Part::clone(&scan(message.as_bytes()).root);
    let some = |value: &str| Some(value.as_bytes().to_vec());
    assert!(part.is("text", "x"));
    assert_eq!(part.parameters, [(b"a*0*".to_vec(), b"utf-8''%C3".to_vec())]);
    assert_eq!(
        (part.id, part.description, part.md5, part.location),
        (some("<i@x>"), some("d e"), some("m"), some("http://x"))
    );
    assert_eq!(part.encoding, b"BASE64");
    let disposition = part.disposition.unwrap();
    assert_eq!(
        (disposition.kind, disposition.parameters),
        (b"attachment".to_vec(), vec![(b"filename".to_vec(), b"f".to_vec())])
    );
    assert_eq!(part.language, [b"en".to_vec(), b"de".to_vec()]);
}

#[test]
fn fields_are_picked_from_a_header() {
    let header = b"A: 1\r\nb: 2\r\n 3\r\nno field\r\nA: 4\r\n\r\n";
    let check = |names: &[&str], not, expected: &str| {
        assert_eq!(String::from_utf8(header_fields(header, names, not)).unwrap(), expected);
    };
    check(&["a"], false, "A: 1\r\nA: 4\r\n\r\n");
    check(&["B", "x"], false, "b: 2\r\n 3\r\n\r\n");
    check(&["a"], true, "b: 2\r\n 3\r\nno field\r\n\r\n");
    check(&["x"], false, "\r\n");
    assert_eq!(header_fields(b"A: 1", &["a"], false), b"A: 1\r\n\r\n");
}

#[test]
fn common_fields_are_at_hand() {
    let message = b"X-Spam: no\r\nReferences: <a@x>\r\n <b@x>\r\nSubject: s\r\nsubject: t\r\n\r\n";
    let parsed = scan(message);
    for names in [&["Subject"][..], &["references", "From"], &["X-TUID"]] {
        assert_eq!(parsed.fields(names).unwrap(), header_fields(message, names, false));
    }
    assert_eq!(parsed.fields(&["Subject", "X-Spam"]), None);
    assert_eq!(parsed.references().as_deref(), Some("<a@x> <b@x>"));
    let long =
        format!("X-Long: {0}\r\nSubject: s\r\nTo: {0}\r\nCc: c@x\r\n\r\nbody", "x".repeat(MAX_HEADER_KEPT));
    let parsed = scan(long.as_bytes());
    assert_eq!((parsed.fields(&["Subject"]), parsed.envelope.subject.clone()), (None, Some(b"s".to_vec())));
    assert_eq!(parsed.root.size(), 4);
}

#[test]
fn memory_is_bounded_by_what_is_kept() {
    let part = format!("--b\nContent-Type: message/rfc822\n\nTo: {}\n\n", "a,".repeat(20_000));
    let message = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(200));
    assert!(scan(message.as_bytes()).to_bytes().len() < 4 * MAX_KEPT);
}

/// Lines of which structures are made, and mistakes.
const LINES: &str = "((Content-Type: (multipart/(mixed|digest); boundary=(a|ab)|message/rfc822|text/html; x=y|\"x)|Content-Transfer-Encoding: (base64|8bit)|To: a, (b <c@d>|G:;|<|\"|@)|Subject: é|--(a|ab)(--)? ?|x| y|é|-|)\r?(\n|\r\n)){0,40}(--a|x|\r)?";

fn walk(part: &Part, within: &Range<u64>) {
    assert!(within.start <= part.header.start && part.header.end == part.body.start);
    assert!(
        part.header.start <= part.header.end
            && part.body.start <= part.body.end
            && part.body.end <= within.end
    );
    let mut next = part.body.start;
    let inner = match &part.kind {
        Kind::Multipart(parts) => parts.iter().collect(),
        Kind::Message(_, inner) => vec![&**inner],
        Kind::Leaf => vec![],
    };
    assert_eq!(part.media_type == "multipart", matches!(part.kind, Kind::Multipart(_)));
    let message = part.is("message", "rfc822") || part.is("message", "global");
    assert_eq!(message, matches!(part.kind, Kind::Message(..)));
    for child in inner {
        assert!(next <= child.header.start);
        next = child.body.end;
        walk(child, &part.body);
    }
}

/// What the reader of whole messages finds is found in pieces too, as far as it finds anything.
fn agree(part: &Part, whole: &mime::Part<'_>) {
    let range = |range: &Range<usize>| range.start as u64..range.end as u64;
    assert_eq!((part.header.start..part.body.end, &part.body), (range(&whole.range), &range(&whole.body)));
    match (&part.kind, &whole.kind) {
        (Kind::Multipart(parts), mime::Kind::Multipart(others)) => {
            assert_eq!(parts.len(), others.len());
            parts.iter().zip(others).for_each(|(part, whole)| agree(part, whole));
        }
        (Kind::Message(_, inner), mime::Kind::Message(whole)) => agree(inner, whole),
        (Kind::Leaf, mime::Kind::Leaf) | (_, mime::Kind::Opaque) => {}
        (Kind::Leaf, mime::Kind::Multipart(parts)) => assert!(parts.is_empty()),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn it_does_not_matter_how_it_is_cut(message in LINES, sizes in proptest::collection::vec(1usize..60, 1..20)) {
        let whole = scan(message.as_bytes());
        let (mut scanner, mut rest) = (Scanner::new(), message.as_bytes());
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            scanner.feed(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(scanner.finish(), whole);
    }

    #[test]
    fn long_lines_too(line in "(--a|Content-Type: multipart/mixed; boundary=a|To: b| c) {0,3}", long in 900usize..1100, cut in 1usize..2000) {
        let blanks = " ".repeat(long);
        let message = format!("Content-Type: multipart/mixed; boundary=a\n\n--a\n{line}{blanks}\nx\n--a{blanks}\r\n\ny\n{line}");
        let mut scanner = Scanner::new();
        message.as_bytes().chunks(cut).for_each(|piece| scanner.feed(piece));
        let parsed = scanner.finish();
        agree(&parsed.root, &mime::Part::parse(message.as_bytes()));
        prop_assert_eq!(parsed, scan(message.as_bytes()));
    }

    #[test]
    fn ranges_nest_and_lie_in_order(message in LINES) {
        let parsed = scan(message.as_bytes());
        prop_assert_eq!(parsed.root.header.start..parsed.root.body.end, 0..message.len() as u64);
        walk(&parsed.root, &(0..message.len() as u64));
        agree(&parsed.root, &mime::Part::parse(message.as_bytes()));
        for field in ["Subject", "To", "Content-Type"] {
            prop_assert_eq!(parsed.fields(&[field]).unwrap(), header_fields(message.as_bytes(), &[field], false));
        }
    }

    #[test]
    fn it_comes_back_from_its_compact_form(message in LINES) {
        let parsed = scan(message.as_bytes());
        prop_assert_eq!(Parsed::from_bytes(&parsed.to_bytes()), Some(parsed));
    }

    #[test]
    fn damage_is_survived(message in LINES, at in any::<proptest::sample::Index>(), octet: u8, len in any::<proptest::sample::Index>()) {
        let mut bytes = scan(message.as_bytes()).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = octet;
        let _ = Parsed::from_bytes(&bytes);
        prop_assert!(Parsed::from_bytes(&bytes[..len.index(bytes.len())]).is_none_or(|_| false));
    }

    #[test]
    fn any_octets_are_a_message(message in proptest::collection::vec(any::<u8>(), 0..400)) {
        let parsed = scan(&message);
        walk(&parsed.root, &(0..message.len() as u64));
    }
}
