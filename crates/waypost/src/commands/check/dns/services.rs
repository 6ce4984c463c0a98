//! How mail programs find their servers: SRV records (RFC 6186, RFC 8314 §5.1), and the host that Thunderbird and others
//! ask for settings.

use super::Asked;
use super::finding::{Finding, Subject, or_none};
use address::Domain;
use dns::Family;

const CHECK: Subject = Subject {
    name: "services",
    why: "mail programs that know only the address find server names and ports by SRV records",
};
/// With TLS from the first octet first: RFC 8314 §3 prefers that.
const SERVICES: [&str; 6] = ["submissions", "submission", "imaps", "imap", "pop3s", "pop3"];
const AUTOCONFIG: Subject = Subject {
    name: "autoconfig",
    why: "Thunderbird and some others ask this host for settings, and guess where it is not there",
};

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut there: Vec<&str> = Vec::new();
    for service in SERVICES {
        let name = format!("_{service}._tcp.{}", asked.domain);
        let records = match or_none(asked.dns.srv(&name).await) {
            Ok(records) => records,
            Err(error) => {
                findings.push(Finding::unknown(CHECK, &error));
                continue;
            }
        };
        // An empty target says that the service is not offered (RFC 6186 §3.4).
        for record in records.iter().filter(|record| !record.target.is_empty()) {
            there.push(service);
            findings.push(target(asked, &name, &record.target, &record.to_string()).await);
        }
    }
    if there.is_empty() && findings.is_empty() {
        findings.push(none(asked));
    }
    for (plain, sealed, port) in
        [("submission", "submissions", 465), ("imap", "imaps", 993), ("pop3", "pop3s", 995)]
    {
        if there.contains(&plain) && !there.contains(&sealed) {
            let why = "RFC 8314 §3: TLS from the first octet cannot be prevented by whoever interferes; STARTTLS can";
            let finding = Finding::warn(CHECK, format!("_{plain} without _{sealed}"), why);
            findings.push(match asked.exchanges.first() {
                Some(exchange) => finding.publish(
                    format!("_{sealed}._tcp.{}", asked.domain),
                    "SRV",
                    format!("0 1 {port} {}.", exchange.host),
                ),
                None => finding,
            });
        }
    }
    findings.push(autoconfig(asked).await);
    findings
}

fn none(asked: &Asked<'_>) -> Finding {
    let mut finding = Finding::warn(CHECK, "no SRV records for mail programs", CHECK.why);
    let own = asked.own.iter().filter(|record| super::finding::kind_name(record.kind) == "SRV");
    for record in own {
        finding = finding.publish(&record.name, "SRV", record.value.clone());
    }
    match (finding.publish.is_empty(), asked.exchanges.first()) {
        (true, Some(exchange)) => {
            let host = &exchange.host;
            finding
                .publish(format!("_submissions._tcp.{}", asked.domain), "SRV", format!("0 1 465 {host}."))
                .publish(format!("_imaps._tcp.{}", asked.domain), "SRV", format!("0 1 993 {host}."))
        }
        _ => finding,
    }
}

async fn target(asked: &Asked<'_>, name: &str, target: &str, record: &str) -> Finding {
    let found = match Domain::parse(target) {
        Ok(host) => asked
            .dns
            .addresses(&host, Family::Both)
            .await
            .map_err(|error| (error.is_temporary(), error.to_string())),
        Err(error) => Err((false, error.to_string())),
    };
    match found {
        Ok(_) => Finding::pass(CHECK, format!("{name} {record}")),
        Err((true, error)) => {
            Finding { is_temporary: true, ..Finding::fail(CHECK, format!("{name}: {error}"), CHECK.why) }
        }
        Err((false, error)) => Finding::fail(CHECK, format!("{name} {record}: {error}"), CHECK.why),
    }
}

/// Thunderbird and others fetch settings from this host.
async fn autoconfig(asked: &Asked<'_>) -> Finding {
    let name = format!("autoconfig.{}", asked.domain);
    let found = match Domain::parse(&name) {
        Ok(host) => asked.dns.addresses(&host, Family::Both).await,
        // A domain so long that it can have no such host.
        Err(error) => return Finding::warn(AUTOCONFIG, error.to_string(), AUTOCONFIG.why),
    };
    match found {
        Ok(_) => Finding::pass(AUTOCONFIG, format!("{name} has an address")),
        Err(error) if error.is_temporary() => Finding::unknown(AUTOCONFIG, &error),
        Err(_) => {
            let finding = Finding::warn(AUTOCONFIG, format!("no host {name}"), AUTOCONFIG.why);
            match asked.exchanges.first() {
                Some(exchange) => finding.publish(name, "CNAME", format!("{}.", exchange.host)),
                None => finding,
            }
        }
    }
}
