//! Reading a message for people: decoded header, the best text, harmless HTML, attachments.

use crate::codec::Encoding;
use crate::header::Header;
use crate::html;
use crate::list::{self, Listed};
use crate::mime::{Kind, Media, Part};
use crate::words::{decode_charset, decode_words};
use jiff::Timestamp;
use mail_parser::decoders::html::html_to_text;

/// Most fields that are shown; more is an attack or a mistake, and nobody reads it.
const MAX_FIELDS: usize = 1000;
/// Most text and HTML that is shown, in octets each. What is longer is cut; the source is there to be saved.
pub const MAX_SHOWN: usize = 2 * 1024 * 1024;

/// A message as people read it.
///
/// ```
/// let raw = b"From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nSubject: Hi\r\n\r\nHello\r\n";
/// let view = message::View::read(raw);
/// assert_eq!(view.from[0].name.as_deref(), Some("J\u{f6}rg"));
/// assert_eq!((view.subject.as_str(), view.text().as_str()), ("Hi", "Hello\n"));
/// ```
#[derive(Debug, Clone)]
pub struct View {
    /// Every field in order, decoded and unfolded.
    pub fields: Vec<(String, String)>,
    pub from: Vec<Listed>,
    pub to: Vec<Listed>,
    pub cc: Vec<Listed>,
    pub subject: String,
    /// When it was written, if that can be read.
    pub date: Option<Timestamp>,
    pub attachments: Vec<Attachment>,
    blocks: Vec<Block>,
}

/// A part that is not shown as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// For [`content`].
    pub part: usize,
    /// Safe as a file name; see [`file_name`].
    pub name: String,
    /// Like `image/png`, in lower case.
    pub media_type: String,
    /// Octets, decoded.
    pub size: usize,
    /// Content-ID without angle brackets, by which HTML refers to it.
    pub content_id: Option<String>,
}

/// A piece of the text: what alternatives there are for it.
#[derive(Debug, Clone, Default)]
struct Block {
    plain: Option<String>,
    html: Option<String>,
}

impl Block {
    fn text(&self) -> String {
        match (&self.plain, &self.html) {
            (Some(plain), _) => plain.clone(),
            (None, Some(html)) => html_to_text(html).replace("\r\n", "\n"),
            (None, None) => String::new(),
        }
    }
}

impl View {
    /// Reads any bytes; depth, parts and text are bounded.
    pub fn read(message: &[u8]) -> Self {
        let root = Part::parse(message);
        let header = root.header;
        let text = |name| header.get(name).map(|field| decode_words(&field.value())).unwrap_or_default();
        let addresses =
            |name| header.all(name).flat_map(|f| list::parse(&f.value()).unwrap_or_default()).collect();
        let shown =
            |field: crate::header::Field<'_>| Some((field.name()?.to_owned(), decode_words(&field.value())));
        let mut reader =
            Reader { message, next: 0, blocks: Vec::new(), attachments: Vec::new(), left: MAX_SHOWN };
        reader.part(&root, false);
        Self {
            fields: header.fields().filter_map(shown).take(MAX_FIELDS).collect(),
            from: addresses("From"),
            to: addresses("To"),
            cc: addresses("Cc"),
            subject: text("Subject"),
            date: date(&header),
            attachments: reader.attachments,
            blocks: reader.blocks,
        }
    }

    /// The text, with LF; from the HTML where there is no plain text.
    pub fn text(&self) -> String {
        self.blocks.iter().map(Block::text).collect::<Vec<_>>().join("\n")
    }

    /// Whether any of the message is HTML.
    pub fn has_html(&self) -> bool {
        self.blocks.iter().any(|block| block.html.is_some())
    }

    /// The HTML made harmless: no scripts, styles or forms, nothing loaded from elsewhere, links that say nothing of
    /// where they were. `image` gives the address to show for an image of the message itself, by its Content-ID. Parts that
    /// are plain text, and HTML too large to be made harmless, stand in `<pre>`. `None` without any HTML.
    pub fn html(&self, image: impl Fn(&str) -> Option<String> + Send + Sync) -> Option<String> {
        if !self.has_html() {
            return None;
        }
        let block = |block: &Block| match (&block.html, &block.plain) {
            (Some(html), _) if html::fits(html) => html::harmless(html, &image),
            _ => format!("<pre>{}</pre>", html::escape(&block.text())),
        };
        Some(self.blocks.iter().map(block).collect::<Vec<_>>().join("<hr>"))
    }
}

/// The decoded content of an attachment, by its number in [`Attachment::part`].
pub fn content(message: &[u8], part: usize) -> Option<Vec<u8>> {
    fn find(part: &Part<'_>, left: &mut usize, message: &[u8]) -> Option<Vec<u8>> {
        match &part.kind {
            Kind::Multipart(parts) => return parts.iter().find_map(|part| find(part, left, message)),
            _ if *left == 0 => {}
            _ => {
                *left -= 1;
                return None;
            }
        }
        Some(Encoding::of(&part.header).decode(message.get(part.body.clone())?))
    }
    let mut left = part;
    find(&Part::parse(message), &mut left, message)
}

/// A name under which a file can be saved anywhere: the last component, without control characters or those that some
/// system forbids, not hidden, not a device's name, not empty, at most 150 octets with the extension kept.
pub fn file_name(name: &str, media_type: &str) -> String {
    /// Room for what a file system adds: most allow 255 octets.
    const MAX: usize = 150;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let kept = name.chars().filter(|&c| !c.is_control() && !turns(c));
    let clean: String = kept.map(|c| if r#"<>:"|?*"#.contains(c) { '_' } else { c }).collect();
    let clean = clean.trim_start_matches([' ', '.', '~', '-']).trim_end_matches([' ', '.', '~']);
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 10 => {
            (stem, format!(".{extension}"))
        }
        _ => (clean, String::new()),
    };
    if stem.is_empty() {
        let extension = match media_type {
            "text/plain" => "txt",
            "text/html" => "html",
            "message/rfc822" | "message/global" => "eml",
            "application/pdf" => "pdf",
            "image/png" => "png",
            "image/jpeg" => "jpg",
            "text/calendar" => "ics",
            _ => "bin",
        };
        return format!("attachment.{extension}");
    }
    let first = stem.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |prefix: &str| first.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && n != "0");
    let device =
        matches!(first.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt");
    let stem = &stem[..stem.floor_char_boundary(MAX - extension.len())];
    format!("{}{}{extension}", if device { "_" } else { "" }, stem.trim_end_matches([' ', '.']))
}

struct Reader<'a> {
    message: &'a [u8],
    next: usize,
    blocks: Vec<Block>,
    attachments: Vec<Attachment>,
    left: usize,
}

impl Reader<'_> {
    fn part(&mut self, part: &Part<'_>, related: bool) {
        let Kind::Multipart(parts) = &part.kind else { return self.leaf(part, related) };
        match part.media.subtype.as_str() {
            "alternative" => self.alternative(parts),
            // The first is the document, the others belong to it (RFC 2387 §3.2).
            "related" => parts.iter().enumerate().for_each(|(n, part)| self.part(part, n > 0)),
            _ => parts.iter().for_each(|part| self.part(part, false)),
        }
    }

    /// Several forms of one thing: they become one block (RFC 2046 §5.1.4).
    fn alternative(&mut self, parts: &[Part<'_>]) {
        let before = self.blocks.len();
        parts.iter().for_each(|part| self.part(part, false));
        let mut one = Block::default();
        for block in self.blocks.drain(before..) {
            one.plain = one.plain.or(block.plain);
            one.html = block.html.or(one.html);
        }
        if one.plain.is_some() || one.html.is_some() {
            self.blocks.push(one);
        }
    }

    fn leaf(&mut self, part: &Part<'_>, related: bool) {
        let number = self.next;
        self.next += 1;
        let body = self.message.get(part.body.clone()).unwrap_or_default();
        let content = Encoding::of(&part.header).decode(body);
        let disposition = Media::read(&part.header, "Content-Disposition");
        let attached = disposition.as_ref().is_some_and(|d| d.kind == "attachment");
        let named = disposition
            .as_ref()
            .and_then(|d| d.parameter("filename"))
            .or_else(|| part.media.parameter("name"));
        let html = part.media.is("text", "html");
        // Text with a name is somebody's file, HTML with a name often is not.
        let text = matches!(part.kind, Kind::Leaf) && (html || part.media.is("text", "plain"));
        if text && !attached && !related && (html || named.is_none()) {
            return self.text(part, &content, html);
        }
        let media_type = part.media.to_string();
        let id = part.header.get("Content-ID").map(|field| field.value());
        self.attachments.push(Attachment {
            part: number,
            name: file_name(&decode_words(named.unwrap_or_default()), &media_type),
            media_type,
            size: content.len(),
            content_id: id.map(|id| id.trim_matches(['<', '>', ' ']).to_owned()).filter(|id| !id.is_empty()),
        });
    }

    fn text(&mut self, part: &Part<'_>, content: &[u8], html: bool) {
        let content = &content[..content.len().min(self.left)];
        self.left -= content.len();
        let text = decode_charset(part.media.parameter("charset"), content);
        let block = if html {
            Block { html: Some(text), plain: None }
        } else {
            Block { plain: Some(text.replace("\r\n", "\n").replace('\r', "\n")), html: None }
        };
        self.blocks.push(block);
    }
}

fn date(header: &Header<'_>) -> Option<Timestamp> {
    let parsed = mail_parser::DateTime::parse_rfc822(&header.get("Date")?.value())?;
    Timestamp::from_second(parsed.is_valid().then(|| parsed.to_timestamp())?).ok()
}

#[cfg(test)]
mod tests;
