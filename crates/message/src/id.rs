//! Message identifiers. Randomness is the caller's.

use crate::header::Header;
use address::Domain;
use std::fmt;

/// A message identifier without its angle brackets, which [`fmt::Display`] writes (RFC 5322 §3.6.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(Box<str>);

/// Longest identifier read from a message, in octets: it must stay on a line (RFC 5322 §2.1.1).
const MAX_MESSAGE_ID: usize = 900;

impl MessageId {
    /// A new one from 128 random bits, which alone make it unique.
    pub fn generate(random: [u8; 16], domain: &Domain) -> Self {
        Self(format!("{}@{domain}", letters(random)).into_boxed_str())
    }

    /// The first identifier between angle brackets in a header value, if it is printable ASCII without spaces.
    pub fn find(value: &str) -> Option<Self> {
        let (_, rest) = value.split_once('<')?;
        let (id, _) = rest.split_once('>')?;
        let fine = !id.is_empty()
            && id.len() <= MAX_MESSAGE_ID
            && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<');
        fine.then(|| Self(id.into()))
    }

    /// The identifier of a message.
    pub fn of(header: &Header<'_>) -> Option<Self> {
        Self::find(&header.get("Message-ID")?.value())
    }

    /// `left@right`, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// A MIME boundary. `=_` stands in no line of quoted-printable or base64 (RFC 2045 §6.7).
pub(crate) fn boundary(random: [u8; 16]) -> String {
    format!("=_{}", letters(random))
}

/// 128 random bits as 26 lower-case letters and digits.
fn letters(random: [u8; 16]) -> String {
    data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_and_found() {
        let id = MessageId::generate([7; 16], &"Example.org".parse().unwrap());
        assert_eq!(id.to_string(), "<a4dqobyha4dqobyha4dqobyha4@example.org>");
        assert_eq!(MessageId::find(&format!(" (x) {id} ")), Some(id));
        for bad in ["", "a@b", "<>", "<a b>", "<a\0>", "<é@b>"] {
            assert_eq!(MessageId::find(bad), None, "{bad:?}");
        }
    }
}
