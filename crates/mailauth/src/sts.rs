//! The two texts of MTA-STS: the record that says there is a policy, and the policy (RFC 8461 §3.1, §3.2).
//!
//! Whoever sends mail reads both ([`record_id`], [`Policy::parse`]); a domain that has a policy writes both
//! ([`Policy::of_host`], [`Policy::record`]).
//!
//! ```
//! use mailauth::sts::{Mode, Policy, record_id};
//!
//! let policy = Policy::of_host(Mode::Testing, &"mx.example.org".parse().unwrap());
//! assert_eq!(policy.text, "version: STSv1\r\nmode: testing\r\nmx: mx.example.org\r\nmax_age: 604800\r\n");
//! let record = policy.record(1_528_637_909);
//! assert!(record_id(&[record.into_bytes()]).unwrap().starts_with("1528637909"));
//! ```

use crate::tags::shortened;
use address::Domain;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Longest lifetime that is believed, in seconds: a year (RFC 8461 §3.2).
pub const MAX_AGE: u64 = 31_557_600;
/// Most `mx` patterns that are kept: a policy of 64 KiB could have thousands.
pub const MAX_PATTERNS: usize = 256;
/// Longest `id` of a record (RFC 8461 §3.1).
pub const MAX_ID: usize = 32;
/// How long a policy of our own may be kept, in seconds: a week. Weeks are what RFC 8461 §3.2 expects; a mistake lasts as long.
const OWN_AGE: u64 = 7 * 24 * 3600;
/// Octets of the hash of a policy that are in its id. With the time before them that is 28 characters at most.
const ID_HASH: usize = 4;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// Seconds from the fetch for which it holds.
    pub max_age: u64,
    /// Names, or `*.` and a name, in lower case. None only with mode `none`.
    pub patterns: Vec<String>,
    /// As it is served.
    pub text: String,
}

/// What becomes of a host that does not comply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It gets no mail.
    Enforce,
    /// It gets mail, and the domain a report.
    Testing,
    /// There is no policy any more. To be served for as long as an older one may be kept.
    None,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enforce, Self::Testing, Self::None].into_iter().find(|mode| mode.as_str() == word)
    }
}

impl Policy {
    /// That of a domain of ours whose mail one host takes.
    pub fn of_host(mode: Mode, mx: &Domain) -> Self {
        Self::new(mode, vec![mx.to_string()], OWN_AGE)
    }

    /// A policy, and its text.
    pub fn new(mode: Mode, patterns: Vec<String>, max_age: u64) -> Self {
        let mut text = format!("version: STSv1\r\nmode: {}\r\n", mode.as_str());
        for pattern in &patterns {
            // Writing to a String cannot fail.
            let _ = write!(text, "mx: {pattern}\r\n");
        }
        let _ = write!(text, "max_age: {max_age}\r\n");
        Self { mode, max_age, patterns, text }
    }

    /// The TXT record that announces the policy, which was set at `since` (seconds since 1970). Its id is another when the
    /// policy was set anew, and also when it says something else for another reason: who has an old one asks for the new
    /// one by its id alone (RFC 8461 §3.1, §3.3).
    pub fn record(&self, since: u64) -> String {
        let hash = digest(&SHA256, self.text.as_bytes());
        format!("v=STSv1; id={since}{}", HEXLOWER.encode(&hash.as_ref()[..ID_HASH]))
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut version, mut mode, mut max_age) = (None, None, None);
        let mut patterns = Vec::new();
        for line in
            text.lines().map(|line| line.trim_end_matches(['\r', ' ', '\t'])).filter(|line| !line.is_empty())
        {
            let (key, value) =
                line.split_once(':').ok_or_else(|| format!("the line {:?} has no colon", shortened(line)))?;
            let value = value.trim_start_matches([' ', '\t']);
            match key {
                // Of all but mx the first counts.
                "version" => _ = version.get_or_insert(value),
                "mode" => _ = mode.get_or_insert(value),
                "max_age" => _ = max_age.get_or_insert(value),
                "mx" if patterns.len() < MAX_PATTERNS => patterns.push(pattern(value)?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            let version = shortened(version.unwrap_or("missing"));
            return Err(format!("its version is {version}, not STSv1"));
        }
        let word = mode.unwrap_or("missing");
        let mode = Mode::parse(word).ok_or_else(|| format!("its mode is {}", shortened(word)))?;
        let max_age = max_age.filter(|age| age.len() <= 10 && age.bytes().all(|b| b.is_ascii_digit()));
        let max_age = max_age.and_then(|age| age.parse::<u64>().ok());
        let max_age = max_age.ok_or("its max_age is no number of seconds")?.min(MAX_AGE);
        if patterns.is_empty() && mode != Mode::None {
            return Err("it has no mx".to_owned());
        }
        Ok(Self { mode, max_age, patterns, text: text.to_owned() })
    }

    /// Whether a host is one of the policy's (RFC 8461 §4.1).
    pub fn permits(&self, host: &Domain) -> bool {
        self.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => host.as_str().split_once('.').is_some_and(|(_, parent)| parent == rest),
            None => host.as_str() == pattern,
        })
    }
}

fn pattern(value: &str) -> Result<String, String> {
    let (below, name) = value.strip_prefix("*.").map_or(("", value), |name| ("*.", name));
    match Domain::parse(name) {
        Ok(name) => Ok(format!("{below}{name}")),
        Err(_) => Err(format!("its mx {:?} is no name of a host", shortened(value))),
    }
}

/// The `id` in the TXT records of `_mta-sts.DOMAIN`; `None`: the domain has no policy, or more than one record.
pub fn record_id(records: &[Vec<u8>]) -> Option<String> {
    let texts = records.iter().filter_map(|record| std::str::from_utf8(record).ok());
    let mut policies = texts.filter_map(|text| {
        let rest = text.strip_prefix("v=STSv1")?;
        rest.trim_start_matches([' ', '\t']).strip_prefix(';')
    });
    let fields = policies.next()?;
    if policies.next().is_some() {
        return None;
    }
    let id = fields.split(';').find_map(|field| field.trim_matches([' ', '\t']).strip_prefix("id="))?;
    let sound = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                          mx: backupmx.example.com\r\nmax_age: 604800\r\n";

    #[test]
    fn rfc_8461_3_2_the_example() {
        let policy = Policy::parse(POLICY).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        assert_eq!(policy.patterns, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
        for (host, permitted) in [
            ("mail.example.com", true),
            ("MAIL.example.com", true),
            ("a.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            ("mail.example.org", false),
        ] {
            assert_eq!(policy.permits(&Domain::parse(host).unwrap()), permitted, "{host}");
        }
    }

    /// What is below a name stays below it, in whatever form the name is written.
    #[test]
    fn patterns_are_names() {
        for (written, read) in [
            ("MX.Example.", "mx.example"),
            ("*.Example.net", "*.example.net"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
        ] {
            let text = format!("version: STSv1\nmode: testing\nmax_age: 1\nmx: {written}");
            assert_eq!(Policy::parse(&text).unwrap().patterns, [read], "{written}");
        }
    }

    #[test]
    fn policies_good_and_bad() {
        let cases = [
            ("version: STSv1\nmode: none\nmax_age: 0", true),
            ("mode:testing\nmx:a.example\nversion:STSv1\nmax_age:1\nmax_age:x\nother: thing", true),
            ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 99999999999", false),
            ("version: STSv2\nmode: none\nmax_age: 1", false),
            ("mode: none\nmax_age: 1", false),
            ("version: STSv1\nmode: force\nmx: a.example\nmax_age: 1", false),
            ("version: STSv1\nmode: enforce\nmax_age: 1", false),
            ("version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1", false),
            ("version: STSv1\nmode: none\nmax_age: -1", false),
            ("version: STSv1\nmode: none\nmax_age: +1", false),
            ("version: STSv1\nmode: none\nmax_age:", false),
            ("<html>", false),
            ("", false),
        ];
        for (text, good) in cases {
            let parsed = Policy::parse(text);
            assert_eq!(parsed.is_ok(), good, "{text:?}: {parsed:?}");
        }
        let year = Policy::parse("version: STSv1\nmode: none\nmax_age: 9999999999").unwrap();
        assert_eq!(year.max_age, MAX_AGE);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = Policy::new(Mode::Enforce, vec!["mx.example".into(), "*.b.example".into()], 86_400);
        assert_eq!(Policy::parse(&written.text), Ok(written));
        let none = Policy::new(Mode::None, Vec::new(), 1);
        assert_eq!(Policy::parse(&none.text), Ok(none));
    }

    /// RFC 8461 §3.1: another policy has another id, whatever changed, and the same one the same.
    #[test]
    fn another_policy_has_another_id() {
        let record = |mode, mx: &str, since| Policy::of_host(mode, &mx.parse().unwrap()).record(since);
        let of = |mode, mx, since| record_id(&[record(mode, mx, since).into_bytes()]).unwrap();
        let first = of(Mode::Testing, "mx.example", 1_000);
        assert_eq!(of(Mode::Testing, "MX.example", 1_000), first);
        for (what, other) in [
            ("mode", of(Mode::Enforce, "mx.example", 1_000)),
            ("host", of(Mode::Testing, "mail.example", 1_000)),
            ("time", of(Mode::Testing, "mx.example", 1_001)),
        ] {
            assert_ne!(other, first, "{what}");
        }
        assert!(of(Mode::None, "mx.example", u64::MAX).len() <= MAX_ID);
    }

    #[test]
    fn rfc_8461_3_1_records() {
        let cases: [(&[&str], Option<&str>); 10] = [
            (&["v=STSv1; id=20160831085700Z;"], Some("20160831085700Z")),
            (&["v=STSv1;id=1"], Some("1")),
            (&["v=STSv1 ; x=y; id=1 "], Some("1")),
            (&["v=spf1 -all", "v=STSv1; id=1;"], Some("1")),
            (&["v=STSv1; id=1;", "v=STSv1; id=2;"], None),
            (&["v=STSv1; id=a-b;"], None),
            (&["v=STSv1; id=;"], None),
            (&["v=STSv1"], None),
            (&["v=STSv12; id=1"], None),
            (&[], None),
        ];
        for (records, id) in cases {
            let records: Vec<_> = records.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(record_id(&records).as_deref(), id, "{records:?}");
        }
    }
}
