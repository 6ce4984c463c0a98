//! SPF (RFC 7208): one record, whose evaluation stays within its bounds.

mod mended;

use super::Asked;
use super::finding::{Finding, Status, Subject};
use super::mx::texts;
use dns::Names;
use mailauth::spf::{
    Identity, MAX_ELAPSED, MAX_TERMS, MAX_VOID_LOOKUPS, Mechanism, Qualifier, Query, Record, ResultWord,
    SpfResult, Step, is_record, trace,
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
    let text = match records[..] {
        [] => {
            return vec![
                Finding::fail(CHECK, "no SPF record", CHECK.why).publish_own(asked, name, "TXT", wanted),
            ];
        }
        [text] => text,
        _ => {
            let why = "RFC 7208 §4.5: with several none counts, and the result is an error";
            let found = format!("{} SPF records: join them into one", records.len());
            let mended = mended::joined(&records);
            return vec![Finding::fail(CHECK, found, why).publish(name, "TXT", zone_text(&mended))];
        }
    };
    let shown = String::from_utf8_lossy(text).into_owned();
    match Record::parse(text) {
        Err(error) => {
            let why = "RFC 7208 §4.6: a record with an error anywhere is not used at all";
            let mended = zone_text(&mended::joined(&records));
            vec![Finding::fail(CHECK, format!("{shown}: {error}"), why).publish(name, "TXT", mended)]
        }
        Ok(record) => {
            let mut findings = vec![evaluation(asked, &shown).await];
            findings.extend(end(&shown, &record));
            let mended = mended::joined(&records);
            let publish = |finding: Finding| match finding.status {
                Status::Pass => finding,
                _ if mended == shown => finding,
                _ => finding.publish(name, "TXT", zone_text(&mended)),
            };
            findings.into_iter().map(publish).collect()
        }
    }
}

/// What the evaluation for a stranger costs.
async fn evaluation(asked: &Asked<'_>, shown: &str) -> Finding {
    let sender = format!("postmaster@{}", asked.domain);
    let receiver = asked.here.host.as_str();
    let query = Query {
        ip: STRANGER,
        helo: asked.domain.as_str(),
        identity: Identity::MailFrom(&sender),
        receiver,
        now: store::clock::seconds(),
    };
    let checked = tokio::time::timeout(MAX_ELAPSED, trace(&Names(asked.dns), &query)).await;
    let result = checked.unwrap_or_else(|_| SpfResult::timed_out(&query));
    let cost = format!("{} of at most {MAX_TERMS} look-ups", result.lookups);
    match result.word {
        ResultWord::Pass => Finding::fail(
            CHECK,
            format!("{shown}: any address passes"),
            "anybody may send in the domain's name",
        ),
        ResultWord::PermError => {
            let found = format!("{shown}: {}{}", result.reason, hints(&result));
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
            Finding::warn(CHECK, format!("{shown}: {cost}{}", hints(&result)), why)
        }
        _ if result.void_lookups > 0 => {
            let why = "names that do not exist cost look-ups; at the third the record is an error";
            let voids =
                format!("{} of at most {MAX_VOID_LOOKUPS} names without an answer", result.void_lookups);
            Finding::warn(CHECK, format!("{shown}: {voids}"), why)
        }
        _ => Finding::pass(CHECK, format!("{shown}: {cost}")),
    }
}

/// What each term of the record costs, so that one sees which to replace by addresses ("flatten") or to leave out.
fn hints(result: &SpfResult) -> String {
    let mut costs: Vec<(&str, usize)> = Vec::new();
    for step in &result.steps {
        if step.depth == 0 && asks(step) {
            costs.push((&step.term, 1));
        } else if let Some((_, cost)) = costs.last_mut()
            && asks(step)
        {
            *cost += 1;
        }
    }
    costs.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
    let told: Vec<String> = costs.iter().map(|(term, cost)| format!("{term} costs {cost}")).collect();
    match told.is_empty() {
        true => String::new(),
        false => format!(" ({}; ip4: and ip6: cost nothing)", told.join(", ")),
    }
}

/// Whether a term counts (RFC 7208 §4.6.4).
fn asks(step: &Step) -> bool {
    let term = step.term.trim_start_matches(['+', '-', '~', '?']);
    let name = term.split([':', '/', '=']).next().unwrap_or_default();
    ["include", "a", "mx", "ptr", "exists", "redirect"].iter().any(|known| name.eq_ignore_ascii_case(known))
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
