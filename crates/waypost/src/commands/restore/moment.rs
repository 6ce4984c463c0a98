//! `--at`: a time as people write it, or as it was listed.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Digits of a day written as `20260331`; a longer number is milliseconds since 1970, as `--json` prints them.
const DAY: usize = 8;

/// Milliseconds since 1970: the end of what was said, as without a fraction it is all of a second, without seconds all of a
/// minute, and a day alone is all of it. Without a zone it is a time of here.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    parse_in(text, &TimeZone::system())
}

fn parse_in(text: &str, zone: &TimeZone) -> Result<i64, String> {
    let text = text.trim();
    let found = match text.split_once(['T', 't', ' ']) {
        Some((day, rest)) => time(&format!("{day}T{rest}"), zone).map(|time| time + unit_of(rest) - 1),
        None if text.len() > DAY && text.bytes().all(|one| one.is_ascii_digit()) => text.parse().ok(),
        None => end_of_day(text, zone),
    };
    found.ok_or_else(|| {
        "write it like 2026-03-31, \"2026-03-31 18:00\" or 2026-03-31T18:00:00Z, or as `--list` prints it"
            .to_owned()
    })
}

fn end_of_day(text: &str, zone: &TimeZone) -> Option<i64> {
    let next = text.parse::<Date>().ok()?.checked_add(1.day()).ok()?;
    Some(zone.to_timestamp(next.into()).ok()?.as_millisecond() - 1)
}

/// The zone may stand apart, as it is printed.
fn time(text: &str, zone: &TimeZone) -> Option<i64> {
    let (clock, its_zone) = text.split_once(' ').unwrap_or((text, ""));
    let its_zone = if its_zone.trim() == "UTC" { "Z" } else { its_zone.trim() };
    let text = format!("{clock}{its_zone}");
    let found = text.parse::<Timestamp>().ok();
    let found = found.or_else(|| zone.to_timestamp(text.parse::<DateTime>().ok()?).ok());
    Some(found?.as_millisecond())
}

/// Milliseconds of the smallest unit that a time of day is written with.
fn unit_of(clock: &str) -> i64 {
    let written = clock.bytes().take_while(|one| one.is_ascii_digit() || b":.,".contains(one));
    match written.filter(u8::is_ascii_digit).count() {
        ..=2 => 3_600_000,
        3..=4 => 60_000,
        5..=6 => 1_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours to the east.
    fn check(text: &str, expected: Option<i64>) {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(parse_in(text, &zone).ok(), expected, "{text}");
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        check("1970-01-02T00:00:00.000Z", Some(86_400_000));
        check("1970-01-02T02:00:00.000+02:00", Some(86_400_000));
        check("1970-01-02T01:00:00.000+01:00[Europe/Berlin]", Some(86_400_000));
        check("1970-01-02 02:00:00.000", Some(86_400_000));
        check("1970-01-02T02:00:00.5", Some(86_400_500));
    }

    #[test]
    fn what_is_not_said_may_be_anything() {
        check("1970-01-02T02:00:01", Some(86_401_999));
        check("1970-01-02T00:00:01Z", Some(86_401_999));
        check("1970-01-02 02:00", Some(86_459_999));
        check("1970-01-02T00:00Z", Some(86_459_999));
        check("1970-01-02 02", Some(86_400_000 + 3_599_999));
        check("1970-01-02", Some(2 * 86_400_000 - 2 * 3_600_000 - 1));
        check("19700102", Some(2 * 86_400_000 - 2 * 3_600_000 - 1));
    }

    #[test]
    fn what_is_printed_is_read() {
        check("1970-01-02 02:00:01.491 +02:00", Some(86_401_491));
        check("1970-01-02 02:00:01 +02:00", Some(86_401_999));
        check("1970-01-01 19:00:01 -05:00", Some(86_401_999));
        check("1970-01-02 00:00:01 UTC", Some(86_401_999));
        check("1795334789491", Some(1_795_334_789_491));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in
            ["yesterday", "1970-13-01", "", " ", "1970-01-02 25:00", "1970-01-02T", "99999999999999999999"]
        {
            check(text, None);
        }
    }
}
