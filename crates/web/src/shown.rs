//! Messages as they are shown: decoded, bounded, and the same for pages and programs.

use crate::captured::MAX_VIEWED;
use data_encoding::BASE64;
use message::{Attachment, Header, Listed, View};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::mailbox::{Summary, flag};
use store::trail::{Entry, Event};

/// Octets of images that are put into a message's HTML, counted each time one is shown.
const MAX_IMAGES: usize = 8 << 20;
/// Different images put into a message's HTML; each is looked for in the whole message.
const MAX_DIFFERENT_IMAGES: usize = 40;
/// Characters shown of what should have been an address.
const MAX_ODD_ADDRESS: usize = 200;

/// A message in a listing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) uid: u32,
    pub(crate) id: store::Id,
    pub(crate) received: jiff::Timestamp,
    pub(crate) size: u64,
    pub(crate) unread: bool,
    pub(crate) from: Vec<Person>,
    pub(crate) to: Vec<Person>,
    pub(crate) cc: Vec<Person>,
    pub(crate) subject: String,
}

/// One entry of an address field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    pub(crate) name: Option<String>,
    /// `None` where the field has something that is no address.
    pub(crate) address: Option<String>,
}

impl Row {
    /// Reads the beginning of a message; a header that is longer is read as far as it is there.
    pub(crate) fn read(summary: &Summary, head: &[u8]) -> Self {
        let header = Header::parse(head);
        let subject = header.get("Subject").map(|field| message::decode_words(&field.value()));
        Self {
            uid: summary.uid,
            id: summary.id,
            received: timestamp(summary.received),
            size: summary.size,
            unread: summary.flags & flag::SEEN == 0,
            from: people(&header, "From"),
            to: people(&header, "To"),
            cc: people(&header, "Cc"),
            subject: subject.unwrap_or_default(),
        }
    }

    /// Whether `search`, in lower case, is part of what the listing shows.
    pub(crate) fn contains(&self, search: &str) -> bool {
        let people = self.from.iter().chain(&self.to).chain(&self.cc);
        let mut texts = people.map(Person::to_string).chain([self.subject.clone(), self.id.to_string()]);
        search.is_empty() || texts.any(|text| text.to_lowercase().contains(search))
    }
}

impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, &self.address) {
            (Some(name), Some(address)) => write!(f, "{name} <{address}>"),
            (Some(text), None) | (None, Some(text)) => f.write_str(text),
            (None, None) => Ok(()),
        }
    }
}

fn people(header: &Header<'_>, name: &str) -> Vec<Person> {
    let mut people = Vec::new();
    for field in header.all(name) {
        let value = field.value();
        let listed = message::parse_list(&value).unwrap_or_default();
        people.extend(listed.into_iter().map(|listed| person(listed, &value)));
    }
    people
}

fn person(listed: Listed, field: &str) -> Person {
    match listed.path {
        Ok(path) => {
            let path = path.to_string();
            Person { name: listed.name, address: Some(path.trim_matches(['<', '>']).to_owned()) }
        }
        Err(_) => {
            let text = || message::decode_words(field).chars().take(MAX_ODD_ADDRESS).collect();
            Person { name: Some(listed.name.unwrap_or_else(text)), address: None }
        }
    }
}

/// Who sent it to whom in SMTP, which the header need not say.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Envelope {
    /// Empty for the null reverse-path.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

impl Envelope {
    pub(crate) fn of(trail: &[Entry]) -> Option<Self> {
        trail.iter().find_map(|entry| match &entry.event {
            Event::Accepted { from, recipients, .. } => {
                Some(Self { from: from.clone(), to: recipients.clone() })
            }
            _ => None,
        })
    }
}

/// Everything that can be shown of one message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    pub(crate) row: Row,
    pub(crate) headers: Vec<Field>,
    pub(crate) text: String,
    /// Made harmless; `None` when no part is HTML.
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<File>,
    /// The message is longer than what is read to show it.
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// An attachment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct File {
    /// Its number in URLs.
    pub(crate) part: usize,
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) size: usize,
    pub(crate) content_id: Option<String>,
}

impl Shown {
    pub(crate) fn read(summary: &Summary, bytes: &[u8]) -> Self {
        let view = View::read(bytes);
        let fields = view.fields.iter();
        Self {
            row: Row::read(summary, bytes),
            headers: fields.map(|(name, value)| Field { name: name.clone(), value: value.clone() }).collect(),
            text: view.text(),
            html: html(&view, bytes),
            attachments: view.attachments.into_iter().map(File::from).collect(),
            cut: summary.size > MAX_VIEWED as u64,
        }
    }
}

impl File {
    pub(crate) fn size_words(&self) -> String {
        crate::words::size(self.size as u64)
    }
}

impl From<Attachment> for File {
    fn from(found: Attachment) -> Self {
        let Attachment { part, name, media_type, size, content_id } = found;
        Self { part, name, media_type, size, content_id }
    }
}

/// The HTML made harmless, its own images put into it: then nothing of a message has an address that a browser would
/// show as a page of this server.
fn html(view: &View, bytes: &[u8]) -> Option<String> {
    if !view.has_html() {
        return None;
    }
    let images = images(&view.attachments, bytes);
    let left = AtomicUsize::new(MAX_IMAGES);
    view.html(|id| {
        let image = images.get(id)?;
        let taken = |left: usize| left.checked_sub(image.len());
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).ok()?;
        Some(image.clone())
    })
}

/// `data:` URLs of the images that HTML may refer to, by Content-ID.
fn images<'a>(attachments: &'a [Attachment], bytes: &[u8]) -> HashMap<&'a str, String> {
    let raster = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"];
    let mut left = MAX_IMAGES;
    let mut images = HashMap::new();
    for attachment in attachments.iter().filter(|found| raster.contains(&found.media_type.as_str())) {
        let Some(id) = &attachment.content_id else { continue };
        let length = BASE64.encode_len(attachment.size);
        if length > left || images.len() == MAX_DIFFERENT_IMAGES {
            continue;
        }
        let Some(content) = message::content(bytes, attachment.part) else { continue };
        left -= length;
        let url = || format!("data:{};base64,{}", attachment.media_type, BASE64.encode(&content));
        images.entry(id.as_str()).or_insert_with(url);
    }
    images
}

pub(crate) fn timestamp(unix_ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default()
}
