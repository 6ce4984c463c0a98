//! Results as the text of a header field (RFC 8601 §2.2), folded.

use super::{AuthResults, MethodResult};
use address::{Domain, LocalPart};

/// The columns that lines keep to (RFC 5322 §2.1.1), where a word is not longer.
const LINE_WIDTH: usize = 78;
/// The longest value or reason written, in octets: a word cannot be folded, and a line has at most 998 octets
/// (RFC 5322 §2.1.1), quotes and backslashes included. An address with the longest local part and domain has 320.
pub const MAX_VALUE: usize = 400;
/// The longest name of a method, a result or a property written; registered ones have at most 15 octets.
const MAX_KEYWORD: usize = 63;

impl AuthResults {
    /// The whole field, `Authentication-Results: …`, with its CRLF.
    pub fn to_field(&self) -> String {
        self.write("Authentication-Results:")
    }

    /// The whole ARC-Authentication-Results of a set, with its CRLF (RFC 8617 §4.1.1).
    pub fn to_arc_field(&self, instance: u32) -> String {
        self.write(&format!("ARC-Authentication-Results: i={instance};"))
    }

    fn write(&self, start: &str) -> String {
        let mut text = format!("{start} {};", value(&self.authserv_id));
        let results: Vec<&MethodResult> = self.results.iter().filter(|result| result.has_name()).collect();
        if results.is_empty() {
            text.push_str(" none");
        }
        for (at, result) in results.iter().enumerate() {
            // A line for each method, as people like to read it.
            let mut column = 0;
            text.push_str("\r\n\t");
            let words = result.words();
            let last = words.len() - 1;
            for (n, word) in words.into_iter().enumerate() {
                let end = if n == last && at + 1 < results.len() { ";" } else { "" };
                if n > 0 && column + 1 + word.len() + end.len() > LINE_WIDTH {
                    text.push_str("\r\n\t ");
                    column = 1;
                } else if n > 0 {
                    text.push(' ');
                    column += 1;
                }
                text.push_str(&word);
                text.push_str(end);
                column += word.len();
            }
        }
        text.push_str("\r\n");
        text
    }
}

impl MethodResult {
    /// Without one it could not be written.
    fn has_name(&self) -> bool {
        !keyword(&self.method).is_empty() && !keyword(&self.result).is_empty()
    }

    /// The pieces between which a line may be folded.
    fn words(&self) -> Vec<String> {
        let mut words = vec![format!("{}={}", keyword(&self.method), keyword(&self.result))];
        words.extend(self.reason.iter().map(|reason| format!("reason={}", quoted(reason))));
        let property =
            |p: &super::Property| format!("{}.{}={}", keyword(&p.ptype), keyword(&p.name), value(&p.value));
        let named = |p: &&super::Property| !keyword(&p.ptype).is_empty() && !keyword(&p.name).is_empty();
        words.extend(self.properties.iter().filter(named).map(property));
        words
    }
}

/// `Keyword = Ldh-str` (RFC 5321 §4.1.2), of bounded length; what else a caller has in a name is left out.
fn keyword(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(MAX_KEYWORD).collect()
}

/// `value / [ [ local-part ] "@" ] domain-name`: as it is where it is a token or an identity, else quoted.
fn value(text: &str) -> String {
    if !text.is_empty() && text.len() <= MAX_VALUE && (text.bytes().all(is_token) || is_identity(text)) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// `token` (RFC 2045 §5.1): no space, control or special.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

/// Whether this is `[ local-part ] "@" domain-name`, which must stand like this (RFC 8601 §2.2): quotes, where the local part
/// needs them, are around it alone. An address literal is no domain name, and is quoted with all that stands before it.
fn is_identity(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    (local.is_empty() || local.parse::<LocalPart>().is_ok()) && Domain::parse(domain).is_ok()
}

/// A quoted-string, in one line and of bounded length; UTF-8 stands as it is (RFC 6532 §3.2).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let end = text.floor_char_boundary(MAX_VALUE);
    for c in text[..end].chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            // What no header field may have; also the end of a line, and what turns text around.
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
