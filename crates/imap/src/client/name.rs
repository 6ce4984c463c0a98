//! Names of mailboxes as another server writes them.

use crate::name::{decode_utf7, encode_utf7};

/// A name in the server's octets, whatever its delimiter is and whether it keeps to the rules: what LIST gave goes back as it
/// came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireName(Vec<u8>);

impl WireName {
    pub(super) fn listed(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// A name of one's own; `unicode` as in [`Session::unicode`](super::Session::unicode).
    pub fn new(name: &str, unicode: bool) -> Self {
        Self(if unicode { name.to_owned() } else { encode_utf7(name).into_owned() }.into_bytes())
    }

    /// For people, and for mailboxes here. What is not UTF-8 is replaced.
    pub fn decoded(&self, unicode: bool) -> String {
        let text = String::from_utf8_lossy(&self.0);
        if unicode { text.into_owned() } else { decode_utf7(&text).into_owned() }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// INBOX.
impl Default for WireName {
    fn default() -> Self {
        Self(b"INBOX".to_vec())
    }
}
