//! Dates as mail writes them.

use jiff::Zoned;

/// `Sat, 1 Jan 2028 10:00:00 +0100` (RFC 5322 §3.3), in the offset of `when`.
pub fn rfc5322_date(when: &Zoned) -> String {
    // Not the printer for RFC 2822, which fails for years below zero; this cannot fail. `%z` has seconds for offsets
    // of the nineteenth century; the grammar has not.
    let offset = when.strftime("%z").to_string();
    let offset = offset.replace(':', "");
    format!("{} {}", when.strftime("%a, %-d %b %Y %H:%M:%S"), offset.get(..5).unwrap_or("+0000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timestamp: i64, offset: i32, expected: &str) {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(offset).unwrap());
        let when = jiff::Timestamp::from_second(timestamp).unwrap().to_zoned(zone);
        assert_eq!(rfc5322_date(&when), expected);
        if timestamp > 0 {
            assert_eq!(mail_parser::DateTime::parse_rfc822(expected).unwrap().to_timestamp(), timestamp);
        }
    }

    #[test]
    fn dates_have_a_numeric_zone() {
        check(1_830_330_000, 0, "Sat, 1 Jan 2028 09:00:00 +0000");
        check(1_830_330_000, 19_800, "Sat, 1 Jan 2028 14:30:00 +0530");
        check(1_830_330_000, -12_600, "Sat, 1 Jan 2028 05:30:00 -0330");
        check(-9_223_372_036, 3_208, "Tue, 21 Sep 1677 01:06:12 +0053");
    }
}
