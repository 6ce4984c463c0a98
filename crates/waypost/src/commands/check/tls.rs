//! `waypost check tls`: which TLS a server speaks, and with which certificate.

mod before;
mod certificate;
mod old;
mod policies;

use crate::client::{self, Here};
use crate::config::Peer;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::Domain;
pub(super) use before::{Before, Reaching};
use certificate::Certificate;
use net::tls::{TlsClient, TlsInfo, TlsPolicy};
use net::{NetError, Stream};
use policies::{Asking, Dane, MtaSts};
use serde::Serialize;
use std::io;
use std::sync::Arc;

/// Versions that nobody may speak any more (RFC 8996).
const OUTDATED: [&str; 2] = ["TLSv1.0", "TLSv1.1"];

#[derive(Debug, Serialize)]
struct Report {
    server: String,
    ok: bool,
    /// `starttls`, or `implicit`: from the first octet.
    mode: &'static str,
    /// What is spoken before TLS; none where that comes first.
    protocol: Option<Before>,
    /// Of the session; `null` when there was none that we would have.
    version: Option<&'static str>,
    cipher: Option<String>,
    certificate: Option<Certificate>,
    versions: Vec<Version>,
    dane: Dane,
    mta_sts: MtaSts,
    /// What is wrong, in words.
    problems: Vec<String>,
}

/// Whether a version of TLS is spoken.
#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
    accepted: bool,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) server: &'a Peer,
    /// That the host takes mail for, where it was said.
    pub(super) domain: Option<&'a Domain>,
    pub(super) here: &'a Here,
    pub(super) dns: dns::Settings,
}

pub(super) fn run(question: Question<'_>, json: bool) -> Result<Exit, Failure> {
    let report = client::block_on(examine(question))?;
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::No })
}

async fn examine(question: Question<'_>) -> Result<Report, Failure> {
    let Question { server, domain, here, dns } = question;
    let reaching = Reaching { server, here, dns: dns.servers.clone() };
    let host = &reaching.server.host;
    let before = reaching.before().await?;
    let tls = TlsClient::new();
    let observer = tls.observer();
    let policy = TlsPolicy::Custom(Arc::clone(&observer) as _);
    let session = Session::of(reaching.stream(before).await?.connect_tls(&tls, host, &policy).await)?;
    let shown = observer.shown();
    let certificate = shown.clone().map(Certificate::new);
    let asking = Asking { host, port: server.port, domain, settings: dns, hostname: here.host.clone() };
    let (dane, mta_sts) = asking.verdicts(shown.as_ref(), certificate.as_ref()).await?;
    let mut versions = vec![Version { version: "TLSv1.3", accepted: session.version() == Some("TLSv1.3") }];
    for (version, number) in old::VERSIONS {
        let stream = reaching.stream(before).await?;
        versions.push(Version { version, accepted: old::accepts(stream, host, number).await });
    }
    let mut problems = session.problems(&versions)?;
    problems.extend(self::problems(certificate.as_ref(), &versions));
    // Where its TLSA records name the certificate, only MTA-STS still asks who else vouches for it.
    if dane.state != "valid" {
        problems.extend(certificate.as_ref().and_then(Certificate::refusal));
    }
    problems.extend(dane.problem());
    problems.extend(mta_sts.problem());
    Ok(Report {
        server: reaching.server.to_string(),
        ok: problems.is_empty(),
        mode: if before == Before::Nothing { "implicit" } else { "starttls" },
        protocol: (before != Before::Nothing).then_some(before),
        version: session.version(),
        cipher: session.0.ok().map(|info| info.cipher),
        certificate,
        versions,
        dane,
        mta_sts,
        problems,
    })
}

/// The first handshake: with the versions that we would use.
struct Session(Result<TlsInfo, NetError>);

impl Session {
    /// A handshake that failed is not the end: older versions are asked for all the same.
    fn of(stream: Result<Stream, NetError>) -> Result<Self, Failure> {
        match stream {
            Ok(stream) => match stream.tls().cloned() {
                Some(info) => Ok(Self(Ok(info))),
                None => Err(Failure::no("the connection is not encrypted")),
            },
            Err(error @ NetError::Handshake { .. }) => Ok(Self(Err(error))),
            Err(error) => Err(client::Error::Net(error).into()),
        }
    }

    fn version(&self) -> Option<&'static str> {
        self.0.as_ref().ok().map(|info| info.version)
    }

    /// What is wrong with it. Where it was cut off, and nothing else is spoken either, another try may say more.
    fn problems(&self, versions: &[Version]) -> Result<Vec<String>, Failure> {
        let Err(error) = &self.0 else { return Ok(Vec::new()) };
        let old: Vec<&str> = versions.iter().filter(|one| one.accepted).map(|one| one.version).collect();
        match error {
            NetError::Handshake { source, .. }
                if old.is_empty() && source.kind() != io::ErrorKind::InvalidData =>
            {
                Err(Failure::try_again(error.to_string()))
            }
            _ if old.iter().all(|version| OUTDATED.contains(version)) && !old.is_empty() => {
                Ok(vec![format!(
                    "the server speaks neither TLS 1.3 nor 1.2, only {}: who is careful does not talk to it ({error})",
                    old.join(" and ")
                )])
            }
            _ => Ok(vec![error.to_string()]),
        }
    }
}

fn problems(certificate: Option<&Certificate>, versions: &[Version]) -> Vec<String> {
    let mut found = Vec::new();
    match certificate {
        None => found.push("the server showed no certificate".to_owned()),
        Some(certificate) => found.extend(certificate.problems()),
    }
    for version in versions.iter().filter(|version| version.accepted) {
        if OUTDATED.contains(&version.version) {
            found.push(format!("the server accepts {}, which RFC 8996 forbids", version.version));
        }
    }
    found
}

fn print(report: &Report) -> Result<(), Failure> {
    let mode = match report.protocol {
        None | Some(Before::Nothing) => "TLS from the first octet",
        Some(Before::Smtp) => "STARTTLS",
        Some(Before::Pop3) => "STLS (POP3)",
        Some(Before::Imap) => "STARTTLS (IMAP)",
    };
    match (report.version, &report.cipher) {
        (Some(version), Some(cipher)) => {
            output::line(&format!("{}: {mode}, {version} {cipher}", report.server))?
        }
        _ => output::line(&format!("{}: {mode}, no session", report.server))?,
    }
    if let Some(certificate) = &report.certificate {
        for (name, value) in certificate.facts() {
            output::line(&format!("  {name:10} {}", output::printable(&value)))?;
        }
    }
    for version in &report.versions {
        output::line(&format!(
            "  {:10} {}",
            version.version,
            if version.accepted { "accepted" } else { "refused" }
        ))?;
    }
    output::line(&format!("  {:10} {}", "DANE", output::printable(&report.dane.line())))?;
    output::line(&format!("  {:10} {}", "MTA-STS", output::printable(&report.mta_sts.line())))?;
    for problem in &report.problems {
        let mark = output::tinted("wrong:", Tone::Bad);
        output::line(&format!("{mark} {}", output::printable(problem)))?;
    }
    if report.ok {
        output::line(&output::tinted("good", Tone::Good))?;
    }
    Ok(())
}
