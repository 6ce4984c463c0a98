//! Days of UTC, which reports cover, and when the report of one is due.

use address::Domain;

pub(crate) const SECONDS: u64 = 86_400;
/// What still arrives in memory when a day ends is in the store by then.
const AFTER_MIDNIGHT: u64 = 3_600;
/// Reports of one day are spread over this time, so that nobody gets those of the whole world at once (RFC 8460 §4.1).
const SPREAD: u64 = 4 * 3_600;

/// Days since 1970.
pub(crate) fn of(seconds: u64) -> u32 {
    u32::try_from(seconds / SECONDS).unwrap_or(u32::MAX)
}

/// First and last second of a day.
pub(crate) fn range(day: u32) -> (u64, u64) {
    let begin = u64::from(day) * SECONDS;
    (begin, begin + SECONDS - 1)
}

/// When the report of a day to `domain` is to be sent: always at the same time of the day, an hour after midnight at the
/// earliest.
pub(crate) fn due(day: u32, domain: &Domain) -> u64 {
    // FNV-1a: any hash that stays the same does.
    let hash = domain.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    range(day).1 + 1 + AFTER_MIDNIGHT + hash % SPREAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_spread_over_the_night() {
        let (begin, end) = range(20_000);
        assert_eq!((of(begin), of(end), of(end + 1)), (20_000, 20_000, 20_001));
        let due = |name: &str| due(20_000, &name.parse().unwrap());
        let times: Vec<u64> = ["example.org", "example.net", "example.com"].map(due).to_vec();
        assert!(times.iter().all(|time| (3_600..5 * 3_600).contains(&(time - end - 1))), "{times:?}");
        assert!(times[0] != times[1] && times[1] != times[2]);
    }
}
