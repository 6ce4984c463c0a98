//! Responses from RFC 9051 and others, and as servers deviate from them.

use crate::client::{MAX_LITERALS, MAX_RESPONSE, Read, ReadError, Reader, Response};
use crate::command::StatusItem;
use crate::response::{
    Code, Data, FetchData, ListEntry, Namespace, Status, StatusKind, StatusValue, ThreadNode,
};
use crate::{Flag, MailboxName};

fn next(text: &str) -> Result<Option<Read>, ReadError> {
    let mut reader = Reader::new(0);
    reader.push(text.as_bytes());
    reader.read()
}

fn response(text: &str) -> Response {
    match next(&format!("{text}\r\n")) {
        Ok(Some(Read::Response(response))) => response,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn check(text: &str, expected: Data) {
    assert_eq!(response(text), Response::Data(expected), "{text}");
}

fn check_items(text: &str, expected: &[FetchData]) {
    check(&format!("* 1 FETCH ({text})"), Data::Fetch { number: 1, items: expected.to_vec() });
}

fn check_unknown(text: &str) {
    assert!(matches!(response(text), Response::Unknown(_)), "{text}: {:?}", response(text));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn ok(code: impl Into<Option<Code>>, text: &str) -> Data {
    Data::Status(Status { kind: StatusKind::Ok, code: code.into(), text: text.into() })
}

#[test]
fn tagged_and_continued() {
    let status = Status::no(Code::OverQuota, "Sorry");
    assert_eq!(response("w1 no [OVERQUOTA] Sorry"), Response::Tagged { tag: "w1".into(), status });
    let status = Status { text: String::new(), ..Status::ok("") };
    assert_eq!(response("w1 OK"), Response::Tagged { tag: "w1".into(), status });
    assert_eq!(response("+"), Response::Continue(Vec::new()));
    assert_eq!(response("+ dGVzdA=="), Response::Continue(b"dGVzdA==".to_vec()));
}

#[test]
fn statuses() {
    check("* OK IMAP4rev2 server ready", ok(None, "IMAP4rev2 server ready"));
    check("*  ok   [uidvalidity  3857529045 ]  valid ", ok(Code::UidValidity(3_857_529_045), "valid"));
    check("* OK [X-NEW a (b [c)] text] more", ok(None, "text] more"));
    check("* OK [UIDNEXT -1] x", ok(None, "x"));
    check("* OK [not closed", ok(None, "[not closed"));
    check("* OK [BADCHARSET (\"UTF-8\")] x {5}", ok(Code::BadCharset(words(&["UTF-8"])), "x {5}"));
    check("* OK a\tb\u{7f}c", ok(None, "a\u{fffd}b\u{fffd}c"));
    let flags = vec![Flag::Answered, Flag::parse("$Junk").unwrap()];
    check(
        "* OK [PERMANENTFLAGS (\\Answered \\Recent \\Odd $Junk \\*)] x",
        ok(Code::PermanentFlags { flags, any_keyword: true }, "x"),
    );
    check("* CAPABILITY IMAP4rev1  STARTTLS ", Data::Capability(words(&["IMAP4rev1", "STARTTLS"])));
}

#[test]
fn mailboxes() {
    let listed = |text: &str, mailbox: &str, attributes: &[&str], delimiter: Option<char>| {
        let Response::Listed { entry, .. } = response(text) else { panic!("{text}") };
        let (mailbox, attributes) = (mailbox.to_owned(), words(attributes));
        assert_eq!(entry, ListEntry { mailbox, attributes, delimiter, ..ListEntry::default() }, "{text}");
    };
    listed("* LIST (\\Noselect) \"/\" ~/Mail/foo", "~/Mail/foo", &["\\Noselect"], Some('/'));
    listed("* list () nil INBOX", "INBOX", &[], None);
    listed(
        "* XLIST (\\HasNoChildren) \"/\" \"[Gmail]/Entw&APw-rfe\"",
        "[Gmail]/Entwürfe",
        &["\\HasNoChildren"],
        Some('/'),
    );
    listed("* LIST () \"\\\\\" {5}\r\na\\b\"c", "a\\b\"c", &[], Some('\\'));
    listed("* LIST () \".\" NIL", "NIL", &[], Some('.'));
    listed("* LIST () \"/\" x (\"X-NEW\" (a (b \"c\")) TABLECLOTH (\"x\"))", "x", &[], Some('/'));
    // What is no modified UTF-7 stands as it is, and goes back as it came.
    let Response::Listed { entry, name, .. } = response("* LIST () \"/\" \"A&B\"") else { panic!() };
    assert_eq!((entry.mailbox.as_str(), name.as_bytes()), ("A&B", &b"A&B"[..]));
    check(
        "* STATUS blurdybloop (MESSAGES 231 X-NEW (a) UIDNEXT 44292 APPENDLIMIT NIL)",
        Data::MailboxStatus {
            mailbox: MailboxName::new("blurdybloop"),
            items: vec![
                (StatusItem::Messages, StatusValue::Number(231)),
                (StatusItem::UidNext, StatusValue::Number(44_292)),
                (StatusItem::AppendLimit, StatusValue::None),
            ],
        },
    );
    let namespace = |prefix: &str| vec![Namespace { prefix: prefix.into(), delimiter: Some('/') }];
    check(
        "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) NIL",
        Data::Namespace { personal: namespace(""), other_users: namespace("~"), shared: Vec::new() },
    );
}

#[test]
fn searches_and_threads() {
    check("* SEARCH", Data::Search { numbers: Vec::new(), modseq: None });
    check("* SEARCH 2  5 (MODSEQ 9) ", Data::Search { numbers: vec![2, 5], modseq: Some(9) });
    let leaf = |number| ThreadNode { number: Some(number), children: Vec::new() };
    let below = |number, children| ThreadNode { number: Some(number), children };
    // RFC 5256 §4.
    let six = below(6, vec![below(4, vec![leaf(23)]), below(44, vec![below(7, vec![leaf(96)])])]);
    check("* THREAD (2)(3 6 (4 23)(44 7 96))", Data::Thread(vec![leaf(2), below(3, vec![six])]));
    let missing = ThreadNode { number: None, children: vec![leaf(3), leaf(5)] };
    check("* THREAD ((3)(5))", Data::Thread(vec![missing]));
    for text in ["* THREAD (1", "* THREAD 1", "* THREAD ()", "* THREAD (1))", "* SEARCH 99999999999"] {
        check_unknown(text);
    }
    check_unknown(&format!("* THREAD {}1{}", "(".repeat(2_000), ")".repeat(2_000)));
}

#[test]
fn messages() {
    let date = |text: &str| FetchData::InternalDate(text.parse().unwrap());
    let flags = |recent| FetchData::Flags { flags: vec![Flag::Seen], recent };
    check_items("UID 4 FLAGS (\\Seen)", &[FetchData::Uid(4), flags(false)]);
    check_items("UID 4 FLAGS (\\recent \\Odd \\Seen)", &[FetchData::Uid(4), flags(true)]);
    check_items("INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"", &[date("1996-07-17T02:44:25-07:00[-07:00]")]);
    check_items("INTERNALDATE \" 1-jan-2024 02:44:25 +0530\" ", &[date("2024-01-01T02:44:25+05:30[+05:30]")]);
    // Items that are not known are passed over.
    check_items(
        "X-GM-MSGID 1278455344230334865 X-GM-LABELS (\\Inbox \"a) b\" (x)) UID 4",
        &[FetchData::Uid(4)],
    );
    check_items("UID 4 X-A {3}\r\n)\r\n RFC822.SIZE 5", &[FetchData::Uid(4), FetchData::Rfc822Size(5)]);
    check_items("modseq (624140003) X []", &[FetchData::ModSeq(624_140_003)]);
    for text in ["UID", "UID x", "UID 5000000000", "INTERNALDATE \"yesterday\"", "BODY[1", "BODY[X] NIL"] {
        check_unknown(&format!("* 1 FETCH ({text})"));
    }
    check_unknown(&format!("* 1 FETCH (X {}", "(".repeat(100_000)));
    check_unknown(&format!("* 1 FETCH (BODY {}", "(".repeat(100_000)));
    for text in
        ["* X-NEW 1", "* ", "* 1", "* 1 X-NEW", "* VANISHED 0", "* FLAGS \\Seen", "* ESEARCH (X \"a\")"]
    {
        check_unknown(text);
    }
}

#[test]
fn a_structure_with_what_others_leave_out_or_add() {
    let body = |text: &str| match response(&format!("* 1 FETCH (BODYSTRUCTURE {text})")) {
        Response::Data(Data::Fetch { items, .. }) => match items.as_slice() {
            [FetchData::Structure { part, .. }] => (**part).clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let part = body(
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL NIL 3028 92 NIL NIL \"en\" NIL (1 (2)) 3)",
    );
    assert_eq!((part.media_type.as_str(), part.size(), part.lines), ("text", 3_028, 92));
    assert_eq!((part.encoding.as_slice(), part.language.len()), (&b"7bit"[..], 1));
    let part = body(
        "((\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 1 1) (\"A\" \"B\" NIL NIL NIL \"BASE64\" 2) \"MIXED\" NIL)",
    );
    assert!(matches!(part.kind, message::structure::Kind::Multipart(parts) if parts.len() == 2));
    // An encoded message that the server has not looked into.
    assert_eq!(body("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"BASE64\" 2 NIL)").size(), 2);
}

#[test]
fn bounds() {
    let long = format!("* OK {}", "x".repeat(MAX_RESPONSE));
    assert_eq!(next(&long), Err(ReadError::TooLong));
    assert_eq!(next("* LIST () \"/\" {2000000}\r\n"), Err(ReadError::TooLong));
    assert_eq!(
        next("* LIST () \"/\" {99999999999999999999999}\r\n"),
        Err(ReadError::Literal("9".repeat(20)))
    );
    let many = format!("* 1 FETCH ({}", "X {0}\r\n ".repeat(MAX_LITERALS + 1));
    assert_eq!(next(&many), Err(ReadError::TooManyLiterals));
    for text in ["SSH-2.0-OpenSSH_9.2\r\n", "220 mx.example ESMTP\r\n", "\r\n", "w1 WHAT\r\n"] {
        assert!(matches!(next(text), Err(ReadError::NotImap(_))), "{text}");
    }
    // A message as large as they come is not held.
    assert!(matches!(next("* 1 FETCH (BODY[] {18446744073709551615}\r\n"), Ok(Some(Read::Section { .. }))));
}
