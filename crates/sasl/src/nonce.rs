//! What makes an exchange unlike every other.

use data_encoding::BASE64;

/// A nonce of printable ASCII without a comma (RFC 5802 §5.1, attribute `r`). It is used once: an exchange takes it.
#[derive(Debug)]
pub struct Nonce(String);

/// Characters of the longest nonce given as text.
const MAX: usize = 64;

impl Nonce {
    /// From 18 random octets (144 bits), which base64 turns into 24 characters without padding.
    pub fn new(random: [u8; 18]) -> Self {
        Self(BASE64.encode(&random))
    }

    /// From text, as in the examples of the RFCs; `None` when it is empty, longer than 64 characters, or not of
    /// printable ASCII without a comma.
    pub fn from_text(text: &str) -> Option<Self> {
        (text.len() <= MAX && is_nonce(text)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `printable` of RFC 5802 §7, at least one.
pub(crate) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}
