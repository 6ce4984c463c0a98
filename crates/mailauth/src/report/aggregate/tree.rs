//! A small piece of XML as a tree: one child of the root at a time, so that a report of any length takes the memory of its
//! largest record.

use super::ParseError;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Deepest nesting that is read; the schema needs six levels.
pub(super) const MAX_DEPTH: usize = 16;
/// Most elements of one child of the root; a record of 100 signatures has about 500.
pub(super) const MAX_ELEMENTS: usize = 4096;
/// Longest text of an element that is kept, in octets. Characters that XML has no way to write are kept as U+FFFD.
pub const MAX_TEXT: usize = 1024;

/// An element. Prefixes of namespaces and attributes are left out.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Its own text, without the space around it.
    pub(super) fn content(&self) -> &str {
        self.text.trim()
    }

    /// The text of a child, without the space around it; `None` when it is absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::content)
    }

    /// Like [`text`](Self::text), and `None` when it is empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// In lower case, as words are compared.
    pub(super) fn word(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_ascii_lowercase()
    }
}

/// Reads the children of the root one by one.
pub(super) struct Children<'a> {
    reader: Reader<&'a [u8]>,
}

impl<'a> Children<'a> {
    /// `None` when the root is not named `root`.
    pub(super) fn open(text: &'a str, root: &str) -> Result<Self, ParseError> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().allow_dangling_amp = true;
        loop {
            match reader.read_event()? {
                Event::Start(start) if local(start.local_name().as_ref()) == root => {
                    return Ok(Self { reader });
                }
                Event::Start(_) | Event::Eof => return Err(ParseError::NoReport),
                Event::DocType(_) => return Err(ParseError::DocumentType),
                _ => {}
            }
        }
    }

    /// The next child, or `None` at the end of the root.
    pub(super) fn next(&mut self) -> Result<Option<Element>, ParseError> {
        let mut open: Vec<Element> = Vec::new();
        let mut elements = 0;
        loop {
            match self.reader.read_event()? {
                Event::Start(start) => {
                    elements += 1;
                    if open.len() == MAX_DEPTH || elements > MAX_ELEMENTS {
                        return Err(ParseError::TooComplex);
                    }
                    let name = local(start.local_name().as_ref());
                    open.push(Element { name, ..Element::default() });
                }
                Event::End(_) => {
                    let Some(element) = open.pop() else { return Ok(None) };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return Ok(Some(element)),
                    }
                }
                Event::Text(text) => append(open.last_mut(), &text),
                Event::CData(text) => append(open.last_mut(), &text),
                Event::GeneralRef(reference) => append(open.last_mut(), &resolved(&reference)),
                Event::DocType(_) => return Err(ParseError::DocumentType),
                Event::Eof => return Err(ParseError::CutShort),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }
}

fn local(name: &str) -> String {
    name.chars().take(MAX_TEXT).collect::<String>().to_ascii_lowercase()
}

fn append(element: Option<&mut Element>, text: &str) {
    let Some(element) = element else { return };
    // XML 1.0 §2.11: a line ends with LF alone.
    for c in text.chars().filter(|c| *c != '\r').map(writable) {
        if element.text.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        element.text.push(c);
    }
}

/// The character, or what stands for one that XML 1.0 §2.2 has no way to write; nor would a terminal want it.
pub(super) fn writable(c: char) -> char {
    let forbidden = (c.is_control() && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if forbidden { char::REPLACEMENT_CHARACTER } else { c }
}

/// A character by its number, one of the five of XML 1.0 §4.6, and nothing else: entities are not expanded.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    match &**reference {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        unknown => format!("&{unknown};"),
    }
}
