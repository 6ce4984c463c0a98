//! `waypost check spf`: may a host send mail in a domain's name? Step by step, as RFC 7208 has it.

use crate::client::{self, Here};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use dns::{Names, Resolver};
use mailauth::spf::{self, Identity, MAX_ELAPSED, MAX_TERMS, MAX_VOID_LOOKUPS, ResultWord, SpfResult, Step};
use mailauth::spf::{Query, StepOutcome};
use serde::Serialize;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};

pub(super) const HELP: &str = "\
Exit status: 0 when the domain vouches for the host (pass), 75 when the DNS failed (temperror), 1 otherwise.
Without a sender (--from \"\", as in notifications) the name of --helo is checked.

Examples:
  waypost check spf --ip 192.0.2.1 --from joe@example.org --helo mail.example.org
  waypost check spf --ip 2001:db8::25 --helo mail.example.org --json";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address of the host that sends
    #[arg(long, value_name = "ADDRESS")]
    pub ip: IpAddr,
    /// What it says in MAIL FROM, whatever that is; empty: no sender
    #[arg(long, value_name = "SENDER", default_value = "", allow_hyphen_values = true)]
    pub from: OsString,
    /// What it says in EHLO
    #[arg(long, value_name = "NAME", default_value = "", allow_hyphen_values = true)]
    pub helo: OsString,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    result: &'static str,
    /// What the domain has to say to those it refuses.
    explanation: Option<&'a str>,
    /// Terms that asked the DNS.
    lookups: u8,
    void_lookups: u8,
    /// The domain whose record was asked first.
    domain: Option<String>,
    /// The directive that decided.
    mechanism: Option<&'a str>,
    reason: &'a str,
    steps: Vec<StepReport<'a>>,
}

#[derive(Debug, Serialize)]
struct StepReport<'a> {
    /// How many includes led here.
    depth: u8,
    domain: &'a str,
    term: &'a str,
    result: &'static str,
    reason: &'a str,
}

pub(super) fn run(args: &Args, here: &Here, dns: Vec<SocketAddr>, json: bool) -> Result<Exit, Failure> {
    let (from, helo) = (args.from.to_string_lossy(), args.helo.to_string_lossy());
    let query = Query {
        ip: args.ip,
        helo: &helo,
        identity: Identity::MailFrom(without_brackets(&from)),
        receiver: here.host.as_str(),
        now: store::clock::seconds(),
    };
    let result = client::block_on(check(&query, dns))?;
    if json {
        output::json(&report(&result))?
    } else {
        print(&result, args.ip)?
    }
    Ok(match result.word {
        ResultWord::Pass => Exit::Done,
        ResultWord::TempError => Exit::TryAgain,
        _ => Exit::No,
    })
}

/// `<joe@example.org>`, as MAIL FROM has it, is `joe@example.org`.
fn without_brackets(from: &str) -> &str {
    from.strip_prefix('<').and_then(|from| from.strip_suffix('>')).unwrap_or(from)
}

async fn check(query: &Query<'_>, servers: Vec<SocketAddr>) -> Result<SpfResult, Failure> {
    let settings = dns::Settings { servers, ..dns::Settings::default() };
    let resolver = Resolver::new(&settings).map_err(|error| Failure::no(format!("dns: {error}")))?;
    let names = Names(&resolver);
    let checked = tokio::time::timeout(MAX_ELAPSED, spf::trace(&names, query)).await;
    Ok(checked.unwrap_or_else(|_| SpfResult::timed_out(query)))
}

fn report(result: &SpfResult) -> Report<'_> {
    Report {
        result: result.word.as_str(),
        explanation: result.explanation.as_deref(),
        lookups: result.lookups,
        void_lookups: result.void_lookups,
        domain: result.domain.as_ref().map(ToString::to_string),
        mechanism: result.mechanism.as_deref(),
        reason: &result.reason,
        steps: result.steps.iter().map(StepReport::from).collect(),
    }
}

impl<'a> From<&'a Step> for StepReport<'a> {
    fn from(step: &'a Step) -> Self {
        Self {
            depth: step.depth,
            domain: &step.domain,
            term: &step.term,
            result: step.outcome.as_str(),
            reason: &step.reason,
        }
    }
}

fn print(result: &SpfResult, ip: IpAddr) -> Result<(), Failure> {
    for step in &result.steps {
        print_step(step)?;
    }
    let domain = result.domain.as_ref().map_or_else(|| "no domain".to_owned(), ToString::to_string);
    let word = output::tinted(result.word.as_str(), tone(result.word));
    output::line(&format!("{domain} and {ip}: {word}"))?;
    output::line(&format!("  {}", output::printable(&result.reason)))?;
    if let Some(explanation) = &result.explanation {
        output::line(&format!("  the domain explains: {}", output::printable(explanation)))?;
    }
    output::line(&format!(
        "  {} of at most {MAX_TERMS} terms asked the DNS; {} of at most {MAX_VOID_LOOKUPS} questions had no answer",
        result.lookups, result.void_lookups
    ))?;
    output::line(&format!("  {}", meaning(result.word)))
}

/// A record stands at the margin of its include, and its terms below it.
fn print_step(step: &Step) -> Result<(), Failure> {
    let margin = "    ".repeat(usize::from(step.depth));
    let term = output::printable(&step.term);
    let reason = output::printable(&step.reason);
    output::line(&match step.outcome {
        StepOutcome::Record => format!("{margin}{} publishes \"{term}\"", step.domain),
        StepOutcome::Error if term.is_empty() => format!("{margin}{}: error: {reason}", step.domain),
        outcome => format!("{margin}  {term:32} {:11} {reason}", outcome.as_str()),
    })
}

fn tone(word: ResultWord) -> Tone {
    match word {
        ResultWord::Pass => Tone::Good,
        ResultWord::Fail | ResultWord::PermError => Tone::Bad,
        ResultWord::SoftFail | ResultWord::TempError => Tone::Warning,
        ResultWord::Neutral | ResultWord::None => Tone::Quiet,
    }
}

/// What a newcomer should know of the result.
fn meaning(word: ResultWord) -> &'static str {
    match word {
        ResultWord::Pass => {
            "pass: the domain vouches for this host. That says who sent the mail, not that it is wanted."
        }
        ResultWord::Fail => {
            "fail: the domain says that this host may not use its name. If the host is yours, add it to the record \
             (\"ip4:…\" or \"ip6:…\"); if it only forwards, the sender must become an address of the forwarder (SRS)."
        }
        ResultWord::SoftFail => {
            "softfail: the domain says that this host probably may not use its name (\"~all\"). Receivers take the mail \
             and look at it more closely."
        }
        ResultWord::Neutral => {
            "neutral: the domain does not want to say anything about this host. To receivers it is as if it had no record."
        }
        ResultWord::None => {
            "none: there is no record to go by. A domain that sends mail should publish one: a TXT record like \
             \"v=spf1 mx -all\"."
        }
        ResultWord::TempError => "temperror: the DNS failed. Receivers ask the sender to try again later.",
        ResultWord::PermError => {
            "permerror: the record is wrong, or asks for too much, and whoever runs the domain must mend it. Until then \
             nothing passes."
        }
    }
}
