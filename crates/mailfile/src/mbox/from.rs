//! The line before a message: `From sender date`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Who sent what has no sender.
const NOBODY: &str = "MAILER-DAEMON";

/// What such a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sender: String,
    /// Milliseconds since 1970, where it can be read.
    pub(super) date: Option<i64>,
}

/// Reads one that follows an empty line. Text that begins with `From ` by chance has no date: it needs a time and a year.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let text = String::from_utf8_lossy(line.strip_prefix(b"From ")?);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let at = words.iter().rposition(|word| time(word).is_some())?;
    let (hour, minute, second) = time(words[at])?;
    let year: i16 =
        words[at + 1..].iter().find_map(|word| (word.len() == 4).then(|| word.parse().ok())?)?;
    let zone = words[at + 1..].iter().find_map(|word| zone(word)).unwrap_or(Offset::UTC);
    let date = (|| {
        let (month, day) = (words.get(at.checked_sub(2)?)?, words.get(at - 1)?);
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
        let civil = DateTime::new(year, month as i8 + 1, day.parse().ok()?, hour, minute, second, 0).ok()?;
        Some(zone.to_timestamp(civil).ok()?.as_millisecond())
    })();
    // An address may have been written with spaces; day, month and date stand before the time.
    let sender = words[..at.saturating_sub(3)].join(" ");
    Some(Line { sender, date })
}

/// `19:30` or `19:30:00`.
fn time(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split(':');
    let mut number = |limit: i8| {
        let part = parts.next()?;
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|value: &i8| digits && *value < limit)
    };
    let (hour, minute) = (number(24)?, number(60)?);
    let second = if word.matches(':').count() > 1 { number(61)?.min(59) } else { 0 };
    parts.next().is_none().then_some((hour, minute, second))
}

/// `+0100`; names of zones are not known, and mostly UTC was meant.
fn zone(word: &str) -> Option<Offset> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i32 = (digits.len() == 4).then(|| digits.parse().ok())??;
    Offset::from_seconds(sign * (number / 100 * 3600 + number % 100 * 60)).ok()
}

/// The line for a message, without its end: in UTC (RFC 4155 Appendix A).
pub(super) fn write(sender: &str, date: i64) -> String {
    let when = Offset::UTC.to_datetime(Timestamp::from_millisecond(date).unwrap_or_default());
    let sender: String = sender.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let day = DAYS[when.weekday().to_monday_zero_offset() as usize % DAYS.len()];
    let month = MONTHS[(when.month() as usize - 1) % MONTHS.len()];
    format!(
        "From {} {day} {month} {:>2} {:02}:{:02}:{:02} {:04}",
        if sender.is_empty() { NOBODY } else { &sender },
        when.day(),
        when.hour(),
        when.minute(),
        when.second(),
        when.year()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T19:30:00Z
    const WHEN: i64 = 1_795_289_400_000;

    #[test]
    fn the_line_is_read_in_the_forms_there_are() {
        for (line, sender, date) in [
            ("From a@b.c Sat Nov 21 19:30:00 2026", "a@b.c", Some(WHEN)),
            ("From a@b.c  Sat Nov 21 19:30 2026\r", "a@b.c", Some(WHEN)),
            ("From - Sat Nov 21 19:30:00 2026", "-", Some(WHEN)),
            ("From a@b.c Sat Nov 21 20:30:00 2026 +0100", "a@b.c", Some(WHEN)),
            ("From a@b.c Sat Nov 21 19:30:00 GMT 2026", "a@b.c", Some(WHEN)),
            ("From \"a b\"@c Sat Nov 21 19:30:00 2026", "\"a b\"@c", Some(WHEN)),
            ("From a@b.c Sat Nov 41 19:30:00 2026", "a@b.c", None),
            ("From a@b.c Sat Foo 21 19:30:00 2026", "a@b.c", None),
            ("From 19:30 2026", "", None),
        ] {
            let expected = Line { sender: sender.to_owned(), date };
            assert_eq!(parse(line.as_bytes()), Some(expected), "{line}");
        }
        for text in [
            "From here on",
            "from a@b.c Sat Nov 21 19:30:00 2026",
            "From 2026",
            "From 19:30",
            "From 1:2:3:4 2026",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(write("a@b.c", WHEN), "From a@b.c Sat Nov 21 19:30:00 2026");
        assert_eq!(write("", 0), "From MAILER-DAEMON Thu Jan  1 00:00:00 1970");
        assert_eq!(
            parse(write("a @b", WHEN).as_bytes()),
            Some(Line { sender: "a@b".into(), date: Some(WHEN) })
        );
        write("x", i64::MAX);
        // A year has four digits, whichever it is.
        let early = parse(b"From x Sat Nov 21 19:30:22 0006");
        assert_eq!(parse(write("x", early.clone().and_then(|line| line.date).unwrap()).as_bytes()), early);
    }
}
