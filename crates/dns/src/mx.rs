//! From MX records to the hosts to try (RFC 5321 §5.1, RFC 7505).

use crate::{DnsError, MAX_RECORDS, MxRecord};
use address::Domain;
use std::net::IpAddr;

/// Where mail for a domain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MxLookup {
    /// Try these in this order: by preference, those of equal preference in random order. Never empty.
    Hosts {
        hosts: Vec<MxHost>,
        /// Records that were passed over, and why.
        skipped: Vec<SkippedMx>,
    },
    /// The domain says that it takes no mail (RFC 7505): answer 556 5.1.10.
    NullMx,
    /// No MX record: the domain is its own only host, with preference 0.
    Implicit(Domain),
}

/// A host that takes mail for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxHost {
    pub preference: u16,
    pub host: Domain,
}

/// An MX record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedMx {
    pub record: MxRecord,
    pub reason: String,
}

/// Turns the published records of `domain` into an order of hosts.
pub(crate) fn select(
    domain: &Domain,
    records: Result<Vec<MxRecord>, DnsError>,
    seed: u64,
) -> Result<MxLookup, DnsError> {
    let mut records = match records {
        Ok(records) => records,
        Err(DnsError::NoRecords { .. }) => return Ok(MxLookup::Implicit(domain.clone())),
        Err(error) => return Err(error),
    };
    if let [only] = records.as_slice()
        && is_root(&only.exchange)
    {
        return Ok(MxLookup::NullMx);
    }
    records.sort_by_key(|record| record.preference);
    records.truncate(MAX_RECORDS);
    let (mut hosts, mut skipped) = (Vec::new(), Vec::new());
    for record in records {
        match usable(&record.exchange) {
            Ok(host) => hosts.push(MxHost { preference: record.preference, host }),
            Err(reason) => skipped.push(SkippedMx { record, reason }),
        }
    }
    if hosts.is_empty() {
        let reasons: Vec<_> = skipped.into_iter().map(|skipped| skipped.reason).collect();
        return Err(DnsError::NoUsableMx { domain: domain.clone(), reasons: reasons.join("; ") });
    }
    shuffle_within_preference(&mut hosts, seed);
    Ok(MxLookup::Hosts { hosts, skipped })
}

fn is_root(exchange: &str) -> bool {
    matches!(exchange, "." | "")
}

/// The exchange as a host name, or why it is none.
fn usable(exchange: &str) -> Result<Domain, String> {
    if is_root(exchange) {
        return Err("the null MX stands beside others (RFC 7505 §3)".to_owned());
    }
    let bare = exchange.strip_suffix('.').unwrap_or(exchange);
    if bare.parse::<IpAddr>().is_ok() {
        return Err(format!("{bare} is an IP address, not the name of a host (RFC 5321 §5.1)"));
    }
    Domain::parse(bare).map_err(|error| error.to_string())
}

/// RFC 5321 §5.1: among hosts of equal preference the sender must choose at random.
fn shuffle_within_preference(hosts: &mut [MxHost], seed: u64) {
    let mut random = SplitMix(seed);
    for group in hosts.chunk_by_mut(|a, b| a.preference == b.preference) {
        for last in (1..group.len()).rev() {
            group.swap(last, random.below(last + 1));
        }
    }
}

/// SplitMix64: enough to spread load, and the same order for the same seed.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The high half of the product is below `bound`; the bias is one in 2^58 at our sizes.
        ((u128::from(z) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn domain() -> Domain {
        Domain::parse("example.org").unwrap()
    }

    fn select_from(records: &[(u16, &str)], seed: u64) -> Result<MxLookup, DnsError> {
        let record =
            |&(preference, exchange): &(u16, &str)| MxRecord { preference, exchange: exchange.into() };
        select(&domain(), Ok(records.iter().map(record).collect()), seed)
    }

    fn order(records: &[(u16, &str)], seed: u64) -> Vec<String> {
        match select_from(records, seed) {
            Ok(MxLookup::Hosts { hosts, .. }) => hosts.into_iter().map(|mx| mx.host.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lower_preference_first_and_equal_ones_in_every_order() {
        let records = [(20, "c.example."), (10, "A.example."), (10, "b.example"), (30, "d.example.")];
        let orders: BTreeSet<_> = (0..64).map(|seed| order(&records, seed)).collect();
        let expected = [["a", "b", "c", "d"], ["b", "a", "c", "d"]];
        let expected = expected.map(|names| names.map(|name| format!("{name}.example")).to_vec());
        assert_eq!(orders, BTreeSet::from(expected));
        assert_eq!(order(&records, 7), order(&records, 7));
    }

    #[test]
    fn the_shuffle_is_fair() {
        let records = [(1, "a"), (1, "b"), (1, "c")];
        let firsts = (0..3000).filter(|&seed| order(&records, seed)[0] == "a").count();
        assert!((900..1100).contains(&firsts), "{firsts}");
    }

    #[test]
    fn rfc_7505_one_root_exchange_is_the_null_mx() {
        assert_eq!(select_from(&[(0, ".")], 0), Ok(MxLookup::NullMx));
        assert_eq!(order(&[(0, "."), (10, "mx.example.")], 0), ["mx.example"]);
    }

    #[test]
    fn what_is_no_host_is_passed_over_with_its_reason() {
        let records = [(1, "192.0.2.1."), (2, "2001:db8::1"), (3, "a\\032b.example."), (4, "mx.example.")];
        let Ok(MxLookup::Hosts { hosts, skipped }) = select_from(&records, 0) else { panic!() };
        assert_eq!((hosts.len(), skipped.len()), (1, 3));
        assert!(skipped[0].reason.contains("192.0.2.1 is an IP address"), "{skipped:?}");
    }

    #[test]
    fn rfc_5321_5_1_unusable_records_do_not_fall_back_to_the_address() {
        let error = select_from(&[(1, "192.0.2.1.")], 0).unwrap_err();
        assert!(matches!(&error, DnsError::NoUsableMx { .. }) && !error.is_temporary(), "{error}");
    }

    #[test]
    fn no_records_means_the_domain_itself_but_no_answer_does_not() {
        let none = DnsError::NoRecords { name: "example.org".into(), kind: "MX" };
        assert_eq!(select(&domain(), Err(none), 0), Ok(MxLookup::Implicit(domain())));
        let later = DnsError::Temporary { name: "example.org".into(), kind: "MX", reason: "SERVFAIL".into() };
        assert_eq!(select(&domain(), Err(later.clone()), 0), Err(later));
        let gone = DnsError::NoSuchName("example.org".into());
        assert_eq!(select(&domain(), Err(gone.clone()), 0), Err(gone));
    }
}
