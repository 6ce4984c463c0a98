//! Encoded words and parameters (RFC 2047, RFC 2231): text other than ASCII in header fields.

use crate::codec::Encoding;
use crate::field::{FOLD_AT, Folder, MALFORMED, MAX_LINE, NewField};
use crate::header::Field;
use mail_parser::decoders::charsets::map::charset_decoder;

/// Octets of text in one encoded word: in base64 with its frame it stays below the 75 of RFC 2047 §2.
const WORD: usize = 42;
/// Longest value that is decoded, in octets. Beyond it a value is cut: it is for people.
const MAX_DECODED: usize = 64 * 1024;

/// Decodes the encoded words in a header value (RFC 2047 §6). What is malformed stays as it is; control characters go.
pub fn decode_words(value: &str) -> String {
    let mut rest = &value[..value.floor_char_boundary(MAX_DECODED)];
    let mut decoded = Decoded::default();
    while let Some(start) = rest.find("=?") {
        match EncodedWord::read(&rest[start..]) {
            Some((word, after)) => {
                decoded.plain(&rest[..start]);
                decoded.word(&word);
                rest = after;
            }
            None => {
                decoded.plain(&rest[..start + 2]);
                rest = &rest[start + 2..];
            }
        }
    }
    decoded.plain(rest);
    decoded.finish()
}

/// The same of a value of any length.
pub(crate) fn decode_long(value: &str) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while rest.len() > MAX_DECODED {
        // No encoded word has white space in it.
        let end = rest.floor_char_boundary(MAX_DECODED);
        let (piece, after) =
            rest.split_at(rest[..end].rfind([' ', '\t']).filter(|at| *at > 0).unwrap_or(end));
        out += &decode_words(piece);
        rest = after;
    }
    out + &decode_words(rest)
}

struct EncodedWord<'a> {
    charset: &'a str,
    content: Vec<u8>,
}

impl<'a> EncodedWord<'a> {
    /// `=?charset?encoding?text?=` at the start of `text`, and what follows it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        let (encoded, rest) = rest.split_once("?=")?;
        if charset.is_empty() || charset.contains(char::is_whitespace) || encoded.contains('?') {
            return None;
        }
        let content = match encoding {
            "B" | "b" => Encoding::Base64.decode(encoded.as_bytes()),
            "Q" | "q" => Encoding::QuotedPrintable.decode(encoded.replace('_', "=20").as_bytes()),
            _ => return None,
        };
        // A language may follow the charset (RFC 2231 §5).
        Some((Self { charset: charset.split('*').next().unwrap_or(charset), content }, rest))
    }
}

/// Joins neighbouring words: white space between them is none of the text's, and a character may be cut in two.
#[derive(Default)]
struct Decoded<'a> {
    text: String,
    charset: &'a str,
    pending: Vec<u8>,
}

impl<'a> Decoded<'a> {
    fn plain(&mut self, text: &str) {
        if !self.pending.is_empty() && text.trim().is_empty() {
            return;
        }
        self.flush();
        self.text.push_str(text);
    }

    fn word(&mut self, word: &EncodedWord<'a>) {
        if !word.charset.eq_ignore_ascii_case(self.charset) {
            self.flush();
            self.charset = word.charset;
        }
        self.pending.extend_from_slice(&word.content);
    }

    fn flush(&mut self) {
        let bytes = std::mem::take(&mut self.pending);
        self.text.push_str(&decode_charset(Some(self.charset), &bytes));
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text.retain(|c| !c.is_control() || c == '\t');
        self.text
    }
}

/// How text in a charset is read.
pub(crate) enum Charset {
    /// As browsers know it.
    Web(&'static encoding_rs::Encoding),
    /// What browsers do not know, mail may still have: UTF-7.
    Mail(fn(&[u8]) -> String),
}

/// The charset of a label (RFC 2046 §4.1.2): UTF-8 when it is unknown or not said.
pub(crate) fn charset(label: Option<&str>) -> Charset {
    // US-ASCII is often said where the bytes are not; UTF-8 is then the better guess than windows-1252.
    let label =
        label.map(str::trim).filter(|label| !label.eq_ignore_ascii_case("us-ascii")).unwrap_or("utf-8");
    let known = encoding_rs::Encoding::for_label(label.as_bytes()).filter(|&e| e != encoding_rs::REPLACEMENT);
    match (known, charset_decoder(label.as_bytes())) {
        (None, Some(decode)) => Charset::Mail(decode),
        (known, _) => Charset::Web(known.unwrap_or(encoding_rs::UTF_8)),
    }
}

/// Text in the charset of a label.
pub(crate) fn decode_charset(label: Option<&str>, bytes: &[u8]) -> String {
    match charset(label) {
        Charset::Mail(decode) => decode(bytes),
        Charset::Web(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// An unstructured field such as `Subject`: plain if it is ASCII, else in encoded words.
pub(crate) fn unstructured(name: &'static str, text: &str) -> NewField {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| word.len() < MAX_LINE - FOLD_AT)
    {
        return NewField::new(name, &text);
    }
    let mut folder = Folder::new(name);
    encoded(text.trim()).iter().for_each(|word| folder.word(word));
    folder.finish()
}

/// A display name (RFC 5322 `phrase`): atoms, a quoted string or encoded words.
pub(crate) fn phrase(name: &str) -> Vec<String> {
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let name = name.trim();
    if !name.is_ascii() || name.contains("=?") || name.len() > FOLD_AT {
        return encoded(name);
    }
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    if name.chars().all(atext) {
        return name.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    vec![format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))]
}

/// `; name=value` (RFC 2045 §5.1), or in the form of RFC 2231 when the value is long or not ASCII.
pub(crate) fn parameter(name: &str, value: &str) -> Vec<String> {
    let value: String = value.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if value.is_ascii() && value.len() <= 60 {
        return vec![format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&b);
    let escape = |b: u8| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") };
    let escaped: Vec<String> = value.chars().map(|c| c.to_string().bytes().map(escape).collect()).collect();
    // Sections of about 45 octets, cut between characters: some readers decode each alone.
    let mut sections = vec![String::from("utf-8''")];
    for piece in escaped {
        match sections.last_mut() {
            Some(last) if last.len() < 45 => last.push_str(&piece),
            _ => sections.push(piece),
        }
    }
    if let [only] = sections.as_slice() {
        return vec![format!("{name}*={only}")];
    }
    let last = sections.len() - 1;
    let end = |n| if n < last { ";" } else { "" };
    sections.iter().enumerate().map(|(n, section)| format!("{name}*{n}*={section}{}", end(n))).collect()
}

/// A field in ASCII, in lines of at most 998 octets. Words above ASCII become encoded words: that is what readers
/// understand also where the grammar has no place for them (a file name in quotes).
pub(crate) fn seven_bit_field(field: &Field<'_>, out: &mut Vec<u8>) {
    if crate::encode::Body::of(field.as_bytes()) == crate::encode::Body::SevenBit {
        return out.extend_from_slice(field.as_bytes());
    }
    // A line that is no field must not become one when what made it none is taken away, nor end the header.
    let name = field.name().unwrap_or(MALFORMED);
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    let text = String::from_utf8_lossy(field.raw_value());
    let words = text.split([' ', '\t', '\r', '\n', '\0']).filter(|word| !word.is_empty());
    let parameters = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-"));
    let mut quoted = false;
    for piece in words.flat_map(|word| match parameters {
        true => seven_bit_parameters(word, &mut quoted),
        false => seven_bit_word(word),
    }) {
        let fits = column + 1 + piece.len() <= FOLD_AT;
        out.extend_from_slice(if fits { b" " } else { b"\r\n " });
        column = if fits { column } else { 0 } + 1;
        out.extend_from_slice(piece.as_bytes());
        column += piece.len();
    }
    out.extend_from_slice(b"\r\n");
}

fn seven_bit_word(word: &str) -> Vec<String> {
    let clean = without_controls(word);
    lines(&if clean.is_ascii() { clean } else { encoded(&clean).join(" ") })
}

/// Quotes, `=` and `;` stay outside encoded words, so that the others are still read; what is no value gets none, as their `=`
/// would make it one. `quoted`: the word begins within quotes.
fn seven_bit_parameters(word: &str, quoted: &mut bool) -> Vec<String> {
    let clean = without_controls(word);
    let mut text = String::new();
    for segment in clean.split_inclusive(['"', '=', ';']) {
        let (inner, mark) = segment.split_at(segment.trim_end_matches(['"', '=', ';']).len());
        match inner.is_ascii() {
            true => text.push_str(inner),
            false if *quoted || text.ends_with('=') => text.push_str(&encoded(inner).join(" ")),
            false => text.extend(inner.chars().map(|c| if c.is_ascii() { c } else { '_' })),
        }
        text.push_str(mark);
        *quoted ^= mark == "\"" && !inner.ends_with('\\');
    }
    lines(&text)
}

fn without_controls(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_control() { '?' } else { c }).collect()
}

/// No piece is longer than a line may be.
fn lines(text: &str) -> Vec<String> {
    text.split(' ')
        .flat_map(|piece| piece.as_bytes().chunks(MAX_LINE - FOLD_AT))
        .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
        .collect()
}

/// `text` in encoded words, each of whole characters (RFC 2047 §5).
fn encoded(text: &str) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(WORD));
        words.push(format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(word.as_bytes())));
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;
    use proptest::prelude::*;

    #[test]
    fn names_are_written_in_the_simplest_form() {
        let check = |name: &str, expected: &str| assert_eq!(phrase(name).join(" "), expected);
        check("John Doe", "John Doe");
        check("Doe, John \"J\"", "\"Doe, John \\\"J\\\"\"");
        check("Jörg", "=?utf-8?B?SsO2cmc=?=");
        check("a\r\nBcc: b", "\"a  Bcc: b\"");
    }

    #[test]
    fn parameters_follow_rfc_2231() {
        assert_eq!(parameter("filename", "a \"b\".txt"), ["filename=\"a \\\"b\\\".txt\""]);
        assert_eq!(parameter("filename", "ü.txt"), ["filename*=utf-8''%C3%BC.txt"]);
        let long = parameter("filename", &"ü".repeat(20)).join(" ");
        assert!(long.starts_with("filename*0*=utf-8''%C3") && long.contains("; filename*1*=%"), "{long}");
    }

    #[test]
    fn encoded_words_are_decoded() {
        let check = |value: &str, text: &str| assert_eq!(decode_words(value), text, "{value}");
        check("=?utf-8?B?4oKs?=", "\u{20ac}");
        check("a =?ISO-8859-1?Q?a_=E9?= b =?x", "a a \u{e9} b =?x");
        check("=?utf-8?Q?=E2=82?= \t=?utf-8*en?q?=AC?=", "\u{20ac}");
        check("=?utf-8?X?a?= =??Q?a?=", "=?utf-8?X?a?= =??Q?a?=");
        check("=?nonsense?Q?a?=", "a");
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "[a-zA-Zäöü=?,é€😀 ]{0,120}") {
            let field = unstructured("Subject", &text).to_string();
            prop_assert!(field.is_ascii() && field.lines().all(|line| line.len() <= FOLD_AT));
            let raw = format!("{field}\r\n");
            let value = Header::parse(raw.as_bytes()).get("Subject").unwrap().value();
            let squeeze = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeeze(&decode_words(&value)), squeeze(&text));
        }

        #[test]
        fn decoding_takes_anything(text in ".{0,80}|(=\\?[a-z0-9-]{0,8}\\?[BQbq]\\?.{0,8}\\?= ?){0,4}") {
            decode_words(&text);
        }
    }
}
