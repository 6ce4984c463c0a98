//! MX records and the addresses of their hosts (RFC 5321 §5.1, RFC 7505).

use super::finding::{Finding, Subject, or_none};
use super::{Asked, each};
use address::Domain;
use dns::{Alias, DnsError, Family};
use std::net::IpAddr;

const CHECK: Subject = Subject {
    name: "mx",
    why: "MX records say which hosts take the domain's mail; without one that can be reached nothing arrives",
};
/// Most hosts that are looked at; nobody tries more.
const MAX_HOSTS: usize = 16;

/// A host that takes mail for the domain.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) host: Domain,
    pub(super) addresses: Vec<IpAddr>,
}

#[derive(Debug, Default)]
pub(super) struct Mx {
    pub(super) findings: Vec<Finding>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) takes_no_mail: bool,
    /// The name does not exist, or nobody answers for it: there is nothing else to ask.
    pub(super) is_all: bool,
}

pub(super) async fn check(asked: &Asked<'_>) -> Mx {
    let mut mx = Mx::default();
    let records = match asked.dns.mx_records(asked.domain.as_str()).await {
        Ok(records) => records,
        Err(error @ DnsError::NoSuchName(_)) => {
            let why = "mail to it is returned at once, and mail from it is refused";
            mx.findings.push(Finding::fail(CHECK, error.to_string(), why));
            mx.is_all = true;
            return mx;
        }
        Err(error) if error.is_temporary() => {
            mx.findings.push(Finding::unknown(CHECK, &error));
            mx.is_all = true;
            return mx;
        }
        Err(_) => {
            implicit(asked, &mut mx).await;
            return mx;
        }
    };
    let null = |exchange: &str| exchange.trim_end_matches('.').is_empty();
    if records.iter().any(|record| null(&record.exchange)) {
        mx.takes_no_mail = records.len() == 1;
        mx.findings.push(match mx.takes_no_mail {
            true => Finding::pass(CHECK, "the domain takes no mail (null MX)"),
            false => Finding::fail(
                CHECK,
                "a null MX beside others",
                "RFC 7505 §3: it must stand alone; what follows from both is not defined",
            )
            .publish(asked.domain, "MX", "0 ."),
        });
    }
    let mut records: Vec<_> = records.into_iter().filter(|record| !null(&record.exchange)).collect();
    records.sort_by_key(|record| record.preference);
    let found = each(records.iter().take(MAX_HOSTS), |record| {
        host(asked, record.preference, record.exchange.trim_end_matches('.'))
    });
    for (finding, exchange) in found.await {
        mx.findings.push(finding);
        mx.exchanges.extend(exchange);
    }
    mx
}

/// Without an MX record mail goes to the address of the domain itself.
async fn implicit(asked: &Asked<'_>, mx: &mut Mx) {
    let domain = asked.domain;
    let target =
        asked.own.first().map_or_else(|| format!("10 mail.{domain}."), |record| record.value.clone());
    mx.findings.push(match asked.dns.addresses(domain, Family::Both).await {
        Ok(addresses) => {
            mx.exchanges.push(Exchange { host: domain.clone(), addresses });
            let why = "it is better to say where mail goes: the address may be that of a web server";
            Finding::warn(CHECK, "no MX record: mail goes to the address of the domain itself", why)
                .publish_own(asked, domain.as_str(), "MX", target)
        }
        Err(error) if error.is_temporary() => Finding::unknown(CHECK, &error),
        Err(_) => Finding::fail(
            CHECK,
            "neither an MX record nor an address",
            "mail for the domain has nowhere to go",
        )
        .publish_own(asked, domain.as_str(), "MX", target),
    });
}

/// What there is to tell of a record, and the host, where it has an address.
async fn host(asked: &Asked<'_>, preference: u16, name: &str) -> (Finding, Option<Exchange>) {
    let is_address = name.parse::<IpAddr>().is_ok();
    let Some(host) = Domain::parse(name).ok().filter(|_| !is_address) else {
        let finding = Finding::fail(
            CHECK,
            format!("{preference} {name}: an MX must name a host"),
            "this record is useless to everybody",
        );
        let target = format!("{preference} mail.{}.", asked.domain);
        return (finding.publish(asked.domain, "MX", target), None);
    };
    match asked.dns.validated_addresses(&host, Family::Both).await {
        Ok(found) => {
            let exchange = Exchange { host, addresses: found.records };
            (judge(asked, preference, &exchange, found.alias), Some(exchange))
        }
        Err(error) if error.is_temporary() => (Finding::unknown(CHECK, &error), None),
        Err(error) => {
            let found = format!("{preference} {host}: {error}");
            let finding = Finding::fail(CHECK, found, "mail cannot be brought to this host");
            (finding.publish(&host, "A", "the IPv4 address of the host"), None)
        }
    }
}

/// A host that has addresses.
fn judge(asked: &Asked<'_>, preference: u16, exchange: &Exchange, alias: Option<Alias>) -> Finding {
    let Exchange { host, addresses } = exchange;
    let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let text = format!("{preference} {host}, {}", listed.join(" "));
    let private = addresses.iter().all(|ip| !net::is_public(*ip));
    let v4 = addresses.iter().any(IpAddr::is_ipv4);
    match alias {
        Some(alias) => {
            let why = "RFC 5321 §5.1: the name in an MX must have the addresses itself; some servers do not follow aliases";
            let target = format!("{preference} {}.", alias.target.as_str().trim_end_matches('.'));
            Finding::warn(CHECK, format!("{text}: an alias (CNAME) of {}", alias.target), why).publish(
                asked.domain,
                "MX",
                target,
            )
        }
        None if private => {
            Finding::fail(CHECK, format!("{text}: no public address"), "nobody outside can reach this host")
                .publish(host, "A", "the public IPv4 address of the host")
        }
        None if !v4 => {
            Finding::warn(CHECK, format!("{text}: only IPv6"), "many servers can send over IPv4 only")
                .publish(host, "A", "the IPv4 address of the host")
        }
        None => Finding::pass(CHECK, text),
    }
}

/// What SPF and others ask for by name, as text.
pub(super) async fn texts(asked: &Asked<'_>, name: &str) -> Result<Vec<Vec<u8>>, DnsError> {
    or_none(asked.dns.txt(name).await)
}
