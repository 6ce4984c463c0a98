//! What threads are made of (RFC 5256): subjects without what replies put around them, and identifiers in one form.

use crate::words::decode_words;

/// Longest subject that is looked at, in octets: what stands at its front is looked through again for each piece that goes.
const MAX_SUBJECT: usize = 4096;
/// Most identifiers that are read of a field: the last ones are those that count.
const MAX_REFERENCES: usize = 1000;
/// Longest identifier, in octets: it stands on a line (RFC 5322 §2.1.1).
const MAX_ID: usize = 998;

/// The base subject of a `Subject`, as it stands in the header, and whether it is that of a reply or a forwarded message
/// (RFC 5256 §2.1). Compared after [`fold`](crate::text::fold).
///
/// ```
/// assert_eq!(message::base_subject("Re: [list] =?utf-8?Q?Caf=C3=A9?= (fwd)"), ("Caf\u{e9}".into(), true));
/// assert_eq!(message::base_subject("[list]"), ("[list]".into(), false));
/// ```
pub fn base_subject(subject: &str) -> (String, bool) {
    // (1)
    let decoded = decode_words(&subject[..subject.floor_char_boundary(MAX_SUBJECT)]);
    let one_line = decoded.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let one_line = one_line.join(" ");
    let (mut rest, mut is_reply) = (one_line.as_str(), false);
    loop {
        // (2)
        while let Some(shorter) = rest.strip_suffix(' ').or_else(|| strip_end(rest, "(fwd)")) {
            is_reply |= rest.ends_with(')');
            rest = shorter;
        }
        // (3), (4), (5)
        loop {
            if let Some(shorter) = rest.strip_prefix(' ') {
                rest = shorter;
            } else if let Some(shorter) = leader(rest) {
                (rest, is_reply) = (shorter, true);
            } else if let Some(shorter) = blob(rest).filter(|shorter| !shorter.is_empty()) {
                rest = shorter;
            } else {
                break;
            }
        }
        // (6)
        match strip_start(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => (rest, is_reply) = (inner, true),
            None => return (rest.to_owned(), is_reply),
        }
    }
}

/// `*subj-blob subj-refwd` of RFC 5256 §5.
fn leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(after) = blob(rest) {
        rest = after;
    }
    let rest = ["re", "fwd", "fw"].iter().find_map(|word| strip_start(rest, word))?.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob`: text in square brackets.
fn blob(text: &str) -> Option<&str> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    (!inner.contains('[')).then(|| rest.trim_start_matches(' '))
}

fn strip_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

fn strip_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    tail.eq_ignore_ascii_case(end).then_some(rest)
}

/// The identifiers in `References`, `In-Reply-To` or `Message-ID`, without angle brackets, quotes and comments: those that
/// mean the same are the same (RFC 5256 §3). What stands outside of brackets is none.
///
/// ```
/// assert_eq!(message::message_ids("<\"01KF\"@x.example> (that) <a.b@y>"), ["01KF@x.example", "a.b@y"]);
/// ```
pub fn message_ids(value: &str) -> Vec<String> {
    let mut ids: Vec<String> = value.split('<').skip(1).filter_map(message_id).collect();
    ids.drain(..ids.len().saturating_sub(MAX_REFERENCES));
    ids
}

/// The first of them alone, which of `References` is what the thread began with, however long that has become.
pub fn first_message_id(value: &str) -> Option<String> {
    value.split('<').skip(1).find_map(message_id)
}

/// One of them, from after its bracket.
fn message_id(text: &str) -> Option<String> {
    let (mut id, mut quoted, mut comments) = (String::new(), false, 0usize);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => id.extend(chars.next()),
            '"' if comments == 0 => quoted = !quoted,
            c if quoted => id.push(c),
            '(' => comments += 1,
            ')' if comments > 0 => comments -= 1,
            _ if comments > 0 || c.is_whitespace() => {}
            '>' => return (!id.is_empty() && id.len() <= MAX_ID).then_some(id),
            c => id.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(subject: &str, base: &str, is_reply: bool) {
        assert_eq!(base_subject(subject), (base.to_owned(), is_reply), "{subject:?}");
    }

    #[test]
    fn the_base_of_a_subject() {
        check("hello", "hello", false);
        check("Re: hello", "hello", true);
        check("RE:  re : Fwd: FW[2]: \t hello\r\n world (fwd) (FWD) ", "hello world", true);
        check("[list] Re: [other] [x] hello", "hello", true);
        check("[list] hello", "hello", false);
        check("[list]", "[list]", false);
        check("[a] [b]", "[b]", false);
        check("Re: [b]", "[b]", true);
        check("[Fwd: Re: hello (fwd)]", "hello", true);
        check("[fwd: [list] hello] more", "[fwd: [list] hello] more", false);
        check("[fwd:]", "", true);
        check("Re:", "", true);
        check("(fwd)", "", true);
        check("Regarding: x", "Regarding: x", false);
        check("=?utf-8?Q?Re=3A_=C3=A4?=", "\u{e4}", true);
        check("\u{e9}re: x", "\u{e9}re: x", false);
    }

    #[test]
    fn identifiers_have_one_form() {
        let check = |value: &str, ids: &[&str]| assert_eq!(message_ids(value), ids, "{value:?}");
        check("<a@x>\r\n\t<b@x>", &["a@x", "b@x"]);
        check("<\"a b\"@x>", &["a b@x"]);
        check("< a (c) @x >", &["a@x"]);
        check("a@x, <>, <open, <\"b\\\"\"@x>", &["b\"@x"]);
        check("Your message of Monday <c@x>", &["c@x"]);
        assert_eq!(message_ids(&"<a@x>".repeat(5000)).len(), MAX_REFERENCES);
    }

    proptest! {
        #[test]
        fn a_base_is_its_own_base(subject in "((re|fwd?|\\[fwd:|\\[[a-z]?\\]|\\(fwd\\)|:|\\]|é| |x)){0,12}") {
            let (base, _) = base_subject(&subject);
            prop_assert_eq!(base_subject(&base).0, base);
        }
    }
}
