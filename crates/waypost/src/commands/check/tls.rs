//! `waypost check tls`: which TLS a server speaks, and with which certificate.

mod certificate;
mod old;

use crate::cli::values::Tls;
use crate::client::{self, Client, Error, Here, Place, Settings, Transcript, Turn, connect_any};
use crate::config::{Peer, SMTPS_PORT};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use certificate::{Certificate, Examiner};
use net::Stream;
use net::tls::TlsPolicy;
use serde::Serialize;
use smtp::Reply;
use smtp::client::Timeouts;
use std::sync::Arc;
use std::time::Duration;

/// Ports at which TLS comes first: the registered ones for mail, and those of `waypost dev`.
const IMPLICIT: [u16; 6] = [SMTPS_PORT, 993, 995, 1465, 1993, 1995];
/// A server that says nothing for so long is waiting for TLS.
const SILENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Report {
    server: String,
    ok: bool,
    /// `starttls`, or `implicit`: from the first octet.
    mode: &'static str,
    version: &'static str,
    cipher: String,
    certificate: Option<Certificate>,
    versions: Vec<Version>,
    /// What is wrong, in words.
    problems: Vec<String>,
}

/// Whether a version of TLS is spoken.
#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
    accepted: bool,
}

pub(super) fn run(
    server: &Peer,
    here: &Here,
    dns: Vec<std::net::SocketAddr>,
    json: bool,
) -> Result<Exit, Failure> {
    let mut settings = Settings { dns, ..Settings::new(Place::Tcp(server.clone()), here.helo(None)) };
    settings.timeouts = Timeouts { greeting: SILENCE, ..Timeouts::default() };
    settings.tls = if IMPLICIT.contains(&server.port) { Tls::Smtps } else { Tls::Starttls };
    let report = client::block_on(examine(server, settings))?;
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::No })
}

async fn examine(server: &Peer, mut settings: Settings) -> Result<Report, Failure> {
    let examiner = Arc::new(Examiner::new());
    settings.policy = Some(TlsPolicy::Custom(Arc::clone(&examiner) as Arc<_>));
    let client = match handshake(&settings).await {
        Err(Error::Ended(smtp::client::Ended::Timeout(_))) if settings.tls == Tls::Starttls => {
            settings.tls = Tls::Smtps;
            handshake(&settings).await?
        }
        other => other?,
    };
    let info = client.tls().cloned().ok_or_else(|| Failure::no(format!("{server} speaks no TLS")))?;
    drop(client);
    let certificate = examiner.seen().map(|(chain, verdict)| Certificate::new(&chain, verdict));
    let mut versions = vec![Version { version: "TLSv1.3", accepted: info.version == "TLSv1.3" }];
    for (version, number) in old::VERSIONS {
        let stream = plain(server, &settings).await?;
        versions.push(Version { version, accepted: old::accepts(stream, &server.host, number).await });
    }
    let problems = problems(certificate.as_ref(), &versions);
    Ok(Report {
        server: server.to_string(),
        ok: problems.is_empty(),
        mode: if settings.tls == Tls::Smtps { "implicit" } else { "starttls" },
        version: info.version,
        cipher: info.cipher,
        certificate,
        versions,
        problems,
    })
}

/// Up to the end of the TLS handshake.
async fn handshake(settings: &Settings) -> Result<Client, Error> {
    let mut client = Client::connect(settings, Transcript::silent()).await?;
    if settings.tls == Tls::Smtps {
        return Ok(client);
    }
    client.greet().await?;
    match client.secure(settings).await? {
        Some(Turn::Refused { at, reply }) => Err(Error::Refused { at, reply }),
        _ => Ok(client),
    }
}

/// A connection on which a TLS handshake may begin.
async fn plain(server: &Peer, settings: &Settings) -> Result<Stream, Error> {
    let stream = connect_any(server, &settings.dns).await?;
    if settings.tls == Tls::Smtps {
        return Ok(stream);
    }
    let unencrypted = Settings { tls: Tls::None, ..settings.clone() };
    let mut client = Client::over(stream, &unencrypted, Transcript::silent()).await?;
    client.greet().await?;
    client.raw_line("STARTTLS").await?;
    let reply: Reply = client.reply().await?;
    match client.into_stream() {
        Some(stream) if reply.is_positive() => Ok(stream),
        _ => Err(Error::NoStartTls),
    }
}

fn problems(certificate: Option<&Certificate>, versions: &[Version]) -> Vec<String> {
    let mut found = Vec::new();
    match certificate {
        None => found.push("the server showed no certificate".to_owned()),
        Some(certificate) => found.extend(certificate.problems()),
    }
    for version in versions.iter().filter(|version| version.accepted) {
        // RFC 8996: 1.0 and 1.1 must not be negotiated.
        if matches!(version.version, "TLSv1.0" | "TLSv1.1") {
            found.push(format!("the server accepts {}, which RFC 8996 forbids", version.version));
        }
    }
    found
}

fn print(report: &Report) -> Result<(), Failure> {
    let mode = match report.mode {
        "implicit" => "TLS from the first octet",
        _ => "STARTTLS",
    };
    output::line(&format!("{}: {mode}, {} {}", report.server, report.version, report.cipher))?;
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
    for problem in &report.problems {
        let mark = output::tinted("wrong:", Tone::Bad);
        output::line(&format!("{mark} {}", output::printable(problem)))?;
    }
    if report.ok {
        output::line(&output::tinted("good", Tone::Good))?;
    }
    Ok(())
}
