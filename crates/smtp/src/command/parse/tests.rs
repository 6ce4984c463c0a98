use super::*;
use proptest::prelude::*;

/// A line, and how the command is written again or which reply it gets.
fn check_as(mode: Mode, line: &[u8], expected: Result<&str, &str>) {
    let found = Command::parse(line, mode)
        .map(|command| String::from_utf8(command.encode()).unwrap().trim_end().to_owned())
        .map_err(|error| error.reply().to_string());
    let found = found.as_deref().map_err(|reply| &reply[..9.min(reply.len())]);
    assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(line));
}

fn check(line: &str, expected: Result<&str, &str>) {
    check_as(Mode::Ascii, line.as_bytes(), expected);
}

#[test]
fn commands_are_read_and_written() {
    check("ehlo  mx.example ", Ok("EHLO mx.example"));
    check("HELO [192.0.2.1]", Ok("HELO [192.0.2.1]"));
    check("LHLO a_b extra words", Ok("LHLO a_b"));
    check("MAIL FROM:<>", Ok("MAIL FROM:<>"));
    check("mail from: <a@B.Example> size=1", Ok("MAIL FROM:<a@b.example> SIZE=1"));
    check("MAIL FROM:a@b.example", Ok("MAIL FROM:<a@b.example>"));
    check("MAIL FROM:<\"a > b\"@c.example> RET=FULL", Ok("MAIL FROM:<\"a > b\"@c.example> RET=FULL"));
    check("RCPT TO:<@x.example:a@b.example>", Ok("RCPT TO:<a@b.example>"));
    check("RCPT TO:<postmaster> NOTIFY=NEVER", Ok("RCPT TO:<postmaster> NOTIFY=NEVER"));
    check("RCPT TO:<a@[IPv6:::1]>", Ok("RCPT TO:<a@[IPv6:::1]>"));
    check("DATA", Ok("DATA"));
    check("BDAT 86 last", Ok("BDAT 86 LAST"));
    check("BDAT 0", Ok("BDAT 0"));
    check("NOOP anything <at> all", Ok("NOOP"));
    check("VRFY some body SMTPUTF8", Ok("VRFY some body SMTPUTF8"));
    check("EXPN list", Ok("EXPN list"));
    check("HELP me", Ok("HELP me"));
    check("AUTH plain", Ok("AUTH PLAIN"));
    check("AUTH PLAIN =", Ok("AUTH PLAIN ="));
    check("AUTH PLAIN AGEAYg==", Ok("AUTH PLAIN AGEAYg=="));
    check("ETRN example.org", Ok("ETRN example.org"));
    check("XCLIENT NAME=[unavailable] ADDR=IPv6:::1", Ok("XCLIENT NAME=[UNAVAILABLE] ADDR=IPv6:::1"));
    check("XFORWARD ident=4+2B2 source=LOCAL", Ok("XFORWARD IDENT=4+2B2 SOURCE=LOCAL"));
}

#[test]
fn wrong_lines_get_the_right_code() {
    check("", Err("500 5.5.1"));
    check("FOO bar", Err("500 5.5.1"));
    check("EHLO", Err("501 5.5.4"));
    for text in ["VRFY", "VRFY \x19", "EXPN a\x07b", "ETRN \x7f"] {
        check(text, Err("501 5.5.4"));
    }
    check(&format!("EHLO {}", "a".repeat(256)), Err("501 5.5.4"));
    check("MAIL", Err("501 5.5.4"));
    check("MAIL TO:<a@b.example>", Err("501 5.5.4"));
    check("MAIL FROM:", Err("501 5.5.4"));
    check("MAIL FROM:<a@b.example", Err("501 5.5.4"));
    check("MAIL FROM:<a@b.example>SIZE=1", Err("501 5.5.4"));
    check("MAIL FROM:<a@b@c>", Err("501 5.1.7"));
    check("MAIL FROM:<a>", Err("501 5.1.7"));
    check("MAIL FROM:<a@b.example> FOO", Err("555 5.5.4"));
    check("MAIL FROM:<a@b.example> SIZE=x", Err("501 5.5.4"));
    check("MAIL FROM:<a@b.example> MT-PRIORITY=x", Err("501 5.5.2"));
    check("MAIL FROM:<é@b.example>", Err("550 5.6.7"));
    check("MAIL FROM:<a@é.example>", Err("550 5.6.7"));
    check("RCPT TO:<>", Err("501 5.1.3"));
    check("RCPT TO:<a b@c.example>", Err("501 5.1.3"));
    check("RCPT TO:<é@b.example>", Err("553 5.6.7"));
    check("RCPT TO:<a@b.example> SIZE=1", Err("555 5.5.4"));
    check("DATA now", Err("501 5.5.4"));
    check("BDAT", Err("501 5.5.4"));
    check("BDAT -1", Err("501 5.5.4"));
    check("BDAT 99999999999999999999", Err("501 5.5.4"));
    check("BDAT 1 FIRST", Err("501 5.5.4"));
    check("QUIT now", Err("501 5.5.4"));
    check("AUTH", Err("501 5.5.4"));
    check("AUTH P+LAIN", Err("501 5.5.4"));
    check("AUTH PLAIN AGEAYg", Err("501 5.5.2"));
    check("AUTH PLAIN AG=AYg==", Err("501 5.5.2"));
    check("XCLIENT ADDR=nowhere", Err("501 5.5.4"));
    check("XCLIENT SOURCE=LOCAL", Err("501 5.5.4"));
    check("NOOP\rQUIT", Err("500 5.5.2"));
    check("NOOP\nQUIT", Err("500 5.5.2"));
    check("NOOP\0", Err("500 5.5.2"));
    check_as(Mode::Ascii, b"RCPT TO:<\xE9@b.example>", Err("501 5.5.2"));
    check_as(Mode::Ascii, b"EHLO \xE9", Ok("EHLO \u{FFFD}"));
}

#[test]
fn smtputf8_lets_other_alphabets_in() {
    check("MAIL FROM:<é@b.example> SMTPUTF8", Ok("MAIL FROM:<é@b.example> SMTPUTF8"));
    check_as(Mode::Utf8, "RCPT TO:<é@é.example>".as_bytes(), Ok("RCPT TO:<é@xn--9ca.example>"));
}

#[test]
fn a_secret_is_not_shown() {
    let command = Command::parse(b"AUTH PLAIN AGEAYg==", Mode::Ascii).unwrap();
    assert!(format!("{command:?}").contains("[secret]"));
}

const VERBS: &str =
    "(EHLO|HELO|MAIL FROM:|RCPT TO:|BDAT|AUTH|VRFY|EXPN|HELP|ETRN|XCLIENT|XFORWARD|NOOP|DATA)";

proptest! {
    #[test]
    fn whatever_parses_is_written_so_that_it_parses_to_the_same(
        verb in VERBS,
        rest in "( ?<?([a-z\"\\\\ é>]{0,8}@[a-z.]{1,8}|[A-Z]{1,8}|[0-9]{1,3})>?)?( [A-Z]{1,8}(=[!-~]{1,8})?){0,2}",
        utf8: bool)
    {
        let mode = if utf8 { Mode::Utf8 } else { Mode::Ascii };
        if let Ok(command) = Command::parse(format!("{verb}{rest}").as_bytes(), mode) {
            let line = command.encode();
            let body = line.strip_suffix(b"\r\n").unwrap();
            let again = Command::parse(body, Mode::Utf8).unwrap();
            prop_assert_eq!(again.encode(), line.clone());
            prop_assert_eq!(format!("{again:?}"), format!("{command:?}"));
        }
    }

    #[test]
    fn no_line_panics_and_no_command_holds_a_line_end(line in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(command) = Command::parse(&line, Mode::Utf8) {
            let written = command.encode();
            prop_assert!(!written[..written.len() - 2].iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
        }
    }
}
