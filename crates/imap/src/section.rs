//! Parts of a message, as FETCH names them (RFC 9051 §6.4.5.1).

/// Deepest part path that is read; messages are not parsed deeper.
pub const MAX_PATH: usize = 64;
/// Header names in one `HEADER.FIELDS`. Clients ask for about thirty.
pub const MAX_FIELDS: usize = 512;

/// What is between the brackets of `BODY[…]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// `1.2`; empty: the message itself.
    pub path: Vec<u32>,
    pub text: Option<SectionText>,
}

/// What of the part: nothing here means the part's body, or with an empty path the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    Header,
    /// Of the names, in the order and case in which they were asked for, which the response repeats.
    HeaderFields {
        names: Vec<String>,
        not: bool,
    },
    Text,
    /// Only with a path.
    Mime,
}

/// `<0.500>`: from this octet, so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    pub offset: u64,
    /// Not zero.
    pub length: u64,
}
