//! Certificates against records, by RFC 7672 §3 and RFC 7671.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::time::Duration;

const HOST: &str = "mx.example.org";
/// 2030, when what rcgen makes is valid.
const NOW: u64 = 1_893_456_000;

/// An authority, and a chain of a certificate for `names` and the authority's own.
struct Chain {
    own: CertificateDer<'static>,
    authority: CertificateDer<'static>,
}

impl Chain {
    fn new(names: &[&str], expired: bool) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "An authority of its own");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let own = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
        Self { own: own.der().clone(), authority: authority.der().clone() }
    }

    /// The record of `usage` that names this certificate.
    fn record(&self, usage: u8, selector: u8, matching: u8) -> Association {
        let certificate = if usage == 2 { &self.authority } else { &self.own };
        let selected = if selector == 0 { Selector::Certificate } else { Selector::PublicKey };
        let data = selected.of(certificate).unwrap();
        let data = match matching {
            1 => digest::digest(&SHA256, &data).as_ref().to_vec(),
            2 => digest::digest(&SHA512, &data).as_ref().to_vec(),
            _ => data,
        };
        Association::new(usage, selector, matching, data).unwrap()
    }

    fn check(&self, records: &[Association], names: &[&str]) -> Result<(), String> {
        self.check_showing(records, names, std::slice::from_ref(&self.authority))
    }

    fn check_showing(
        &self,
        records: &[Association],
        names: &[&str],
        others: &[CertificateDer<'static>],
    ) -> Result<(), String> {
        let verifier = DaneVerifier::new(records, names.iter().map(|name| (*name).to_owned()).collect());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        let name = ServerName::try_from(HOST).unwrap();
        let verified = verifier.verify_server_cert(&self.own, others, &name, &[], now);
        verified.map(|_| ()).map_err(|error| super::super::explain::verdict(&error))
    }
}

#[test]
fn rfc_7672_3_1_every_selector_and_matching_type_of_both_usages() {
    let (good, other) = (Chain::new(&[HOST], false), Chain::new(&[HOST], false));
    for usage in [2, 3] {
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let label = format!("{usage} {selector} {matching}");
                assert_eq!(good.check(&[good.record(usage, selector, matching)], &[HOST]), Ok(()), "{label}");
                let wrong = other.record(usage, selector, matching);
                let refused = good.check(std::slice::from_ref(&wrong), &[HOST]);
                assert!(refused.is_err(), "{label}");
                let both = [wrong, good.record(usage, selector, matching)];
                assert_eq!(good.check(&both, &[HOST]), Ok(()), "{label}: rollover");
            }
        }
    }
}

#[test]
fn rfc_7672_3_1_1_an_end_entity_needs_no_name_and_no_date() {
    let chain = Chain::new(&["else.example"], true);
    assert_eq!(chain.check(&[chain.record(3, 1, 1)], &[HOST]), Ok(()));
}

#[test]
fn rfc_7672_3_2_2_under_a_trust_anchor_names_and_dates_count() {
    let records = |chain: &Chain| [chain.record(2, 0, 1)];
    let cases = [
        ("mx.example.org", true),
        ("*.example.org", true),
        ("example.org", true),
        ("*.mx.example.org", false),
        ("m*.example.org", false),
        ("example.net", false),
    ];
    for (name, good) in cases {
        let chain = Chain::new(&[name], false);
        let checked = chain.check(&records(&chain), &[HOST, "example.org"]);
        assert_eq!(checked.is_ok(), good, "{name}: {checked:?}");
    }
    let expired = Chain::new(&[HOST], true);
    assert!(expired.check(&records(&expired), &[HOST]).unwrap_err().contains("expired"));
}

#[test]
fn a_trust_anchor_must_be_shown_or_stand_in_the_record() {
    let chain = Chain::new(&[HOST], false);
    let alone =
        |selector, matching| chain.check_showing(&[chain.record(2, selector, matching)], &[HOST], &[]);
    assert!(alone(0, 1).unwrap_err().contains("TLSA"));
    assert_eq!(alone(0, 0), Ok(()));
}

#[test]
fn rfc_7671_9_a_weaker_digest_does_not_help_where_there_is_a_stronger_one() {
    let (good, other) = (Chain::new(&[HOST], false), Chain::new(&[HOST], false));
    let weak = good.record(3, 1, 1);
    assert!(good.check(&[weak.clone(), other.record(3, 1, 2)], &[HOST]).is_err());
    assert_eq!(good.check(&[weak, other.record(3, 0, 2)], &[HOST]), Ok(()), "of another selector it does");
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    for (usage, selector, matching, length) in [
        (0, 0, 1, 32),
        (1, 1, 1, 32),
        (4, 1, 1, 32),
        (3, 2, 1, 32),
        (3, 1, 3, 32),
        (3, 1, 1, 31),
        (3, 1, 2, 32),
        (2, 0, 0, 5),
    ] {
        let record = Association::new(usage, selector, matching, vec![7; length]);
        assert_eq!(record, None, "{usage} {selector} {matching} with {length} octets");
    }
}
