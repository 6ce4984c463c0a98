//! What the peer offers, from its reply to EHLO (RFC 5321 §4.1.1.1).

use crate::Reply;

/// Most SASL mechanisms kept; IANA knows about 40, and a server offers a handful.
const MAX_MECHANISMS: usize = 40;

/// The extensions a server offers. Empty after HELO. A keyword whose arguments cannot be read is taken as if
/// it had none; unknown keywords are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// SIZE (RFC 1870).
    pub size: Option<SizeLimit>,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// BINARYMIME (RFC 3030 §3).
    pub binary_mime: bool,
    /// CHUNKING: BDAT (RFC 3030 §2).
    pub chunking: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// AUTH (RFC 4954): mechanisms in upper case, in the server's order, each once. `Some` of none is the
    /// keyword without mechanisms.
    pub auth: Option<Vec<String>>,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// LIMITS (RFC 9422); all `None` without it.
    pub limits: Limits,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// FUTURERELEASE (RFC 4865).
    pub future_release: Option<FutureRelease>,
    /// MT-PRIORITY (RFC 6710): the profile's name, empty without one.
    pub mt_priority: Option<String>,
    /// XCLIENT: the attributes the server takes.
    pub xclient: Option<Vec<String>>,
    /// XFORWARD: the attributes the server takes.
    pub xforward: Option<Vec<String>>,
}

/// The argument of SIZE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// No argument, or 0: no fixed maximum is in force, or it is not told (RFC 1870 §4).
    Unknown,
    /// Octets, never 0.
    Octets(u64),
}

/// Limits of one session and transaction (RFC 9422 §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// MAILMAX: transactions a session.
    pub transactions: Option<u32>,
    /// RCPTMAX: recipients a transaction.
    pub recipients: Option<u32>,
    /// RCPTDOMAINMAX: different recipient domains a transaction.
    pub domains: Option<u32>,
}

/// The argument of DELIVERBY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// Least by-time taken with mode R, in seconds (RFC 2852 §2).
    pub minimum: Option<u32>,
}

/// The arguments of FUTURERELEASE (RFC 4865 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureRelease {
    /// Longest hold, in seconds; 0 if it could not be read.
    pub interval: u32,
    /// Latest release, as the server wrote it.
    pub date_time: String,
}

impl Capabilities {
    /// Reads a positive reply to EHLO or LHLO: its first line names the server, each other one an extension.
    pub fn parse(reply: &Reply) -> Self {
        let mut capabilities = Self::default();
        for line in reply.lines().iter().skip(1) {
            capabilities.add(line);
        }
        capabilities
    }

    /// Whether SASL `mechanism` is offered, whatever its case.
    pub fn has_mechanism(&self, mechanism: &str) -> bool {
        self.auth.iter().flatten().any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    /// The largest message taken, in octets, if the server says one.
    pub fn max_size(&self) -> Option<u64> {
        match self.size {
            Some(SizeLimit::Octets(octets)) => Some(octets),
            Some(SizeLimit::Unknown) | None => None,
        }
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "SIZE" => self.size = Some(size_limit(words.next())),
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "BINARYMIME" => self.binary_mime = true,
            "CHUNKING" => self.chunking = true,
            "STARTTLS" => self.starttls = true,
            "AUTH" => self.add_mechanisms(words),
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "LIMITS" => self.limits = Limits::parse(words),
            "REQUIRETLS" => self.require_tls = true,
            "DELIVERBY" => {
                // RFC 2852 §2: `min-by-time *("," extension-token)`.
                let minimum = words.next().and_then(|options| options.split(',').next());
                self.deliver_by = Some(DeliverBy { minimum: positive(minimum) });
            }
            "FUTURERELEASE" => {
                let interval = positive(words.next()).unwrap_or(0);
                let date_time = words.next().unwrap_or_default().to_owned();
                self.future_release = Some(FutureRelease { interval, date_time });
            }
            "MT-PRIORITY" => self.mt_priority = Some(words.next().unwrap_or_default().to_owned()),
            "XCLIENT" => self.xclient = Some(words.map(str::to_ascii_uppercase).collect()),
            "XFORWARD" => self.xforward = Some(words.map(str::to_ascii_uppercase).collect()),
            // `AUTH=LOGIN PLAIN`: from a draft of RFC 2554, still sent beside or instead of `AUTH LOGIN PLAIN`.
            _ => {
                if let Some(first) = keyword.strip_prefix("AUTH=") {
                    self.add_mechanisms(std::iter::once(first).chain(words));
                }
            }
        }
    }

    fn add_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        let mechanisms = self.auth.get_or_insert_default();
        for word in words.filter(|word| !word.is_empty()) {
            let name = word.to_ascii_uppercase();
            if mechanisms.len() < MAX_MECHANISMS && !mechanisms.contains(&name) {
                mechanisms.push(name);
            }
        }
    }
}

impl Limits {
    /// `RCPTMAX=100 MAILMAX=10`: unknown names and values that are no number are ignored (RFC 9422 §3).
    fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut limits = Self::default();
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let value = positive(Some(value));
            match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => limits.transactions = value,
                "RCPTMAX" => limits.recipients = value,
                "RCPTDOMAINMAX" => limits.domains = value,
                _ => {}
            }
        }
        limits
    }
}

fn size_limit(word: Option<&str>) -> SizeLimit {
    let octets = word.filter(|word| is_number(word)).map_or(0, |word| word.parse().unwrap_or(u64::MAX));
    if octets == 0 { SizeLimit::Unknown } else { SizeLimit::Octets(octets) }
}

/// A number above zero; one too large to hold is as good as none.
fn positive(word: Option<&str>) -> Option<u32> {
    word.filter(|word| is_number(word))?.parse().ok().filter(|&number| number > 0)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &str) -> Capabilities {
        Capabilities::parse(&Reply::plain(250, format!("mx.example\n{lines}")))
    }

    #[track_caller]
    fn check(lines: &str, expected: Capabilities) {
        assert_eq!(parse(lines), expected, "{lines:?}");
    }

    #[test]
    fn each_extension_is_read() {
        let none = Capabilities::default;
        check("PIPELINING", Capabilities { pipelining: true, ..none() });
        check("pipelining", Capabilities { pipelining: true, ..none() });
        check("8BITMIME", Capabilities { eight_bit_mime: true, ..none() });
        check("BINARYMIME", Capabilities { binary_mime: true, ..none() });
        check("CHUNKING", Capabilities { chunking: true, ..none() });
        check("STARTTLS", Capabilities { starttls: true, ..none() });
        check("SMTPUTF8", Capabilities { smtputf8: true, ..none() });
        check("DSN", Capabilities { dsn: true, ..none() });
        check("ENHANCEDSTATUSCODES", Capabilities { enhanced_status_codes: true, ..none() });
        check("REQUIRETLS", Capabilities { require_tls: true, ..none() });
        check("SIZE", Capabilities { size: Some(SizeLimit::Unknown), ..none() });
        check("SIZE 0", Capabilities { size: Some(SizeLimit::Unknown), ..none() });
        check("SIZE many", Capabilities { size: Some(SizeLimit::Unknown), ..none() });
        check("SIZE 52428800", Capabilities { size: Some(SizeLimit::Octets(52_428_800)), ..none() });
        check("MT-PRIORITY", Capabilities { mt_priority: Some(String::new()), ..none() });
        check("MT-PRIORITY MIXER", Capabilities { mt_priority: Some("MIXER".into()), ..none() });
        check("DELIVERBY", Capabilities { deliver_by: Some(DeliverBy { minimum: None }), ..none() });
        check("DELIVERBY 240", Capabilities { deliver_by: Some(DeliverBy { minimum: Some(240) }), ..none() });
        check("DELIVERBY 9,X", Capabilities { deliver_by: Some(DeliverBy { minimum: Some(9) }), ..none() });
        check("DELIVERBY ,X", Capabilities { deliver_by: Some(DeliverBy { minimum: None }), ..none() });
        check(
            "FUTURERELEASE 86400 2026-01-01T00:00:00Z",
            Capabilities {
                future_release: Some(FutureRelease {
                    interval: 86_400,
                    date_time: "2026-01-01T00:00:00Z".into(),
                }),
                ..none()
            },
        );
        check(
            "XCLIENT NAME ADDR",
            Capabilities { xclient: Some(vec!["NAME".into(), "ADDR".into()]), ..none() },
        );
        check("XFORWARD name", Capabilities { xforward: Some(vec!["NAME".into()]), ..none() });
        check("ETRN\nVRFY\nX-UNKNOWN a b\n", none());
    }

    #[test]
    fn auth_is_read_in_its_old_form_too() {
        let auth = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
        assert_eq!(parse("AUTH plain LOGIN").auth, auth(&["PLAIN", "LOGIN"]));
        assert_eq!(parse("AUTH=LOGIN PLAIN").auth, auth(&["LOGIN", "PLAIN"]));
        assert_eq!(parse("AUTH PLAIN\nAUTH=PLAIN LOGIN").auth, auth(&["PLAIN", "LOGIN"]));
        assert_eq!(parse("AUTH").auth, auth(&[]));
        assert_eq!(parse("AUTH=").auth, auth(&[]));
        assert!(parse("AUTH SCRAM-SHA-256").has_mechanism("scram-sha-256"));
    }

    #[test]
    fn limits_are_read_and_nonsense_in_them_is_not() {
        let limits = |transactions, recipients, domains| Limits { transactions, recipients, domains };
        assert_eq!(
            parse("LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1").limits,
            limits(Some(5), Some(20), Some(1))
        );
        assert_eq!(parse("LIMITS rcptmax=3 OTHER=7").limits, limits(None, Some(3), None));
        assert_eq!(parse("LIMITS RCPTMAX=0 MAILMAX= RCPTDOMAINMAX=-1").limits, Limits::default());
        assert_eq!(parse("LIMITS RCPTMAX MAILMAX=99999999999").limits, Limits::default());
    }

    #[test]
    fn the_first_line_is_the_servers_name() {
        let reply = Reply::plain(250, "PIPELINING\nDSN");
        assert_eq!(Capabilities::parse(&reply), Capabilities { dsn: true, ..Capabilities::default() });
    }

    proptest! {
        #[test]
        fn whatever_the_server_says_is_read(lines in "\\PC{0,200}") {
            parse(&lines);
        }
    }
}
