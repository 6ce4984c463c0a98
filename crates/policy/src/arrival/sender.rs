//! What the DNS says of the names in the envelope.

use super::finding::{Check, Finding, Weight};
use address::{Address, Domain};
use dns::{DnsError, Lookup, MxLookup};
use mailauth::spf::{Mechanism, Qualifier, Record, ResultWord, SpfResult};
use std::sync::Arc;

/// What SPF looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    MailFrom(Address),
    Helo(String),
}

/// Whether the name in HELO is of a host that never sends mail: its SPF record begins with `-all`, which decides for every
/// client.
pub(super) async fn host_sends(dns: &Arc<dyn Lookup>, name: &str) -> Finding {
    let finding = |weight, word: &str, reason: &str| Finding::new(Check::HeloSends, weight, word, reason);
    let Ok(host) = Domain::parse(name) else { return finding(Weight::Fine, "none", "") };
    match dns.txt(host.as_str()).await {
        Ok(records) if records.iter().any(|record| never_sends(record)) => {
            finding(Weight::Bad, "fail", &format!("{host} says that it never sends mail (v=spf1 -all)"))
        }
        Err(DnsError::Temporary { reason, .. }) => {
            let reason = format!("whether {host} sends mail could not be looked up: {reason}");
            finding(Weight::Unknown, "temperror", &reason)
        }
        Ok(_) | Err(_) => finding(Weight::Fine, "none", ""),
    }
}

fn never_sends(record: &[u8]) -> bool {
    let record = Record::parse(record.trim_ascii()).ok();
    let first = record.as_ref().and_then(|record| record.directives.first());
    first.is_some_and(|first| first.qualifier == Qualifier::Fail && first.mechanism == Mechanism::All)
}

/// Whether a notification could go to the sender's domain.
pub(super) async fn takes_mail(dns: &Arc<dyn Lookup>, domain: &Domain) -> Finding {
    let finding = |weight, word: &str, reason: &str| Finding::new(Check::SenderDomain, weight, word, reason);
    let there = match dns.mx(domain, 0).await {
        Ok(MxLookup::Hosts { .. }) => Ok(()),
        // RFC 7505 §4.2.
        Ok(MxLookup::NullMx) => {
            let reason = format!("{domain} says that it takes no mail (null MX)");
            return finding(Weight::Bad, "fail", &reason).with_code((5, 7, 27));
        }
        Ok(MxLookup::Implicit(_)) => dns.addresses(domain, dns::Family::Both).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match there {
        Ok(()) => finding(Weight::Fine, "pass", &format!("{domain} takes mail")),
        Err(DnsError::Temporary { reason, .. }) => {
            let reason = format!("whether {domain} takes mail could not be looked up: {reason}");
            finding(Weight::Unknown, "temperror", &reason)
        }
        Err(error) => finding(Weight::Bad, "fail", &format!("mail to {domain} cannot be delivered: {error}")),
    }
}

/// What SPF says of the sender, or of the name in HELO, where that has a record.
pub(super) fn spf_finding(check: Check, result: &SpfResult) -> Finding {
    let weight = match result.word {
        ResultWord::Fail => Weight::Bad,
        ResultWord::TempError => Weight::Unknown,
        // Records that are wrong are told; what they would say is not known (RFC 7208 §8.7).
        ResultWord::Pass
        | ResultWord::SoftFail
        | ResultWord::Neutral
        | ResultWord::None
        | ResultWord::PermError => Weight::Fine,
    };
    let mut reason = result.reason.clone();
    if let Some(words) = &result.explanation {
        // RFC 7208 §6.2: it is shown whose words they are.
        let domain = result.domain.as_ref().map(Domain::as_str).unwrap_or_default();
        reason.push_str(&format!("; {domain} explains: {words}"));
    }
    Finding::new(check, weight, result.word.as_str(), &reason)
}

/// Whether SPF says that the client is the sender's. A record that every host passes says nothing of this one.
pub(super) fn vouches(result: &SpfResult) -> bool {
    let by_all = |text: &String| text.trim_start_matches('+').eq_ignore_ascii_case("all");
    result.word == ResultWord::Pass && !result.mechanism.as_ref().is_some_and(by_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Arc<dyn Lookup> {
        Arc::new(
            dns::Fixed::new()
                .with_txt("quiet.example", "v=spf1 -all")
                .with_txt("loud.example", "V=SPF1  -ALL exp=why.loud.example")
                .with_txt("some.example", "v=spf1 a -all")
                .with_txt("soft.example", "v=spf1 ~all")
                .with_failure("slow.example", "silence")
                .with_mx("mx.example", 10, "mail.mx.example")
                .with_a("mail.mx.example", "192.0.2.1")
                .with_mx("null.example", 0, ".")
                .with_a("host.example", "192.0.2.2")
                .with_txt("text.example", "hello"),
        )
    }

    #[tokio::test]
    async fn a_host_that_never_sends_says_so() {
        let check = async |name: &str, expected: &str| {
            assert_eq!(host_sends(&table(), name).await.words, expected);
        };
        check("quiet.example", "helo-sends=fail: quiet.example says that it never sends mail (v=spf1 -all)")
            .await;
        check("loud.example", "helo-sends=fail: loud.example says that it never sends mail (v=spf1 -all)")
            .await;
        check("some.example", "helo-sends=none").await;
        check("soft.example", "helo-sends=none").await;
        check("nothing.example", "helo-sends=none").await;
        check("[192.0.2.1]", "helo-sends=none").await;
        check(
            "slow.example",
            "helo-sends=temperror: whether slow.example sends mail could not be looked up: silence",
        )
        .await;
    }

    #[tokio::test]
    async fn a_sender_can_be_told() {
        let check = async |name: &str, weight: Weight, words: &str, code: Option<(u8, u16, u16)>| {
            let finding = takes_mail(&table(), &name.parse().unwrap()).await;
            assert_eq!((finding.weight, finding.code), (weight, code), "{name}");
            assert!(finding.words.starts_with(words), "{}", finding.words);
        };
        check("mx.example", Weight::Fine, "sender-domain=pass: mx.example takes mail", None).await;
        check("host.example", Weight::Fine, "sender-domain=pass", None).await;
        check(
            "null.example",
            Weight::Bad,
            "sender-domain=fail: null.example says that it takes no mail",
            Some((5, 7, 27)),
        )
        .await;
        check(
            "text.example",
            Weight::Bad,
            "sender-domain=fail: mail to text.example cannot be delivered",
            None,
        )
        .await;
        check(
            "gone.example",
            Weight::Bad,
            "sender-domain=fail: mail to gone.example cannot be delivered",
            None,
        )
        .await;
        check("slow.example", Weight::Unknown, "sender-domain=temperror", None).await;
    }
}
