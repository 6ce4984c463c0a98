//! The words of a message, for search and previews: header, text and HTML of all its parts, decoded.

use crate::codec::Encoding;
use crate::header::{Field, Header};
use crate::mime::Media;
use crate::structure::{Parsed, Part, Sink, Walker};
use crate::transfer::Decoder;
use crate::words::{decode_charset, decode_words};
use mail_parser::decoders::html::html_to_text;
use unicode_normalization::UnicodeNormalization;

/// Most text of bodies that is read, in octets, HTML with its tags: a long book. What has more is a log or an export.
pub const MAX_BODY: usize = 1024 * 1024;
/// Most text of headers that is read, in octets.
pub const MAX_HEADER: usize = 128 * 1024;
/// Longest preview, in characters (RFC 8970 §3.3).
pub const MAX_PREVIEW: usize = 200;
/// Longest name of a file that is read, in octets.
const MAX_FILE_NAME: usize = 1024;

/// What can be searched in a message.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text {
    /// A line `Name: value` for each field of the message, decoded.
    pub header: String,
    /// The same of the messages in it: to who searches, they are of its body.
    pub inner: String,
    /// The text of its parts, HTML without tags, and names of attachments, each on lines of its own that end in LF.
    pub body: String,
    /// Whether it is not all of it: [`MAX_BODY`] or [`MAX_HEADER`] was reached.
    pub cut: bool,
}

/// Reads the text of a message that comes in pieces of any size, and its structure in the same pass.
///
/// ```
/// let mut extractor = message::text::Extractor::new();
/// extractor.feed(b"Subject: =?utf-8?Q?Caf=C3=A9?=\r\nContent-Type: text/html\r\n\r\n<p>Hello,<br>you</p>");
/// let (parsed, text) = extractor.finish();
/// assert_eq!((text.header.as_str(), text.body.as_str()), ("Subject: Caf\u{e9}\nContent-Type: text/html\n", "Hello,\nyou\n"));
/// assert_eq!(message::preview(&text), "Hello, you");
/// assert!(parsed.root.is("text", "html"));
/// ```
#[derive(Debug, Default)]
pub struct Extractor(Walker<Reader>);

impl Extractor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets, any number of them.
    pub fn feed(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    pub fn finish(self) -> (Parsed, Text) {
        let (parsed, reader) = self.0.finish();
        (parsed, reader.text)
    }
}

#[derive(Debug, Default)]
struct Reader {
    text: Text,
    /// The part that is being read, if it is text.
    leaf: Option<Leaf>,
    /// Its content without the transfer encoding.
    content: Vec<u8>,
}

#[derive(Debug)]
struct Leaf {
    decoder: Decoder,
    charset: Option<String>,
    html: bool,
}

impl Sink for Reader {
    fn field(&mut self, field: &Field<'_>, own: bool) {
        let Some(name) = field.name() else { return };
        // Most are ASCII on one line.
        let plain = std::str::from_utf8(field.raw_value().trim_ascii()).ok();
        let plain = plain.filter(|value| !value.contains("=?") && !value.contains(|c: char| c.is_control()));
        // An encoded word can have a line end in it, which would begin another field.
        let on_one_line = |value: String| value.replace(['\r', '\n'], " ");
        let decoded = plain.is_none().then(|| on_one_line(decode_words(&field.value())));
        let value = decoded.as_deref().or(plain).unwrap_or_default();
        let text = &mut self.text;
        if text.header.len() + text.inner.len() + name.len() + value.len() + 3 > MAX_HEADER {
            text.cut = true;
            return;
        }
        let lines = if own { &mut text.header } else { &mut text.inner };
        for piece in [name, ": ", value, "\n"] {
            lines.push_str(piece);
        }
    }

    fn begin(&mut self, part: &Part, header: &Header<'_>) {
        let media = Media::read(header, "Content-Type");
        if let Some(name) = file_name(header, media.as_ref()) {
            self.push(&name);
        }
        // What multiparts begin with is their text, if no part follows.
        let text = matches!(part.media_type.as_str(), "text" | "message" | "multipart");
        self.leaf =
            text.then(|| Decoder::of(Encoding::named(&part.encoding))).flatten().map(|decoder| Leaf {
                decoder,
                charset: media.as_ref().and_then(|media| media.parameter("charset")).map(str::to_owned),
                html: part.is("text", "html"),
            });
    }

    fn octets(&mut self, octets: &[u8]) {
        let Some(leaf) = &mut self.leaf else { return };
        leaf.decoder.feed(octets, &mut self.content);
        // Not before decoding: where it is cut must not follow from the pieces.
        let room = MAX_BODY.saturating_sub(self.text.body.len());
        self.text.cut |= self.content.len() > room;
        self.content.truncate(room);
    }

    fn end(&mut self) {
        if let Some(leaf) = self.leaf.take() {
            leaf.decoder.finish(&mut self.content);
            let content = std::mem::take(&mut self.content);
            let text = decode_charset(leaf.charset.as_deref(), &content);
            self.push(&if leaf.html { html_to_text(&spaced(&text)) } else { text });
            self.content = content;
        }
        self.content.clear();
    }

    fn discard(&mut self) {
        self.leaf = None;
        self.content.clear();
    }
}

impl Reader {
    fn push(&mut self, text: &str) {
        let text = text.trim_end();
        let room = MAX_BODY.saturating_sub(self.text.body.len());
        let kept = &text[..text.floor_char_boundary(room)];
        self.text.cut |= kept.len() < text.len();
        self.text.body.extend(kept.split('\r'));
        if !kept.is_empty() {
            self.text.body.push('\n');
        }
    }
}

/// The name that an attachment has (RFC 2183 §2.3).
fn file_name(header: &Header<'_>, media: Option<&Media>) -> Option<String> {
    let disposition = Media::read(header, "Content-Disposition");
    let name = disposition.as_ref().and_then(|disposition| disposition.parameter("filename"));
    let name = name.or_else(|| media?.parameter("name"))?;
    Some(decode_words(&name[..name.floor_char_boundary(MAX_FILE_NAME)]))
}

/// Elements that stand within words and lines; the others part what is before them from what is in them.
const INLINE: [&str; 29] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// HTML with a space before tags that begin or end a block, which the reader of HTML does not know.
fn spaced(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let mut pieces = html.split('<');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let tag = piece.strip_prefix('/').unwrap_or(piece);
        let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let block = end > 0 && !INLINE.iter().any(|inline| inline.eq_ignore_ascii_case(&tag[..end]));
        out.push_str(if block { " <" } else { "<" });
        out.push_str(piece);
    }
    out
}

/// The beginning of the text, on one line of at most [`MAX_PREVIEW`] characters (RFC 8970); what is quoted in a reply is left
/// out. Empty if there is no text.
pub fn preview(text: &Text) -> String {
    let lines = || text.body.lines().map(str::trim).filter(|line| !line.is_empty());
    let own = first_words(lines().filter(|line| !line.starts_with('>')));
    if own.is_empty() { first_words(lines()) } else { own }
}

fn first_words<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let (mut out, mut left) = (String::new(), MAX_PREVIEW);
    for c in lines.flat_map(|line| line.chars().chain([' '])) {
        // Also characters that take no place, which newsletters put behind what they want shown here.
        let gap = c.is_whitespace() || c.is_control();
        let invisible = matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
        if invisible || gap && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if left == 0 {
            break;
        }
        out.push(if gap { ' ' } else { c });
        left -= 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// The form in which text is compared when case does not matter: near to `i;unicode-casemap`, which RFC 5255 §4.4 and RFC 5256
/// §3 ask for. Characters are decomposed, so that composed and decomposed ones are the same, then upper case where
/// that is one character.
///
/// ```
/// assert_eq!(message::text::fold("Gr\u{fc}\u{df}e"), message::text::fold("GRU\u{308}\u{df}E"));
/// ```
pub fn fold(text: &str) -> String {
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
    };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        // ASCII is decomposed already, and no mark passes it when marks are put in order.
        let ascii = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        out.push_str(&rest[..ascii]);
        let from = out.len() - ascii;
        out[from..].make_ascii_uppercase();
        let (other, after) = rest[ascii..].split_at(
            rest.bytes().skip(ascii).position(|octet| octet.is_ascii()).unwrap_or(rest.len() - ascii),
        );
        out.extend(other.nfkd().map(upper));
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests;
