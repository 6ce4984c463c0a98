//! The words of a message, for search and previews: header, text and HTML of all its parts, decoded.
//!
//! [`Stream`] tells them as they go by, in memory that does not grow with the message; [`Extractor`] keeps the first of them.

mod charset;
mod fold;
mod html;
mod reader;

pub use crate::structure::Whose;
pub use fold::{Folder, fold};
pub use reader::{Stream, Words};

use crate::structure::Parsed;

/// Most text of bodies that is kept, in octets, without the tags of HTML: a long book. What has more is a log or an export.
pub const MAX_BODY: usize = 1024 * 1024;
/// Most text of headers that is kept, in octets.
pub const MAX_HEADER: usize = 128 * 1024;
/// Longest preview, in characters (RFC 8970 §3.3).
pub const MAX_PREVIEW: usize = 200;

/// What can be searched in a message. There is no CR in any of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text {
    /// A line `Name: value` for each field of the message, decoded.
    pub header: String,
    /// The same of its parts, and of those of messages in it.
    pub mime: String,
    /// The same of the messages in it: to who searches, they are of its body.
    pub inner: String,
    /// The text of its parts, HTML without tags, and names of attachments, each on lines of its own that end in LF.
    pub body: String,
    pub cut: Cut,
}

/// What is not all there, as [`MAX_HEADER`] or [`MAX_BODY`] was reached.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Of `header` or `mime`.
    pub header: bool,
    /// Of `inner` or `body`.
    pub content: bool,
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
#[derive(Debug)]
pub struct Extractor(Stream<Kept>);

impl Default for Extractor {
    fn default() -> Self {
        Self(Stream::new(Kept::default()))
    }
}

impl Extractor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets, any number of them.
    pub fn feed(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    pub fn finish(self) -> (Parsed, Text) {
        let (parsed, kept) = self.0.finish();
        (parsed, kept.text)
    }
}

/// The words of a message up to the bounds.
#[derive(Debug, Default)]
struct Kept {
    text: Text,
    full: bool,
}

impl Words for Kept {
    fn field(&mut self, whose: Whose, name: &str, value: &str, ends: bool) {
        let text = &mut self.text;
        let kept = text.header.len() + text.mime.len() + text.inner.len();
        if !ends || kept + name.len() + value.len() + 3 > MAX_HEADER {
            return text.cut.field(whose);
        }
        let lines = match whose {
            Whose::Message => &mut text.header,
            Whose::Part => &mut text.mime,
            Whose::Inner => &mut text.inner,
        };
        for piece in [name, ": ", value, "\n"] {
            lines.push_str(piece);
        }
    }

    /// A field this long was not kept.
    fn rest(&mut self, _whose: Whose, _value: &str, _ends: bool) {}

    fn text(&mut self, text: &str) {
        let room = if self.full { 0 } else { MAX_BODY - self.text.body.len() };
        let kept = &text[..text.floor_char_boundary(room)];
        self.text.body.push_str(kept);
        self.full |= kept.len() < text.len();
        self.text.cut.content |= self.full;
    }

    fn is_full(&self) -> bool {
        self.full
    }
}

impl Cut {
    fn field(&mut self, whose: Whose) {
        match whose {
            Whose::Message | Whose::Part => self.header = true,
            Whose::Inner => self.content = true,
        }
    }
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

#[cfg(test)]
mod tests;
