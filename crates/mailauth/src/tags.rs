//! The tag-list of RFC 6376 §3.2, which signatures, keys and DMARC records share.
//!
//! ```text
//! tag-list  =  tag-spec *( ";" tag-spec ) [ ";" ]
//! tag-spec  =  [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
//! tag-value =  [ tval *( 1*(WSP / FWS) tval ) ]
//! VALCHAR   =  %x21-3A / %x3C-7E
//! ```

use memchr::memchr;
use std::ops::Range;

/// Most tags of one list: RFC 6376 defines 13; the bound keeps the search for duplicates cheap.
pub(crate) const MAX_TAGS: usize = 64;

/// A tag-list, its values still as they were written, without the white space around them.
pub(crate) struct TagList<'a> {
    tags: Vec<Tag<'a>>,
}

struct Tag<'a> {
    name: &'a str,
    value: &'a str,
    /// From after the `=` to the `;` or the end, in octets of the text parsed.
    extent: Range<usize>,
}

/// What breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("it is not UTF-8 text")]
    Utf8,
    #[error("the tag {0:?} has no \"=\"")]
    NoEquals(String),
    #[error("{0:?} is no tag name")]
    Name(String),
    #[error("the tag {0}= occurs twice")]
    Duplicate(String),
    #[error("the tag {0}= has a control character or a line end that folds nothing")]
    Character(String),
    #[error("it has more than {MAX_TAGS} tags")]
    TooMany,
    #[error("{0}= has the bad value {1:?}")]
    Value(&'static str, String),
}

impl<'a> TagList<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, TagError> {
        let text = std::str::from_utf8(text).map_err(|_| TagError::Utf8)?;
        let mut tags: Vec<Tag<'a>> = Vec::new();
        let mut start = 0;
        for spec in text.split(';') {
            let end = start + spec.len();
            let last = end == text.len();
            if last && !tags.is_empty() && trim(spec).is_empty() {
                break;
            }
            let tag = Tag::parse(spec, start)?;
            if tags.iter().any(|t| t.name == tag.name) {
                return Err(TagError::Duplicate(tag.name.to_owned()));
            }
            if tags.len() == MAX_TAGS {
                return Err(TagError::TooMany);
            }
            tags.push(tag);
            start = end + 1;
        }
        Ok(Self { tags })
    }

    /// The value of a tag; `Some("")` and `None` are not the same.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.tags.iter().find(|t| t.name == name).map(|t| t.value)
    }

    /// Where the value of a tag stands in the text, the white space around it included.
    pub(crate) fn extent(&self, name: &str) -> Option<Range<usize>> {
        self.tags.iter().find(|t| t.name == name).map(|t| t.extent.clone())
    }

    /// Which tag of the list this is, from 0.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.tags.iter().position(|t| t.name == name)
    }
}

impl<'a> Tag<'a> {
    /// `start` is where the tag-spec begins in the whole text.
    fn parse(spec: &'a str, start: usize) -> Result<Self, TagError> {
        let Some((name, value)) = spec.split_once('=') else {
            return Err(TagError::NoEquals(trim(spec).to_owned()));
        };
        let extent = start + name.len() + 1..start + spec.len();
        let name = trim(name);
        let mut bytes = name.bytes();
        let punctuated = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) || !bytes.all(punctuated) {
            return Err(TagError::Name(name.to_owned()));
        }
        if !folds_well(spec.as_bytes()) {
            return Err(TagError::Character(name.to_owned()));
        }
        Ok(Self { name, value: trim(value), extent })
    }
}

/// Whether each control character is HTAB or part of a fold (CRLF and WSP).
fn folds_well(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(cr) = memchr(b'\r', rest) {
        let (line, fold) = rest.split_at(cr);
        let Some(next) = fold.strip_prefix(b"\r\n") else { return false };
        if !is_plain(line) || !matches!(next.first(), None | Some(b' ' | b'\t')) {
            return false;
        }
        rest = next;
    }
    is_plain(rest)
}

/// No control character but HTAB. Each octet is looked at, without a branch, which compilers make vector instructions of.
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, b| plain & ((*b >= b' ') & (*b != 0x7f) | (*b == b'\t')))
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Takes the white space of RFC 6376 §2.8 off both ends.
pub(crate) fn trim(text: &str) -> &str {
    // Trimmed as octets: what is taken off is ASCII, so the rest is text still.
    let octets = text.as_bytes();
    let start = octets.iter().take_while(|b| is_space(**b)).count();
    let end = octets[start..].iter().rev().take_while(|b| is_space(**b)).count();
    &text[start..octets.len() - end]
}

/// The text without any white space, as base64 and dkim-quoted-printable are read.
pub(crate) fn without_space(text: &str) -> String {
    text.split([' ', '\t', '\r', '\n']).collect()
}

/// A base64string of RFC 6376 §2.10: white space anywhere, padding or none.
pub(crate) fn base64(tag: &'static str, value: &str) -> Result<Vec<u8>, TagError> {
    let mut text = Vec::with_capacity(value.len());
    value.as_bytes().split(|b| is_space(*b)).for_each(|piece| text.extend_from_slice(piece));
    let digits = text.strip_suffix(b"=").map_or(&*text, |t| t.strip_suffix(b"=").unwrap_or(t));
    data_encoding::BASE64_NOPAD.decode(digits).map_err(|_| TagError::Value(tag, shortened(value)))
}

/// The elements of a colon-separated list, without the white space around them.
pub(crate) fn colon_list(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(trim)
}

/// A value as an error shows it: enough to find it, never a flood.
pub(crate) fn shortened(value: &str) -> String {
    const SHOWN: usize = 60;
    if value.len() <= SHOWN {
        return value.to_owned();
    }
    format!("{}…", &value[..value.floor_char_boundary(SHOWN)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], TagError>) {
        let list = TagList::parse(text.as_bytes());
        let tags = list.map(|l| l.tags.iter().map(|t| (t.name, t.value)).collect::<Vec<_>>());
        assert_eq!(tags, expected.map(<[_]>::to_vec), "{text:?}");
    }

    /// RFC 6376 §3.2.
    #[test]
    fn tag_lists() {
        check("v=1", Ok(&[("v", "1")]));
        check("v=1;", Ok(&[("v", "1")]));
        check("v=1; \r\n ", Ok(&[("v", "1")]));
        check(" v \t= \r\n 1 ; a_1=x", Ok(&[("v", "1"), ("a_1", "x")]));
        check("n=a  b\r\n c", Ok(&[("n", "a  b\r\n c")]));
        check("V=1;v=2", Ok(&[("V", "1"), ("v", "2")]));
        check("p=;b=a=b=", Ok(&[("p", ""), ("b", "a=b=")]));
        check("n=grüße", Ok(&[("n", "grüße")]));
    }

    #[test]
    fn broken_tag_lists() {
        check("", Err(TagError::NoEquals(String::new())));
        check(";", Err(TagError::NoEquals(String::new())));
        check("v=1;;a=2", Err(TagError::NoEquals(String::new())));
        check("v=1;a", Err(TagError::NoEquals("a".into())));
        check("=1", Err(TagError::Name(String::new())));
        check("1v=1", Err(TagError::Name("1v".into())));
        check("v v=1", Err(TagError::Name("v v".into())));
        check("v-v=1", Err(TagError::Name("v-v".into())));
        check("v=1;v=1", Err(TagError::Duplicate("v".into())));
        check("n=a\0b", Err(TagError::Character("n".into())));
        check("n=a\nb", Err(TagError::Character("n".into())));
        check("n=a\rb", Err(TagError::Character("n".into())));
        check("n=a\r\nb", Err(TagError::Character("n".into())));
        let many: String = (0..=MAX_TAGS).map(|i| format!("t{i}=;")).collect();
        check(&many, Err(TagError::TooMany));
        assert_eq!(TagList::parse(b"n=\xff").map(|_| ()), Err(TagError::Utf8));
    }

    #[test]
    fn the_extent_of_a_value_has_its_white_space() {
        let text = "a=1; b = x y ;c=2";
        let extent = TagList::parse(text.as_bytes()).unwrap().extent("b").unwrap();
        assert_eq!(&text[extent], " x y ");
    }

    #[test]
    fn base64_is_folded_anywhere() {
        assert_eq!(base64("b", "Zm 9v\r\n\tYg = ="), Ok(b"foob".to_vec()));
        assert_eq!(base64("b", "Zm9vYg"), Ok(b"foob".to_vec()));
        for bad in ["Zm9v*", "Z", "Zm9=v", "Zg==="] {
            assert_eq!(base64("b", bad), Err(TagError::Value("b", bad.into())));
        }
    }
}
