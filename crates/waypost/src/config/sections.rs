//! The tables of the file whose keys stand for themselves. Their defaults are here, and what each key means is
//! told in `reference.rs`.

use super::places::name_server;
use super::units::{self, Text};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A certificate chain and its private key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[tls]` as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTls {
    certificate: Text<PathBuf>,
    key: Text<PathBuf>,
    pub(super) client_ca: Text<PathBuf>,
    more: Vec<RawMore>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawMore {
    certificate: Text<PathBuf>,
    key: Text<PathBuf>,
}

impl RawTls {
    /// The certificates, the first being the one for clients that name no host; or the key at fault and why.
    pub(super) fn check(self) -> Result<Vec<CertificateFiles>, (String, String)> {
        let mut all = Vec::new();
        if let Some(first) = pair("tls", self.certificate, self.key)? {
            all.push(first);
        }
        for (index, more) in self.more.into_iter().enumerate() {
            let name = format!("tls.more[{index}]");
            if all.is_empty() {
                return Err((
                    name,
                    "needs [tls] certificate and key, for clients that name no host".to_owned(),
                ));
            }
            let files = pair(&name, more.certificate, more.key)?;
            all.push(files.ok_or_else(|| (name, "needs certificate and key".to_owned()))?);
        }
        Ok(all)
    }
}

fn pair(
    table: &str,
    certificate: Text<PathBuf>,
    key: Text<PathBuf>,
) -> Result<Option<CertificateFiles>, (String, String)> {
    match (certificate.0, key.0) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(CertificateFiles { certificate, key })),
        (Some(_), None) => {
            Err((format!("{table}.certificate"), "needs key, the file with its private key".to_owned()))
        }
        (None, Some(_)) => {
            Err((format!("{table}.key"), "needs certificate, the file with its chain".to_owned()))
        }
    }
}

/// `[relay]`: who may send to anywhere without logging in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Relay {
    #[serde(deserialize_with = "units::networks")]
    pub trusted: Vec<IpNet>,
}

/// `[dns]`: whom to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// Empty: the system's.
    #[serde(deserialize_with = "name_servers")]
    pub servers: Vec<SocketAddr>,
    /// A file of DNSKEY records in place of the root's own.
    #[serde(deserialize_with = "units::optional")]
    pub trust_anchor: Option<PathBuf>,
}

fn name_servers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| name_server(text).map_err(serde::de::Error::custom)).collect()
}

/// `[limits]`. [`None`] is "no limit".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Octets.
    #[serde(deserialize_with = "units::positive_size")]
    pub message_size: u64,
    #[serde(deserialize_with = "units::count")]
    pub recipients: u32,
    #[serde(deserialize_with = "units::count")]
    pub connections: u32,
    #[serde(deserialize_with = "units::bound")]
    pub connections_per_address: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub connections_per_minute: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub messages_per_session: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub messages_per_hour: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub recipients_per_hour: Option<u32>,
    /// Of strangers.
    #[serde(deserialize_with = "units::bound")]
    pub messages_per_hour_and_address: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub messages_per_hour_and_network: Option<u32>,
    #[serde(deserialize_with = "units::bound")]
    pub messages_per_hour_and_sender: Option<u32>,
    #[serde(deserialize_with = "units::count")]
    pub commands: u32,
    #[serde(deserialize_with = "units::count")]
    pub errors: u32,
    #[serde(deserialize_with = "units::bound")]
    pub auth_failures: Option<u32>,
    #[serde(deserialize_with = "units::positive_duration")]
    pub shut_out: Duration,
    #[serde(deserialize_with = "units::count")]
    pub hops: u32,
    #[serde(deserialize_with = "units::positive_duration")]
    pub idle: Duration,
    /// Octets a second; 0: none is too slow.
    #[serde(deserialize_with = "units::size")]
    pub minimum_rate: u64,
    /// Octets of all message bodies in memory together.
    #[serde(deserialize_with = "units::positive_size")]
    pub memory: u64,
    /// Zero: what is removed is gone.
    #[serde(deserialize_with = "units::duration")]
    pub undelete: Duration,
    /// How long the trail of a message is kept.
    #[serde(deserialize_with = "units::positive_duration")]
    pub trail: Duration,
    #[serde(deserialize_with = "units::networks")]
    pub exempt: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 50 << 20,
            recipients: 1_000,
            connections: 10_000,
            connections_per_address: Some(50),
            connections_per_minute: Some(120),
            messages_per_session: Some(1_000),
            messages_per_hour: Some(1_000),
            recipients_per_hour: Some(2_000),
            messages_per_hour_and_address: None,
            messages_per_hour_and_network: None,
            messages_per_hour_and_sender: None,
            commands: 100,
            errors: 20,
            auth_failures: Some(10),
            shut_out: Duration::from_secs(15 * MINUTE),
            // RFC 5321 §6.3: the threshold should be at least 100.
            hops: 100,
            // RFC 5321 §4.5.3.2.7: at least 5 minutes.
            idle: Duration::from_secs(5 * MINUTE),
            minimum_rate: 100,
            memory: 256 << 20,
            undelete: Duration::from_secs(14 * DAY),
            trail: Duration::from_secs(30 * DAY),
            exempt: Vec::new(),
        }
    }
}

/// `[submission]`: mail from the accounts here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Submission {
    pub check_sender: bool,
    pub hide_client_address: bool,
}

impl Default for Submission {
    fn default() -> Self {
        Self { check_sender: true, hide_client_address: true }
    }
}

/// `[smtp]`: mail from other servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Smtp {
    /// Zero: greet at once.
    #[serde(deserialize_with = "units::duration")]
    pub greeting_delay: Duration,
    pub bare_newline: BareNewline,
}

/// What to do with a CR or LF in a message that is not part of a CRLF.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BareNewline {
    #[default]
    Reject,
    Normalise,
}

/// `[imap]`: mailboxes, for programs that read them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Imap {
    pub unauthenticate: bool,
}

impl Default for Imap {
    fn default() -> Self {
        Self { unauthenticate: true }
    }
}

/// `[queue]`: when to try again, and how hard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Queue {
    #[serde(deserialize_with = "units::positive_duration")]
    pub first_retry: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    pub max_retry: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    pub lifetime: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    pub lifetime_null: Duration,
    #[serde(deserialize_with = "units::duration_or_never")]
    pub delay_notice: Option<Duration>,
    #[serde(deserialize_with = "units::count")]
    pub concurrency_initial: u32,
    #[serde(deserialize_with = "units::count")]
    pub concurrency_max: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(5 * MINUTE),
            max_retry: Duration::from_secs(4 * HOUR),
            lifetime: Duration::from_secs(5 * DAY),
            lifetime_null: Duration::from_secs(2 * DAY),
            delay_notice: Some(Duration::from_secs(4 * HOUR)),
            concurrency_initial: 5,
            concurrency_max: 20,
        }
    }
}

impl Queue {
    /// The key at fault and why, when the times or numbers contradict each other.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.max_retry < self.first_retry {
            let first = units::show_duration(self.first_retry);
            return Err(("max-retry", format!("must not be shorter than first-retry, which is {first}")));
        }
        if self.lifetime < self.first_retry {
            let first = units::show_duration(self.first_retry);
            return Err(("lifetime", format!("must not be shorter than first-retry, which is {first}")));
        }
        if self.concurrency_max < self.concurrency_initial {
            let initial = self.concurrency_initial;
            return Err((
                "concurrency-max",
                format!("must not be less than concurrency-initial, which is {initial}"),
            ));
        }
        Ok(())
    }
}

/// `[dkim]`: the keys that sign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dkim {
    /// None: only by command.
    #[serde(deserialize_with = "units::duration_or_never")]
    pub rotate_every: Option<Duration>,
}

/// `[log]`: what is told, how, and where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
    /// None: standard error.
    #[serde(deserialize_with = "units::optional")]
    pub file: Option<PathBuf>,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text, file: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}
