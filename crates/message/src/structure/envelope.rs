//! The envelope of a message (RFC 9051 §7.5.2) and the addresses in it, as octets: what cannot be read as RFC 5322 says
//! still gives something to show.

use super::Octets;
use super::entity::unfold;
use crate::header::{Field, Header};
use crate::list::MAX_ADDRESSES;

/// Longest domain literal, in octets: an IPv6 address and its brackets take half of it.
const MAX_LITERAL: usize = 100;

/// Strings are unfolded but not decoded. A list without addresses is empty, which IMAP shows as NIL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    pub date: Option<Octets>,
    pub subject: Option<Octets>,
    pub from: Vec<Address>,
    /// Those of `from` if the field is not there or is empty.
    pub sender: Vec<Address>,
    /// Those of `from` if the field is not there or is empty.
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub in_reply_to: Option<Octets>,
    pub message_id: Option<Octets>,
}

/// An address, or one end of a group: its start has no host, its end neither host nor mailbox.
///
/// What is no address has empty strings in place of what is missing, and never none: `root` is `root` at ``.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name without quotes, encoded words as they are; or a comment in its place.
    pub name: Option<Octets>,
    /// The source route, `@a.example,@b.example`.
    pub adl: Option<Octets>,
    /// The local part without quotes (RFC 9051 §9, addr-mailbox); the name of the group where one starts.
    pub mailbox: Option<Octets>,
    pub host: Option<Octets>,
}

/// Where the value of a field goes.
enum Place<'a> {
    Text(&'a mut Option<Octets>),
    List(&'a mut Vec<Address>),
}

impl Address {
    const GROUP_END: Self = Self { name: None, adl: None, mailbox: None, host: None };
}

impl Envelope {
    /// Of fields that stand more than once the addresses are joined, the first is taken of the others.
    pub(super) fn read(header: &Header<'_>) -> Self {
        let mut envelope = Self::default();
        let mut left = MAX_ADDRESSES;
        for field in header.fields() {
            match envelope.place(&field) {
                Some(Place::Text(text)) => {
                    text.get_or_insert_with(|| unfold(field.raw_value()));
                }
                Some(Place::List(list)) => {
                    let before = list.len();
                    addresses(field.raw_value(), list, before + left);
                    left -= left.min(list.len() - before);
                }
                None => {}
            }
        }
        for list in [&mut envelope.sender, &mut envelope.reply_to] {
            if list.is_empty() {
                list.clone_from(&envelope.from);
            }
        }
        envelope
    }

    fn place(&mut self, field: &Field<'_>) -> Option<Place<'_>> {
        let name = field.name()?;
        // Without a copy in lower case: a listing reads the fields of thousands of messages.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(match name.len() {
            2 if is("to") => Place::List(&mut self.to),
            2 if is("cc") => Place::List(&mut self.cc),
            3 if is("bcc") => Place::List(&mut self.bcc),
            4 if is("from") => Place::List(&mut self.from),
            4 if is("date") => Place::Text(&mut self.date),
            6 if is("sender") => Place::List(&mut self.sender),
            7 if is("subject") => Place::Text(&mut self.subject),
            8 if is("reply-to") => Place::List(&mut self.reply_to),
            10 if is("message-id") => Place::Text(&mut self.message_id),
            11 if is("in-reply-to") => Place::Text(&mut self.in_reply_to),
            _ => return None,
        })
    }

    /// How many addresses it has in all.
    pub(super) fn addresses(&self) -> usize {
        [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc]
            .iter()
            .map(|list| list.len())
            .sum()
    }
}

/// Reads an address list (RFC 5322 §3.4 and §4.4) until `list` has `max`.
fn addresses(value: &[u8], list: &mut Vec<Address>, max: usize) {
    let (mut rest, mut entry, mut in_group) = (value, Entry::new(), false);
    while let Some((&octet, after)) = rest.split_first() {
        if list.len() >= max {
            break;
        }
        rest = after;
        match octet {
            b'"' => rest = entry.quoted(after),
            b'(' => rest = entry.comment(after),
            b'<' if entry.angle.is_none() => rest = entry.angle(after),
            b':' if !in_group => {
                let name = std::mem::replace(&mut entry, Entry::new()).phrase;
                list.push(Address { mailbox: Some(name), ..Address::GROUP_END });
                in_group = true;
            }
            b',' | b';' => {
                list.extend(std::mem::replace(&mut entry, Entry::new()).finish());
                if octet == b';' && in_group {
                    list.push(Address::GROUP_END);
                    in_group = false;
                }
            }
            b' ' | b'\t' => entry.gap = true,
            b'\r' | b'\n' | 0 => {}
            // A domain literal may have commas and colons (RFC 5321 §4.1.3).
            b'[' => rest = entry.literal(after),
            _ => entry.push(octet),
        }
    }
    if list.len() < max {
        list.extend(entry.finish());
    }
    if in_group {
        list.push(Address::GROUP_END);
    }
}

/// An entry of a list while it is read.
struct Entry {
    /// What stands outside of angle brackets as a name: without quotes, words one space apart.
    phrase: Octets,
    /// The same as an address: with quotes, and without the white space that may stand around `.` and `@`.
    spec: Octets,
    angle: Option<Octets>,
    remark: Option<Octets>,
    /// White space since the last octet.
    gap: bool,
}

impl Entry {
    /// Octets of most names and addresses: room for them at once, not octet by octet.
    const USUAL: usize = 48;

    fn new() -> Self {
        let (phrase, spec) = (Octets::with_capacity(Self::USUAL), Octets::with_capacity(Self::USUAL));
        Self { phrase, spec, angle: None, remark: None, gap: false }
    }

    fn word(&mut self, begins_with: u8) {
        if std::mem::take(&mut self.gap) {
            let joins = |octet: Option<&u8>| matches!(octet, None | Some(b'.' | b'@'));
            if !self.phrase.is_empty() {
                self.phrase.push(b' ');
            }
            if !joins(self.spec.last()) && !joins(Some(&begins_with)) {
                self.spec.push(b' ');
            }
        }
    }

    fn push(&mut self, octet: u8) {
        self.word(octet);
        self.phrase.push(octet);
        self.spec.push(octet);
    }

    /// After the quote; returns what follows the one that closes it.
    fn quoted<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        self.word(b'"');
        let (len, rest) = quoted_string(text, &mut self.phrase);
        self.spec.push(b'"');
        self.spec.extend(text[..len].iter().filter(|octet| !b"\r\n\0".contains(octet)));
        self.spec.push(b'"');
        rest
    }

    fn literal<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        self.push(b'[');
        let end = text.iter().take(MAX_LITERAL).position(|octet| b"],;>\"".contains(octet));
        let (inner, rest) = text.split_at(end.filter(|&end| text[end] == b']').map_or(0, |end| end + 1));
        inner.iter().filter(|octet| !octet.is_ascii_whitespace() && **octet != 0).for_each(|&o| self.push(o));
        rest
    }

    /// After the parenthesis. Comments nest (RFC 5322 §3.2.2).
    fn comment<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        self.gap = true;
        let (mut depth, mut remark, mut rest) = (1usize, Octets::new(), text);
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after) {
                (b'\\', [next, after @ ..]) => {
                    remark.push(*next);
                    rest = after;
                    continue;
                }
                (b'(', _) => depth += 1,
                (b')', _) if depth == 1 => break,
                (b')', _) => depth -= 1,
                _ => {}
            }
            remark.push(octet);
        }
        self.remark = Some(unfold(&remark)).filter(|remark| !remark.is_empty());
        rest
    }

    /// After the bracket: the address without white space and comments.
    fn angle<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let (mut inner, mut rest) = (Self::new(), text);
        while let Some((&octet, after)) = rest.split_first() {
            rest = match octet {
                b'>' => {
                    rest = after;
                    break;
                }
                b'"' => inner.quoted(after),
                b'(' => inner.comment(after),
                octet => {
                    if !octet.is_ascii_whitespace() && octet != 0 {
                        inner.push(octet);
                    }
                    after
                }
            };
            inner.gap = false;
        }
        self.gap = true;
        self.angle = Some(inner.spec);
        rest
    }

    fn finish(self) -> Option<Address> {
        let (name, text) = match self.angle {
            Some(angle) => (Some(self.phrase).filter(|name| !name.is_empty()), angle),
            None => (None, self.spec),
        };
        if text.is_empty() && name.is_none() {
            return None;
        }
        let (adl, text) = route(&text);
        // The last `@`, unless it is in quotes.
        let at = text.iter().rposition(|&octet| octet == b'@').filter(|&at| !text[at..].contains(&b'"'));
        let (mailbox, host) = at.map_or((text, &b""[..]), |at| (&text[..at], &text[at + 1..]));
        Some(Address {
            name: name.or(self.remark),
            adl: adl.map(<[u8]>::to_vec),
            mailbox: Some(unquoted(mailbox)),
            host: Some(host.to_vec()),
        })
    }
}

/// A local part without the quotes around it, or around words of it (RFC 5322 §4.4).
fn unquoted(local: &[u8]) -> Octets {
    let (mut out, mut rest) = (Octets::with_capacity(local.len()), local);
    while let Some((&octet, after)) = rest.split_first() {
        rest = match octet {
            b'"' => quoted_string(after, &mut out).1,
            _ => {
                out.push(octet);
                after
            }
        };
    }
    out
}

/// `@a.example,@b.example:` before an address (RFC 5322 §4.4).
fn route(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match text.iter().position(|&octet| octet == b':') {
        Some(colon) if text.starts_with(b"@") && text[colon..].contains(&b'@') => {
            (Some(&text[..colon]), &text[colon + 1..])
        }
        _ => (None, text),
    }
}

/// The content of a quoted string from after its first quote (RFC 5322 §3.2.4), put to `out` without backslashes; its
/// length as it is written, and what follows the quote that closes it.
pub(super) fn quoted_string<'a>(text: &'a [u8], out: &mut Octets) -> (usize, &'a [u8]) {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        match octet {
            b'"' => return (at, &text[at + 1..]),
            b'\\' if at + 1 < text.len() => at += 1,
            _ => {}
        }
        out.extend(text.get(at).filter(|octet| !b"\r\n\0".contains(octet)));
        at += 1;
    }
    (text.len(), b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(address: &Address) -> String {
        let text = |part: &Option<Octets>| {
            part.as_ref().map_or_else(|| "NIL".into(), |part| String::from_utf8_lossy(part).into_owned())
        };
        [&address.name, &address.adl, &address.mailbox, &address.host].map(text).join("|")
    }

    fn check(value: &str, expected: &[&str]) {
        let mut list = Vec::new();
        addresses(value.as_bytes(), &mut list, MAX_ADDRESSES);
        assert_eq!(list.iter().map(show).collect::<Vec<_>>(), expected, "{value:?}");
    }

    #[test]
    fn addresses_are_read_as_they_stand() {
        check("a@x.example", &["NIL|NIL|a|x.example"]);
        check("John Doe <a@x.example>,b@x.example", &["John Doe|NIL|a|x.example", "NIL|NIL|b|x.example"]);
        check(r#""Doe, \"J\"" <a@x.example>"#, &[r#"Doe, "J"|NIL|a|x.example"#]);
        check(
            "=?utf-8?Q?J=C3=B6rg?=\r\n =?x?= <a@x.example>",
            &["=?utf-8?Q?J=C3=B6rg?= =?x?=|NIL|a|x.example"],
        );
        check("a@x.example (John (the) Doe)", &["John (the) Doe|NIL|a|x.example"]);
        check("c . d @ x.example, \"a, b\"@x.example", &["NIL|NIL|c.d|x.example", "NIL|NIL|a, b|x.example"]);
        check("< a (c) @x.example >, <@r.example,@s:b@x>", &["NIL|NIL|a|x.example", "NIL|@r.example,@s|b|x"]);
        check(
            "a@[IPv6:2001:db8::1], <a@[192.0.2.1]>",
            &["NIL|NIL|a|[IPv6:2001:db8::1]", "NIL|NIL|a|[192.0.2.1]"],
        );
    }

    #[test]
    fn local_parts_have_no_quotes() {
        check(r#""a b"@x.example"#, &["NIL|NIL|a b|x.example"]);
        check(r#"Name <"a b"@x.example>"#, &["Name|NIL|a b|x.example"]);
        check(r#"<"a@b"@x.example>"#, &["NIL|NIL|a@b|x.example"]);
        check(r#""a \"b\" \\c"@x.example"#, &[r#"NIL|NIL|a "b" \c|x.example"#]);
        check(r#""a b"."c".d@x.example"#, &["NIL|NIL|a b.c.d|x.example"]);
        check(r#"""@x.example"#, &["NIL|NIL||x.example"]);
        check(r#"<@r.example:"a b"@x.example>"#, &["NIL|@r.example|a b|x.example"]);
    }

    #[test]
    fn groups_have_a_start_and_an_end() {
        check(
            "Us: a@x, B <b@x>; c@x",
            &["NIL|NIL|Us|NIL", "NIL|NIL|a|x", "B|NIL|b|x", "NIL|NIL|NIL|NIL", "NIL|NIL|c|x"],
        );
        check(
            r#""The, \"Team\"": "a b"@x, (nobody) ;, c@x"#,
            &[r#"NIL|NIL|The, "Team"|NIL"#, "NIL|NIL|a b|x", "NIL|NIL|NIL|NIL", "NIL|NIL|c|x"],
        );
        check(
            "One: a@x; Two:;",
            &["NIL|NIL|One|NIL", "NIL|NIL|a|x", "NIL|NIL|NIL|NIL", "NIL|NIL|Two|NIL", "NIL|NIL|NIL|NIL"],
        );
        check("undisclosed-recipients:;", &["NIL|NIL|undisclosed-recipients|NIL", "NIL|NIL|NIL|NIL"]);
        check("left open: a@x", &["NIL|NIL|left open|NIL", "NIL|NIL|a|x", "NIL|NIL|NIL|NIL"]);
    }

    #[test]
    fn what_is_no_address_is_shown_too() {
        check("root, Nobody Here", &["NIL|NIL|root|", "NIL|NIL|Nobody Here|"]);
        check("John <>, <>, ,, (only)", &["John|NIL||"]);
        check("@x.example, \"a@b\"", &["NIL|NIL||x.example", "NIL|NIL|a@b|"]);
        check("a <b@c, \"d", &["a|NIL|b@c,d|"]);
        check("a <b@c> <d@e>", &["a <d@e>|NIL|b|c"]);
        check("[a", &["NIL|NIL|[a|"]);
    }
}
