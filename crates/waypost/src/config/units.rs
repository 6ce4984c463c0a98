//! Sizes and times as people write them: `"50 MiB"`, `"5 min"`; and the counts, networks and empty strings of
//! the file, each with the `serde` function that reads it into a plain value.

use ipnet::IpNet;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Milliseconds in each unit; the first name of a row is the one that is printed.
const TIMES: [(&[&str], u64); 5] = [
    (&["ms"], 1),
    (&["s", "sec", "second", "seconds"], 1_000),
    (&["min", "m", "minute", "minutes"], 60_000),
    (&["h", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
];

/// Reads `50 MiB`, `50MiB` or a bare number of bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is not a size: write it like \"50 MiB\" (units: B, kB, MB, GB, KiB, MiB, GiB)");
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, factor) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?;
    number.checked_mul(*factor).ok_or_else(|| format!("{text:?} is larger than anything can be"))
}

/// Reads `5 min`, `4h`, `2 days`. A number without a unit is refused: nobody can tell which is meant.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time: write it like \"5 min\" (units: ms, s, min, h, d)");
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let (_, factor) = TIMES.iter().find(|(names, _)| names.contains(&unit)).ok_or_else(wrong)?;
    number.checked_mul(*factor).map(Duration::from_millis).ok_or_else(|| format!("{text:?} is too long"))
}

/// The shortest exact form: `50 MiB`.
pub fn show_size(bytes: u64) -> String {
    let exact = |(_, factor): &&(&str, u64)| bytes >= *factor && bytes.is_multiple_of(*factor);
    // Of several exact units the one with the smallest number; at equal numbers there is only one unit.
    let best = SIZES.iter().filter(exact).max_by_key(|(_, factor)| *factor);
    best.map_or_else(|| format!("{bytes} B"), |(name, factor)| format!("{} {name}", bytes / factor))
}

/// The shortest exact form: `5 min`. What is finer than a millisecond is not shown.
pub fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let best = TIMES.iter().rev().find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor));
    best.map_or_else(
        || format!("{} s", ms / 1_000),
        |(names, factor)| format!("{} {}", ms / factor, names[0]),
    )
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// Reads `10.0.0.0/8`, or an address alone, which means just that host.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text.parse().map_err(|_| {
        format!("{text:?} is not a network: write it like \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.1\"")
    })?;
    if network.addr() != network.network() {
        return Err(format!("{text:?} has bits beyond its prefix: did you mean \"{}\"?", network.trunc()));
    }
    Ok(network)
}

/// A value that the file may leave empty: `""` is [`None`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) Option<T>);

impl<T> Default for Text<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> serde::Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(D::Error::custom)
    }
}

/// A string that may be empty, into an `Option`.
pub(super) fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    <Text<T> as serde::Deserialize>::deserialize(deserializer).map(|text| text.0)
}

pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = <Vec<String> as serde::Deserialize>::deserialize(deserializer)?;
    texts.iter().map(|text| parse_network(text).map_err(D::Error::custom)).collect()
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    parse_duration(&text).map_err(D::Error::custom)
}

/// A time of which `"0 s"` means "never".
pub(super) fn duration_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(|time| (!time.is_zero()).then_some(time))
}

/// A time that must not be zero.
pub(super) fn positive_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let time = duration(deserializer)?;
    if time.is_zero() { Err(D::Error::custom("must be longer than nothing")) } else { Ok(time) }
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Size;
    impl Visitor<'_> for Size {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"50 MiB\"")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            parse_size(text).map_err(E::custom)
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u64, E> {
            u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }
    }
    deserializer.deserialize_any(Size)
}

/// A size that must not be zero.
pub(super) fn positive_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = size(deserializer)?;
    if bytes == 0 { Err(D::Error::custom("must be more than nothing")) } else { Ok(bytes) }
}

/// A number that must be at least 1.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = <u32 as serde::Deserialize>::deserialize(deserializer)?;
    if number == 0 { Err(D::Error::custom("must be at least 1")) } else { Ok(number) }
}

/// A number of which 0 means "no limit".
pub(super) fn bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = <u32 as serde::Deserialize>::deserialize(deserializer)?;
    Ok((number != 0).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("50 MiB", 52_428_800, "50 MiB"),
            ("50mib", 52_428_800, "50 MiB"),
            ("0", 0, "0 B"),
            ("1024", 1024, "1 KiB"),
            ("64 kB", 64_000, "64 kB"),
            ("500 B", 500, "500 B"),
            ("2 GiB", 1 << 31, "2 GiB"),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(show_size(bytes), shown);
            assert_eq!(parse_size(shown), Ok(bytes));
        }
        for text in ["", "MiB", "5 parsecs", "-1", "1.5 MiB", "99999999999 GiB", "18446744073709551616"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn times_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("5 min", 300, "5 min"),
            ("5minutes", 300, "5 min"),
            ("90 s", 90, "90 s"),
            ("4 h", 14_400, "4 h"),
            ("48 h", 172_800, "2 d"),
            ("5 days", 432_000, "5 d"),
            ("0 s", 0, "0 s"),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(show_duration(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(show_duration(Duration::from_millis(250)), "250 ms");
        for text in ["", "5", "min", "5 fortnights", "-5 s", "999999999999999999999 d", "99999999999999999 d"]
        {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn networks_are_exact() {
        assert_eq!(parse_network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(parse_network("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(parse_network("::1").unwrap().to_string(), "::1/128");
        assert!(parse_network("10.0.0.1/8").unwrap_err().contains("did you mean \"10.0.0.0/8\""));
        assert!(parse_network("example.org").is_err());
        assert!(parse_network("10.0.0.0/33").is_err());
    }
}
