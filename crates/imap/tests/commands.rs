//! Commands and what they are understood as: `tests/commands/*.txt`.
//!
//! `C: ` is a command as a client writes it, `U: ` one of a client that has enabled UTF-8; `\r\n` in it is what goes
//! before a literal. The next line is `= ` with the command in Rust's words, or `! ` with the answer that it gets.
//! `UPDATE_EXPECT=1` writes those lines; read what changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use imap::framing::{Frame, Framer, Limits, Line};
use imap::parse::{Context, Refused, parse};
use proptest::prelude::*;
use std::path::Path;

#[test]
fn commands_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/commands");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let answered = answered(&text);
        count += answered.lines().filter(|line| line.starts_with(['=', '!'])).count();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, answered).unwrap();
        } else {
            assert_eq!(text, answered, "{}", path.display());
        }
    }
    assert!(count > 200, "only {count} commands");
}

/// The file with the right answers.
fn answered(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with(['=', '!'])) {
        out += &format!("{line}\n");
        let (octets, utf8) = match (line.strip_prefix("C: "), line.strip_prefix("U: ")) {
            (Some(octets), _) => (octets, false),
            (_, Some(octets)) => (octets, true),
            _ => continue,
        };
        out += &match understand(&unescape(octets), Context { utf8, ..Context::default() }) {
            Ok(command) => format!("= {command}\n"),
            Err(refused) => {
                let tag = refused.tag.as_ref().map_or("*", |tag| tag.as_str());
                let status = refused.status();
                let code = status.code.map_or_else(String::new, |code| format!(" [{code:?}]"));
                format!("! {tag} {:?}{code} {}\n", status.kind, status.text)
            }
        };
    }
    out
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\r\\n", "\r\n").replace("\\0", "\0");
    let mut octets = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, hex)) = rest.split_once("\\x") {
        octets.extend_from_slice(before.as_bytes());
        octets.push(u8::from_str_radix(&hex[..2], 16).unwrap());
        rest = &hex[2..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

/// Through framing and parser.
fn understand(octets: &[u8], context: Context) -> Result<String, Refused> {
    let mut framer = Framer::new(Limits { literal_plus: true, ..Limits::AFTER_LOGIN });
    framer.set_context(context);
    framer.push(octets);
    framer.push(b"\r\n");
    loop {
        match framer.poll().expect("a whole command") {
            Frame::Continue => {}
            Frame::Line(line) => return parse(&line, &context).map(|(_, command)| format!("{command:?}")),
            Frame::Refused(refused) => return Err(refused),
            frame => panic!("{frame:?} in {}", octets.escape_ascii()),
        }
    }
}

/// Words of the grammar, so that chance gets far.
fn words() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "FETCH",
        "UID",
        "SEARCH",
        "SORT",
        "THREAD",
        "STORE",
        "LIST",
        "SELECT",
        "NOTIFY",
        "SET",
        "GETMETADATA",
        "SETMETADATA",
        "STATUS",
        "RETURN",
        "CHARSET",
        "UTF-8",
        "ISO-8859-1",
        "REFERENCES",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        "\"",
        "\\",
        "1:*",
        "$",
        "1",
        "0",
        ".",
        ",",
        ":",
        "-",
        "+FLAGS",
        "BODY",
        "BODY.PEEK[",
        "HEADER.FIELDS",
        "BINARY",
        "NOT",
        "OR",
        "ALL",
        "TO",
        "SINCE",
        "1-Feb-2020",
        "INBOX",
        "\"a b\"",
        "{2+}\r\nab",
        "{1}\r\n",
        "\\Seen",
        "LOGIN",
        "AUTHENTICATE",
        "ID",
        "NIL",
        "MODSEQ",
        "PARTIAL",
        "PREVIEW",
        "LAZY",
        "QRESYNC",
        "MessageNew",
        "&AOQ-",
        "CREATE",
        "USE",
        "RENAME",
        "SETACL",
        "SETQUOTA",
        "COPY",
        "APPEND",
        "\u{e4}",
        "\0",
        "999999999999999999999",
    ]);
    let word = prop_oneof![8 => known.prop_map(str::to_owned), 1 => ".{0,5}"];
    let glue = prop_oneof![3 => Just(" "), 1 => Just("")];
    prop::collection::vec((word, glue), 0..20)
        .prop_map(|words| words.into_iter().map(|(word, glue)| word + glue).collect())
}

proptest! {
    #[test]
    fn nothing_makes_the_parser_panic(text in words(), octets in prop::collection::vec(any::<u8>(), 0..60)) {
        for line in [format!("a {text}").into_bytes(), octets] {
            for utf8 in [false, true] {
                if let Err(refused) = parse(&Line::new(line.clone()), &Context { utf8, ..Context::default() }) {
                    let text = refused.status().text;
                    prop_assert!(text.len() < 300 && !text.contains(char::is_control), "{text:?}");
                }
            }
        }
    }
}
