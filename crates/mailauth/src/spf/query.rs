//! Who is asked about.

use address::Domain;
use std::borrow::Cow;
use std::net::IpAddr;

/// A host, and the name that it claims (RFC 7208 §4.1).
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The client's address; an IPv4 address mapped into IPv6 counts as IPv4 (RFC 7208 §5).
    pub ip: IpAddr,
    /// What followed EHLO or HELO, whatever it was.
    pub helo: &'a str,
    pub identity: Identity<'a>,
    /// The name of the host that checks, for the explanation (`%{r}`); `unknown` where there is none.
    pub receiver: &'a str,
    /// Seconds since 1970, for the explanation (`%{t}`).
    pub now: u64,
}

/// The identity to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// The name in EHLO (RFC 7208 §2.3).
    Helo,
    /// The reverse-path without its angle brackets; if it is empty, `postmaster` at the name in EHLO is meant
    /// (RFC 7208 §2.4).
    MailFrom(&'a str),
}

/// A query that can be answered: its identity has a domain.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) query: &'a Query<'a>,
    /// In its own family.
    pub(super) ip: IpAddr,
    /// As it came, quotes included; `postmaster` when there was none (RFC 7208 §4.3).
    pub(super) local: Cow<'a, str>,
    pub(super) domain: Domain,
}

impl<'a> Subject<'a> {
    /// Fails with the domain that is none (RFC 7208 §4.3).
    pub(super) fn new(query: &'a Query<'a>) -> Result<Self, &'a str> {
        let (local, name) = match query.identity {
            Identity::Helo | Identity::MailFrom("") => ("", query.helo),
            Identity::MailFrom(path) => split(path),
        };
        // RFC 8616 §4: U-labels become A-labels before anything else.
        let domain = Domain::parse(name).ok().filter(|domain| domain.labels().count() > 1).ok_or(name)?;
        let local = if local.is_empty() { Cow::Borrowed("postmaster") } else { Cow::Borrowed(local) };
        Ok(Self { query, ip: query.ip.to_canonical(), local, domain })
    }
}

/// The local part and the domain of a path. A source route (RFC 5321 appendix C) is left aside; what has no `@` is a
/// domain.
fn split(path: &str) -> (&str, &str) {
    let (local, domain) = path.rsplit_once('@').unwrap_or(("", path));
    match local.strip_prefix('@').and_then(|route| route.split_once(':')) {
        Some((_, local)) => (local, domain),
        None => (local, domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is checked: `local@domain`, or the text that is no domain.
    fn check(helo: &str, identity: Identity<'_>, expected: Result<&str, &str>) {
        let query =
            Query { ip: "::ffff:192.0.2.1".parse().unwrap(), helo, identity, receiver: "unknown", now: 0 };
        let subject = Subject::new(&query);
        let found = subject
            .as_ref()
            .map(|subject| format!("{}@{}", subject.local, subject.domain))
            .map_err(|name| *name);
        assert_eq!(found.as_ref().map(String::as_str).map_err(|name| *name), expected, "{identity:?}");
        assert!(subject.is_err() || subject.is_ok_and(|subject| subject.ip.is_ipv4()));
    }

    #[test]
    fn the_identity_is_an_address() {
        check("mx.example.org", Identity::Helo, Ok("postmaster@mx.example.org"));
        check("mx.example.org", Identity::MailFrom(""), Ok("postmaster@mx.example.org"));
        check("localhost", Identity::MailFrom("joe@Example.ORG"), Ok("joe@example.org"));
        check("localhost", Identity::MailFrom("@example.org"), Ok("postmaster@example.org"));
        check("localhost", Identity::MailFrom("example.org"), Ok("postmaster@example.org"));
        check("localhost", Identity::MailFrom("\"a@b\"@example.org"), Ok("\"a@b\"@example.org"));
        check(
            "localhost",
            Identity::MailFrom("@a.example,@b.example:joe@example.org"),
            Ok("joe@example.org"),
        );
        check("localhost", Identity::MailFrom("joe@münchen.example"), Ok("joe@xn--mnchen-3ya.example"));
    }

    #[test]
    fn what_is_no_domain_is_said() {
        check("localhost", Identity::Helo, Err("localhost"));
        check("[192.0.2.1]", Identity::Helo, Err("[192.0.2.1]"));
        check("", Identity::MailFrom(""), Err(""));
        check("", Identity::MailFrom("joe"), Err("joe"));
        check("", Identity::MailFrom("joe@"), Err(""));
        check("", Identity::MailFrom("joe@a..b"), Err("a..b"));
        check("", Identity::MailFrom("joe@[192.0.2.1]"), Err("[192.0.2.1]"));
    }
}
