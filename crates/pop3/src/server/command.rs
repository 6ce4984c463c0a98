//! Commands and their grammar (RFC 1939 §3, RFC 2449 §3).

use address::Secret;
use data_encoding::BASE64;

use super::decision::Part;

#[derive(Debug)]
pub(super) enum Command {
    Capa,
    Stls,
    Utf8,
    User(String),
    Pass(Secret<String>),
    Auth { mechanism: String, initial: Option<Secret<Vec<u8>>> },
    Apop,
    Stat,
    List(Option<Number>),
    Uidl(Option<Number>),
    Fetch(Number, Part),
    Dele(Number),
    Noop,
    Rset,
    Quit,
}

/// A message-number, as the client counts: from 1. It may be of no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

/// What is wrong with a line; the text goes to the client.
pub(super) type Fault = &'static str;

impl Command {
    /// Reads one line without its CRLF.
    ///
    /// ```text
    /// command = keyword *(SP param) CRLF      ; keyword in any case
    /// ```
    pub(super) fn parse(line: &[u8]) -> Result<Self, Fault> {
        let line = text(line)?;
        let (keyword, rest) = line.split_once(' ').map_or((line, None), |(word, rest)| (word, Some(rest)));
        let keyword = keyword.to_ascii_uppercase();
        if let ("PASS", Some(password)) = (keyword.as_str(), rest) {
            // One argument to the end of the line: spaces are part of it (RFC 1939 §7).
            return Ok(Self::Pass(Secret::new(password.to_owned())));
        }
        // Beyond the RFC: spaces at the end, as people type them, are passed over.
        let rest = rest.map(|rest| rest.trim_end_matches(' ')).filter(|rest| !rest.is_empty());
        if keyword == "USER" {
            return rest.map(|name| Self::User(name.to_owned())).ok_or("USER needs a name");
        }
        if !line.is_ascii() {
            return Err("only USER and PASS take characters outside ASCII");
        }
        let arguments: Vec<&str> = rest.map(|rest| rest.split(' ').collect()).unwrap_or_default();
        Self::plain(&keyword, &arguments)
    }

    fn plain(keyword: &str, arguments: &[&str]) -> Result<Self, Fault> {
        Ok(match (keyword, arguments) {
            ("CAPA", []) => Self::Capa,
            ("STLS", []) => Self::Stls,
            ("UTF8", []) => Self::Utf8,
            ("STAT", []) => Self::Stat,
            ("NOOP", []) => Self::Noop,
            ("RSET", []) => Self::Rset,
            ("QUIT", []) => Self::Quit,
            ("LIST", []) => Self::List(None),
            ("LIST", [number]) => Self::List(Some(Number::parse(number)?)),
            ("UIDL", []) => Self::Uidl(None),
            ("UIDL", [number]) => Self::Uidl(Some(Number::parse(number)?)),
            ("RETR", [number]) => Self::Fetch(Number::parse(number)?, Part::Whole),
            ("TOP", [number, lines]) => Self::Fetch(Number::parse(number)?, Part::Top(decimal(lines)?)),
            ("DELE", [number]) => Self::Dele(Number::parse(number)?),
            ("AUTH", [mechanism]) => Self::Auth { mechanism: mechanism.to_ascii_uppercase(), initial: None },
            ("AUTH", [mechanism, initial]) => {
                let initial = Some(initial_response(initial)?);
                Self::Auth { mechanism: mechanism.to_ascii_uppercase(), initial }
            }
            ("APOP", _) => Self::Apop,
            _ => return Err(usage(keyword)),
        })
    }
}

fn usage(keyword: &str) -> Fault {
    match keyword {
        "CAPA" | "STLS" | "UTF8" | "STAT" | "NOOP" | "RSET" | "QUIT" => "this command takes no argument",
        "LIST" | "UIDL" => "this command takes no argument, or one message-number",
        "RETR" | "DELE" => "this command takes one message-number",
        "TOP" => "TOP takes a message-number and a number of lines",
        "AUTH" => "AUTH takes a mechanism and, perhaps, an initial response",
        "PASS" => "PASS needs a password",
        "LAST" => "LAST is no longer part of POP3; use UIDL",
        _ => "unknown command",
    }
}

impl Number {
    fn parse(text: &str) -> Result<Self, Fault> {
        decimal(text).map(Self).map_err(|_| "a message-number is written in decimal digits")
    }
}

/// `1*DIGIT`; more than fits counts as very many.
fn decimal(text: &str) -> Result<u64, Fault> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a number is written in decimal digits");
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

/// The line as text, if it holds nothing that RFC 2449 §3 and RFC 6856 §2.2 forbid.
fn text(line: &[u8]) -> Result<&str, Fault> {
    if line.contains(&b'\r') {
        return Err("a CR may only stand before the LF that ends the line");
    }
    if line.contains(&0) {
        return Err("a command must not hold NUL");
    }
    if line.iter().any(u8::is_ascii_control) {
        return Err("a command must not hold control characters");
    }
    std::str::from_utf8(line).map_err(|_| "that is not UTF-8")
}

/// `initial-response = base64 / "="` (RFC 5034 §5).
fn initial_response(text: &str) -> Result<Secret<Vec<u8>>, Fault> {
    if text == "=" { Ok(Secret::new(Vec::new())) } else { response(text.as_bytes()) }
}

/// A line of a SASL exchange. The alphabet and its padding are strict (RFC 5034 §4).
pub(super) fn response(line: &[u8]) -> Result<Secret<Vec<u8>>, Fault> {
    BASE64.decode(line).map(Secret::new).map_err(|_| "that is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed_strictly() {
        let check = |line: &str, expected: &str| {
            let shown = match Command::parse(line.as_bytes()) {
                Ok(command) => format!("{command:?}"),
                Err(fault) => format!("no: {fault}"),
            };
            assert_eq!(shown, expected, "{line:?}");
        };
        check("sTaT", "Stat");
        check("STAT ", "Stat");
        check("STAT 1", "no: this command takes no argument");
        check(" STAT", "no: unknown command");
        check("", "no: unknown command");
        check("LIST", "List(None)");
        check("LIST 2", "List(Some(Number(2)))");
        check("LIST 99999999999999999999999", "List(Some(Number(18446744073709551615)))");
        check("LIST -1", "no: a message-number is written in decimal digits");
        check("LIST +1", "no: a message-number is written in decimal digits");
        check("LIST 1 2", "no: this command takes no argument, or one message-number");
        check("RETR  1", "no: this command takes one message-number");
        check("TOP 1 0", "Fetch(Number(1), Top(0))");
        check("TOP 1", "no: TOP takes a message-number and a number of lines");
        check("TOP 1 x", "no: a number is written in decimal digits");
        check("USER jörg", "User(\"jörg\")");
        check("USER", "no: USER needs a name");
        check("PASS", "no: PASS needs a password");
        check("PASS  two  words ", "Pass([secret])");
        check("RETR é", "no: only USER and PASS take characters outside ASCII");
        check("AUTH plain =", "Auth { mechanism: \"PLAIN\", initial: Some([secret]) }");
        check("AUTH plain =AAA", "no: that is not base64");
        check("AUTH", "no: AUTH takes a mechanism and, perhaps, an initial response");
        check("NO\0OP", "no: a command must not hold NUL");
        check("NO\rOP", "no: a CR may only stand before the LF that ends the line");
        check("NOOP\t", "no: a command must not hold control characters");
        let Ok(Command::Pass(password)) = Command::parse(b"pass  two  words ") else { panic!() };
        assert_eq!(password.reveal(), " two  words ");
        assert!(Command::parse(b"USER \xff").is_err());
    }
}
