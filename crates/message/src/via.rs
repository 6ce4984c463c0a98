//! A forwarder that speaks in its own name, where the author's would not be believed from it (RFC 7960 §4.1.3.1).

use crate::compose::mailboxes;
use crate::edit::{Edit, Edited};
use crate::field::NewField;
use crate::list::{Listed, Mailbox, parse};
use address::{Address, ForwardPath};

/// The field that has what From was. Whoever signs the message signs this too, or anybody could write it.
pub const ORIGINAL_FROM: &str = "X-Original-From";
/// Authors that the new From names; of more it says that there are others.
const MAX_NAMED: usize = 3;
/// Characters of one author's name: who forwards must still be seen after it.
const MAX_NAME: usize = 60;

/// The message as it goes on in the name of `by`, the forwarder's own address: From is `"Joe via example.org" <by@example.org>`,
/// what it was stands in `Reply-To`, unless the message says itself where answers go, and in [`ORIGINAL_FROM`]. All else
/// stays. The first part of the message is enough, as long as its header is complete.
///
/// `None` when the message has not exactly one From field that names an author, or `by` is of no domain.
///
/// ```
/// let raw = b"From: Joe <joe@example.net>\r\nSubject: hello\r\n\r\nHi!\r\n";
/// let edited = message::via(raw, &"list@example.org".parse().unwrap()).unwrap();
/// assert_eq!(
///     String::from_utf8(edited.to_vec(raw)).unwrap(),
///     "From: \"Joe via example.org\" <list@example.org>\r\nReply-To: Joe <joe@example.net>\r\n\
///      X-Original-From: Joe <joe@example.net>\r\nSubject: hello\r\n\r\nHi!\r\n"
/// );
/// ```
pub fn via(message: &[u8], by: &Address) -> Option<Edited> {
    let domain = by.domain()?;
    let mut edit = Edit::new(message);
    let header = edit.header();
    let mut fields = header.all("From");
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let was = field.value();
    let name = format!("{} via {domain}", names(&parse(&was).ok()?)?);
    edit.remove("From");
    edit.prepend(&NewField::new(ORIGINAL_FROM, &was));
    edit.add_missing("Reply-To", || NewField::new("Reply-To", &was));
    edit.prepend(&mailboxes("From", &[Mailbox { name: Some(name), address: by.clone() }]));
    Some(edit.finish())
}

/// The authors as readers are shown them.
fn names(authors: &[Listed]) -> Option<String> {
    let named: Vec<String> = authors.iter().take(MAX_NAMED).filter_map(name).collect();
    let others = if authors.len() > MAX_NAMED { " and others" } else { "" };
    (!named.is_empty()).then(|| format!("{}{others}", named.join(", ")))
}

/// The display name, else the local part. Nothing that looks like an address: only the forwarder's is vouched for (RFC
/// 7960 §4.1.3.3).
fn name(author: &Listed) -> Option<String> {
    let local = match author.path.as_ref().ok()? {
        ForwardPath::Address(address) => address.local(),
        ForwardPath::Unqualified(local) => local,
    };
    let shown = author.name.as_deref().map(readable).filter(|name| !name.is_empty());
    Some(shown.unwrap_or_else(|| readable(local.as_str())))
}

fn readable(text: &str) -> String {
    let text: String =
        text.chars().filter(|c| !hides(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start: String = text.split('@').next().unwrap_or_default().trim().chars().take(MAX_NAME).collect();
    start.trim_end().to_owned()
}

/// Marks of writing direction: with them a name could turn around what follows it.
fn hides(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;
    use crate::words::decode_words;

    /// The new From, and Reply-To.
    fn check(header: &str, expected: Option<(&str, &str)>) {
        let raw = format!("{header}\r\nSubject: x\r\n\r\nFrom: body\r\n");
        let found = via(raw.as_bytes(), &"out@example.org".parse().unwrap())
            .map(|edited| edited.to_vec(raw.as_bytes()));
        let Some(found) = found else { return assert_eq!(None, expected, "{header}") };
        let parsed = Header::parse(&found);
        let all = |name: &str| {
            parsed.all(name).map(|field| field.value().replace('\t', " ")).collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(Some((&*all("From"), &*all("Reply-To"))), expected, "{header}");
        assert_eq!(all("Subject"), "x");
        assert!(found.ends_with(b"\r\n\r\nFrom: body\r\n"), "the body stays");
        let was = Header::parse(raw.as_bytes()).get("From").unwrap().value();
        assert_eq!(parsed.get(ORIGINAL_FROM).unwrap().value().replace('\t', " "), was, "{header}");
    }

    #[test]
    fn the_forwarder_speaks_and_the_author_gets_the_answers() {
        let check = |from: &str, name: &str| {
            check(&format!("From: {from}"), Some((&format!("{name} <out@example.org>"), from)));
        };
        check("joe@far.example", "\"joe via example.org\"");
        check("<joe@far.example>", "\"joe via example.org\"");
        check("Joe Doe <joe@far.example>", "\"Joe Doe via example.org\"");
        check("joe@far.example (Joe)", "\"Joe via example.org\"");
        check("\"Doe, Joe \\\"J\\\"\" <joe@far.example>", "\"Doe, Joe \\\"J\\\" via example.org\"");
        check("\"\" <joe@far.example>", "\"joe via example.org\"");
        check("=?utf-8?Q?J=C3=B6rg?= <joe@far.example>", "=?utf-8?B?SsO2cmcgdmlhIGV4YW1wbGUub3Jn?=");
        check("J\u{f6}rg <joe@far.example>", "=?utf-8?B?SsO2cmcgdmlhIGV4YW1wbGUub3Jn?=");
        check("j\u{f6}rg@far.example", "=?utf-8?B?asO2cmcgdmlhIGV4YW1wbGUub3Jn?=");
    }

    #[test]
    fn several_authors_and_groups_are_named_up_to_three() {
        let check = |from: &str, name: &str| {
            check(&format!("From: {from}"), Some((&format!("{name} <out@example.org>"), from)));
        };
        check("A <a@far.example>, b@far.example", "\"A, b via example.org\"");
        check("Us: A <a@far.example>, B <b@far.example>;", "\"A, B via example.org\"");
        check(
            "a@far.example, b@far.example, c@far.example, d@far.example",
            "\"a, b, c and others via example.org\"",
        );
    }

    /// RFC 7960 §4.1.3.3.
    #[test]
    fn a_name_is_no_address_and_hides_nothing() {
        let check = |from: &str, name: &str| {
            check(&format!("From: {from}"), Some((&format!("{name} <out@example.org>"), from)));
        };
        check("\"ceo@bank.example\" <joe@far.example>", "\"ceo via example.org\"");
        check("\"@bank.example\" <joe@far.example>", "\"joe via example.org\"");
        check("=?utf-8?B?Sm9l4oCu?= <joe@far.example>", "\"Joe via example.org\"");
        check(
            &format!("{} <joe@far.example>", "x".repeat(70)),
            &format!("\"{} via example.org\"", "x".repeat(60)),
        );
    }

    #[test]
    fn a_message_that_says_where_answers_go_keeps_it() {
        check(
            "Reply-To: list@far.example\r\nFrom: joe@far.example",
            Some(("\"joe via example.org\" <out@example.org>", "list@far.example")),
        );
    }

    #[test]
    fn without_one_author_nothing_is_done() {
        check("To: joe@far.example", None);
        check("From: a@far.example\r\nFrom: b@far.example", None);
        check("From: undisclosed:;", None);
        check("From: nobody at all", None);
    }

    #[test]
    fn a_long_name_is_folded_and_comes_back() {
        let raw = format!("From: {} <joe@far.example>\r\n\r\n", "\u{fc}".repeat(80));
        let found = via(raw.as_bytes(), &"out@example.org".parse().unwrap()).unwrap().to_vec(raw.as_bytes());
        let text = String::from_utf8(found).unwrap();
        let from = Header::parse(text.as_bytes()).get("From").unwrap().value();
        assert!(text.lines().next().unwrap().len() <= crate::FOLD_AT, "{text}");
        assert_eq!(
            decode_words(&from).replace('\t', ""),
            format!("{} via example.org <out@example.org>", "\u{fc}".repeat(60))
        );
    }
}
