//! Responses as RFC 9051 and the extensions show them.

use super::*;
use crate::command::StatusItem;
use crate::fetch::PartialRange;
use crate::response::{
    Code, ContentName, Esearch, EsearchAll, FetchData, ListEntry, Namespace, QuotaResource, StatusValue,
    ThreadNode,
};
use crate::section::{Section, SectionText};
use crate::set::Runs;
use crate::{Flag, MailboxName};
use bytes::Bytes;
use jiff::Timestamp;

const REV1: Enabled = Enabled { rev2: false, condstore: false, qresync: false, utf8: false };
const REV2: Enabled = Enabled { rev2: true, ..REV1 };
const UTF8: Enabled = Enabled { utf8: true, ..REV1 };

fn written(data: &Data, enabled: Enabled) -> String {
    let mut out = BytesMut::new();
    Encoder::new(&mut out, enabled).data(data);
    String::from_utf8(out.to_vec()).unwrap()
}

fn check(data: Data, expected: &str) {
    assert_eq!(written(&data, REV1), format!("{expected}\r\n"));
}

fn check_item(item: FetchData, expected: &str) {
    check(Data::Fetch { number: 1, items: vec![item] }, &format!("* 1 FETCH ({expected})"));
}

fn check_status(status: Status, expected: &str) {
    let mut out = BytesMut::new();
    Encoder::new(&mut out, REV1).tagged(&Tag("a1".into()), &status);
    assert_eq!(out, format!("a1 {expected}\r\n"));
}

fn runs(numbers: &[u32]) -> Runs {
    numbers.iter().copied().collect()
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn status_responses() {
    check_status(Status::ok("LOGIN completed"), "OK LOGIN completed");
    check_status(Status::bad("command line too long"), "BAD command line too long");
    check_status(Status::ok("").with(Code::ReadWrite), "OK [READ-WRITE] done");
    // A text is one line, and does not look like a code.
    check_status(Status::no(None, "[ALERT] a\r\nb\u{e9}"), "NO (ALERT] a  b?");
    check(Data::Status(Status { kind: StatusKind::Bye, ..Status::ok("see you") }), "* BYE see you");
    let mut out = BytesMut::new();
    Encoder::new(&mut out, REV2).untagged(&Status::ok("\u{e9}"));
    Encoder::new(&mut out, REV1).continuation("go ahead");
    Encoder::new(&mut out, REV1).challenge(b"\xff");
    Encoder::new(&mut out, REV1).challenge(b"");
    assert_eq!(out, "* OK \u{e9}\r\n+ go ahead\r\n+ /w==\r\n+ \r\n");
}

#[test]
fn response_codes() {
    for (code, expected) in [
        (Code::UnknownCte, "UNKNOWN-CTE"),
        (
            Code::AppendUid { uidvalidity: 38505, uids: runs(&[3955, 3956, 3957]) },
            "APPENDUID 38505 3955:3957",
        ),
        (
            Code::CopyUid { uidvalidity: 38505, from: runs(&[304, 319, 320]), to: runs(&[3956, 3957, 3958]) },
            "COPYUID 38505 304,319:320 3956:3958",
        ),
        (Code::BadCharset(words(&["UTF-8", "US-ASCII"])), "BADCHARSET (UTF-8 US-ASCII)"),
        (Code::BadCharset(Vec::new()), "BADCHARSET"),
        (Code::BadEvent(words(&["FlagChange"])), "BADEVENT (FlagChange)"),
        (Code::Capability(words(&["IMAP4rev1", "STARTTLS"])), "CAPABILITY IMAP4rev1 STARTTLS"),
        (Code::HighestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007"),
        (
            Code::InProgress { tag: Some("A001".into()), done: Some(454), total: Some(1000) },
            "INPROGRESS (\"A001\" 454 1000)",
        ),
        (Code::InProgress { tag: None, done: Some(175), total: None }, "INPROGRESS (NIL 175 NIL)"),
        (Code::InProgress { tag: Some("a]".into()), done: None, total: Some(3) }, "INPROGRESS"),
        (Code::MailboxId("F2212ea87-6097".into()), "MAILBOXID (F2212ea87-6097)"),
        (Code::MetadataLongEntries(2199), "METADATA LONGENTRIES 2199"),
        (Code::MetadataMaxSize(1024), "METADATA MAXSIZE 1024"),
        (Code::MetadataTooMany, "METADATA TOOMANY"),
        (Code::Modified(runs(&[7, 9])), "MODIFIED 7,9"),
        (
            Code::PermanentFlags { flags: vec![Flag::Deleted, Flag::Seen], any_keyword: true },
            "PERMANENTFLAGS (\\Deleted \\Seen \\*)",
        ),
        (Code::PermanentFlags { flags: vec![], any_keyword: false }, "PERMANENTFLAGS ()"),
        (Code::UidNext(4392), "UIDNEXT 4392"),
        (Code::UidValidity(u32::MAX), "UIDVALIDITY 4294967295"),
        (Code::Unseen(12), "UNSEEN 12"),
    ] {
        check_status(Status::ok("x").with(code), &format!("OK [{expected}] x"));
    }
}

#[test]
fn server_and_mailbox_data() {
    check(Data::Capability(words(&["IMAP4rev1", "AUTH=PLAIN"])), "* CAPABILITY IMAP4rev1 AUTH=PLAIN");
    check(Data::Enabled(words(&["CONDSTORE"])), "* ENABLED CONDSTORE");
    check(Data::Enabled(Vec::new()), "* ENABLED");
    check(Data::Id(Vec::new()), "* ID NIL");
    check(
        Data::Id(vec![("name".into(), Some("Way \"post".into())), ("os".into(), None)]),
        "* ID (\"name\" \"Way \\\"post\" \"os\" NIL)",
    );
    check(
        Data::Flags(vec![Flag::Answered, Flag::parse("$MDNSent").unwrap()]),
        "* FLAGS (\\Answered $MDNSent)",
    );
    check(Data::Exists(23), "* 23 EXISTS");
    check(Data::Recent(0), "* 0 RECENT");
    check(Data::Expunge(44), "* 44 EXPUNGE");
    check(Data::Vanished { earlier: true, uids: runs(&[41, 43, 44]) }, "* VANISHED (EARLIER) 41,43:44");
    check(Data::Vanished { earlier: false, uids: runs(&[1]) }, "* VANISHED 1");
    let items = vec![
        (StatusItem::Messages, StatusValue::Number(231)),
        (StatusItem::AppendLimit, StatusValue::None),
        (StatusItem::MailboxId, StatusValue::Id("F2212".into())),
    ];
    check(
        Data::MailboxStatus { mailbox: name("blurdybloop"), items },
        "* STATUS blurdybloop (MESSAGES 231 APPENDLIMIT NIL MAILBOXID (F2212))",
    );
    let personal = vec![Namespace { prefix: String::new(), delimiter: Some('/') }];
    let shared = vec![Namespace { prefix: "Gem\u{e4}lde/".into(), delimiter: None }];
    check(
        Data::Namespace { personal, other_users: Vec::new(), shared },
        "* NAMESPACE ((\"\" \"/\")) NIL ((\"Gem&AOQ-lde/\" NIL))",
    );
}

#[test]
fn lists() {
    let entry =
        ListEntry { attributes: words(&["\\Noselect"]), mailbox: "foo bar".into(), ..ListEntry::default() };
    check(Data::List(entry), "* LIST (\\Noselect) \"/\" \"foo bar\"");
    check(
        Data::Lsub(ListEntry { mailbox: "INBOX".into(), delimiter: None, ..ListEntry::default() }),
        "* LSUB () NIL INBOX",
    );
    check(Data::List(ListEntry::default()), "* LIST () \"/\" \"\"");
    check(Data::List(ListEntry { mailbox: "nil".into(), ..ListEntry::default() }), "* LIST () \"/\" \"nil\"");
    let entry = ListEntry {
        mailbox: "Foo2".into(),
        child_info: words(&["SUBSCRIBED"]),
        old_name: Some("a b".into()),
        ..ListEntry::default()
    };
    check(Data::List(entry), "* LIST () \"/\" Foo2 (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"a b\"))");
    let entry = Data::List(ListEntry { mailbox: "Entw\u{fc}rfe & mehr".into(), ..ListEntry::default() });
    assert_eq!(written(&entry, REV1), "* LIST () \"/\" \"Entw&APw-rfe &- mehr\"\r\n");
    assert_eq!(written(&entry, REV2), "* LIST () \"/\" \"Entw\u{fc}rfe & mehr\"\r\n");
    assert_eq!(written(&entry, UTF8), written(&entry, REV2));
}

#[test]
fn searches() {
    check(
        Data::Search { numbers: vec![2, 3, 6], modseq: Some(917_162_500) },
        "* SEARCH 2 3 6 (MODSEQ 917162500)",
    );
    check(Data::Search { numbers: vec![], modseq: Some(5) }, "* SEARCH");
    check(Data::Sort { numbers: vec![5, 3, 4], modseq: None }, "* SORT 5 3 4");
    check(
        Data::Esearch(Esearch {
            tag: Some("A282".into()),
            min: Some(2),
            count: Some(3),
            ..Esearch::default()
        }),
        "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3",
    );
    let all = Esearch {
        tag: Some("A285".into()),
        uid: true,
        all: Some(EsearchAll::Set(runs(&[43, 45, 46, 47]))),
        modseq: Some(9),
        ..Esearch::default()
    };
    check(Data::Esearch(all), "* ESEARCH (TAG \"A285\") UID ALL 43,45:47 MODSEQ 9");
    let range = PartialRange { from: 1, to: 100, from_end: true };
    let part = |found| Esearch { partial: Some((range, found)), ..Esearch::default() };
    check(Data::Esearch(part(EsearchAll::Set(runs(&[])))), "* ESEARCH PARTIAL (-1:-100 NIL)");
    check(Data::Esearch(part(EsearchAll::Ordered(vec![9, 3, 4]))), "* ESEARCH PARTIAL (-1:-100 9,3:4)");
}

fn node(number: impl Into<Option<u32>>, children: Vec<ThreadNode>) -> ThreadNode {
    ThreadNode { number: number.into(), children }
}

#[test]
fn threads() {
    let chain = |numbers: &[u32]| {
        numbers
            .iter()
            .rev()
            .fold(None, |below, number| Some(node(*number, below.into_iter().collect())))
            .unwrap()
    };
    // RFC 5256 §4.
    let six = node(6, vec![chain(&[4, 23]), chain(&[44, 7, 96])]);
    check(Data::Thread(vec![chain(&[2]), node(3, vec![six])]), "* THREAD (2)(3 6 (4 23)(44 7 96))");
    check(Data::Thread(vec![node(None, vec![chain(&[3]), chain(&[5])])]), "* THREAD ((3)(5))");
    check(Data::Thread(Vec::new()), "* THREAD");
}

#[test]
fn quotas_metadata_and_rights() {
    let resources = vec![QuotaResource { name: "STORAGE".into(), usage: 10, limit: 512 }];
    check(Data::Quota { root: String::new(), resources }, "* QUOTA \"\" (STORAGE 10 512)");
    check(Data::QuotaRoot { mailbox: name("inbox"), roots: words(&[""]) }, "* QUOTAROOT INBOX \"\"");
    let entries = vec![
        ("/shared/comment".into(), Some(Bytes::from("My own"))),
        ("/private/x".into(), None),
        ("/a".into(), Some(Bytes::from("\0"))),
    ];
    check(
        Data::Metadata { mailbox: None, entries },
        "* METADATA \"\" (/shared/comment \"My own\" /private/x NIL /a ~{1}\r\n\0)",
    );
    check(
        Data::MetadataChanged {
            mailbox: Some(name("INBOX")),
            entries: words(&["/shared/comment", "/private/comment"]),
        },
        "* METADATA INBOX /shared/comment /private/comment",
    );
    check(
        Data::Acl {
            mailbox: name("INBOX"),
            rights: vec![("Fred".into(), "rwipsl".into()), ("a b".into(), String::new())],
        },
        "* ACL INBOX Fred rwipsl \"a b\" \"\"",
    );
    let (mailbox, identifier) = (name("~/Mail/saved"), "smith".to_owned());
    check(
        Data::ListRights { mailbox, identifier, required: "la".into(), optional: words(&["r", "swicdkxte"]) },
        "* LISTRIGHTS ~/Mail/saved smith la r swicdkxte",
    );
    check(
        Data::MyRights { mailbox: name("INBOX"), rights: "rwiptsldaex".into() },
        "* MYRIGHTS INBOX rwiptsldaex",
    );
}

#[test]
fn items_of_fetch() {
    let zoned = |text: &str| FetchData::InternalDate(text.parse().unwrap());
    check_item(zoned("1996-07-17T02:44:25-07:00[-07:00]"), "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"");
    check_item(zoned("2024-02-01T23:59:59+05:30[+05:30]"), "INTERNALDATE \" 1-Feb-2024 23:59:59 +0530\"");
    let odd = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::Offset::from_seconds(-30).unwrap().to_time_zone());
    check_item(FetchData::InternalDate(odd), "INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\"");
    check_item(FetchData::Uid(4_827_313), "UID 4827313");
    check_item(FetchData::Flags { flags: vec![Flag::Seen], recent: false }, "FLAGS (\\Seen)");
    check_item(FetchData::Flags { flags: vec![Flag::Seen], recent: true }, "FLAGS (\\Seen \\Recent)");
    check_item(FetchData::Flags { flags: Vec::new(), recent: true }, "FLAGS (\\Recent)");
    check_item(FetchData::Rfc822Size(u64::MAX), "RFC822.SIZE 18446744073709551615");
    check_item(FetchData::ModSeq(65_402), "MODSEQ (65402)");
    check_item(FetchData::SaveDate(Some(Timestamp::UNIX_EPOCH)), "SAVEDATE \" 1-Jan-1970 00:00:00 +0000\"");
    check_item(FetchData::SaveDate(None), "SAVEDATE NIL");
    check_item(FetchData::EmailId("M6d99ac3275bb4e".into()), "EMAILID (M6d99ac3275bb4e)");
    check_item(FetchData::ThreadId(Some("T64b478a75b7ea9".into())), "THREADID (T64b478a75b7ea9)");
    check_item(FetchData::ThreadId(None), "THREADID NIL");
    check_item(FetchData::Preview(Some("Ahoy".into())), "PREVIEW \"Ahoy\"");
    check_item(FetchData::Preview(Some("\u{e9}".into())), "PREVIEW {2}\r\n\u{e9}");
    check_item(FetchData::BinarySize { path: vec![1, 2], size: 7 }, "BINARY.SIZE[1.2] 7");
}

#[test]
fn contents() {
    let section = |path: &[u32], text| ContentName::Section {
        section: Section { path: path.into(), text },
        offset: None,
    };
    let content = |name, value: &'static str| FetchData::Content { name, value: Some(Bytes::from(value)) };
    check_item(content(section(&[], None), "x\r\n"), "BODY[] {3}\r\nx\r\n");
    check_item(content(section(&[1, 2], Some(SectionText::Mime)), ""), "BODY[1.2.MIME] {0}\r\n");
    let fields = SectionText::HeaderFields { names: words(&["Date", "X a"]), not: true };
    check_item(
        content(section(&[], Some(fields)), "\r\n"),
        "BODY[HEADER.FIELDS.NOT (Date \"X a\")] {2}\r\n\r\n",
    );
    check_item(
        FetchData::Content { name: section(&[4], Some(SectionText::Header)), value: None },
        "BODY[4.HEADER] NIL",
    );
    check_item(
        content(ContentName::Binary { path: vec![1], offset: Some(5) }, "a\0"),
        "BINARY[1]<5> ~{2}\r\na\0",
    );
    check_item(content(ContentName::Binary { path: vec![1], offset: None }, "a"), "BINARY[1] {1}\r\na");
    check_item(content(ContentName::Rfc822Header, "a"), "RFC822.HEADER {1}\r\na");
}

#[test]
fn nul_goes_out_in_binary_alone() {
    let literal = |name: &ContentName, octets: &[u8]| {
        let mut out = BytesMut::new();
        let mut encoder = Encoder::new(&mut out, REV1);
        let mut fetch = encoder.begin_fetch(1);
        encoder.fetch_literal(&mut fetch, name, octets.len() as u64, true);
        octets.chunks(2).for_each(|piece| encoder.octets(&fetch, piece));
        encoder.end_fetch(fetch);
        out.to_vec()
    };
    let whole = ContentName::Section { section: Section::default(), offset: None };
    assert_eq!(literal(&whole, b"\0a\0\0b"), b"* 1 FETCH (BODY[] {5}\r\n\x80a\x80\x80b)\r\n");
    assert_eq!(literal(&ContentName::Rfc822Text, b"a\0"), b"* 1 FETCH (RFC822.TEXT {2}\r\na\x80)\r\n");
    let binary = ContentName::Binary { path: vec![1], offset: None };
    assert_eq!(literal(&binary, b"a\0b"), b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b)\r\n");
    let item = FetchData::Content { name: whole, value: Some(Bytes::from_static(b"a\0")) };
    let data = Data::Fetch { number: 1, items: vec![item] };
    let mut out = BytesMut::new();
    Encoder::new(&mut out, REV1).data(&data);
    assert_eq!(&out[..], b"* 1 FETCH (BODY[] {2}\r\na\x80)\r\n");
}

#[test]
fn strings_are_quoted_when_they_can_be() {
    let preview = |text: &str| Data::Fetch { number: 1, items: vec![FetchData::Preview(Some(text.into()))] };
    let long = "x".repeat(1_001);
    for (text, rev1, rev2) in [
        ("a\\\"b", "\"a\\\\\\\"b\"", "\"a\\\\\\\"b\""),
        ("", "\"\"", "\"\""),
        ("a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"),
        ("a\0b", "\"ab\"", "\"ab\""),
        ("a\0\u{e9}", "{3}\r\na\u{e9}", "\"a\u{e9}\""),
        (&long, &format!("{{1001}}\r\n{long}"), &format!("{{1001}}\r\n{long}")),
    ] {
        assert_eq!(written(&preview(text), REV1), format!("* 1 FETCH (PREVIEW {rev1})\r\n"));
        assert_eq!(written(&preview(text), REV2), format!("* 1 FETCH (PREVIEW {rev2})\r\n"));
    }
}

/// The structure of a message, without and with extension data.
fn check_structure(message: &str, body: &str, extended: &str) {
    let mut scanner = message::structure::Scanner::new();
    scanner.feed(message.replace('\n', "\r\n").as_bytes());
    let part = scanner.finish().root;
    check_item(FetchData::Structure { part: part.clone(), extended: false }, &format!("BODY {body}"));
    check_item(FetchData::Structure { part, extended: true }, &format!("BODYSTRUCTURE {extended}"));
}

#[test]
fn structures_of_one_part() {
    check_structure(
        "Subject: x\n\none\ntwo\n",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)",
    );
    let fields = "Content-Type: image/png; name=\"a \\\"b\"\nContent-Transfer-Encoding: BASE64\nContent-ID: <1@x>\n\
                  Content-Description: a picture\nContent-MD5: Q2hlY2s=\nContent-Language: de, en\n\
                  Content-Location: http://x.example/\nContent-Disposition: attachment; filename=p.png; size=3\n\nAAAA";
    let basic = "\"image\" \"png\" (\"name\" \"a \\\"b\") \"<1@x>\" \"a picture\" \"BASE64\" 4";
    check_structure(
        fields,
        &format!("({basic})"),
        &format!(
            "({basic} \"Q2hlY2s=\" (\"attachment\" (\"filename\" \"p.png\" \"size\" \"3\")) (\"de\" \"en\") \"http://x.example/\")"
        ),
    );
}

#[test]
fn structures_of_several_parts() {
    let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\n\
                   Subject: in\n\nhi\n--b--\n";
    let (plain, inner) = (
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0",
    );
    let envelope = "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)";
    let holder = "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17";
    let ext = "NIL NIL NIL NIL";
    check_structure(
        message,
        &format!("({plain}){holder} {envelope} {inner}) 2) \"mixed\")"),
        &format!(
            "({plain} {ext}){holder} {envelope} {inner} {ext}) 2 {ext}) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
        ),
    );
}

#[test]
fn envelopes() {
    let mut scanner = message::structure::Scanner::new();
    scanner.feed(
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
          Subject: IMAP4rev2 WG mtg \"summary\"\r\nTo: us: imap@cac.washington.edu;\r\nMessage-Id: <B27397@cac>\r\n\
          Cc: \xff@x\r\n\r\n",
    );
    let parsed = scanner.finish();
    let terry = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
    let mut out = BytesMut::new();
    Encoder::new(&mut out, REV1)
        .data(&Data::Fetch { number: 12, items: vec![FetchData::Envelope(parsed.envelope)] });
    let expected = format!(
        "* 12 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg \\\"summary\\\"\" \
         {terry} {terry} {terry} ((NIL NIL \"us\" NIL)(NIL NIL \"imap\" \"cac.washington.edu\")(NIL NIL NIL NIL)) \
         ((NIL NIL {{1}}\r\n\u{1} \"x\")) NIL NIL \"<B27397@cac>\"))\r\n"
    );
    assert_eq!(
        out,
        expected
            .replace('\u{1}', "?")
            .as_bytes()
            .iter()
            .map(|b| if *b == b'?' { 0xff } else { *b })
            .collect::<Vec<u8>>()
    );
}
