//! `date-time` (RFC 9051 §9).

use jiff::Zoned;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// `17-Jul-1996 02:44:25 -0700`, the day with one digit too.
pub(super) fn date_time(text: &[u8]) -> Option<Zoned> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let (day, month, year) =
        (date.next()?.parse().ok()?, date.next()?.to_ascii_lowercase(), date.next()?.parse().ok()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let date = Date::new(year, i8::try_from(month).ok()?, day).ok()?;
    let mut time = time.split(':').map(|part| part.parse::<i8>().ok());
    let time = Time::new(time.next()??, time.next()??, time.next()??.min(59), 0).ok()?;
    let (sign, digits) = zone.split_at_checked(1)?;
    let digits: i32 =
        digits.parse().ok().filter(|_| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    let seconds = (digits / 100 * 60 + digits % 100) * 60;
    let offset = Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()?;
    offset.to_timestamp(DateTime::from_parts(date, time)).ok().map(|at| at.to_zoned(offset.to_time_zone()))
}
