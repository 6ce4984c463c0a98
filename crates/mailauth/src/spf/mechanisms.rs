//! The mechanisms: whether a host is one of those that a term names (RFC 7208 §5).

use super::cidr::DualCidr;
use super::evaluate::{Evaluation, Scope, Target, is_name};
use super::limits::{MAX_MX, MAX_PTR};
use super::macros::MacroString;
use super::outcome::{Problem, ResultWord};
use super::record::Mechanism;
use crate::{Dns, Found, LookupError};
use std::net::IpAddr;

/// What `%{p}` is where the client has no name (RFC 7208 §7.3).
const NO_NAME: &str = "unknown";

impl<D: Dns> Evaluation<'_, D> {
    /// Whether the mechanism matches the client.
    pub(super) async fn matches(
        &mut self,
        mechanism: &Mechanism<'_>,
        scope: Scope<'_>,
    ) -> Result<bool, Problem> {
        if mechanism.asks() {
            self.limits.count_term()?;
        }
        match mechanism {
            Mechanism::All => {
                self.recorder.note(|| "every address".to_owned());
                Ok(true)
            }
            Mechanism::Ip(network, cidr) => Ok(self.ip(*network, *cidr)),
            Mechanism::Include(spec) => self.include(spec, scope).await,
            Mechanism::A(spec, cidr) => self.a(spec.as_ref(), *cidr, scope).await,
            Mechanism::Mx(spec, cidr) => self.mx(spec.as_ref(), *cidr, scope).await,
            Mechanism::Ptr(spec) => self.ptr(spec.as_ref(), scope).await,
            Mechanism::Exists(spec) => self.exists(spec, scope).await,
        }
    }

    /// RFC 7208 §5.6.
    fn ip(&mut self, network: IpAddr, cidr: DualCidr) -> bool {
        let (ip, found) = (self.subject.ip, cidr.same_network(network, self.subject.ip));
        self.recorder.note(|| format!("{ip} is {}in this network", if found { "" } else { "not " }));
        found
    }

    /// RFC 7208 §5.2: only a pass of the other record counts.
    async fn include(&mut self, spec: &MacroString<'_>, scope: Scope<'_>) -> Result<bool, Problem> {
        let domain = match self.target(Some(spec), scope).await? {
            Target::Name(name) => name,
            Target::NoName(text) => return Err(Problem::IncludedNone(text)),
            Target::LocalPart => return Ok(self.no_local_part()),
        };
        let word = self.check_host(domain.clone(), scope.depth + 1).await?.word;
        self.recorder.note(|| format!("the record of {domain} gives {word}"));
        match word {
            ResultWord::Pass => Ok(true),
            ResultWord::None => Err(Problem::IncludedNone(domain)),
            _ => Ok(false),
        }
    }

    /// RFC 7208 §5.3.
    async fn a(
        &mut self,
        spec: Option<&MacroString<'_>>,
        cidr: DualCidr,
        scope: Scope<'_>,
    ) -> Result<bool, Problem> {
        let Some(name) = self.name(spec, scope).await? else { return Ok(false) };
        self.has_address(&name, cidr).await
    }

    /// RFC 7208 §5.4. The number of records is judged first, so that the result is the same in whatever order they
    /// come.
    async fn mx(
        &mut self,
        spec: Option<&MacroString<'_>>,
        cidr: DualCidr,
        scope: Scope<'_>,
    ) -> Result<bool, Problem> {
        let Some(name) = self.name(spec, scope).await? else { return Ok(false) };
        let found = self.dns.mx(&name).await;
        let found = self.answered(&name, "MX", found)?;
        if found.len() > MAX_MX {
            return Err(Problem::TooManyMx(name, found.len()));
        }
        self.recorder.note(|| match found.len() {
            0 => format!("{name} has no MX record"),
            _ => format!("{name} has no usable MX record"),
        });
        for mx in found.iter().filter(|mx| is_name(&mx.exchange)) {
            if self.has_address(&mx.exchange, cidr).await? {
                return Ok(true);
            }
        }
        if found.iter().any(|mx| is_name(&mx.exchange)) {
            let ip = self.subject.ip;
            self.recorder.note(|| format!("none of the MX hosts of {name} has an address that matches {ip}"));
        }
        Ok(false)
    }

    /// RFC 7208 §5.5.
    async fn ptr(&mut self, spec: Option<&MacroString<'_>>, scope: Scope<'_>) -> Result<bool, Problem> {
        let Some(domain) = self.name(spec, scope).await? else { return Ok(false) };
        let names = self.validated_names().await;
        let found = names.iter().find(|name| is_within(name, &domain)).cloned();
        let ip = self.subject.ip;
        self.recorder.note(|| match &found {
            Some(name) => format!("{ip} is {name}"),
            None => format!("no verified name of {ip} is within {domain}"),
        });
        Ok(found.is_some())
    }

    /// RFC 7208 §5.7: an A record, whatever the client's family.
    async fn exists(&mut self, spec: &MacroString<'_>, scope: Scope<'_>) -> Result<bool, Problem> {
        let Some(name) = self.name(Some(spec), scope).await? else { return Ok(false) };
        let found = self.dns.a(&name).await;
        let exists = !self.answered(&name, "A", found)?.is_empty();
        self.recorder.note(|| format!("{name} {}", if exists { "exists" } else { "does not exist" }));
        Ok(exists)
    }

    /// The name that a term speaks of, or `None` when it cannot match.
    async fn name(
        &mut self,
        spec: Option<&MacroString<'_>>,
        scope: Scope<'_>,
    ) -> Result<Option<String>, Problem> {
        Ok(match self.target(spec, scope).await? {
            Target::Name(name) => Some(name),
            Target::NoName(text) => {
                // RFC 7208 §4.8 leaves it open; the term may be meant for other senders than this one.
                self.recorder.note(|| format!("{text:?} is no name that the DNS can have"));
                None
            }
            Target::LocalPart => {
                self.no_local_part();
                None
            }
        })
    }

    /// A term that would need the local part does not match one that is not ASCII (RFC 8616 §4).
    fn no_local_part(&mut self) -> bool {
        self.recorder.note(|| "the local part of the sender is not ASCII".to_owned());
        false
    }

    async fn has_address(&mut self, name: &str, cidr: DualCidr) -> Result<bool, Problem> {
        let ip = self.subject.ip;
        let found = self.addresses(name).await;
        let found = self.answered(name, if ip.is_ipv4() { "A" } else { "AAAA" }, found)?;
        let matching = found.iter().find(|address| cidr.same_network(**address, ip));
        self.recorder.note(|| match (matching, found.len()) {
            (Some(address), _) => format!("{name} is {address}"),
            (None, 0) => format!("{name} has no address of this family"),
            (None, _) => {
                let all: Vec<_> = found.iter().map(ToString::to_string).collect();
                format!("{name} is {}", all.join(", "))
            }
        });
        Ok(matching.is_some())
    }

    /// The addresses of a name in the client's family.
    async fn addresses(&self, name: &str) -> Found<IpAddr> {
        Ok(if self.subject.ip.is_ipv4() {
            self.dns.a(name).await?.into_iter().map(IpAddr::from).collect()
        } else {
            self.dns.aaaa(name).await?.into_iter().map(IpAddr::from).collect()
        })
    }

    /// RFC 7208 §5: a failed look-up ends the check; one without an answer is counted.
    fn answered<T>(&mut self, name: &str, kind: &'static str, found: Found<T>) -> Result<Vec<T>, Problem> {
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Err(LookupError::Failed) => Err(Problem::Unavailable { name: name.to_owned(), kind }),
            Ok(_) | Err(LookupError::NoName | LookupError::NoRecord) => {
                self.limits.count_void(name)?;
                Ok(Vec::new())
            }
        }
    }

    /// `%{p}`: the domain itself, else a name below it, else any that is validated (RFC 7208 §7.3).
    pub(super) async fn client_name(&mut self, domain: &str) -> Result<String, Problem> {
        if self.names.is_none() {
            self.limits.count_term()?;
        }
        let names = self.validated_names().await;
        let best = names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(domain))
            .or_else(|| names.iter().find(|name| is_within(name, domain)))
            .or_else(|| names.first());
        Ok(best.map_or_else(|| NO_NAME.to_owned(), Clone::clone))
    }

    /// The client's names that have its address, of the first [`MAX_PTR`] (RFC 7208 §5.5). What fails is skipped, and
    /// what is missing is not counted: both are the doing of the client's network, not of the domain's.
    async fn validated_names(&mut self) -> &[String] {
        if self.names.is_none() {
            let mut validated = Vec::new();
            let named = self.dns.ptr(self.subject.ip).await.unwrap_or_default();
            for name in named.into_iter().take(MAX_PTR) {
                let addresses = self.addresses(&name).await.unwrap_or_default();
                if addresses.contains(&self.subject.ip) {
                    validated.push(name);
                }
            }
            self.names = Some(validated);
        }
        self.names.as_deref().unwrap_or_default()
    }
}

/// Whether `name` is `domain` or below it.
fn is_within(name: &str, domain: &str) -> bool {
    let Some(start) = name.len().checked_sub(domain.len()) else { return false };
    let (head, tail) = (name.as_bytes().get(..start), name.as_bytes().get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(domain.as_bytes()))
        && head.is_some_and(|head| head.is_empty() || head.ends_with(b"."))
}
