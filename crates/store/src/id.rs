//! Ids: 64-bit, time-ordered, made by us, never a database's row number.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

/// Ids count milliseconds from here (2020-01-01T00:00:00Z), so that 41 bits last until 2089.
const EPOCH_MS: i64 = 1_577_836_800_000;
/// Bits below the milliseconds: 4 million ids in one millisecond before the clock is run ahead of.
const SEQUENCE_BITS: u32 = 22;
/// Crockford's base 32: no letter that looks like a digit, sorts as the number does.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a written id: 13 × 5 bits ≥ 63.
const WRITTEN: usize = 13;

/// Names a message, a body or an account. Larger is newer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(i64);

impl Id {
    /// A new id, larger than all this process made before.
    pub fn generate() -> Self {
        static LAST: AtomicI64 = AtomicI64::new(0);
        let floor = (crate::clock::millis() - EPOCH_MS).max(1) << SEQUENCE_BITS;
        let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(floor.max(last + 1)));
        Self(floor.max(last.unwrap_or(0) + 1))
    }

    /// The smallest id of a moment, in milliseconds since 1970.
    pub fn at(unix_ms: i64) -> Self {
        Self((unix_ms - EPOCH_MS).max(0) << SEQUENCE_BITS)
    }

    /// One that [`Id::get`] gave.
    pub fn from_stored(number: i64) -> Self {
        Self(number)
    }

    /// The next larger one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// When it was made, in milliseconds since 1970.
    pub fn unix_ms(self) -> i64 {
        (self.0 >> SEQUENCE_BITS) + EPOCH_MS
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; WRITTEN];
        let mut rest = self.0;
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id: ids are {WRITTEN} letters and digits, as `waypost queue list` shows them")]
pub struct IdError(String);

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = || IdError(text.to_owned());
        if text.len() != WRITTEN {
            return Err(refused());
        }
        let mut value: u64 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|&c| c == byte.to_ascii_lowercase()).ok_or_else(refused)?;
            value = value << 5 | digit as u64;
        }
        i64::try_from(value).map(Self).map_err(|_| refused())
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl rusqlite::ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl rusqlite::types::FromSql for Id {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_round_trip_as_text() {
        let ids: Vec<Id> = (0..10_000).map(|_| Id::generate()).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1] && w[0].to_string() < w[1].to_string()));
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
        for text in ["", "1", "zzzzzzzzzzzzz", "0000000000000u", "00000000000u0"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
