//! The words of a message as they go by: decoded, in pieces.

use super::charset::Charset;
use super::html::Html;
use crate::codec::Encoding;
use crate::header::{Field, Header};
use crate::mime::Media;
use crate::structure::{Parsed, Part, Sink, Walker, Whose};
use crate::transfer::Decoder;
use crate::words::{decode_long, decode_words};
use std::borrow::Cow;

/// Octets of a part's content that are read at once.
const PIECE: usize = 32 * 1024;
/// Longest text before the first part of a multipart, in octets, that is known for that: what is longer is taken for text of the
/// message, for parts may never come.
const MAX_PREAMBLE: usize = 64 * 1024;
/// Longest name of a file that is read, in octets.
const MAX_FILE_NAME: usize = 1024;

/// Who is told the words of a message.
pub trait Words {
    /// A field, its value decoded and on one line. It goes on in [`Words::rest`] unless it `ends`.
    fn field(&mut self, whose: Whose, name: &str, value: &str, ends: bool);
    /// More of the value of the field that did not end.
    fn rest(&mut self, whose: Whose, value: &str, ends: bool);
    /// The next piece of the body: the text of parts and the names of attachments, each ending in LF. There is no CR in it.
    fn text(&mut self, text: &str);
    /// Whether more of the body is of no use.
    fn is_full(&self) -> bool;
}

/// Tells somebody the words of a message that comes in pieces of any size, in memory that does not grow with it.
#[derive(Debug)]
pub struct Stream<W>(Walker<Reader<W>>);

impl<W: Words> Stream<W> {
    pub fn new(words: W) -> Self {
        Self(Walker::new(Reader { words, named: false, leaf: None, content: Vec::new() }))
    }

    /// Takes the next octets, any number of them.
    pub fn feed(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    /// Who was told so far.
    pub fn words(&self) -> &W {
        &self.0.sink().words
    }

    pub fn finish(self) -> (Parsed, W) {
        let (parsed, reader) = self.0.finish();
        (parsed, reader.words)
    }
}

#[derive(Debug)]
struct Reader<W> {
    words: W,
    /// Whether the field that was read last is one: others have no name.
    named: bool,
    /// The part that is being read, if it is text.
    leaf: Option<Leaf>,
    /// Its next content without the transfer encoding.
    content: Vec<u8>,
}

#[derive(Debug)]
struct Leaf {
    /// Until the part has ended.
    decoder: Option<Decoder>,
    charset: Charset,
    html: Option<Html>,
    /// Text of a multipart, as long as it may stand before the first part.
    preamble: Option<String>,
    /// Whether the line that was told last has not ended.
    in_line: bool,
}

impl<W: Words> Sink for Reader<W> {
    fn field(&mut self, field: &Field<'_>, whose: Whose, whole: bool) {
        self.named = field.name().is_some();
        if let Some(name) = field.name() {
            self.words.field(whose, name, &value(field), whole);
        }
    }

    fn rest(&mut self, octets: &[u8], whose: Whose) {
        if self.named {
            self.words.rest(
                whose,
                &decoded(&String::from_utf8_lossy(octets).replace(['\r', '\n'], "")),
                false,
            );
        }
    }

    fn rest_ends(&mut self, whose: Whose) {
        if self.named {
            self.words.rest(whose, "", true);
        }
    }

    fn begin(&mut self, part: &Part, header: &Header<'_>) {
        let media = Media::read(header, "Content-Type");
        if let Some(name) = file_name(header, media.as_ref()).filter(|name| !name.is_empty()) {
            self.words.text(&name);
            self.words.text("\n");
        }
        // What multiparts begin with is their text, if no part follows.
        let multipart = part.media_type == "multipart";
        let text = multipart || matches!(part.media_type.as_str(), "text" | "message");
        let label = media.as_ref().and_then(|media| media.parameter("charset"));
        self.leaf =
            text.then(|| Decoder::of(Encoding::named(&part.encoding))).flatten().map(|decoder| Leaf {
                decoder: Some(decoder),
                charset: Charset::new(label),
                html: part.is("text", "html").then(Html::default),
                preamble: multipart.then(String::new),
                in_line: false,
            });
    }

    fn octets(&mut self, octets: &[u8]) {
        let Some(decoder) = self.leaf.as_mut().and_then(|leaf| leaf.decoder.as_mut()) else { return };
        decoder.feed(octets, &mut self.content);
        if self.content.len() >= PIECE {
            self.read(false);
        }
    }

    fn end(&mut self) {
        if let Some(decoder) = self.leaf.as_mut().and_then(|leaf| leaf.decoder.take()) {
            decoder.finish(&mut self.content);
            self.read(true);
        }
        self.ends();
    }

    fn discard(&mut self) {
        self.ends();
    }
}

impl<W: Words> Reader<W> {
    /// Reads the content that has come, which is the `last` of the part or not.
    fn read(&mut self, last: bool) {
        let Some(leaf) = &mut self.leaf else { return };
        if self.words.is_full() {
            self.leaf = None;
            return self.content.clear();
        }
        let mut text = String::new();
        leaf.charset.feed(&self.content, last, &mut text);
        self.content.clear();
        if let Some(html) = &mut leaf.html {
            let mut shown = String::with_capacity(text.len());
            html.feed(&text, &mut shown);
            if last {
                std::mem::take(html).finish(&mut shown);
            }
            text = shown;
        }
        if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            text = text.split('\r').collect();
        }
        if let Some(mut preamble) = leaf.preamble.take() {
            preamble.push_str(&text);
            if !last && preamble.len() <= MAX_PREAMBLE {
                leaf.preamble = Some(preamble);
                return;
            }
            text = preamble;
        }
        if !text.is_empty() {
            leaf.in_line = !text.ends_with('\n');
            self.words.text(&text);
        }
    }

    /// The part has ended.
    fn ends(&mut self) {
        if self.leaf.take().is_some_and(|leaf| leaf.in_line) {
            self.words.text("\n");
        }
        self.content.clear();
    }
}

/// A field's value, decoded, on one line.
fn value<'a>(field: &Field<'a>) -> Cow<'a, str> {
    // Most are that already.
    let plain = std::str::from_utf8(field.raw_value().trim_ascii()).ok();
    let plain = plain.filter(|value| !value.contains("=?") && !value.contains(|c: char| c.is_control()));
    plain.map_or_else(|| decoded(&field.value()).into(), Cow::Borrowed)
}

fn decoded(unfolded: &str) -> String {
    // An encoded word can have a line end in it, which would begin another field.
    decode_long(unfolded).replace(['\r', '\n'], " ")
}

/// The name that an attachment has (RFC 2183 §2.3).
fn file_name(header: &Header<'_>, media: Option<&Media>) -> Option<String> {
    let disposition = Media::read(header, "Content-Disposition");
    let name = disposition.as_ref().and_then(|disposition| disposition.parameter("filename"));
    let name = name.or_else(|| media?.parameter("name"))?;
    Some(decode_words(&name[..name.floor_char_boundary(MAX_FILE_NAME)]))
}
