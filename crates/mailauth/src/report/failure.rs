//! Failure reports: one message that failed, for the domain that it says to come from (RFC 9991, which extends RFC 6591,
//! in the feedback report of RFC 5965).
//!
//! What is reported of the message itself is its header alone: its body is its readers' business.

use address::{Address, Domain};
use message::{Header, MAX_LINE, Notice, NoticePart, decode_words};
use std::fmt::Write;
use std::net::IpAddr;

/// Most of the header of the message that is sent along, in octets.
pub const MAX_HEADER: usize = 64 * 1024;
/// Longest value of a field that is kept of a report, in octets.
pub const MAX_VALUE: usize = 1024;

/// The fields for programs. What arrives may lack any of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailureReport {
    /// `Auth-Failure`: `dmarc`, or what failed below it (`spf`, `signature`, `bodyhash`, `revoked`).
    pub auth_failure: String,
    pub user_agent: Option<String>,
    /// As in the field of that name.
    pub authentication_results: Option<String>,
    /// `Identity-Alignment`: which mechanisms brought no aligned identity.
    pub unaligned: Unaligned,
    /// `Delivery-Result`: `delivered`, `spam`, `policy`, `reject` or `other`.
    pub delivery_result: Option<String>,
    pub dkim_domain: Option<String>,
    pub dkim_identity: Option<String>,
    pub dkim_selector: Option<String>,
    /// `SPF-DNS`: the record that was used, as `txt : domain : "text"`.
    pub spf_dns: Option<String>,
    pub original_envelope_id: Option<String>,
    pub original_mail_from: Option<String>,
    pub arrival_date: Option<String>,
    pub source_ip: Option<IpAddr>,
    pub reported_domain: Option<String>,
    /// How many such messages this report stands for.
    pub incidents: Option<u64>,
}

/// The mechanisms of `Identity-Alignment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unaligned {
    pub dkim: bool,
    pub spf: bool,
}

impl FailureReport {
    /// The mail that carries it to `to`. `header` is that of the message, and `domain` our own.
    pub fn build(
        &self,
        from: &Address,
        to: &Address,
        header: &[u8],
        now: &jiff::Zoned,
        random: [u8; 16],
        domain: &Domain,
    ) -> Vec<u8> {
        let reported = self.reported_domain.as_deref().unwrap_or("a domain");
        let source = self.source_ip.map_or_else(|| "a client".to_owned(), |ip| ip.to_string());
        let text = format!(
            "A message that says to come from {reported} was received from {source},\n\
             and {}.\n\n\
             {reported} asks for such reports in its DMARC record (tags ruf and fo).\n",
            self.words()
        );
        let what = if self.auth_failure == "dmarc" { "DMARC" } else { "Authentication" };
        let notice = Notice {
            from: from.clone().into(),
            to,
            subject: format!("{what} failure of a message from {reported}"),
            fields: Vec::new(),
            report_type: Some("feedback-report"),
            text,
            parts: vec![
                NoticePart::Lines {
                    media_type: "message/feedback-report",
                    content: self.to_fields().into_bytes(),
                },
                NoticePart::Lines { media_type: "text/rfc822-headers", content: seven_bit(header) },
            ],
        };
        notice.build(now, random, domain)
    }

    /// What failed, for people.
    fn words(&self) -> String {
        match (self.auth_failure.as_str(), self.unaligned.dkim, self.unaligned.spf) {
            ("dmarc", true, false) => "no DKIM signature vouched for it (dmarc)".to_owned(),
            ("dmarc", false, true) => "SPF did not vouch for it (dmarc)".to_owned(),
            ("dmarc", ..) => "neither SPF nor DKIM vouched for it (dmarc)".to_owned(),
            ("spf", ..) => "its envelope sender's domain does not let that client send (spf)".to_owned(),
            (other, ..) => format!("a DKIM signature of it is not valid ({other})"),
        }
    }

    /// The second part: a field a line.
    pub fn to_fields(&self) -> String {
        let mut out = String::from("Feedback-Type: auth-failure\r\nVersion: 1\r\n");
        let alignment = match (self.unaligned.dkim, self.unaligned.spf) {
            (true, true) => "dkim, spf",
            (true, false) => "dkim",
            (false, true) => "spf",
            (false, false) => "none",
        };
        let source = self.source_ip.map(|ip| ip.to_string());
        let incidents = self.incidents.map(|count| count.to_string());
        let all: [(&str, Option<&str>); 14] = [
            ("User-Agent", self.user_agent.as_deref()),
            ("Auth-Failure", Some(&self.auth_failure)),
            ("Authentication-Results", self.authentication_results.as_deref()),
            ("Identity-Alignment", Some(alignment)),
            ("Delivery-Result", self.delivery_result.as_deref()),
            ("DKIM-Domain", self.dkim_domain.as_deref()),
            ("DKIM-Identity", self.dkim_identity.as_deref()),
            ("DKIM-Selector", self.dkim_selector.as_deref()),
            ("SPF-DNS", self.spf_dns.as_deref()),
            ("Original-Envelope-Id", self.original_envelope_id.as_deref()),
            ("Original-Mail-From", self.original_mail_from.as_deref()),
            ("Arrival-Date", self.arrival_date.as_deref()),
            ("Source-IP", source.as_deref()),
            ("Incidents", incidents.as_deref()),
        ];
        for (name, value) in all {
            put(&mut out, name, value);
        }
        put(&mut out, "Reported-Domain", self.reported_domain.as_deref());
        out
    }

    /// Reads the second part; `None` when it is no report of a failed authentication.
    pub fn parse(fields: &[u8]) -> Option<Self> {
        let header = Header::parse(fields);
        let value = |name: &str| {
            let value = decode_words(&header.get(name)?.value());
            let value = value.trim();
            let value = value[..value.floor_char_boundary(MAX_VALUE)].trim_end();
            (!value.is_empty()).then(|| value.to_owned())
        };
        // Comments may follow (RFC 6591 §3.3).
        let word = |name: &str| {
            let word = value(name)?.split([' ', '(', ';']).next()?.to_ascii_lowercase();
            (!word.is_empty()).then_some(word)
        };
        if word("Feedback-Type")? != "auth-failure" {
            return None;
        }
        let alignment = value("Identity-Alignment").unwrap_or_default().to_ascii_lowercase();
        let unaligned = |method: &str| alignment.split(',').any(|word| word.trim() == method);
        Some(Self {
            auth_failure: word("Auth-Failure")?,
            user_agent: value("User-Agent"),
            authentication_results: value("Authentication-Results"),
            unaligned: Unaligned { dkim: unaligned("dkim"), spf: unaligned("spf") },
            delivery_result: word("Delivery-Result"),
            dkim_domain: value("DKIM-Domain"),
            dkim_identity: value("DKIM-Identity"),
            dkim_selector: value("DKIM-Selector"),
            spf_dns: value("SPF-DNS"),
            original_envelope_id: value("Original-Envelope-Id"),
            original_mail_from: value("Original-Mail-From"),
            arrival_date: value("Arrival-Date"),
            source_ip: value("Source-IP").and_then(|ip| ip.trim_matches(['[', ']']).parse().ok()),
            reported_domain: value("Reported-Domain"),
            incidents: value("Incidents").and_then(|count| count.parse().ok()),
        })
    }
}

fn put(out: &mut String, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    // A value of a peer's cannot start a field of its own, nor pass the longest line.
    let clean: String =
        value.chars().map(|c| if c.is_control() || !c.is_ascii() { ' ' } else { c }).collect();
    let cut = clean.floor_char_boundary(MAX_LINE - name.len() - 2);
    let _ = write!(out, "{name}: {}\r\n", &clean[..cut]);
}

/// The header as a 7-bit part: what is not ASCII becomes `?`.
fn seven_bit(header: &[u8]) -> Vec<u8> {
    let fields = Header::parse(header);
    let mut out = Vec::new();
    for field in fields.fields() {
        let raw = field.as_bytes();
        if out.len() + raw.len() > MAX_HEADER {
            break;
        }
        out.extend(raw.iter().map(|octet| if octet.is_ascii() && *octet != 0 { *octet } else { b'?' }));
        if !raw.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Incoming, read};

    fn sample() -> FailureReport {
        FailureReport {
            auth_failure: "dmarc".into(),
            user_agent: Some("Waypost".into()),
            authentication_results: Some("gen.example; dmarc=fail header.from=consumer.example".into()),
            unaligned: Unaligned { dkim: true, spf: true },
            delivery_result: Some("reject".into()),
            dkim_domain: Some("consumer.example".into()),
            dkim_identity: Some("@consumer.example".into()),
            dkim_selector: Some("epsilon".into()),
            spf_dns: Some("txt : consumer.example : \"v=spf1 -all\"".into()),
            original_mail_from: Some("author@forwarder.example".into()),
            source_ip: Some("192.0.2.2".parse().unwrap()),
            reported_domain: Some("consumer.example".into()),
            incidents: Some(3),
            ..FailureReport::default()
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let report = sample();
        let header = "From: a@consumer.example\r\nSubject: gr\u{fc}n\r\n\r\nbody";
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        let (from, to) = ("dmarc@gen.example".parse().unwrap(), "ruf@consumer.example".parse().unwrap());
        let mail =
            report.build(&from, &to, header.as_bytes(), &now, [9; 16], &"gen.example".parse().unwrap());
        assert!(mail.is_ascii());
        let text = String::from_utf8_lossy(&mail);
        assert!(text.contains("\r\n\r\nFrom: a@consumer.example\r\nSubject: gr??n\r\n\r\n--=_"), "{text}");
        assert!(!text.contains("body"));
        assert_eq!(read(&mail), Some(Ok(Incoming::Failure(report))));
    }

    /// RFC 9991 Appendix B, and RFC 6591 Appendix B with its comments.
    #[test]
    fn reports_of_others() {
        let fields = "Feedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: DMARC-Filter/1.2.3\r\nAuth-Failure: dmarc\r\n\
            Authentication-Results: gen.example;\r\n  dmarc=fail header.from=consumer.example\r\nIdentity-Alignment: dkim\r\n\
            Source-IP: 192.0.2.2\r\nReported-Domain: consumer.example\r\n\r\n";
        let report = FailureReport::parse(fields.as_bytes()).unwrap();
        assert_eq!(report.unaligned, Unaligned { dkim: true, spf: false });
        assert_eq!(report.source_ip, Some("192.0.2.2".parse().unwrap()));
        let commented = FailureReport::parse(
            b"Feedback-Type: auth-failure\r\nAuth-Failure: bodyhash (it was changed)\r\n",
        )
        .unwrap();
        assert_eq!(commented.auth_failure, "bodyhash");
        for other in [
            "Feedback-Type: abuse\r\nAuth-Failure: dmarc\r\n",
            "Feedback-Type: auth-failure\r\n",
            "Feedback-Type: auth-failure\r\nAuth-Failure: (of some kind)\r\n",
            "",
        ] {
            assert_eq!(FailureReport::parse(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn values_stay_in_their_field() {
        let evil = FailureReport { original_mail_from: Some("a\r\nIncidents: 9".into()), ..sample() };
        let fields = evil.to_fields();
        assert!(fields.contains("Original-Mail-From: a  Incidents: 9\r\n"), "{fields}");
        let long = FailureReport { original_mail_from: Some("a".repeat(5000)), ..sample() };
        assert!(long.to_fields().lines().all(|line| line.len() <= MAX_LINE));
    }
}
