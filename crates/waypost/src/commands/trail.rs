//! `waypost trail`: what happened to a message, and why.

mod words;

use super::administer;
use crate::cli::Global;
use crate::cli::values::{self, Json, Subject};
use crate::exit::{Exit, Failure};
use crate::output;
use admin::trail::{self, Find};
use std::time::Duration;
use store::Id;

const EXAMPLES: &str = "\
Examples:
  waypost trail 0sa11ez8g0001
  waypost trail you@example.org --since '2 d'
  waypost trail '<20261121.7@example.org>' --json";

/// Tell what happened to a message, from its connection to its last delivery attempt
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A queue or session id, a Message-ID in brackets, an address, or @ and a domain
    #[arg(value_name = "ID|ADDRESS")]
    pub subject: Subject,
    /// Not older than this
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub since: Option<Duration>,
    /// At most this many messages, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    pub json: Json,
}

/// Status 1 when nothing is known.
pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    administer::with_client(global, async move |client, _| {
        let subject = match args.subject {
            Subject::Address(address) => trail::Subject::Address(address),
            Subject::Domain(domain) => trail::Subject::Domain(domain),
            Subject::Id(text) => match text.parse() {
                Ok(id) => trail::Subject::Message(id),
                Err(_) => trail::Subject::Name(text),
            },
        };
        let age = args.since.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let since = age.map(|age| Id::generate().unix_ms().saturating_sub(age));
        let journeys = client.call(Find { subject, since, limit: args.limit }).await?;
        if args.json.json {
            output::json(&journeys)?;
        } else if journeys.is_empty() {
            output::line("nothing is known of it; the trail is kept for 30 days, or as `limits.trail` says")?;
        } else {
            let told: Vec<String> = journeys.iter().map(words::journey).collect();
            output::line(told.join("\n\n").trim_end())?;
        }
        Ok(if journeys.is_empty() { Exit::No } else { Exit::Done })
    })
}
