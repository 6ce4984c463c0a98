//! Octets in what goes over the socket.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Octets; base64 (RFC 4648 §4) in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Octets(pub Bytes);

impl Octets {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Bytes>> From<T> for Octets {
    fn from(octets: T) -> Self {
        Self(octets.into())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = BASE64.decode(text.as_bytes()).map_err(|_| D::Error::custom("not base64"))?;
        Ok(Self(octets.into()))
    }
}
