//! SPF (RFC 7208): one record, whose evaluation stays within its bounds.

mod costs;
mod instead;
mod mended;

use super::Asked;
use super::finding::{Finding, Status, Subject};
use super::mx::texts;
use dns::Names;
use instead::Instead;
use mailauth::spf::{
    Identity, MAX_ELAPSED, MAX_TERMS, MAX_VOID_LOOKUPS, Mechanism, Qualifier, Query, Record, ResultWord,
    SpfResult, is_record, trace,
};
use mailauth::zone_text;
use std::net::{IpAddr, Ipv4Addr};

const CHECK: Subject = Subject {
    name: "spf",
    why: "SPF says which addresses send for the domain; without it anybody may, and large receivers refuse its mail",
};
/// An address that nobody has (RFC 5737): a record is evaluated to its end for it.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 113));
/// From so many look-ups on little room is left for what an included domain may add.
const MANY_TERMS: u8 = MAX_TERMS - 2;

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let name = asked.domain.as_str();
    let found = match texts(asked, name).await {
        Ok(found) => found,
        Err(error) => return vec![Finding::unknown(CHECK, &error)],
    };
    let wanted = if asked.takes_no_mail { "\"v=spf1 -all\"" } else { "\"v=spf1 mx ~all\"" };
    let records: Vec<&Vec<u8>> = found.iter().filter(|text| is_record(text)).collect();
    let findings = match records[..] {
        [] => {
            return vec![
                Finding::fail(CHECK, "no SPF record", CHECK.why).publish_own(asked, name, "TXT", wanted),
            ];
        }
        [text] => weigh(asked, &String::from_utf8_lossy(text)).await,
        _ => {
            let why = "RFC 7208 §4.5: with several none counts, and the result is an error";
            let found = format!("{} SPF records: join them into one", records.len());
            vec![Finding::fail(CHECK, found, why)]
        }
    };
    if findings.iter().all(|finding| finding.status == Status::Pass || finding.is_temporary) {
        return findings;
    }
    let better = better(asked, &records, badness(&findings)).await;
    let publish = |finding: Finding| match (&better, finding.status) {
        (None, _) | (_, Status::Pass) => finding,
        (Some(better), _) => finding.publish(name, "TXT", zone_text(better)),
    };
    findings.into_iter().map(publish).collect()
}

/// What there is to say of a record.
async fn weigh(asked: &Asked<'_>, text: &str) -> Vec<Finding> {
    match Record::parse(text.as_bytes()) {
        Err(error) => {
            let why = "RFC 7208 §4.6: a record with an error anywhere is not used at all";
            vec![Finding::fail(CHECK, format!("{text}: {error}"), why)]
        }
        Ok(record) => {
            let mut findings = vec![evaluation(asked, text, &record).await];
            findings.extend(end(text, &record));
            findings
        }
    }
}

/// How many failures, and how many warnings.
fn badness(findings: &[Finding]) -> (usize, usize) {
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    (count(Status::Fail), count(Status::Warn))
}

/// A record made of those there are that does better: of all their terms, else of those that name something.
async fn better(asked: &Asked<'_>, records: &[&Vec<u8>], now: (usize, usize)) -> Option<String> {
    let joined = mended::joined(records);
    if badness(&weigh(asked, &joined).await) < now {
        return Some(joined);
    }
    let record = Record::parse(joined.as_bytes()).ok()?;
    let costs = costs::of(asked, &record).await;
    let dead: Vec<&str> = costs.iter().filter(|cost| cost.is_dead).map(|cost| cost.term.as_str()).collect();
    let alive: Vec<&str> = joined.split(' ').filter(|term| !dead.contains(term)).collect();
    let alive = alive.join(" ");
    (badness(&weigh(asked, &alive).await) < now).then_some(alive)
}

/// Evaluates the record for a stranger, as if the domain had it.
async fn evaluate(asked: &Asked<'_>, record: &str) -> SpfResult {
    let domain = asked.domain.as_str();
    let sender = format!("postmaster@{domain}");
    let query = Query {
        ip: STRANGER,
        helo: domain,
        identity: Identity::MailFrom(&sender),
        receiver: asked.here.host.as_str(),
        now: store::clock::seconds(),
    };
    let dns = Instead { dns: Names(asked.dns), domain, record };
    let checked = tokio::time::timeout(MAX_ELAPSED, trace(&dns, &query)).await;
    checked.unwrap_or_else(|_| SpfResult::timed_out(&query))
}

/// What the evaluation for a stranger costs.
async fn evaluation(asked: &Asked<'_>, shown: &str, record: &Record<'_>) -> Finding {
    let result = evaluate(asked, shown).await;
    let cost = format!("{} of at most {MAX_TERMS} look-ups", result.lookups);
    let costs = match costs::matter(&result, MANY_TERMS) {
        true => costs::of(asked, record).await,
        false => Vec::new(),
    };
    let finding = match result.word {
        ResultWord::Pass => Finding::fail(
            CHECK,
            format!("{shown}: any address passes"),
            "anybody may send in the domain's name",
        ),
        ResultWord::PermError => {
            let found = format!("{shown}: {}{}", result.reason, costs::told(&costs));
            Finding::fail(
                CHECK,
                found,
                "an error makes the record useless: receivers treat the domain as if it had none, or refuse its mail",
            )
        }
        ResultWord::TempError => Finding {
            is_temporary: true,
            ..Finding::fail(
                CHECK,
                format!("{shown}: {}", result.reason),
                "receivers put mail off while this lasts",
            )
        },
        _ if result.lookups > MANY_TERMS => {
            let why = "with more than ten the record is an error; an included domain may add one any day";
            Finding::warn(CHECK, format!("{shown}: {cost}{}", costs::told(&costs)), why)
        }
        _ if result.void_lookups > 0 => {
            let why = "names that do not exist cost look-ups; at the third the record is an error";
            let voids =
                format!("{} of at most {MAX_VOID_LOOKUPS} names without an answer", result.void_lookups);
            Finding::warn(CHECK, format!("{shown}: {voids}"), why)
        }
        _ => Finding::pass(CHECK, format!("{shown}: {cost}")),
    };
    Finding { hints: costs::hints(&costs), ..finding }
}

/// What becomes of those whom no term names, and what should not be in a record.
fn end(shown: &str, record: &Record<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all = record.directives.iter().find(|directive| directive.mechanism == Mechanism::All);
    let weak = "a record that ends so does not keep anybody from using the domain's name";
    match all.map(|all| all.qualifier) {
        Some(Qualifier::Neutral) => {
            findings.push(Finding::warn(
                CHECK,
                format!("{shown}: ends with ?all; ~all or -all is meant to be there"),
                weak,
            ));
        }
        None if record.redirect.is_none() => {
            findings.push(Finding::warn(
                CHECK,
                format!("{shown}: has no all at its end; add ~all or -all"),
                weak,
            ));
        }
        _ => {}
    }
    if record.directives.iter().any(|directive| matches!(directive.mechanism, Mechanism::Ptr(_))) {
        let why = "RFC 7208 §5.5: it is slow and unreliable, and should not be used";
        findings.push(Finding::warn(CHECK, format!("{shown}: has ptr"), why));
    }
    findings
}
