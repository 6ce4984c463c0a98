//! `--at`: a time as people write it.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Milliseconds since 1970: of a time with its zone, or one of here; a day alone is all of it.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    parse_in(text, &TimeZone::system())
}

fn parse_in(text: &str, zone: &TimeZone) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let here = |time: DateTime| zone.to_timestamp(time).map(Timestamp::as_millisecond).ok();
    let is_day = !text.contains(['T', 't', ' ', ':']);
    let found = if is_day {
        let day = text.parse::<Date>().ok().and_then(|day| day.checked_add(1.day()).ok());
        day.and_then(|next| here(next.into())).map(|next| next - 1)
    } else {
        text.parse::<DateTime>().ok().and_then(here)
    };
    found.ok_or_else(|| "write it like 2026-03-31, \"2026-03-31 18:00\" or 2026-03-31T18:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, expected) in [
            ("1970-01-02T00:00:00Z", Some(86_400_000)),
            ("1970-01-02T02:00:00+02:00", Some(86_400_000)),
            ("1970-01-02 02:00", Some(86_400_000)),
            ("1970-01-02 02:00:01", Some(86_401_000)),
            ("1970-01-02T02:00:00.5", Some(86_400_500)),
            ("1970-01-02", Some(2 * 86_400_000 - 2 * 3_600_000 - 1)),
            ("yesterday", None),
            ("1970-13-01", None),
            ("", None),
        ] {
            assert_eq!(parse_in(text, &zone).ok(), expected, "{text}");
        }
    }
}
