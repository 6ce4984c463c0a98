//! What an object of a back-up is called.

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use store::Id;

/// Octets of a name.
pub(crate) const LENGTH: usize = 16;
/// The first octet of what is named by its content; ids, which are positive, begin with 0.
const BY_CONTENT: u8 = 1;

/// Names a body by its id, which names its content for good, and rows by their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub(crate) [u8; LENGTH]);

impl Name {
    pub fn body(id: Id) -> Self {
        let mut name = [0; LENGTH];
        name[LENGTH - 8..].copy_from_slice(&id.get().to_be_bytes());
        Self(name)
    }

    pub fn rows(octets: &[u8]) -> Self {
        let mut name = [BY_CONTENT; LENGTH];
        name[1..].copy_from_slice(&checksum(&[octets])[..LENGTH - 1]);
        Self(name)
    }

    /// The body that it names.
    pub fn as_body(self) -> Option<Id> {
        let (zeros, id) = self.0.split_at(LENGTH - 8);
        let id = <[u8; 8]>::try_from(id).ok()?;
        zeros.iter().all(|octet| *octet == 0).then(|| Id::from_stored(i64::from_be_bytes(id)))
    }
}

/// SHA-256 of all pieces together.
pub(crate) fn checksum(pieces: &[&[u8]]) -> [u8; 32] {
    let (mut context, mut sum) = (Context::new(&SHA256), [0; 32]);
    pieces.iter().for_each(|piece| context.update(piece));
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_body() {
            Some(id) => write!(f, "body {id}"),
            None => write!(f, "rows {}", HEXLOWER.encode(&self.0[1..])),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = HEXLOWER.decode(text.as_bytes()).ok().and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| D::Error::custom("not the name of an object"))
    }
}
