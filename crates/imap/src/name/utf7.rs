//! Modified UTF-7 (RFC 3501 §5.1.3).

use data_encoding::{Encoding, Specification};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Base64 with `,` for `/`, without padding. Trailing bits must be zero.
static BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    specification.encoding().unwrap_or(data_encoding::BASE64_NOPAD)
});

/// The name that `text` stands for. What is no proper modified UTF-7 is taken as it stands: clients that know nothing
/// of it write `A&B`, or UTF-8.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    strictly(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// `None` when the text is not what [`encode`] gives for any name, or when there are control characters in it, which
/// nobody has in a name and who sees it may stumble over.
fn strictly(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (base64, after) = shifted.split_once('-')?;
        if base64.is_empty() {
            name.push('&');
        } else {
            let octets = BASE64.decode(base64.as_bytes()).ok()?;
            let units = octets.chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            let units = units.collect::<Option<Vec<u16>>>()?;
            name.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    let sound = !name.contains(char::is_control) && encode(&name) == text;
    sound.then_some(name)
}

/// The name in modified UTF-7: printable ASCII but `&` stands for itself.
pub fn encode(name: &str) -> Cow<'_, str> {
    let stands = |char: char| matches!(char, ' '..='~');
    if name.chars().all(|char| stands(char) && char != '&') {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() * 2);
    let mut rest = name;
    while let Some(char) = rest.chars().next() {
        if stands(char) {
            text.push(char);
            if char == '&' {
                text.push('-');
            }
            rest = &rest[1..];
            continue;
        }
        let length = rest.find(stands).unwrap_or(rest.len());
        let octets: Vec<u8> = rest[..length].encode_utf16().flat_map(u16::to_be_bytes).collect();
        text.push('&');
        BASE64.encode_append(&octets, &mut text);
        text.push('-');
        rest = &rest[length..];
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_rfc_and_others() {
        for (text, name) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("A&-B", "A&B"),
            ("&2D3eAA-", "\u{1f600}"),
            ("&AOQA9g-", "äö"),
            ("plain", "plain"),
        ] {
            assert_eq!(decode(text), name);
            assert_eq!(encode(name), text);
        }
    }

    #[test]
    fn what_is_not_valid_is_taken_as_it_stands() {
        // In turn: no end; a printable character; a null shift; an odd octet; half a surrogate pair; bits left over;
        // a slash in base64; a control character; UTF-8.
        for text in ["A&B", "&AGE-", "&AOQ-&APY-", "&AO-", "&2D0-", "&AOR-", "&ZeVn/Iqe-", "&AAo-", "ä&-"] {
            assert_eq!(decode(text), text);
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[^\\p{Cc}]{0,40}") {
            let text = encode(&name).into_owned();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(&text), name);
        }

        /// No two texts that are valid mean the same name, so that a client finds what it wrote.
        #[test]
        fn what_decodes_encodes_to_itself(text in "[&A-Ba-b0-9,+\\- ]{0,20}") {
            if let Some(name) = strictly(&text) {
                prop_assert_eq!(encode(&name).into_owned(), text);
            }
        }
    }
}
