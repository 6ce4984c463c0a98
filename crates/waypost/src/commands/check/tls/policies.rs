//! What a host, and the domain it takes mail for, publish about its TLS: DANE (RFC 7672) and MTA-STS (RFC 8461).

use super::certificate::Certificate;
use crate::exit::Failure;
use address::{Domain, Host};
use dns::{Dnssec, Family, Resolver};
use net::tls::{Association, DaneVerifier, Shown, TlsClient};
use serde::Serialize;
use std::sync::Arc;
use transport::{Settings, Sts, StsMode, TlsaRecords, Transport};

/// The verdict of DANE.
#[derive(Debug, Serialize)]
pub(super) struct Dane {
    /// `valid`, `invalid`, `unusable` (records, but none that mail can use), `none`, `unknown` (the look-up failed, or it cannot be told
    /// now whether anything can be validated: whoever uses DANE and cannot learn it either sends no mail), `off` (nothing can be validated through these name servers).
    pub(super) state: &'static str,
    pub(super) records: Vec<String>,
    /// Why, in words.
    pub(super) reason: Option<String>,
}

/// The verdict of MTA-STS.
#[derive(Debug, Serialize)]
pub(super) struct MtaSts {
    /// `valid`, `invalid`, `none`, or `unavailable` (announced, and cannot be had).
    pub(super) state: &'static str,
    /// The domain whose policy it is.
    pub(super) domain: Option<Domain>,
    /// `enforce` or `testing`.
    pub(super) mode: Option<&'static str>,
    pub(super) reason: Option<String>,
}

/// Whom to ask about whom.
pub(super) struct Asking<'a> {
    pub(super) host: &'a Host,
    pub(super) port: u16,
    /// The domain that mail is for, where it was said.
    pub(super) domain: Option<&'a Domain>,
    pub(super) settings: dns::Settings,
    pub(super) hostname: Domain,
}

impl Asking<'_> {
    /// Both verdicts on what the server showed.
    pub(super) async fn verdicts(
        &self,
        shown: Option<&Shown>,
        certificate: Option<&Certificate>,
    ) -> Result<(Dane, MtaSts), Failure> {
        let Host::Domain(host) = self.host else {
            let none = || Some("an address has no such records".to_owned());
            let sts = MtaSts { state: "none", domain: None, mode: None, reason: none() };
            return Ok((Dane { state: "none", records: Vec::new(), reason: none() }, sts));
        };
        let resolver =
            Resolver::new(&self.settings).map_err(|error| Failure::try_again(error.to_string()))?;
        let dane = self.dane(&resolver, host, shown).await;
        let sts = self.sts(resolver, host, certificate).await;
        Ok((dane, sts))
    }

    async fn dane(&self, resolver: &Resolver, host: &Domain, shown: Option<&Shown>) -> Dane {
        let without = |state, reason| Dane { state, records: Vec::new(), reason: Some(reason) };
        if let Dnssec::Off { reason } = resolver.dnssec().await {
            return without("off", format!("DNSSEC cannot be validated through the name servers: {reason}"));
        }
        let found = match transport::tlsa(resolver, host, self.port, Family::Both).await {
            Err(error) => return without("unknown", error.to_string()),
            Ok(None) => {
                return without("none", "the host has no TLSA records that DNSSEC vouches for".to_owned());
            }
            Ok(Some(found)) => found,
        };
        let TlsaRecords { base, records } = found;
        let usable = |record: &dns::Tlsa| {
            Association::new(record.usage, record.selector, record.matching, record.data.clone())
        };
        let associations: Vec<_> = records.iter().filter_map(usable).collect();
        let records = records.iter().map(ToString::to_string).collect();
        if associations.is_empty() {
            let reason = Some("mail takes usages 2 and 3, with SHA-256, SHA-512 or in full".to_owned());
            return Dane { state: "unusable", records, reason };
        }
        let names = vec![base.to_string(), host.to_string()];
        let chain = shown.map(|shown| shown.chain.as_slice()).unwrap_or_default();
        match DaneVerifier::new(&associations, names).judge(chain) {
            Ok(()) => Dane { state: "valid", records, reason: None },
            Err(reason) => Dane { state: "invalid", records, reason: Some(reason) },
        }
    }

    async fn sts(&self, resolver: Resolver, host: &Domain, certificate: Option<&Certificate>) -> MtaSts {
        let transport =
            Transport::new(Arc::new(resolver), TlsClient::new(), Settings::new(self.hostname.clone()));
        for domain in self.candidates(host) {
            let verdict = |state, mode, reason| MtaSts { state, domain: Some(domain.clone()), mode, reason };
            match transport.sts_policy(&domain).await {
                Sts::Absent => {}
                Sts::Unavailable(trouble) => return verdict("unavailable", None, Some(trouble.reason)),
                Sts::Policy(policy) => {
                    let mode = Some(policy.mode.as_str());
                    debug_assert_ne!(policy.mode, StsMode::None);
                    let reason = if policy.permits(host) {
                        match certificate {
                            Some(certificate) => certificate.refusal(),
                            None => Some("the server shows no certificate".to_owned()),
                        }
                    } else {
                        Some(format!("{host} is none of the hosts it names: {}", policy.patterns.join(", ")))
                    };
                    let state = if reason.is_none() { "valid" } else { "invalid" };
                    return verdict(state, mode, reason);
                }
            }
        }
        MtaSts { state: "none", domain: None, mode: None, reason: None }
    }

    /// A policy is a domain's, and only people know which domains a host takes mail for: the host's own name, and the one above
    /// it, are guesses.
    fn candidates(&self, host: &Domain) -> Vec<Domain> {
        if let Some(domain) = self.domain {
            return vec![domain.clone()];
        }
        let above = host.as_str().split_once('.').filter(|(_, above)| above.contains('.'));
        let above = above.and_then(|(_, above)| Domain::parse(above).ok());
        std::iter::once(host.clone()).chain(above).collect()
    }
}

impl Dane {
    /// What keeps mail away, in words.
    pub(super) fn problem(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or_default();
        match self.state {
            "invalid" => Some(format!("DANE: who uses it sends no mail here: {reason}")),
            "unknown" => {
                Some(format!("DANE: who cannot learn it either sends no mail here for now: {reason}"))
            }
            _ => None,
        }
    }

    pub(super) fn line(&self) -> String {
        let mut line = self.state.to_owned();
        for part in self.records.iter().chain(&self.reason) {
            line.push_str(if line == self.state { ": " } else { "; " });
            line.push_str(part);
        }
        line
    }
}

impl MtaSts {
    pub(super) fn problem(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or_default();
        match (self.state, self.mode) {
            ("invalid", Some("enforce")) => {
                Some(format!("MTA-STS: who uses it sends no mail here: {reason}"))
            }
            ("invalid", _) => Some(format!("MTA-STS: with mode enforce no mail would come: {reason}")),
            ("unavailable", _) => Some(format!("MTA-STS: the policy cannot be had: {reason}")),
            _ => None,
        }
    }

    pub(super) fn line(&self) -> String {
        let of = self.domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
        let mode = self.mode.map(|mode| format!(", mode {mode}")).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{}{of}{mode}{reason}", self.state)
    }
}
