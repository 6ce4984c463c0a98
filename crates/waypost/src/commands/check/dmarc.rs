//! `waypost check dmarc`: does a domain vouch for a message, or what does it ask for? By RFC 9989.

use crate::client::{self, Here};
use crate::commands::message_file::{self, LINE_ENDS, MessageFile};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::Domain;
use dns::{Names, Resolver};
use mailauth::dkim::{self, SignatureResult};
use mailauth::dmarc::{
    self, AuthorError, Evaluation, Identifier, Mode, Outcome, Policy, Record, ReportUri, Word,
};
use mailauth::spf::{self, MAX_ELAPSED, SpfResult};
use message::Header;
use serde::Serialize;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use store::clock;

pub(super) fn help() -> String {
    format!(
        "\
With --ip the first word is a file with a message (- for standard input), which is checked as if that host had sent it; \
otherwise it is a domain, whose policy is looked up, or a file, whose signatures alone are checked.

{LINE_ENDS}

Exit status: 0 when the message passes, or the domain has a policy that can be used; 75 when the DNS failed; 1 otherwise.

Examples:
  waypost check dmarc example.org
  waypost check dmarc message.eml --ip 192.0.2.1 --from joe@example.org --helo mail.example.org --json"
    )
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A domain, or the file of a message
    #[arg(value_name = "DOMAIN|FILE")]
    pub what: OsString,
    /// The address of the host that sends the message
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<IpAddr>,
    /// What it says in MAIL FROM [default: the message's Return-Path]
    #[arg(long, value_name = "SENDER", requires = "ip", allow_hyphen_values = true)]
    pub from: Option<OsString>,
    /// What it says in EHLO
    #[arg(long, value_name = "NAME", requires = "ip", default_value = "", allow_hyphen_values = true)]
    pub helo: OsString,
}

/// What is printed as JSON; the first four keys are a contract.
#[derive(Debug, Serialize)]
struct Report {
    result: &'static str,
    /// What the owner asks for, for a message that fails; `null` without a usable record.
    policy: Option<&'static str>,
    /// What is to be done with this message, or with one that fails.
    disposition: &'static str,
    alignment: Alignment,
    reason: String,
    /// The author's; `null` of a message that has none, or several.
    domain: Option<String>,
    organizational_domain: Option<String>,
    /// Where the record was found.
    policy_domain: Option<String>,
    /// The tag that `policy` is from.
    tag: Option<&'static str>,
    testing: bool,
    rua: Vec<String>,
    ruf: Vec<String>,
    /// What is wrong with the record.
    problems: Vec<String>,
}

/// Of a message: how good signatures and SPF agree with its author (`strict`, `relaxed`, `none`). Of a domain: how they must.
#[derive(Debug, Serialize)]
struct Alignment {
    dkim: &'static str,
    spf: &'static str,
}

pub(super) fn run(args: &Args, here: &Here, servers: Vec<SocketAddr>, json: bool) -> Result<Exit, Failure> {
    let path = Path::new(&args.what);
    let is_file = args.ip.is_some() || path == Path::new("-") || path.is_file();
    let settings = dns::Settings { servers, ..dns::Settings::default() };
    let resolver = Resolver::new(&settings).map_err(|error| Failure::no(format!("dns: {error}")))?;
    let names = Names(&resolver);
    let report = if is_file {
        let file = MessageFile::read(path)?;
        let evaluation = client::block_on(async { Ok(of_message(args, here, &names, &file).await) })?;
        match evaluation {
            Ok(evaluation) => report(&evaluation, achieved(&evaluation)),
            Err(error) => without_author(&error),
        }
    } else {
        let domain = domain(&args.what)?;
        let evaluation = client::block_on(async { Ok(dmarc::evaluate(&names, &domain, None, &[]).await) })?;
        of_domain(&evaluation)
    };
    if json {
        output::json(&report)?
    } else {
        print(&report, is_file)?
    }
    Ok(match report.result {
        "pass" => Exit::Done,
        "temperror" => Exit::TryAgain,
        _ => Exit::No,
    })
}

fn domain(what: &OsString) -> Result<Domain, Failure> {
    let text = what.to_string_lossy();
    let wrong = |error| Failure::usage(format!("{text:?} is neither a file nor a domain: {error}"));
    Domain::parse(&text).map_err(wrong)
}

/// The evaluation of a message, or why it has none.
async fn of_message(
    args: &Args,
    here: &Here,
    names: &Names<'_>,
    file: &MessageFile,
) -> Result<Evaluation, AuthorError> {
    let wire = file.wire();
    let (header, body) = message_file::split(&wire);
    let author = dmarc::author_domain(header)?;
    let signatures = verify(names, header, body).await;
    let dkim: Vec<Identifier<'_>> = signatures.iter().filter_map(signature).collect();
    let checked = match args.ip {
        Some(ip) => Some(check_spf(args, here, names, header, ip).await),
        None => None,
    };
    let spf = checked.as_ref().and_then(envelope);
    Ok(dmarc::evaluate(names, &author, spf, &dkim).await)
}

async fn verify(names: &Names<'_>, header: &[u8], body: &[u8]) -> Vec<SignatureResult> {
    use mailauth::Dns as _;
    let mut verifier = dkim::Verifier::new(header, clock::seconds());
    verifier.update(body);
    let ask = |name: String| async move {
        let answer = names.txt(&name).await;
        (name, answer)
    };
    let answers = futures_util::future::join_all(verifier.key_names().into_iter().map(ask)).await;
    let answers = answers.into_iter().collect();
    verifier.finish(|name| message_file::answer(&answers, name))
}

async fn check_spf(args: &Args, here: &Here, names: &Names<'_>, header: &[u8], ip: IpAddr) -> SpfResult {
    let return_path = Header::parse(header).get("Return-Path").map(|field| field.value()).unwrap_or_default();
    let from = args.from.as_ref().map_or(return_path, |from| from.to_string_lossy().into_owned());
    let from = from.trim();
    let from = from.strip_prefix('<').and_then(|from| from.strip_suffix('>')).unwrap_or(from);
    let helo = args.helo.to_string_lossy();
    let query = spf::Query {
        ip,
        helo: &helo,
        identity: spf::Identity::MailFrom(from),
        receiver: here.host.as_str(),
        now: clock::seconds(),
    };
    let checked = tokio::time::timeout(MAX_ELAPSED, spf::check(names, &query)).await;
    checked.unwrap_or_else(|_| SpfResult::timed_out(&query))
}

fn signature(result: &SignatureResult) -> Option<Identifier<'_>> {
    let outcome = match result.word() {
        dkim::ResultWord::Pass => Outcome::Pass,
        dkim::ResultWord::TempError => Outcome::TempError,
        _ => Outcome::Fail,
    };
    Some(Identifier { domain: result.domain.as_ref()?, outcome })
}

fn envelope(result: &SpfResult) -> Option<Identifier<'_>> {
    let outcome = match result.word {
        spf::ResultWord::Pass => Outcome::Pass,
        spf::ResultWord::TempError => Outcome::TempError,
        _ => Outcome::Fail,
    };
    Some(Identifier { domain: result.domain.as_ref()?, outcome })
}

fn report(evaluation: &Evaluation, alignment: Alignment) -> Report {
    let published = evaluation.published.as_ref();
    let uris = |pick: fn(&Record) -> &Vec<ReportUri>| {
        published.iter().flat_map(|published| pick(&published.record)).map(shown).collect()
    };
    Report {
        result: evaluation.word.as_str(),
        policy: published.map(|published| published.policy.as_str()),
        disposition: evaluation.disposition.as_str(),
        alignment,
        reason: evaluation.reason.clone(),
        domain: Some(evaluation.author.to_string()),
        organizational_domain: evaluation.organizational_domain.as_ref().map(Domain::to_string),
        policy_domain: published.map(|published| published.domain.to_string()),
        tag: published.map(|published| published.tag.as_str()),
        testing: published.is_some_and(|published| published.record.testing),
        rua: uris(|record| &record.rua),
        ruf: uris(|record| &record.ruf),
        problems: published.map(|published| published.record.problems.clone()).unwrap_or_default(),
    }
}

fn shown(uri: &ReportUri) -> String {
    match uri {
        ReportUri::Mailto { address, .. } => format!("mailto:{address}"),
        ReportUri::Other(uri) => uri.clone(),
    }
}

fn achieved(evaluation: &Evaluation) -> Alignment {
    let word = |mode: Option<Mode>| mode.map_or("none", Mode::as_str);
    Alignment { dkim: word(evaluation.dkim), spf: word(evaluation.spf) }
}

/// A domain without a message: the evaluation is of one that nobody vouches for.
fn of_domain(evaluation: &Evaluation) -> Report {
    let modes =
        evaluation.published.as_ref().map(|published| (published.record.adkim, published.record.aspf));
    let alignment = match modes {
        Some((dkim, spf)) => Alignment { dkim: dkim.as_str(), spf: spf.as_str() },
        None => Alignment { dkim: "none", spf: "none" },
    };
    let mut report = report(evaluation, alignment);
    if let (Word::Fail, Some(published)) = (evaluation.word, &evaluation.published) {
        report.result = Word::Pass.as_str();
        report.reason = match published.policy {
            Policy::None => format!(
                "{} only watches: mail that fails is treated as if there were no policy",
                published.domain
            ),
            policy => format!(
                "{} asks for {}={policy}: {}",
                published.domain,
                published.tag,
                asked(evaluation.disposition)
            ),
        };
    }
    report
}

fn asked(disposition: Policy) -> &'static str {
    match disposition {
        Policy::None => "it is testing, so nothing is done with mail that fails",
        Policy::Quarantine => "mail that neither SPF nor DKIM vouches for is put aside",
        Policy::Reject => "mail that neither SPF nor DKIM vouches for is refused",
    }
}

/// A message without one author's domain: what is said of it on arrival.
fn without_author(error: &AuthorError) -> Report {
    Report {
        result: error.word().as_str(),
        policy: None,
        disposition: error.disposition().as_str(),
        alignment: Alignment { dkim: "none", spf: "none" },
        reason: error.to_string(),
        domain: None,
        organizational_domain: None,
        policy_domain: None,
        tag: None,
        testing: false,
        rua: Vec::new(),
        ruf: Vec::new(),
        problems: Vec::new(),
    }
}

fn print(report: &Report, is_message: bool) -> Result<(), Failure> {
    let tone = match report.result {
        "pass" => Tone::Good,
        "none" | "temperror" => Tone::Warning,
        _ => Tone::Bad,
    };
    let word = output::tinted(report.result, tone);
    output::line(&format!("{word} {}", output::printable(&report.reason)))?;
    if let (Some(policy), Some(domain)) = (report.policy, &report.policy_domain) {
        output::line(&format!("  policy: {policy} (of {domain}); to be done: {}", report.disposition))?;
        let verb = if is_message { "agree" } else { "must agree" };
        output::line(&format!("  DKIM and SPF {verb}: {}, {}", report.alignment.dkim, report.alignment.spf))?;
    } else if is_message && report.domain.is_none() {
        output::line(&format!("  to be done: {}", report.disposition))?;
    }
    if let Some(organization) = &report.organizational_domain {
        output::line(&format!("  organizational domain: {organization}"))?;
    }
    if !is_message && report.policy.is_some() {
        let rua = if report.rua.is_empty() {
            "nowhere; add rua=mailto:…".to_owned()
        } else {
            report.rua.join(", ")
        };
        output::line(&format!("  daily reports go to: {}", output::printable(&rua)))?;
    }
    for problem in &report.problems {
        output::line(&format!("  in the record: {}", output::printable(problem)))?;
    }
    Ok(())
}
