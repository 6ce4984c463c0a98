//! The two texts of MTA-STS: the record that says there is a policy, and the policy (RFC 8461 §3.1, §3.2).

use address::Domain;

/// Longest lifetime that is believed, in seconds: a year (RFC 8461 §3.2).
const MAX_AGE: u64 = 31_557_600;
/// Most `mx` patterns that are kept: a policy of 64 KiB could have thousands.
const MAX_PATTERNS: usize = 256;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsPolicy {
    pub mode: StsMode,
    /// Seconds from the fetch for which it holds.
    pub max_age: u64,
    /// Names, or `*.` and a name, in lower case. None only with mode `none`.
    pub patterns: Vec<String>,
    /// As it was served.
    pub text: String,
}

/// What becomes of a host that does not comply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StsMode {
    /// It gets no mail.
    Enforce,
    /// It gets mail, and the domain a report.
    Testing,
    /// There is no policy any more.
    None,
}

impl StsMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl StsPolicy {
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
                line.split_once(':').ok_or_else(|| format!("the line {line:?} has no colon"))?;
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
            return Err(format!("its version is {}, not STSv1", version.unwrap_or("missing")));
        }
        let mode = match mode {
            Some("enforce") => StsMode::Enforce,
            Some("testing") => StsMode::Testing,
            Some("none") => StsMode::None,
            other => return Err(format!("its mode is {}", other.unwrap_or("missing"))),
        };
        let max_age = max_age.filter(|age| age.len() <= 10).and_then(|age| age.parse::<u64>().ok());
        let max_age = max_age.ok_or("its max_age is no number of seconds")?.min(MAX_AGE);
        if patterns.is_empty() && mode != StsMode::None {
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
    let name = value.strip_prefix("*.").unwrap_or(value);
    match Domain::parse(name) {
        Ok(name) if value.len() > name.as_str().len() && value.starts_with("*.") => Ok(format!("*.{name}")),
        Ok(name) => Ok(name.to_string()),
        Err(_) => Err(format!("its mx {value:?} is no name of a host")),
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
    let sound = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                          mx: backupmx.example.com\r\nmax_age: 604800\r\n";

    #[test]
    fn rfc_8461_3_2_the_example() {
        let policy = StsPolicy::parse(POLICY).unwrap();
        assert_eq!((policy.mode, policy.max_age), (StsMode::Enforce, 604_800));
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
            ("<html>", false),
            ("", false),
        ];
        for (text, good) in cases {
            let parsed = StsPolicy::parse(text);
            assert_eq!(parsed.is_ok(), good, "{text:?}: {parsed:?}");
        }
        let year = StsPolicy::parse("version: STSv1\nmode: none\nmax_age: 9999999999").unwrap();
        assert_eq!(year.max_age, MAX_AGE);
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
