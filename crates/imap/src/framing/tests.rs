//! What a client sends, and the frames that it makes, however it is cut.

use super::*;
use crate::parse::Stage;
use proptest::prelude::*;

const LIMITS: Limits =
    Limits { line: 80, literals: 3, literal_octets: 20, skipped: 500, literal_plus: false };

/// The frames as lines of text. Messages are taken, but those of 13 octets are refused.
fn frames(input: &[u8], limits: Limits, cuts: impl Iterator<Item = usize>) -> Vec<String> {
    let mut framer = Framer::new(limits);
    let mut out = Vec::new();
    let mut rest = input;
    let mut cuts = cuts;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = after;
        framer.push(piece);
        while let Some(frame) = framer.poll() {
            show(&mut framer, frame, &mut out);
        }
    }
    out
}

fn show(framer: &mut Framer, frame: Frame, out: &mut Vec<String>) {
    let text = |octets: &[u8]| octets.escape_ascii().to_string();
    let shown = match frame {
        Frame::Line(line) => format!("line {}", text(line.octets())),
        Frame::Continue => "+".to_owned(),
        Frame::Message(message) if message.message.size == 13 => {
            framer.refuse_message();
            "refusing".to_owned()
        }
        Frame::Message(message) => {
            framer.take_message();
            let Message { tag, target, message, synchronizing } = message;
            let AppendMessage { flags, date, size, binary, utf8 } = message;
            let target = match target {
                AppendTarget::Append(to) => to.to_string(),
                AppendTarget::Replace { uid, number, to } => format!("{uid} {number:?} {to}"),
            };
            let date = date.map_or_else(String::new, |date| format!(" {date}"));
            let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
            let marks = [(synchronizing, " +"), (binary, " ~"), (utf8, " utf8")];
            let marks: String = marks.iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
            format!("message {} {target}{flags}{date} {size}{marks}", tag.as_str())
        }
        Frame::MessageData(data) => match out.last_mut() {
            Some(last) if last.starts_with("data ") => {
                last.push_str(&text(&data));
                return;
            }
            _ => format!("data {}", text(&data)),
        },
        Frame::MessageEnd => "end".to_owned(),
        Frame::Appended { tag, .. } => format!("appended {}", tag.as_str()),
        Frame::MessageRefused { tag } => format!("refused {}", tag.as_str()),
        Frame::Refused(refused) => {
            let tag = refused.tag.as_ref().map_or("*", Tag::as_str);
            format!("{tag} {}", refused.status().text)
        }
        Frame::Lost(why) => format!("lost: {why}"),
    };
    out.push(shown);
}

#[track_caller]
fn check(input: &str, expected: &[&str]) {
    check_with(LIMITS, input, expected);
}

#[track_caller]
fn check_with(limits: Limits, input: &str, expected: &[&str]) {
    for cut in 1..=input.len() {
        let frames = frames(input.as_bytes(), limits, std::iter::repeat(cut));
        assert_eq!(frames, expected, "{input:?} by {cut}");
    }
}

#[test]
fn commands_are_lines() {
    check("a NOOP\r\nb NOOP\r\n\r\n", &["line a NOOP", "line b NOOP", "line "]);
    check("a NOOP", &[]);
}

#[test]
fn literals_are_part_of_the_line() {
    check("a LOGIN {3}\r\nabc {2}\r\nx\n\r\n", &["+", "+", "line a LOGIN {3}\\r\\nabc {2}\\r\\nx\\n"]);
    check(
        "a LOGIN {3+}\r\nabc {0+}\r\n\r\nb NOOP\r\n",
        &["line a LOGIN {3+}\\r\\nabc {0+}\\r\\n", "line b NOOP"],
    );
    check(
        "a FETCH 1 BODY[HEADER.FIELDS ({2+}\r\nTo)]\r\n",
        &["line a FETCH 1 BODY[HEADER.FIELDS ({2+}\\r\\nTo)]"],
    );
    check(
        "a SETMETADATA \"\" (/private/a ~{1+}\r\n\0)\r\n",
        &["line a SETMETADATA \\\"\\\" (/private/a ~{1+}\\r\\n\\x00)"],
    );
}

#[test]
fn literals_are_refused_before_they_are_read() {
    check(
        "a LOGIN {21}\r\nb NOOP\r\n",
        &["a LOGIN: literal is too long: at most 20 octets in a command", "line b NOOP"],
    );
    check(
        "a LOGIN {21+}\r\nb NOOP\r\n901234567890123 {3+}\r\nx\r\n\r\nb NOOP\r\n",
        &["a LOGIN: literal is too long: at most 20 octets in a command", "line b NOOP"],
    );
    check(
        "a LOGIN {20+}\r\n01234567890123456789 {1}\r\nb NOOP\r\n",
        &["a LOGIN: literal is too long: at most 20 octets in a command", "line b NOOP"],
    );
    check(
        "a SEARCH OR TO {0+}\r\n OR TO {0+}\r\n OR TO {0+}\r\n TO {0}\r\n",
        &["a SEARCH: at most 3 literals in a command"],
    );
    let misplaced = [
        "NOOP {1",
        "NOOP{1",
        "STORE 1 FLAGS ({1",
        "STORE {1",
        "LOGIN \"a{1",
        "LOGIN ~{1",
        "LOGIN a b {1",
        "COPY {1",
        "COPY 1 ~{1",
        "MOVE {1",
        "FETCH {1",
        "FETCH 1 {1",
        "FETCH 1 ({1",
        "FETCH 1 BODY[{1",
        "FETCH 1 BODY[HEADER.FIELDS {1",
        "SEARCH {1",
        "SEARCH UID {1",
        "SEARCH SEEN {1",
        "SEARCH TEXT x {1",
        "SEARCH CHARSET {1",
        "SEARCH EMAILID {1",
        "SORT {1",
        "ENABLE {1",
        "AUTHENTICATE {1",
        "STATUS x ({1",
        "LIST ({1",
        "SELECT x ({1",
        "ID {1",
        "SETMETADATA x {1",
    ];
    for misplaced in misplaced {
        let verb = misplaced.split([' ', '{']).next().unwrap();
        let refused = format!("a {verb}: no literal may stand here");
        check(&format!("a {misplaced}}}\r\nb NOOP\r\n"), &[&refused, "line b NOOP"]);
        check(&format!("a {misplaced}+}}\r\nxyz\r\nb NOOP\r\n"), &[&refused, "line b NOOP"]);
    }
    check("a BOGUS {1}\r\n", &["a unknown command BOGUS"]);
    check("a FETCH 1 BOGUS {1}\r\n", &["a FETCH: expected `(` or an item at octet 11, found `BOGUS`"]);
    check("a SEARCH CHARSET KLINGON TEXT {1}\r\n", &["a SEARCH: charset KLINGON is not known here"]);
    check("{1}\r\n", &["* no literal may stand here"]);
    let large =
        Limits { line: 10_000, literals: 3, literal_octets: 10_000, skipped: 20_000, literal_plus: false };
    let input = format!("a LOGIN {{5000+}}\r\n{}\r\n", "x".repeat(5_000));
    let refused = "a LOGIN: a literal without waiting for + has at most 4096 octets".to_owned();
    assert_eq!(frames(input.as_bytes(), large, std::iter::repeat(999)), [refused]);
    let plus = Limits { literal_plus: true, ..large };
    assert!(frames(input.as_bytes(), plus, std::iter::repeat(999))[0].starts_with("line a LOGIN"));
}

#[test]
fn a_literal_has_the_bound_of_what_it_is() {
    let limits = Limits { line: 200, ..Limits::AFTER_LOGIN };
    for (text, limit, what) in [
        ("SEARCH TEXT ", 4_096, "octets in a string to search for"),
        ("SEARCH NOT (OR SEEN HEADER x ", 4_096, "octets in a string to search for"),
        ("SEARCH HEADER ", 1_000, "octets in the name of a header field"),
        ("UID SORT (DATE) UTF-8 BODY ", 4_096, "octets in a string to search for"),
        ("ID (", 30, "octets in the name of a field"),
        ("ID (name ", 1_024, "octets in a field"),
        ("GETMETADATA INBOX ", 1_024, "octets in the name of an entry"),
        ("SETACL INBOX ", 512, "octets in an identifier"),
    ] {
        let verb = text.strip_suffix(' ').unwrap_or(text);
        let verb = ["UID SORT", "SEARCH", "ID", "GETMETADATA", "SETACL"]
            .into_iter()
            .find(|name| verb.starts_with(name))
            .unwrap();
        check_with(limits, &format!("a {text}{{{limit}}}\r\n"), &["+"]);
        let refused = format!("a {verb}: at most {limit} {what}");
        check_with(limits, &format!("a {text}{{{}}}\r\nb NOOP\r\n", limit + 1), &[&refused, "line b NOOP"]);
    }
}

#[test]
fn a_literal_of_a_command_that_cannot_come_now_is_refused() {
    let check = |stage, text: &str, expected: &str| {
        let mut framer = Framer::new(Limits::AFTER_LOGIN);
        framer.set_context(Context { stage: Some(stage), ..Context::default() });
        framer.push(format!("a {text}{{3}}\r\n").as_bytes());
        let told = match framer.poll() {
            Some(Frame::Refused(refused)) => refused.status().text,
            Some(Frame::Continue) => "+".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{text} when {stage:?}");
    };
    use Stage::{Authenticated, NotAuthenticated, Selected};
    check(NotAuthenticated, "LOGIN ", "+");
    check(NotAuthenticated, "ID (", "+");
    check(NotAuthenticated, "SELECT ", "SELECT: log in first");
    check(Authenticated, "LOGIN ", "LOGIN: you are already logged in");
    check(Authenticated, "SELECT ", "+");
    check(Authenticated, "UID COPY 1 ", "UID COPY: SELECT or EXAMINE a mailbox first");
    check(Selected, "LOGIN ", "LOGIN: you are already logged in");
    check(Selected, "UID COPY 1 ", "+");
    check(Selected, "FETCH 1 BODY[HEADER.FIELDS (", "+");
}

#[test]
fn what_is_too_long_is_skipped_to_its_end() {
    let long = "x".repeat(80);
    check(&format!("a NOOP {long}\r\nb NOOP\r\n"), &["a NOOP: the line is too long", "line b NOOP"]);
    check(
        &format!("a NOOP {long} {{8+}}\r\nc NOOP\r\n \r\nb NOOP\r\n"),
        &["a NOOP: the line is too long", "line b NOOP"],
    );
    check(&format!("a NOOP {long} {{8}}\r\nb NOOP\r\n"), &["a NOOP: the line is too long", "line b NOOP"]);
    check(
        &format!("a LOGIN {{1+}}\r\nx {long}\r\nb NOOP\r\n"),
        &["a LOGIN: the line is too long", "line b NOOP"],
    );
    check(&format!("{long}\r\nb NOOP\r\n"), &["* the line is too long", "line b NOOP"]);
}

#[test]
fn a_line_that_ends_with_lf_alone_is_refused() {
    let refused = "a NOOP: a line ends with CR and LF, this one with LF alone";
    check("a NOOP\nb NOOP\r\n", &[refused, "line b NOOP"]);
    check("a LOGIN {1+}\r\nx y\nb NOOP\r\n", &[&refused.replace("NOOP", "LOGIN"), "line b NOOP"]);
    check("a LOGIN {8+}\nb NOOP\r\n x\r\n", &["lost: a literal's size stands before an LF without CR"]);
    check(
        "a LOGIN {99999999999999999999+}\r\nb NOOP\r\n",
        &["lost: a literal's size is not a number that we can count to"],
    );
    check("a NOOP {500+}\r\n", &[]);
    check("a NOOP {501+}\r\n", &["lost: too much follows a refused command"]);
}

#[test]
fn messages_pass_by() {
    check(
        "A003 APPEND saved-messages (\\Seen) {12}\r\nDate: x\r\n\r\ny\r\nb NOOP\r\n",
        &[
            "message A003 saved-messages \\Seen 12 +",
            "data Date: x\\r\\n\\r\\ny",
            "end",
            "appended A003",
            "line b NOOP",
        ],
    );
    check(
        "a APPEND {5+}\r\ninbox \"17-Jul-1996 02:44:25 -0700\" ~{2+}\r\n\0\n\r\n",
        &["message a INBOX 1996-07-17T09:44:25Z 2 ~", "data \\x00\\n", "end", "appended a"],
    );
    check(
        "a APPEND x (\\Seen $A \\Recent) \" 1-Jan-2020 00:00:00 +0000\" UTF8 (~{1}\r\nx)\r\n",
        &["message a x \\Seen $A 2020-01-01T00:00:00Z 1 + ~ utf8", "data x", "end", "appended a"],
    );
    check(
        "a APPEND x {1+}\r\ny (\\Seen) {2+}\r\nzz {0+}\r\n\r\n",
        &[
            "message a x 1",
            "data y",
            "end",
            "message a x \\Seen 2",
            "data zz",
            "end",
            "message a x 0",
            "end",
            "appended a",
        ],
    );
    check(
        "a UID REPLACE 4 x {1+}\r\ny\r\n",
        &["message a true Number(4) x 1", "data y", "end", "appended a"],
    );
    check(
        "a REPLACE * {1+}\r\nx {1+}\r\ny\r\n",
        &["message a false Last x 1", "data y", "end", "appended a"],
    );
}

#[test]
fn messages_are_refused() {
    check("a APPEND x {13}\r\nb NOOP\r\n", &["refusing", "refused a", "line b NOOP"]);
    check("a APPEND x {13+}\r\nb NOOP\r\nc NO \r\nb NOOP\r\n", &["refusing", "refused a", "line b NOOP"]);
    check(
        "a APPEND x {1+}\r\ny {13+}\r\nb NOOP\r\nc NO {2+}\r\n\r\n\r\nb NOOP\r\n",
        &["message a x 1", "data y", "end", "refusing", "refused a", "line b NOOP"],
    );
    check(
        "a APPEND x (\\Seen {1+}\r\n \r\nb NOOP\r\n",
        &["a APPEND: expected a flag at octet 19, found the end", "line b NOOP"],
    );
    check(
        "a APPEND x CATENATE ({1}\r\n",
        &["a APPEND: expected flags, a date or the message at octet 12, found `CATENATE`"],
    );
    check("a APPEND x UTF8 ({1}\r\n", &["a APPEND: no literal may stand here"]);
    check(
        "a APPEND x {1+}\r\nyz\r\nb NOOP\r\n",
        &[
            "message a x 1",
            "data y",
            "end",
            "a APPEND: expected the end of the command at octet 1, found `z`",
            "line b NOOP",
        ],
    );
    check(
        "a REPLACE 1 x {1+}\r\ny {2}\r\n",
        &["message a false Number(1) x 1", "data y", "end", "a REPLACE: one message replaces another"],
    );
    check("a APPEND x\r\n", &["line a APPEND x"]);
    check(
        "a APPEND x {1+}\r\ny\nb NOOP\r\n",
        &[
            "message a x 1",
            "data y",
            "end",
            "a APPEND: a line ends with CR and LF, this one with LF alone",
            "line b NOOP",
        ],
    );
}

#[test]
fn replies_are_lines_without_literals() {
    let mut framer = Framer::new(LIMITS);
    framer.push(b"DONE {3}\r\nx\n");
    assert_eq!(framer.poll_reply(), Some(Frame::Line(Line::new("DONE {3}"))));
    assert!(
        matches!(framer.poll_reply(), Some(Frame::Refused(refused)) if refused.problem == Problem::BareLf)
    );
    framer.push(&[b'x'; 100]);
    assert_eq!(framer.poll_reply(), None);
    framer.push(b"\r\nb NOOP\r\n");
    assert!(matches!(framer.poll_reply(), Some(Frame::Refused(_))));
    assert_eq!(framer.poll(), Some(Frame::Line(Line::new("b NOOP"))));
    assert!(framer.is_empty());
}

/// Pieces of what clients send, so that chance makes commands of them.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "a LOGIN ",
        "b APPEND x ",
        "c REPLACE 1 x ",
        "d NOOP",
        "\r\n",
        "\n",
        "\r",
        " ",
        "{3}\r\n",
        "{2+}\r\n",
        "~{4+}\r\n",
        "{30+}\r\n",
        "{13+}\r\n",
        "{}",
        "(\\Seen) ",
        "UTF8 (",
        ")",
        "xyz",
        "\"",
        "{99999999999999999999999+}\r\n",
    ]);
    let piece = prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..200_usize).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn framing_does_not_depend_on_how_input_is_cut(
        input in pieces(),
        cuts in prop::collection::vec(1..50_usize, 0..100),
    ) {
        let whole = frames(&input, LIMITS, std::iter::empty());
        prop_assert_eq!(&frames(&input, LIMITS, cuts.into_iter()), &whole);
        prop_assert_eq!(&frames(&input, LIMITS, std::iter::repeat(1)), &whole);
    }
}
