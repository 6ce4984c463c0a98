//! ARC sets and Authentication-Results as peers write them.

use mailauth::Txt;
use mailauth::arc::{Outcome, Verifier};
use mailauth::results::{AuthResults, MAX_RESULTS};

/// Between the `t=` and `x=` of the seeds.
const NOW: u64 = 1_528_637_909;

pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let read = [AuthResults::parse(text), AuthResults::parse_arc(text).map(|(_, results)| results)];
        for results in read.into_iter().flatten() {
            assert!(results.results.len() <= MAX_RESULTS);
            one_field(&results);
        }
    }

    // The same octets are the header, the body and the key; nothing was sealed, so nothing may pass.
    let mut verifier = Verifier::new(data, NOW);
    assert!(verifier.key_names().iter().all(|name| name.contains("._domainkey.")));
    verifier.update(data);
    let result = verifier.finish(|_| Txt::Ok(vec![data.to_vec()]));
    assert!(!matches!(result.outcome, Outcome::Pass { .. }), "{result:?}");
    let instances: Vec<u32> = result.sets.iter().map(|set| set.instance).collect();
    assert!(instances.iter().copied().eq((1..).take(instances.len())), "{instances:?}");
}

/// Whatever a peer's results say, they are written as one field, in lines that mail can carry.
fn one_field(results: &AuthResults) {
    let field = results.to_field();
    let lines: Vec<&str> = field.strip_suffix("\r\n").unwrap_or_default().split("\r\n").collect();
    assert!(
        !field.trim_end_matches("\r\n").is_empty() && lines.iter().skip(1).all(|line| line.starts_with('\t')),
        "{field:?}"
    );
    assert!(lines.iter().all(|line| !line.contains(['\r', '\n']) && line.len() <= 998), "{field:?}");
}
