//! The `DKIM-Signature` field (RFC 6376 §3.5), read with the care of §6.1.1: any value that is not as the
//! RFC has it ends the signature.

use super::canonical::{Canonicalization, Form};
use super::outcome::Failure;
use crate::header::Field;
use crate::tags::{TagError, TagList, base64, colon_list, shortened, without_space};
use address::Domain;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Most names in `h=`. Signers that name absent fields too have about 60; the bound keeps the search for
/// them cheap.
pub const MAX_SIGNED_FIELDS: usize = 256;
/// The longest name that a query can have, in text without the final dot (RFC 1035 §2.3.4).
const MAX_QUERY_NAME: usize = 253;
/// A SHA-256 digest in octets.
pub(crate) const HASH_LEN: usize = 32;

/// `a=`, as far as it may still be used (RFC 8301 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// The `k=` of the keys it takes.
    pub(crate) fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa",
            Self::Ed25519Sha256 => "ed25519",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        // The rule is plain text of ABNF strings, which have no case (RFC 5234 §2.3).
        match text.to_ascii_lowercase().as_str() {
            "rsa-sha256" => Ok(Self::RsaSha256),
            "ed25519-sha256" => Ok(Self::Ed25519Sha256),
            "rsa-sha1" => Err(Failure::RsaSha1),
            _ => Err(Failure::Algorithm(shortened(text))),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of a domain's keys (`s=`): one or more DNS labels, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector(Domain);

impl Selector {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Selector {
    type Err = crate::Error;
    fn from_str(text: &str) -> Result<Self, crate::Error> {
        strict_domain(text).map(Self).ok_or_else(|| crate::Error::Selector(shortened(text)))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the key of a selector is published (RFC 6376 §3.6.2.1).
pub fn key_name(selector: &Selector, domain: &Domain) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// Which field a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dkim,
    /// ARC-Message-Signature has no version, and `i=` is no identity (RFC 8617 §4.1.2).
    Arc,
}

/// A `DKIM-Signature` field that is well-formed; whether it is true is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `a=`.
    pub algorithm: Algorithm,
    /// `c=`.
    pub canonicalization: Canonicalization,
    /// `d=`, the signing domain identifier.
    pub domain: Domain,
    /// `s=`.
    pub selector: Selector,
    /// `h=`: the names in their order, as written.
    pub signed_fields: Vec<String>,
    /// `i=` or its default, the agent or user identifier, decoded.
    pub identity: String,
    /// The domain of the identity, which is `d=` or below it.
    pub identity_domain: Domain,
    /// `l=`: how many octets of the canonical body are signed; `None` is all.
    pub body_length: Option<u64>,
    /// `t=`, seconds since 1970.
    pub timestamp: Option<u64>,
    /// `x=`, seconds since 1970.
    pub expiration: Option<u64>,
    /// `z=`: copies of header fields, name and value, for diagnosis only.
    pub copied_fields: Vec<(String, Vec<u8>)>,
    /// `bh=`.
    pub body_hash: [u8; HASH_LEN],
    /// `b=`.
    pub signature: Vec<u8>,
    /// Where the value of `b=` stands in the field's value.
    pub(crate) signature_extent: Range<usize>,
}

impl Signature {
    /// Reads a whole field, `DKIM-Signature: …`, without or with its final CRLF.
    pub fn parse(field: &[u8]) -> Result<Self, Failure> {
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        let value = Field::parse(field).map_or(field, |f| f.value());
        Self::from_tags(&TagList::parse(value)?, Kind::Dkim)
    }

    pub(crate) fn from_tags(tags: &TagList<'_>, kind: Kind) -> Result<Self, Failure> {
        let required = |name: &'static str| tags.get(name).ok_or(Failure::MissingTag(name));
        if kind == Kind::Dkim {
            let version = required("v")?;
            if version != "1" {
                return Err(Failure::Version(shortened(version)));
            }
        }
        let algorithm = Algorithm::parse(required("a")?)?;
        let signature = base64("b", required("b")?)?;
        let body_hash = base64("bh", required("bh")?)?;
        let domain = parse_domain(required("d")?)?;
        let signed_fields = parse_signed_fields(required("h")?)?;
        let selector = parse_selector(required("s")?, &domain)?;
        if signature.is_empty() {
            return Err(bad("b", ""));
        }
        let canonicalization = parse_canonicalization(tags.get("c").unwrap_or("simple"))?;
        let query = tags.get("q").unwrap_or("dns/txt");
        if !colon_list(query).any(|method| method.eq_ignore_ascii_case("dns/txt")) {
            return Err(Failure::QueryMethod(shortened(query)));
        }
        let identity = tags.get("i").filter(|_| kind == Kind::Dkim);
        let (identity, identity_domain) = parse_identity(identity, &domain)?;
        Ok(Self {
            body_length: tags.get("l").map(|text| number("l", text, 76)).transpose()?,
            timestamp: tags.get("t").map(|text| number("t", text, 12)).transpose()?,
            expiration: tags.get("x").map(|text| number("x", text, 12)).transpose()?,
            copied_fields: tags.get("z").map(parse_copied).transpose()?.unwrap_or_default(),
            body_hash: body_hash.try_into().map_err(|_| bad("bh", required("bh").unwrap_or_default()))?,
            signature_extent: tags.extent("b").ok_or(Failure::MissingTag("b"))?,
            algorithm,
            canonicalization,
            identity,
            identity_domain,
            domain,
            selector,
            signed_fields,
            signature,
        })
    }

    /// RFC 6376 §3.5, `t=` and `x=`: whether they make sense, and the signature still counts at `now`.
    pub fn check_time(&self, now: u64) -> Result<(), Failure> {
        let Some(expires) = self.expiration else { return Ok(()) };
        match self.timestamp {
            Some(signed) if expires <= signed => Err(Failure::ExpiresBeforeSigned { signed, expires }),
            _ if now > expires => Err(Failure::Expired(expires)),
            _ => Ok(()),
        }
    }
}

fn bad(tag: &'static str, value: &str) -> Failure {
    Failure::Syntax(TagError::Value(tag, shortened(value)))
}

/// A name that has no final dot, which the grammar of RFC 6376 has not either.
fn strict_domain(text: &str) -> Option<Domain> {
    if text.ends_with('.') {
        return None;
    }
    Domain::parse(text).ok()
}

/// `domain-name = sub-domain 1*("." sub-domain)`: two labels or more.
pub(crate) fn parse_domain(text: &str) -> Result<Domain, Failure> {
    strict_domain(text).filter(|domain| domain.parent().is_some()).ok_or_else(|| bad("d", text))
}

/// A selector whose key can be asked for.
pub(crate) fn parse_selector(text: &str, domain: &Domain) -> Result<Selector, Failure> {
    let selector: Selector = text.parse().map_err(|_| bad("s", text))?;
    if key_name(&selector, domain).len() > MAX_QUERY_NAME {
        return Err(bad("s", selector.as_str()));
    }
    Ok(selector)
}

fn parse_signed_fields(text: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = colon_list(text).take(MAX_SIGNED_FIELDS + 1).map(str::to_owned).collect();
    if names.len() > MAX_SIGNED_FIELDS {
        return Err(Failure::TooManyFields);
    }
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    if !names.iter().all(is_name) {
        return Err(bad("h", text));
    }
    if !names.iter().any(|name| name.eq_ignore_ascii_case("from")) {
        return Err(Failure::FromNotSigned);
    }
    Ok(names)
}

fn parse_canonicalization(text: &str) -> Result<Canonicalization, Failure> {
    let form = |name: &str| match name.to_ascii_lowercase().as_str() {
        "simple" => Ok(Form::Simple),
        "relaxed" => Ok(Form::Relaxed),
        _ => Err(Failure::Canonicalization(shortened(text))),
    };
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    Ok(Canonicalization { header: form(header)?, body: form(body)? })
}

/// `i=`, or its default `@` and the domain; within the domain in any case.
pub(crate) fn parse_identity(text: Option<&str>, domain: &Domain) -> Result<(String, Domain), Failure> {
    let Some(text) = text else { return Ok((format!("@{domain}"), domain.clone())) };
    let identity = quoted_printable(text).and_then(|octets| String::from_utf8(octets).ok());
    // What is decoded here ends up in header fields and logs.
    let identity =
        identity.filter(|identity| !identity.contains(char::is_control)).ok_or_else(|| bad("i", text))?;
    let host =
        identity.rsplit_once('@').and_then(|(_, host)| strict_domain(host)).ok_or_else(|| bad("i", text))?;
    if !host.is_within(domain) {
        return Err(Failure::Identity(shortened(&identity), domain.clone()));
    }
    Ok((identity, host))
}

/// `1*nDIGIT`; what does not fit is as good as infinite.
fn number(tag: &'static str, text: &str, digits: usize) -> Result<u64, Failure> {
    if text.is_empty() || text.len() > digits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad(tag, text));
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

/// `z=`: `sig-z-tag-copy = hdr-name [FWS] ":" qp-hdr-value`, with `|` between copies.
fn parse_copied(text: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let copy = |copy: &str| {
        let (name, value) = copy.split_once(':')?;
        Some((without_space(name), quoted_printable(value)?))
    };
    text.split('|').map(|c| copy(c).ok_or_else(|| bad("z", c))).collect()
}

/// Decodes dkim-quoted-printable (RFC 6376 §2.11), where white space is none of the value.
pub(crate) fn quoted_printable(text: &str) -> Option<Vec<u8>> {
    let text = without_space(text);
    let mut octets = Vec::with_capacity(text.len());
    let mut parts = text.split('=');
    octets.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let hex = part.get(..2)?;
        octets.extend(data_encoding::HEXUPPER.decode(hex.as_bytes()).ok()?);
        octets.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "v=1; a=rsa-sha256; d=example.org; s=brisbane; h=from:to; \
                        bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=; b=Zm9v";

    /// The good field with one tag replaced (`None`: taken out).
    fn with(tag: &str, value: Option<&str>) -> Result<Signature, Failure> {
        let kept = GOOD.split("; ").filter(|spec| !spec.starts_with(&format!("{tag}=")));
        let added = value.map(|value| format!("{tag}={value}"));
        let text = kept.map(str::to_owned).chain(added).collect::<Vec<_>>().join("; ");
        Signature::parse(format!("DKIM-Signature: {text}\r\n").as_bytes())
    }

    fn check(tag: &str, value: &str, expected: Result<(), Failure>) {
        assert_eq!(with(tag, Some(value)).map(|_| ()), expected, "{tag}={value}");
    }

    fn check_bad(tag: &'static str, value: &str) {
        check(tag, value, Err(bad(tag, value)));
    }

    #[test]
    fn the_example_of_section_3_5() {
        let signature = Signature::parse(
            b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=brisbane;\r\n   c=simple; q=dns/txt; \
              i=@eng.example.net;\r\n   t=1117574938; x=1118006938;\r\n   h=from:to:subject:date;\r\n   \
              z=From:foo@eng.example.net|To:joe@example.com|\r\n    \
              Subject:demo=20run|Date:July=205,=202005=203:44:08=20PM=20-0700;\r\n   \
              bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=;\r\n   \
              b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\n",
        )
        .unwrap();
        assert_eq!(signature.canonicalization, Canonicalization::SIMPLE);
        assert_eq!(signature.identity, "@eng.example.net");
        assert_eq!((signature.timestamp, signature.expiration), (Some(1117574938), Some(1118006938)));
        assert_eq!(signature.signed_fields, ["from", "to", "subject", "date"]);
        assert_eq!(&signature.body_hash, b"12345678901234567890123456789012");
        assert_eq!(signature.signature.len(), 48);
        let copied: Vec<_> =
            signature.copied_fields.iter().map(|(n, v)| (n.as_str(), str::from_utf8(v).unwrap())).collect();
        assert_eq!(
            copied,
            [
                ("From", "foo@eng.example.net"),
                ("To", "joe@example.com"),
                ("Subject", "demo run"),
                ("Date", "July 5, 2005 3:44:08 PM -0700"),
            ]
        );
    }

    #[test]
    fn defaults() {
        let signature = with("none", None).unwrap();
        assert_eq!(signature.canonicalization, Canonicalization::SIMPLE);
        assert_eq!(signature.identity, "@example.org");
        assert_eq!((signature.body_length, signature.timestamp, signature.expiration), (None, None, None));
    }

    #[test]
    fn required_tags() {
        for tag in ["v", "a", "b", "bh", "d", "h", "s"] {
            assert_eq!(with(tag, None).map(|_| ()), Err(Failure::MissingTag(tag)));
        }
    }

    #[test]
    fn each_tag() {
        check("v", "2", Err(Failure::Version("2".into())));
        check("v", "1.0", Err(Failure::Version("1.0".into())));
        check("v", "", Err(Failure::Version(String::new())));

        check("a", "ed25519-sha256", Ok(()));
        check("a", "rsa-sha1", Err(Failure::RsaSha1));
        check("a", "rsa-sha512", Err(Failure::Algorithm("rsa-sha512".into())));
        check("a", "", Err(Failure::Algorithm(String::new())));

        check("b", "Zm\r\n 9v", Ok(()));
        check_bad("b", "");
        check_bad("b", "Zm9v!");
        check_bad("bh", "Zm9v");
        check_bad("bh", "");

        check("c", "relaxed", Ok(()));
        check("c", "simple/relaxed", Ok(()));
        check("c", "nowsp", Err(Failure::Canonicalization("nowsp".into())));
        check("c", "simple/", Err(Failure::Canonicalization("simple/".into())));

        check("q", "http/x : dns/txt", Ok(()));
        check("q", "dns/other", Err(Failure::QueryMethod("dns/other".into())));
        check("unknown", "anything at all", Ok(()));
    }

    #[test]
    fn names() {
        check("d", "sub.example.org", Ok(()));
        check("d", "bücher.example", Ok(()));
        check_bad("d", "");
        check_bad("d", "localhost");
        check_bad("d", "example.org.");
        check_bad("d", "[192.0.2.1]");
        check_bad("d", "a..b");
        check("s", "march2005.reykjavik", Ok(()));
        check_bad("s", "");
        check_bad("s", "a b");
        check_bad("s", ".a");
        let long = format!("{0}.{0}.{0}.{0}", "a".repeat(60));
        check("s", &long, Err(bad("s", &long)));
    }

    #[test]
    fn signed_fields() {
        check("h", "To : FROM \r\n : Subject", Ok(()));
        check("h", "dkim-signature:from", Ok(()));
        check("h", "to:subject", Err(Failure::FromNotSigned));
        check_bad("h", "");
        check_bad("h", "from::to");
        check_bad("h", "from:to:");
        check("h", &vec!["from"; MAX_SIGNED_FIELDS].join(":"), Ok(()));
        check("h", &vec!["from"; MAX_SIGNED_FIELDS + 1].join(":"), Err(Failure::TooManyFields));
    }

    #[test]
    fn identities() {
        let domain = Domain::parse("example.org").unwrap();
        let outside = |text: &str| Err(Failure::Identity(text.into(), domain.clone()));
        check("i", "@example.org", Ok(()));
        check("i", "joe@Sub.Example.ORG", Ok(()));
        check("i", "\"j=40e\"@\r\n example.org", Ok(()));
        check("i", "joe@org", outside("joe@org"));
        check("i", "joe@badexample.org", outside("joe@badexample.org"));
        check("i", "joe@example.org@example.com", outside("joe@example.org@example.com"));
        check_bad("i", "");
        check_bad("i", "example.org");
        check_bad("i", "joe=4@example.org");
        check_bad("i", "joe=0D=0A@example.org");
        check_bad("i", "joe=4f=@example.org");
        check_bad("i", "joe=4f=aa@example.org");
        assert_eq!(with("i", Some("j=3Bo@example.org")).unwrap().identity, "j;o@example.org");
    }

    #[test]
    fn numbers() {
        check("l", "0", Ok(()));
        assert_eq!(with("l", Some(&"9".repeat(76))).unwrap().body_length, Some(u64::MAX));
        check_bad("l", "-1");
        check_bad("l", "1 2");
        check("l", &"1".repeat(77), Err(bad("l", &"1".repeat(77))));
        check("t", "999999999999", Ok(()));
        check_bad("t", "9999999999999");
        check_bad("x", "");
        check_bad("x", "0x10");
    }

    #[test]
    fn times() {
        let at = |t: Option<&str>, x: &str, now| {
            let mut signature = with("x", Some(x)).unwrap();
            signature.timestamp = t.map(|t| t.parse().unwrap());
            signature.check_time(now)
        };
        assert_eq!(at(Some("100"), "200", 150), Ok(()));
        assert_eq!(at(Some("100"), "200", 200), Ok(()));
        assert_eq!(at(Some("100"), "200", 201), Err(Failure::Expired(200)));
        assert_eq!(at(None, "200", 201), Err(Failure::Expired(200)));
        assert_eq!(
            at(Some("200"), "200", 1),
            Err(Failure::ExpiresBeforeSigned { signed: 200, expires: 200 })
        );
        assert_eq!(at(Some("500"), "600", 1), Ok(()), "a clock that is behind");
    }
}
