//! Whether a place outside of the domain wants its reports (RFC 9990 §4): without that, anybody could have a victim
//! flooded with reports.

use super::record::Record;
use super::uri::ReportUri;
use super::walk::walk;
use crate::{Dns, LookupError};
use address::{Address, Domain, MAX_DOMAIN};

/// The tag that names where reports of a kind go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportTag {
    /// Aggregate reports.
    Rua,
    /// Failure reports, which show people's names and addresses.
    Ruf,
}

impl ReportTag {
    /// What a record says in it.
    pub fn of(self, record: &Record) -> &[ReportUri] {
        match self {
            Self::Rua => &record.rua,
            Self::Ruf => &record.ruf,
        }
    }
}

/// One address for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub address: Address,
    /// The largest report that is wanted, in octets (RFC 7489 §6.2).
    pub max_size: Option<u64>,
    /// `Ok` when reports may be sent there; else why not, in words.
    pub verdict: Result<(), String>,
}

/// The `mailto:` addresses in the `tag` of `record`, which was found at `policy_domain`, each with its verdict. An outside
/// domain may name other addresses of its own, in the same tag.
pub async fn destinations(
    dns: &impl Dns,
    policy_domain: &Domain,
    record: &Record,
    tag: ReportTag,
) -> Vec<Destination> {
    let mut all = Vec::new();
    for uri in tag.of(record) {
        let ReportUri::Mailto { address, max_size } = uri else { continue };
        let to = |address: &Address, verdict| Destination {
            address: address.clone(),
            max_size: *max_size,
            verdict,
        };
        let Some((_, host)) = uri.mailbox() else {
            all.push(to(address, Err("an address literal cannot say that it wants reports".to_owned())));
            continue;
        };
        match verify(dns, policy_domain, host, tag).await {
            Ok(replacements) if replacements.is_empty() => all.push(to(address, Ok(()))),
            Ok(replacements) => all.extend(replacements.iter().map(|address| to(address, Ok(())))),
            Err(why) => all.push(to(address, Err(why))),
        }
    }
    all
}

/// The addresses that `host` names instead, if any; or why it gets no reports.
async fn verify(
    dns: &impl Dns,
    policy_domain: &Domain,
    host: &Domain,
    tag: ReportTag,
) -> Result<Vec<Address>, String> {
    if policy_domain == host {
        return Ok(Vec::new());
    }
    let later =
        |_: LookupError| format!("whether {host} wants reports about {policy_domain} could not be looked up");
    let own = walk(dns, policy_domain).await.organizational_domain().map_err(later)?;
    if host.is_within(&own) && walk(dns, host).await.organizational_domain().map_err(later)? == own {
        return Ok(Vec::new());
    }
    let name = format!("{policy_domain}._report._dmarc.{host}");
    if name.len() > MAX_DOMAIN {
        return Err(format!(
            "the name {name} is too long for the DNS, so {host} cannot say that it wants reports"
        ));
    }
    let texts = match dns.txt(&name).await {
        Err(LookupError::Failed) => return Err(later(LookupError::Failed)),
        found => found.unwrap_or_default(),
    };
    let records: Vec<Record> = texts.iter().filter_map(|text| Record::parse(text)).collect();
    if records.is_empty() {
        return Err(format!(
            "{host} does not say that it wants reports about {policy_domain}; {name} needs a TXT record \"v=DMARC1\""
        ));
    }
    let mut replacements = Vec::new();
    for uri in records.iter().flat_map(|record| tag.of(record)) {
        match uri.mailbox() {
            Some((address, named)) if named == host => replacements.push(address.clone()),
            _ => {
                return Err(format!(
                    "{name} sends the reports on to another host than {host}, which it must not"
                ));
            }
        }
    }
    Ok(replacements)
}
