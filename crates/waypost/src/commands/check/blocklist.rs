//! `waypost check blocklist`: what do lists in the DNS say of an address? All of them at once.

mod known;

use crate::client;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::Domain;
use dns::{Lookup, Resolver};
use known::{Known, LISTS};
use policy::arrival::{Answer, Kind, List, MAX_LISTS, survey};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address that sends mail
    #[arg(value_name = "IP")]
    pub ip: IpAddr,
    /// Ask this list instead of the well-known ones; may be given several times
    #[arg(long = "list", value_name = "ZONE")]
    pub lists: Vec<Domain>,
}

#[derive(Debug, Serialize)]
struct Report {
    ip: IpAddr,
    /// Whether a list of the bad has it.
    listed: bool,
    lists: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    list: String,
    /// `block` or `allow`.
    kind: &'static str,
    /// `listed`, `not_listed`, `unusable` (it is no list any more, or does not answer us), or `failed`.
    result: &'static str,
    answers: Vec<Ipv4Addr>,
    /// What the list says about the entry.
    text: Option<String>,
    /// Why it is unusable or failed.
    reason: Option<String>,
    /// What an entry means.
    meaning: Option<&'static str>,
}

/// The end of `--help`: the lists, and examples.
pub(super) fn help() -> String {
    let mut text = String::from(
        "\
Every list is tested first (RFC 5782): one that lacks its test entry, or has everybody, is left out. Answers outside 127/8 \
are ignored.

Exit status: 0 when no list of the bad has the address, 1 when one has, 75 when none could be asked.

Lists that are asked without --list (+: of the good):
",
    );
    for Known { zone, good, meaning } in LISTS {
        text.push_str(&format!("  {} {zone}: {meaning}\n", if good { '+' } else { ' ' }));
    }
    text.push_str("\nExamples:\n  waypost check blocklist 192.0.2.1\n  waypost check blocklist 2001:db8::25 --list zen.spamhaus.org --json");
    text
}

pub(super) fn run(args: &Args, dns: Vec<SocketAddr>, json: bool) -> Result<Exit, Failure> {
    if args.lists.len() > MAX_LISTS {
        return Err(Failure::usage(format!("{} lists are too many: at most {MAX_LISTS}", args.lists.len())));
    }
    let zones = zones(args)?;
    let answers = client::block_on(ask(&zones, args.ip, dns))?;
    let lines: Vec<Line> = zones.iter().zip(answers).map(|(zone, answer)| Line::new(zone, answer)).collect();
    let listed = lines.iter().any(|line| line.kind == "block" && line.result == "listed");
    let asked = lines.iter().any(|line| matches!(line.result, "listed" | "not_listed"));
    let report = Report { ip: args.ip, listed, lists: lines };
    if json {
        output::json(&report)?
    } else {
        print(&report, asked)?
    }
    Ok(match (listed, asked) {
        (true, _) => Exit::No,
        (false, true) => Exit::Done,
        (false, false) => Exit::TryAgain,
    })
}

fn zones(args: &Args) -> Result<Vec<Domain>, Failure> {
    if !args.lists.is_empty() {
        return Ok(args.lists.clone());
    }
    let parse = |known: &Known| Domain::parse(known.zone);
    LISTS.iter().map(parse).collect::<Result<_, _>>().map_err(|error| Failure::no(error.to_string()))
}

async fn ask(zones: &[Domain], ip: IpAddr, servers: Vec<SocketAddr>) -> Result<Vec<Answer>, Failure> {
    let settings = dns::Settings { servers, ..dns::Settings::default() };
    let resolver = Resolver::new(&settings).map_err(|error| Failure::no(format!("dns: {error}")))?;
    let dns: Arc<dyn Lookup> = Arc::new(resolver);
    let list =
        |zone: &Domain| List { zone: zone.clone(), kind: Kind::Addresses, points: 1, codes: Vec::new() };
    let lists: Vec<List> = zones.iter().map(list).collect();
    Ok(survey(&dns, &lists, ip).await)
}

impl Line {
    fn new(zone: &Domain, answer: Answer) -> Self {
        let known = LISTS.iter().find(|known| known.zone == zone.as_str());
        let (result, answers, text, reason) = match answer {
            Answer::Listed { answers, text } => ("listed", answers, text, None),
            Answer::NotListed => ("not_listed", Vec::new(), None, None),
            Answer::Unusable(reason) => ("unusable", Vec::new(), None, Some(reason)),
            Answer::Failed(reason) => ("failed", Vec::new(), None, Some(reason)),
        };
        Self {
            list: zone.to_string(),
            kind: if known.is_some_and(|known| known.good) { "allow" } else { "block" },
            result,
            answers,
            text,
            reason,
            meaning: known.map(|known| known.meaning),
        }
    }
}

fn print(report: &Report, asked: bool) -> Result<(), Failure> {
    for line in &report.lists {
        let (word, tone) = match (line.result, line.kind) {
            ("listed", "block") => ("LISTED    ", Tone::Bad),
            ("listed", _) => ("listed    ", Tone::Good),
            ("not_listed", "block") => ("not listed", Tone::Good),
            ("not_listed", _) => ("not listed", Tone::Quiet),
            ("unusable", _) => ("left out  ", Tone::Quiet),
            _ => ("no answer ", Tone::Warning),
        };
        let kind = if line.kind == "allow" { " (a list of the good)" } else { "" };
        output::line(&format!("{} {}{kind}", output::tinted(word, tone), line.list))?;
        let answers: Vec<String> = line.answers.iter().map(ToString::to_string).collect();
        if !answers.is_empty() {
            output::line(&format!(
                "             {}: {}",
                answers.join(" "),
                line.meaning.unwrap_or("an entry")
            ))?;
        }
        for words in line.text.iter().chain(&line.reason) {
            output::line(&format!("             {}", output::printable(words)))?;
        }
    }
    let verdict = match (report.listed, asked) {
        (true, _) => {
            "is in lists of the bad: find out why first (a hijacked account or machine?), stop it, then ask each list to take \
             it out"
        }
        (false, true) => "is in none of the lists of the bad that answered",
        (false, false) => "could not be looked up: no list answered",
    };
    output::line(&format!("{} {verdict}", report.ip))
}
