//! From a line to a [`Command`]. As lenient as is usual where nothing can go wrong: a space after `FROM:`, no
//! angle brackets, space at the end of the line (RFC 5321 §4.1.1).

use super::{Attribute, AttributeName, Auth, Bdat, Command, CommandError, Hello, HelloName, HelloVerb};
use super::{MAX_MECHANISM, Mail, Mode, Rcpt};
use crate::parameter::{MailParameters, RcptParameters};
use address::Secret;
use data_encoding::BASE64;

impl Command {
    /// Reads a line without its CRLF.
    ///
    /// # Errors
    /// Says what to reply: [`CommandError::reply`].
    pub fn parse(line: &[u8], mode: Mode) -> Result<Self, CommandError> {
        if line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return Err(CommandError::Control);
        }
        let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
        let (verb, rest) = line.split_at(end);
        let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
        let Some(read) = reader(&verb) else { return Err(CommandError::Unknown(super::quote(&verb))) };
        let text = match std::str::from_utf8(rest) {
            Ok(text) => std::borrow::Cow::Borrowed(text),
            // Some programs give their host's name in a local character set; it is only written down.
            Err(_) if matches!(&*verb, "HELO" | "EHLO" | "LHLO") => String::from_utf8_lossy(rest),
            Err(_) => return Err(CommandError::NotUtf8),
        };
        read(text.trim_matches([' ', '\t']), mode)
    }
}

type Reader = fn(&str, Mode) -> Result<Command, CommandError>;

fn reader(verb: &str) -> Option<Reader> {
    Some(match verb {
        "HELO" => |rest, _| hello(HelloVerb::Helo, rest, "HELO host.example"),
        "EHLO" => |rest, _| hello(HelloVerb::Ehlo, rest, "EHLO host.example"),
        "LHLO" => |rest, _| hello(HelloVerb::Lhlo, rest, "LHLO host.example"),
        "MAIL" => |rest, _| mail(rest),
        "RCPT" => rcpt,
        "DATA" => |rest, _| alone(Command::Data, rest, "DATA"),
        "BDAT" => |rest, _| bdat(rest).ok_or(CommandError::Syntax("BDAT octets [LAST]")),
        "RSET" => |rest, _| alone(Command::Rset, rest, "RSET"),
        "NOOP" => |_, _| Ok(Command::Noop),
        "QUIT" => |rest, _| alone(Command::Quit, rest, "QUIT"),
        "VRFY" => |rest, _| {
            let (what, utf8) = asked(rest).ok_or(CommandError::Syntax("VRFY user"))?;
            Ok(Command::Vrfy { what, utf8 })
        },
        "EXPN" => |rest, _| {
            let (what, utf8) = asked(rest).ok_or(CommandError::Syntax("EXPN list"))?;
            Ok(Command::Expn { what, utf8 })
        },
        "HELP" => |rest, _| Ok(Command::Help((!rest.is_empty()).then(|| rest.to_owned()))),
        "STARTTLS" => |rest, _| alone(Command::StartTls, rest, "STARTTLS"),
        "AUTH" => |rest, _| auth(rest),
        "ETRN" => |rest, _| {
            let domain = is_string(rest).then(|| Command::Etrn(rest.to_owned()));
            domain.ok_or(CommandError::Syntax("ETRN domain"))
        },
        "XCLIENT" => |rest, _| {
            let found = attributes(rest, &AttributeName::XCLIENT);
            found.map(Command::Xclient).ok_or(CommandError::Syntax("XCLIENT name=value ..."))
        },
        "XFORWARD" => |rest, _| {
            let found = attributes(rest, &AttributeName::XFORWARD);
            found.map(Command::Xforward).ok_or(CommandError::Syntax("XFORWARD name=value ..."))
        },
        _ => return None,
    })
}

/// RFC 5321 §4.3.2: DATA, RSET and QUIT with an argument are 501.
fn alone(command: Command, rest: &str, verb: &'static str) -> Result<Command, CommandError> {
    if rest.is_empty() { Ok(command) } else { Err(CommandError::Syntax(verb)) }
}

fn hello(verb: HelloVerb, rest: &str, syntax: &'static str) -> Result<Command, CommandError> {
    // Only the first word is a name; what some clients write behind it has no meaning.
    let name = rest.split_ascii_whitespace().next().and_then(HelloName::new);
    name.map(|name| Command::Hello(Hello { verb, name })).ok_or(CommandError::Syntax(syntax))
}

fn mail(rest: &str) -> Result<Command, CommandError> {
    let syntax = CommandError::Syntax("MAIL FROM:<address> [parameters]");
    let (path, parameters) = after_colon(rest, "FROM").and_then(split_path).ok_or(syntax)?;
    let parameters = MailParameters::parse(parameters)?;
    if !rest.is_ascii() && !parameters.smtputf8 {
        return Err(CommandError::NonAsciiSender);
    }
    let from = path.parse().map_err(CommandError::Sender)?;
    Ok(Command::Mail(Mail { from, parameters }))
}

fn rcpt(rest: &str, mode: Mode) -> Result<Command, CommandError> {
    let syntax = CommandError::Syntax("RCPT TO:<address> [parameters]");
    let (path, parameters) = after_colon(rest, "TO").and_then(split_path).ok_or(syntax)?;
    if !rest.is_ascii() && mode == Mode::Ascii {
        return Err(CommandError::NonAsciiRecipient);
    }
    let to = path.parse().map_err(CommandError::Recipient)?;
    let parameters = RcptParameters::parse(parameters)?;
    Ok(Command::Rcpt(Rcpt { to, parameters }))
}

/// What follows `FROM:` or `TO:`.
fn after_colon<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let (before, after) = rest.split_once(':')?;
    before.trim_end().eq_ignore_ascii_case(word).then(|| after.trim_start())
}

/// `<path> parameters` → the path without its brackets, and the parameters. A quoted local part may hold `>`
/// and spaces. Without brackets nothing but an address may stand there: `<>` cannot be left out.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let bracketed = text.strip_prefix('<');
    let path = bracketed.unwrap_or(text);
    let end = end_of_path(path, if bracketed.is_some() { '>' } else { ' ' });
    let (path, rest) = match (bracketed, end) {
        (Some(_), end) => (path.get(..end?)?, path.get(end? + 1..)?),
        (None, end) => path.split_at(end.unwrap_or(path.len())),
    };
    let parted = rest.is_empty() || rest.starts_with([' ', '\t']);
    (parted && (bracketed.is_some() || !path.is_empty())).then_some((path, rest))
}

/// Where the first `end` stands that is not quoted.
fn end_of_path(path: &str, end: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == end && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn bdat(rest: &str) -> Option<Command> {
    let mut words = rest.split_ascii_whitespace();
    let digits = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()))?;
    let size = digits.parse().ok()?;
    let last = match words.next() {
        None => false,
        Some(word) => word.eq_ignore_ascii_case("LAST").then_some(true)?,
    };
    words.next().is_none().then_some(Command::Bdat(Bdat { size, last }))
}

/// The argument of VRFY or EXPN, and whether SMTPUTF8 follows it (RFC 6531 §3.7.4.2).
fn asked(rest: &str) -> Option<(String, bool)> {
    let (what, utf8) = match rest.rsplit_once([' ', '\t']) {
        Some((what, last)) if last.eq_ignore_ascii_case("SMTPUTF8") => (what.trim_end(), true),
        _ => (rest, false),
    };
    is_string(what).then(|| (what.to_owned(), utf8))
}

/// Whether it can be a `String` (RFC 5321 §4.1.2), which has no control characters.
fn is_string(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_control() && c != '\t')
}

fn auth(rest: &str) -> Result<Command, CommandError> {
    let syntax = CommandError::Syntax("AUTH mechanism [initial-response]");
    let mut words = rest.split_ascii_whitespace();
    let mechanism = words.next().ok_or_else(|| syntax.clone())?.to_ascii_uppercase();
    let known = mechanism.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b));
    if !known || mechanism.len() > MAX_MECHANISM {
        return Err(syntax);
    }
    let initial = match words.next() {
        None => None,
        Some("=") => Some(Secret::new(Vec::new())),
        Some(word) => Some(decode_response(word.as_bytes())?),
    };
    if words.next().is_some() {
        return Err(syntax);
    }
    Ok(Command::Auth(Auth { mechanism, initial }))
}

/// Reads a SASL response. Only the canonical form is base64 (RFC 4954 §4): no other character, no `=` but
/// at the end.
pub(crate) fn decode_response(word: &[u8]) -> Result<Secret<Vec<u8>>, CommandError> {
    BASE64.decode(word).map(Secret::new).map_err(|_| CommandError::Base64)
}

fn attributes(rest: &str, allowed: &[AttributeName]) -> Option<Vec<Attribute>> {
    let found: Option<Vec<Attribute>> =
        rest.split_ascii_whitespace().map(|word| Attribute::parse(word, allowed)).collect();
    found.filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests;
