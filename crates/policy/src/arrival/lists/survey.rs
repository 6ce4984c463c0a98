//! One address in many lists, for people who want to know: is the list alive, and what does it say?

use super::health::{Probe, fault};
use super::{Kind, List, WORDS_WAIT, readable, reversed};
use dns::Lookup;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long one list may take in all; they are asked at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a list says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Listed {
        /// The answers that count.
        answers: Vec<Ipv4Addr>,
        /// What the list says about the entry.
        text: Option<String>,
    },
    NotListed,
    /// It is no list (any more), does not answer us, or has no addresses of this family: why.
    Unusable(String),
    /// It could not be asked now: why.
    Failed(String),
}

/// Asks all lists of addresses at once; an answer each, in their order.
pub async fn survey(dns: &Arc<dyn Lookup>, lists: &[List], ip: IpAddr) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (index, list) in lists.iter().cloned().enumerate() {
        let dns = Arc::clone(dns);
        tasks.spawn(async move {
            let answer = timeout(PATIENCE, ask(&*dns, &list, ip.to_canonical())).await;
            (index, answer.unwrap_or_else(|_| Answer::Failed("no answer in time".to_owned())))
        });
    }
    let mut answers = vec![Answer::Failed("the look-up broke off".to_owned()); lists.len()];
    while let Some(done) = tasks.join_next().await {
        if let Ok((index, answer)) = done
            && let Some(place) = answers.get_mut(index)
        {
            *place = answer;
        }
    }
    answers
}

async fn ask(dns: &dyn Lookup, list: &List, ip: IpAddr) -> Answer {
    let (tested, found) = tokio::join!(test(dns, list, ip.is_ipv6()), entry(dns, list, ip));
    match tested {
        Ok(None) => found.unwrap_or_else(Answer::Failed),
        Ok(Some(reason)) => Answer::Unusable(reason),
        Err(reason) => Answer::Failed(reason),
    }
}

/// What is wrong with the list (RFC 5782 §5), for addresses of this family.
async fn test(dns: &dyn Lookup, list: &List, v6: bool) -> Result<Option<String>, String> {
    let (of_v4, of_v6) = (Probe::of(Kind::Addresses, false), Probe::of(Kind::Addresses, true));
    if let Some(reason) = fault(dns, list, &of_v4).await? {
        return Ok(Some(reason));
    }
    if v6 && fault(dns, list, &of_v6).await?.is_some() {
        return Ok(Some("it has no IPv6 addresses".to_owned()));
    }
    Ok(None)
}

async fn entry(dns: &dyn Lookup, list: &List, ip: IpAddr) -> Result<Answer, String> {
    let name = format!("{}.{}", reversed(ip), list.zone);
    let answers = match dns.address_records(&name, false).await {
        Ok(answers) => list.relevant(answers),
        Err(error) if error.is_temporary() => return Err(error.to_string()),
        Err(_) => Vec::new(),
    };
    if answers.is_empty() {
        return Ok(Answer::NotListed);
    }
    let text = timeout(WORDS_WAIT, dns.txt(&name)).await.ok().and_then(Result::ok);
    let text = text.and_then(|records| records.into_iter().next()).map(|octets| readable(&octets));
    Ok(Answer::Listed { answers, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns::Fixed;

    /// Lists that are as they should be but where a test says otherwise.
    fn good(zone: &str) -> Fixed {
        Fixed::new().with_a(&format!("2.0.0.127.{zone}"), "127.0.0.2")
    }

    async fn check(dns: Fixed, ip: &str, expected: Answer) {
        let list =
            List { zone: "bl.example".parse().unwrap(), kind: Kind::Addresses, points: 1, codes: Vec::new() };
        let dns: Arc<dyn Lookup> = Arc::new(dns);
        assert_eq!(survey(&dns, &[list], ip.parse().unwrap()).await, [expected], "{ip}");
    }

    fn listed(answers: &[&str], text: Option<&str>) -> Answer {
        let answers = answers.iter().map(|ip| ip.parse().unwrap()).collect();
        Answer::Listed { answers, text: text.map(str::to_owned) }
    }

    fn unusable(reason: &str) -> Answer {
        Answer::Unusable(reason.to_owned())
    }

    #[tokio::test]
    async fn a_list_says_what_it_says() {
        check(good("bl.example"), "192.0.2.99", Answer::NotListed).await;
        let dns = good("bl.example")
            .with_a("99.2.0.192.bl.example", "127.0.0.4")
            .with_txt("99.2.0.192.bl.example", "spam seen");
        check(dns.clone(), "192.0.2.99", listed(&["127.0.0.4"], Some("spam seen"))).await;
        check(dns, "::ffff:192.0.2.99", listed(&["127.0.0.4"], Some("spam seen"))).await;
        // RFC 5782 §2.3: what is outside 127/8 is no answer.
        let dns = good("bl.example").with_a("99.2.0.192.bl.example", "203.0.113.1");
        check(dns, "192.0.2.99", Answer::NotListed).await;
    }

    #[tokio::test]
    async fn ipv6_needs_its_own_entries() {
        let name = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example";
        let dns = good("bl.example").with_a(name, "127.0.0.2");
        let ip = "2001:db8:1:2:3:4:567:89ab";
        check(dns.clone(), ip, unusable("it has no IPv6 addresses")).await;
        let test = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example";
        check(dns.with_a(test, "127.0.0.2"), ip, listed(&["127.0.0.2"], None)).await;
    }

    #[tokio::test]
    async fn dead_lists_are_found_out() {
        let (absent, present) = ("1.0.0.127.bl.example", "2.0.0.127.bl.example");
        let everything =
            good("bl.example").with_a(absent, "127.0.0.2").with_a("99.2.0.192.bl.example", "127.0.0.2");
        check(everything, "192.0.2.99", unusable(&format!("{absent} has an address: it lists everything")))
            .await;
        let missing = unusable(&format!("{present} is missing: the list is empty, or does not answer us"));
        check(Fixed::new().with_a("99.2.0.192.bl.example", "127.0.0.2"), "192.0.2.99", missing).await;
        let dns = good("bl.example").with_failure("99.2.0.192.bl.example", "silence");
        let list =
            List { zone: "bl.example".parse().unwrap(), kind: Kind::Addresses, points: 1, codes: Vec::new() };
        let dns: Arc<dyn Lookup> = Arc::new(dns);
        let answers = survey(&dns, &[list], "192.0.2.99".parse().unwrap()).await;
        assert!(
            matches!(&answers[..], [Answer::Failed(reason)] if reason.contains("silence")),
            "{answers:?}"
        );
    }
}
