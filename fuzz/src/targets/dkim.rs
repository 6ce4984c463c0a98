//! Signatures and key records as peers write them.

use mailauth::Txt;
use mailauth::dkim::{KeyRecord, Signature, Verifier};

/// Between the `t=` and `x=` of the seeds.
const NOW: u64 = 1_528_637_909;

pub fn run(data: &[u8]) {
    if let Ok(signature) = Signature::parse(data) {
        let (identity, signing) = (signature.identity_domain.as_str(), signature.domain.as_str());
        assert!(identity.ends_with(signing), "{identity} is not below {signing}");
        assert!(signature.signed_fields.iter().any(|name| name.eq_ignore_ascii_case("From")));
        let _ = signature.check_time(NOW);
    }
    let _ = KeyRecord::parse(data);

    // The same octets are the header, the body and the key; nothing was signed, so nothing may pass.
    let mut verifier = Verifier::new(data, NOW);
    assert!(verifier.key_names().iter().all(|name| name.contains("._domainkey.")));
    verifier.update(data);
    let results = verifier.finish(|_| Txt::Ok(vec![data.to_vec()]));
    assert!(results.iter().all(|result| !result.passed()), "{results:?}");
}
