//! The texts of MTA-STS as domains publish them: the records that announce a policy, and the policy.

use address::Domain;
use mailauth::sts::{MAX_AGE, MAX_ID, MAX_PATTERNS, Mode, Policy, record_id};

pub fn run(data: &[u8]) {
    // Each line is a record.
    records(&data.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Policy::parse(text) {
        Ok(policy) => kept(&policy),
        // What is told is told shortly, whatever was served.
        Err(reason) => assert!(reason.len() < 500, "{reason}"),
    }
}

fn records(records: &[Vec<u8>]) {
    let Some(id) = record_id(records) else { return };
    assert!((1..=MAX_ID).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric()));
    let announced = format!("v=STSv1; id={id}").into_bytes();
    assert_eq!(record_id(std::slice::from_ref(&announced)), Some(id));
    // With a second record there is none (RFC 8461 §3.1).
    assert_eq!(record_id(&[records, &[announced]].concat()), None);
}

fn kept(policy: &Policy) {
    assert!(policy.max_age <= MAX_AGE && policy.patterns.len() <= MAX_PATTERNS);
    assert!(policy.mode == Mode::None || !policy.patterns.is_empty());
    for pattern in &policy.patterns {
        let below = pattern.strip_prefix("*.");
        let name = below.unwrap_or(pattern);
        let host = Domain::parse(name).unwrap_or_else(|error| panic!("{error}: {pattern}"));
        assert_eq!(host.as_str(), name);
        match below {
            // A name is not below itself, but another pattern may have it.
            Some(_) => {
                let permitted = |host: Domain| assert!(policy.permits(&host), "{host} {pattern}");
                let _ = Domain::parse(&format!("a.{name}")).map(permitted);
            }
            None => assert!(policy.permits(&host), "{pattern}"),
        }
    }
    let written = Policy::new(policy.mode, policy.patterns.clone(), policy.max_age);
    assert_eq!(Policy::parse(&written.text).as_ref(), Ok(&written));
    assert!(record_id(&[written.record(u64::MAX).into_bytes()]).is_some());
}
