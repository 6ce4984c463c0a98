//! The name that a client gives itself.

use super::finding::{Check, Finding, Weight};
use address::{Domain, Host};
use std::net::IpAddr;

/// RFC 5321 §4.1.1.1 and §4.1.4: a full domain name, or the address of the client in brackets.
pub(super) fn finding(name: &str, ip: IpAddr, ours: &Domain) -> Finding {
    let bad = |reason: String| Finding::new(Check::Helo, Weight::Bad, "fail", &reason);
    match name.parse::<Host>() {
        Ok(Host::Literal(literal)) if literal.ip() != ip => {
            bad(format!("{name} is not the client's address, which is {ip}"))
        }
        Ok(Host::Literal(_)) => Finding::new(Check::Helo, Weight::Fine, "pass", name),
        Ok(Host::Domain(domain)) if domain == *ours => bad(format!("{name} is our own name")),
        Ok(Host::Domain(_)) if !is_host_name(name) => bad(format!("{name} is no full host name")),
        Ok(Host::Domain(_)) => Finding::new(Check::Helo, Weight::Fine, "pass", name),
        Err(_) => bad(format!("{} is no host name", name.escape_debug())),
    }
}

/// Whether the name is a domain name of several labels: only then has it an SPF record (RFC 7208 §2.3).
pub(super) fn is_host_name(name: &str) -> bool {
    let domain = Domain::parse(name).ok().filter(|_| name.parse::<IpAddr>().is_err());
    domain.is_some_and(|domain| domain.labels().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gives_its_name_or_its_address() {
        let ours = "mail.example.org".parse().unwrap();
        let check = |name: &str, expected: &str| {
            assert_eq!(finding(name, "192.0.2.1".parse().unwrap(), &ours).words, expected);
        };
        check("mx.example.net", "helo=pass: mx.example.net");
        check("[192.0.2.1]", "helo=pass: [192.0.2.1]");
        check("[192.0.2.2]", "helo=fail: [192.0.2.2] is not the client's address, which is 192.0.2.1");
        check("MAIL.example.ORG", "helo=fail: MAIL.example.ORG is our own name");
        check("localhost", "helo=fail: localhost is no full host name");
        check("192.0.2.1", "helo=fail: 192.0.2.1 is no full host name");
        check("win_pc!", "helo=fail: win_pc! is no host name");
    }
}
