//! `waypost check dns`: everything that a domain needs in the DNS for mail, a file a subject.
//!
//! Each subject looks up what it needs and tells its [`Finding`]s: what was found, whether that is good, why it matters,
//! and the record to publish.

mod caa;
mod dkim;
mod dmarc;
mod finding;
mod mx;
mod reverse;
mod services;
mod spf;
mod sts;
mod tlsa;
mod tlsrpt;

#[cfg(test)]
mod tests;

use crate::client::{self, Here};
use crate::commands::domain;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::Domain;
use dns::{Lookup, Resolver};
use finding::{Finding, Status};
use futures_util::stream::{self, StreamExt as _};
use mailauth::dkim::Selector;
use mx::Exchange;
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use tlsa::Issued;
use transport::Transport;

pub(super) const HELP: &str = "\
Looks at MX and addresses, reverse DNS, SPF, DKIM keys, DMARC, MTA-STS, DANE, TLS reports, the records by which mail \
programs find their servers, and CAA. The hosts are called, because TLSA records (DANE) name their certificates. DKIM \
keys cannot be listed: those of this server and common names are tried, others are named with --selector. Of each it is \
said why it matters, and of what is missing or wrong which record to publish.

Exit status: 0 when nothing failed (warnings do not count), 1 when something did, 75 when the DNS did not answer.

Examples:
  waypost check dns example.org
  waypost check dns example.org --selector mail2026 --dns 192.0.2.53 --json";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "DOMAIN")]
    pub domain: Domain,
    /// A DKIM selector that must be there
    #[arg(long, value_name = "NAME")]
    pub selector: Vec<Selector>,
}

/// Most that is asked at once of one kind: all hosts of a domain (of which nobody tries more), and no flood for a name server.
const TOGETHER: usize = 16;

/// What the subjects look at.
struct Asked<'a> {
    domain: &'a Domain,
    dns: &'a dyn Lookup,
    /// Where mail for the domain goes; empty where it takes none or that is not known.
    exchanges: &'a [Exchange],
    /// The domain says that it takes no mail (RFC 7505).
    takes_no_mail: bool,
    selectors: &'a [Selector],
    /// What this installation would publish, when the domain is one of its own.
    own: &'a [admin::domain::Record],
    /// The port where MX hosts are called.
    port: u16,
    here: &'a Here,
    /// It knows how to have an MTA-STS policy.
    transport: &'a Transport,
    servers: Vec<SocketAddr>,
}

#[derive(Debug, Serialize)]
struct Report {
    domain: String,
    /// Whether nothing failed.
    ok: bool,
    checks: Vec<Finding>,
}

pub(super) fn run(
    args: &Args,
    config: Option<&Config>,
    servers: Vec<SocketAddr>,
    json: bool,
) -> Result<Exit, Failure> {
    let report = client::block_on(examine(args, config, servers))?;
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    let unknown = |finding: &Finding| finding.status == Status::Fail && finding.is_temporary;
    Ok(match report.checks.iter().filter(|finding| finding.status == Status::Fail).count() {
        0 => Exit::Done,
        failed if failed == report.checks.iter().filter(|finding| unknown(finding)).count() => Exit::TryAgain,
        _ => Exit::No,
    })
}

async fn examine(args: &Args, config: Option<&Config>, servers: Vec<SocketAddr>) -> Result<Report, Failure> {
    let trust_anchor = config.and_then(|config| config.dns.trust_anchor.clone());
    let settings = dns::Settings { servers: servers.clone(), trust_anchor, ..dns::Settings::default() };
    let resolver = Resolver::new(&settings).map_err(|error| Failure::no(format!("dns: {error}")))?;
    let own = own_records(&args.domain, config).await;
    let here = Here::new(config);
    let transport = Transport::new(
        Arc::new(resolver.clone()),
        net::tls::TlsClient::new(),
        transport::Settings::new(args.domain.clone()),
    );
    let asked = Asked {
        domain: &args.domain,
        dns: &resolver,
        exchanges: &[],
        takes_no_mail: false,
        selectors: &args.selector,
        own: &own,
        port: config.map_or(crate::config::SMTP_PORT, |config| config.delivery.port),
        here: &here,
        transport: &transport,
        servers,
    };
    let checks = check_all(asked).await;
    let ok = checks.iter().all(|finding| finding.status != Status::Fail);
    Ok(Report { domain: args.domain.to_string(), ok, checks })
}

/// All subjects, told in the order in which they build on each other, and asked about together.
async fn check_all(asked: Asked<'_>) -> Vec<Finding> {
    let mx = mx::check(&asked).await;
    let mut findings = mx.findings;
    if mx.is_all {
        return findings;
    }
    let asked = Asked { exchanges: &mx.exchanges, takes_no_mail: mx.takes_no_mail, ..asked };
    let (reverse, spf, dkim, dmarc, (arriving, issued)) = tokio::join!(
        reverse::check(&asked),
        spf::check(&asked),
        dkim::check(&asked),
        dmarc::check(&asked),
        check_arriving(&asked),
    );
    // Who issued the certificates is the authority to name.
    let caa = caa::check(&asked, &issued).await;
    findings.extend([reverse, spf, dkim, dmarc, arriving, caa].into_iter().flatten());
    findings
}

/// What matters where the domain takes mail, and who issued the certificates that its hosts show.
async fn check_arriving(asked: &Asked<'_>) -> (Vec<Finding>, Vec<Issued>) {
    if asked.takes_no_mail {
        return (Vec::new(), Vec::new());
    }
    let (sts, (tlsa, issued), tlsrpt, services) =
        tokio::join!(sts::check(asked), tlsa::check(asked), tlsrpt::check(asked), services::check(asked),);
    ([sts, tlsa, tlsrpt, services].into_iter().flatten().collect(), issued)
}

/// The answers about each, in their order. [`TOGETHER`] are asked at a time: who does not answer keeps nobody else waiting.
async fn each<T, F: Future>(all: impl IntoIterator<Item = T>, ask: impl Fn(T) -> F) -> Vec<F::Output> {
    stream::iter(all).map(ask).buffered(TOGETHER).collect().await
}

/// What would be published for the domain from here; nothing when it is none of ours, or that cannot be learnt.
async fn own_records(domain: &Domain, config: Option<&Config>) -> Vec<admin::domain::Record> {
    let Some(config) = config else { return Vec::new() };
    // Files that are made on the way must be those of the user of the configuration.
    if crate::privileges::become_user(config.user.as_deref()).is_err() {
        return Vec::new();
    }
    let Ok(client) = admin::Client::open(&config.data).await else { return Vec::new() };
    let ask = admin::domain::Records {
        domain: domain.clone(),
        hostname: config.hostname.clone(),
        services: domain::services(config),
    };
    client.call(ask).await.unwrap_or_default()
}

fn print(report: &Report) -> Result<(), Failure> {
    output::line(&report.domain)?;
    let mut said = "";
    for finding in &report.checks {
        let (word, tone) = match finding.status {
            Status::Pass => ("pass", Tone::Good),
            Status::Warn => ("warn", Tone::Warning),
            Status::Fail => ("FAIL", Tone::Bad),
        };
        let found = output::printable(&finding.found);
        output::line(&format!("  {} {:12} {found}", output::tinted(word, tone), finding.check))?;
        // Of several findings in a row it is enough to be told once.
        if finding.why != said {
            output::line(&format!("       why: {}", finding.why))?;
            said = finding.why;
        }
        for hint in &finding.hints {
            output::line(&format!("       hint: {}", output::printable(hint)))?;
        }
        for record in &finding.publish {
            output::line(&format!("       publish: {}", output::printable(&record.line())))?;
        }
    }
    let count = |status| report.checks.iter().filter(|finding| finding.status == status).count();
    let (failed, warned) = (count(Status::Fail), count(Status::Warn));
    output::line(&format!("{failed} failed, {warned} to be looked at, {} good", count(Status::Pass)))
}
