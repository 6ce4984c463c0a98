//! The record as a domain publishes it (RFC 7208 §4.5, §4.6.1, §12).

use super::cidr::{self, DualCidr};
use super::macros::{MacroError, MacroString, Place};
use crate::tags::shortened;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a TXT record is an SPF record of this version: the others are no business of SPF (RFC 7208 §4.5).
pub fn is_record(text: &[u8]) -> bool {
    let (version, rest) = text.split_at(text.len().min(VERSION.len()));
    version.eq_ignore_ascii_case(VERSION) && rest.first().is_none_or(|next| *next == b' ')
}

const VERSION: &[u8] = b"v=spf1";

/// A record whose syntax is right in every term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// In the order of evaluation.
    pub directives: Vec<Directive<'a>>,
    /// `redirect=`; without meaning where there is an `all` (RFC 7208 §6.1).
    pub redirect: Option<Modifier<'a>>,
    /// `exp=`.
    pub explanation: Option<Modifier<'a>>,
}

/// A mechanism with its qualifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive<'a> {
    pub qualifier: Qualifier,
    pub mechanism: Mechanism<'a>,
    /// As it stands in the record.
    pub text: &'a str,
}

/// A modifier that has a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modifier<'a> {
    pub domain: MacroString<'a>,
    /// As it stands in the record.
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// A test of the host (RFC 7208 §5). Where the domain is `None`, it is the record's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism<'a> {
    All,
    Include(MacroString<'a>),
    A(Option<MacroString<'a>>, DualCidr),
    Mx(Option<MacroString<'a>>, DualCidr),
    Ptr(Option<MacroString<'a>>),
    /// `ip4` or `ip6`; only the length of the address's family counts.
    Ip(IpAddr, DualCidr),
    Exists(MacroString<'a>),
}

impl Mechanism<'_> {
    /// Whether it counts as a term that asks the DNS (RFC 7208 §4.6.4).
    pub fn asks(&self) -> bool {
        !matches!(self, Self::All | Self::Ip(..))
    }
}

/// What is wrong with a record: the term, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it does not begin with \"v=spf1\"")]
    Version,
    #[error("it has characters that are not ASCII")]
    NotAscii,
    #[error("{0:?} is no mechanism (all, include, a, mx, ptr, ip4, ip6, exists)")]
    Mechanism(String),
    #[error("{0:?} is a modifier, and needs a \"=\" after its name")]
    ModifierAsMechanism(String),
    #[error(
        "{0:?} has no name that a modifier can have (a letter, then letters, digits, \"-\", \"_\", \".\")"
    )]
    ModifierName(String),
    #[error("{0:?}: \"all\" stands alone")]
    AllWithArgument(String),
    #[error("{0:?} needs a domain after a colon")]
    NoDomain(String),
    #[error("{0:?}: {1}")]
    Domain(String, MacroError),
    #[error("{0:?} names an address; write \"{1}\"")]
    AddressAsDomain(String, String),
    #[error("{0:?} has no IPv4 address of four numbers, as in \"ip4:192.0.2.1\" or \"ip4:192.0.2.0/24\"")]
    Ip4(String),
    #[error("{0:?} has no IPv6 address, as in \"ip6:2001:db8::1\" or \"ip6:2001:db8::/32\"")]
    Ip6(String),
    #[error(
        "{0:?}: the length of a network is a number up to 32 (IPv4) or, after \"//\" or in ip6, 128 (IPv6)"
    )]
    Prefix(String),
    #[error("{0}= stands twice")]
    Twice(&'static str),
}

impl<'a> Record<'a> {
    /// Reads the text of a TXT record, its strings joined. Every term is checked, also those that will never be
    /// evaluated (RFC 7208 §4.6).
    pub fn parse(text: &'a [u8]) -> Result<Self, RecordError> {
        if !is_record(text) {
            return Err(RecordError::Version);
        }
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii());
        let terms = text.ok_or(RecordError::NotAscii)?.split_at(VERSION.len()).1;
        let mut record = Self { directives: Vec::new(), redirect: None, explanation: None };
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            record.take(term)?;
        }
        Ok(record)
    }

    fn take(&mut self, term: &'a str) -> Result<(), RecordError> {
        let name_end = term.find(['=', ':', '/']).unwrap_or(term.len());
        let (name, rest) = term.split_at(name_end);
        match rest.strip_prefix('=') {
            Some(value) => self.take_modifier(term, name, value),
            None => {
                self.directives.push(Directive::parse(term, name, rest)?);
                Ok(())
            }
        }
    }

    fn take_modifier(&mut self, term: &'a str, name: &str, value: &'a str) -> Result<(), RecordError> {
        let known = [("redirect", &mut self.redirect), ("exp", &mut self.explanation)];
        for (modifier, place) in known {
            if name.eq_ignore_ascii_case(modifier) {
                let domain = domain_spec(term, value)?;
                let twice = place.replace(Modifier { domain, text: term }).is_some();
                return if twice { Err(RecordError::Twice(modifier)) } else { Ok(()) };
            }
        }
        let mut octets = name.bytes();
        let named = octets.next().is_some_and(|b| b.is_ascii_alphabetic())
            && octets.all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !named {
            return Err(RecordError::ModifierName(shortened(term)));
        }
        // Ignored, but not its syntax (RFC 7208 §6, §12).
        MacroString::parse(value, Place::UnknownModifier)
            .map_err(|error| RecordError::Domain(shortened(term), error))?;
        Ok(())
    }

    /// Where to go on when no mechanism matches.
    pub fn next_record(&self) -> Option<&Modifier<'a>> {
        let ended = self.directives.iter().any(|it| it.mechanism == Mechanism::All);
        self.redirect.as_ref().filter(|_| !ended)
    }
}

impl<'a> Directive<'a> {
    fn parse(term: &'a str, name: &'a str, rest: &'a str) -> Result<Self, RecordError> {
        let (qualifier, name) = Qualifier::split(name);
        let mechanism = match name.to_ascii_lowercase().as_str() {
            "all" if rest.is_empty() => Mechanism::All,
            "all" => return Err(RecordError::AllWithArgument(shortened(term))),
            "include" => Mechanism::Include(needed_domain(term, rest)?),
            "exists" => Mechanism::Exists(needed_domain(term, rest)?),
            "ptr" if rest.is_empty() => Mechanism::Ptr(None),
            "ptr" => Mechanism::Ptr(Some(needed_domain(term, rest)?)),
            "a" => {
                let (domain, cidr) = domain_and_cidr(term, rest)?;
                Mechanism::A(domain, cidr)
            }
            "mx" => {
                let (domain, cidr) = domain_and_cidr(term, rest)?;
                Mechanism::Mx(domain, cidr)
            }
            "ip4" => ip4(term, rest)?,
            "ip6" => ip6(term, rest)?,
            "redirect" | "exp" => return Err(RecordError::ModifierAsMechanism(shortened(term))),
            _ => return Err(RecordError::Mechanism(shortened(term))),
        };
        Ok(Self { qualifier, mechanism, text: term })
    }
}

impl Qualifier {
    fn split(name: &str) -> (Self, &str) {
        let signs = [('+', Self::Pass), ('-', Self::Fail), ('~', Self::SoftFail), ('?', Self::Neutral)];
        let found =
            signs.into_iter().find_map(|(sign, qualifier)| Some((qualifier, name.strip_prefix(sign)?)));
        found.unwrap_or((Self::Pass, name))
    }
}

/// `":" domain-spec`
fn needed_domain<'a>(term: &str, rest: &'a str) -> Result<MacroString<'a>, RecordError> {
    let text = rest.strip_prefix(':').ok_or_else(|| RecordError::NoDomain(shortened(term)))?;
    domain_spec(term, text)
}

fn domain_spec<'a>(term: &str, text: &'a str) -> Result<MacroString<'a>, RecordError> {
    if text.is_empty() {
        return Err(RecordError::NoDomain(shortened(term)));
    }
    MacroString::parse(text, Place::DomainSpec).map_err(|error| {
        // A common mistake, with a simple remedy.
        match text.parse::<Ipv4Addr>() {
            Ok(ip) => RecordError::AddressAsDomain(shortened(term), format!("ip4:{ip}")),
            Err(_) => RecordError::Domain(shortened(term), error),
        }
    })
}

/// `[ ":" domain-spec ] [ dual-cidr-length ]`
fn domain_and_cidr<'a>(
    term: &str,
    rest: &'a str,
) -> Result<(Option<MacroString<'a>>, DualCidr), RecordError> {
    let (domain, v4, v6) = cidr::split(rest);
    let length = |digits: Option<&str>, max: u8| match digits {
        None => Ok(max),
        Some(digits) => cidr::prefix(digits, max).ok_or_else(|| RecordError::Prefix(shortened(term))),
    };
    let cidr = DualCidr { v4: length(v4, 32)?, v6: length(v6, 128)? };
    if domain.starts_with('/') {
        return Err(RecordError::Prefix(shortened(term)));
    }
    let domain = if domain.is_empty() { None } else { Some(needed_domain(term, domain)?) };
    Ok((domain, cidr))
}

fn ip4<'a>(term: &str, rest: &str) -> Result<Mechanism<'a>, RecordError> {
    let wrong = || RecordError::Ip4(shortened(term));
    let (address, digits) = address_and_prefix(rest).ok_or_else(wrong)?;
    let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
    let v4 = length(term, digits, 32)?;
    Ok(Mechanism::Ip(address.into(), DualCidr { v4, ..DualCidr::WHOLE }))
}

fn ip6<'a>(term: &str, rest: &str) -> Result<Mechanism<'a>, RecordError> {
    let wrong = || RecordError::Ip6(shortened(term));
    let (address, digits) = address_and_prefix(rest).ok_or_else(wrong)?;
    let address: Ipv6Addr = address.parse().map_err(|_| wrong())?;
    let v6 = length(term, digits, 128)?;
    Ok(Mechanism::Ip(address.into(), DualCidr { v6, ..DualCidr::WHOLE }))
}

/// `":" network [ "/" digits ]`
fn address_and_prefix(rest: &str) -> Option<(&str, Option<&str>)> {
    let text = rest.strip_prefix(':')?;
    Some(text.split_once('/').map_or((text, None), |(address, digits)| (address, Some(digits))))
}

fn length(term: &str, digits: Option<&str>, max: u8) -> Result<u8, RecordError> {
    digits.map_or(Ok(max), |digits| {
        cidr::prefix(digits, max).ok_or_else(|| RecordError::Prefix(shortened(term)))
    })
}
