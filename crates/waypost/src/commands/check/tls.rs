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
use net::tls::{TlsClient, TlsPolicy};
use policies::{Asking, Dane, MtaSts};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Serialize)]
struct Report {
    server: String,
    ok: bool,
    /// `starttls`, or `implicit`: from the first octet.
    mode: &'static str,
    /// What is spoken before TLS; none where that comes first.
    protocol: Option<Before>,
    version: &'static str,
    cipher: String,
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
    let stream = reaching.stream(before).await?.connect_tls(&tls, host, &policy).await;
    let stream = stream.map_err(|error| Failure::from(client::Error::Net(error)))?;
    let info = stream.tls().cloned().ok_or_else(|| Failure::no(format!("{host} speaks no TLS")))?;
    drop(stream);
    let shown = observer.shown();
    let certificate = shown.clone().map(Certificate::new);
    let asking = Asking { host, port: server.port, domain, settings: dns, hostname: here.host.clone() };
    let (dane, mta_sts) = asking.verdicts(shown.as_ref(), certificate.as_ref()).await?;
    let mut versions = vec![Version { version: "TLSv1.3", accepted: info.version == "TLSv1.3" }];
    for (version, number) in old::VERSIONS {
        let stream = reaching.stream(before).await?;
        versions.push(Version { version, accepted: old::accepts(stream, host, number).await });
    }
    let mut problems = problems(certificate.as_ref(), &versions);
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
        version: info.version,
        cipher: info.cipher,
        certificate,
        versions,
        dane,
        mta_sts,
        problems,
    })
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
    let mode = match report.protocol {
        None | Some(Before::Nothing) => "TLS from the first octet",
        Some(Before::Smtp) => "STARTTLS",
        Some(Before::Pop3) => "STLS (POP3)",
        Some(Before::Imap) => "STARTTLS (IMAP)",
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
