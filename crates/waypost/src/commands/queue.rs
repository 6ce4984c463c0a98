//! `waypost queue`: what is waiting to leave, and why.

use super::administer;
use crate::cli::{Global, values};
use crate::config::units::{show_duration, show_size};
use crate::exit::{Exit, Failure};
use crate::output;
use address::{Address, Domain};
use admin::Client;
use admin::queue::{self, Action, Details, Entry, SummaryLine};
use std::io::Write as _;
use std::time::Duration;
use store::Id;

const EXAMPLES: &str = "\
Examples:
  waypost queue
  waypost queue list --domain example.org
  waypost queue show 0sa11ez8g0001
  waypost queue retry --domain example.org
  waypost queue drop --sender spammer@example.org --yes";

/// See and change what is waiting to be delivered
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// [default: summary]
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// How much is waiting for whom, grouped by provider and reply
    #[command(after_help = "Example:\n  waypost queue summary --json")]
    Summary,
    /// The messages that wait
    #[command(after_help = "Example:\n  waypost queue list --state deferred --older-than '4 h'")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// One message: envelope, each recipient's state and next attempt
    #[command(after_help = "Example:\n  waypost queue show 0sa11ez8g0001")]
    Show {
        #[arg(value_name = "ID")]
        id: String,
        /// The message as it was received, instead
        #[arg(long)]
        source: bool,
    },
    /// Try again now
    #[command(after_help = "Example:\n  waypost queue retry --domain example.org")]
    Retry(Selection),
    /// Keep back until released
    #[command(after_help = "Example:\n  waypost queue hold 0sa11ez8g0001")]
    Hold(Selection),
    /// Let go what was held
    #[command(after_help = "Example:\n  waypost queue release --all")]
    Release(Selection),
    /// Give up, and tell the sender
    #[command(after_help = "Example:\n  waypost queue bounce 0sa11ez8g0001")]
    Bounce(Selection),
    /// Remove without telling the sender; the trail says who did it
    #[command(after_help = "Example:\n  waypost queue drop --sender spammer@example.org --yes")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which messages: those that every one of the given filters lets through.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// From this sender
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<Address>,
    /// To this recipient
    #[arg(long, value_name = "ADDRESS")]
    pub recipient: Option<Address>,
    /// To recipients of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<Domain>,
    /// In this state
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// Waiting for longer than this
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub older_than: Option<Duration>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        let Self { sender, recipient, domain, state, older_than } = self;
        sender.is_none() && recipient.is_none() && domain.is_none() && state.is_none() && older_than.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Never tried, or being tried
    Active,
    /// Tried, and will be again
    Deferred,
    /// Kept back
    Held,
}

/// Which messages to change: by id, by filter, or all. One of them must be given, lest a slip changes everything.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["ids", "all", "sender", "recipient", "domain", "state", "older_than"]))]
pub struct Selection {
    #[arg(value_name = "ID", conflicts_with_all = ["all", "sender", "recipient", "domain", "state", "older_than"])]
    pub ids: Vec<String>,
    /// Everything in the queue
    #[arg(long, conflicts_with_all = ["sender", "recipient", "domain", "state", "older_than"])]
    pub all: bool,
    #[command(flatten)]
    pub filter: Filter,
}

impl From<Filter> for queue::Filter {
    fn from(filter: Filter) -> Self {
        Self {
            sender: filter.sender,
            recipient: filter.recipient,
            domain: filter.domain,
            state: filter.state.map(|state| match state {
                State::Active => queue::State::Active,
                State::Deferred => queue::State::Deferred,
                State::Held => queue::State::Held,
            }),
            older_than_seconds: filter.older_than.map(|age| age.as_secs()),
        }
    }
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    let (verb, json) = (args.verb.unwrap_or(Verb::Summary), args.json);
    administer::with_client(global, async move |client, _| match verb {
        Verb::Summary => summary(&client.call(queue::Summarize {}).await?, json),
        Verb::List { filter, limit } => {
            list(&client.call(queue::List { filter: filter.into(), limit }).await?, json)
        }
        Verb::Show { id, source: true } => {
            std::io::stdout().write_all(&client.queued_message(self::id(&id)?).await?)?;
            Ok(Exit::Done)
        }
        Verb::Show { id, source: false } => {
            show(&client.call(queue::Show { id: self::id(&id)? }).await?, json)
        }
        Verb::Retry(selection) => change(client, Action::Retry, selection, json).await,
        Verb::Hold(selection) => change(client, Action::Hold, selection, json).await,
        Verb::Release(selection) => change(client, Action::Release, selection, json).await,
        Verb::Bounce(selection) => change(client, Action::Bounce, selection, json).await,
        Verb::Drop { selection, yes } => {
            if !yes && !output::confirm("Remove these messages for good, without telling the senders?")? {
                return Err(Failure::no("nothing was removed"));
            }
            change(client, Action::Drop, selection, json).await
        }
    })
}

fn id(text: &str) -> Result<Id, Failure> {
    text.parse().map_err(|error: store::IdError| Failure::usage(error.to_string()))
}

/// Status 1 when nothing was there to change.
async fn change(client: &Client, action: Action, selection: Selection, json: bool) -> Result<Exit, Failure> {
    let ids = selection.ids.iter().map(|text| id(text)).collect::<Result<Vec<_>, _>>()?;
    let ids = (!ids.is_empty()).then_some(ids);
    let changed = client.call(queue::Change { action, ids, filter: selection.filter.into() }).await?;
    let recipients = counted(changed.recipients as u64, "recipient");
    let text = format!("{action}: {recipients} of {}", counted(changed.messages as u64, "message"));
    let done = administer::done(json, changed, &text)?;
    Ok(if changed.recipients == 0 { Exit::No } else { done })
}

/// How long ago, in whole minutes.
fn age(milliseconds: i64) -> String {
    let past = Id::generate().unix_ms().saturating_sub(milliseconds);
    let minutes = u64::try_from(past).unwrap_or(0) / 60_000;
    if minutes == 0 { "now".to_owned() } else { show_duration(Duration::from_secs(minutes * 60)) }
}

fn state(state: queue::State) -> &'static str {
    match state {
        queue::State::Active => "active",
        queue::State::Deferred => "deferred",
        queue::State::Held => "held",
    }
}

fn summary(lines: &[SummaryLine], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        output::line("the queue is empty")?;
        return Ok(Exit::Done);
    }
    for line in lines {
        let reason = line.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let text = format!(
            "{} to {} at {} {}, the oldest {}{reason}",
            counted(line.messages, "message"),
            counted(line.recipients, "recipient"),
            line.destination,
            state(line.state),
            match age(line.oldest).as_str() {
                "now" => "for less than a minute".to_owned(),
                age => format!("for {age}"),
            },
        );
        output::line(&output::printable(&text))?;
    }
    Ok(Exit::Done)
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn sender(entry: &Entry) -> &str {
    if entry.sender.is_empty() { "<>" } else { &entry.sender }
}

fn list(entries: &[Entry], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&entries)?;
        return Ok(Exit::Done);
    }
    let rows = entries.iter().flat_map(|entry| {
        entry.recipients.iter().map(|recipient| {
            [
                entry.id.to_string(),
                age(entry.received),
                show_size(entry.size),
                sender(entry).to_owned(),
                recipient.address.to_string(),
                state(recipient.state).to_owned(),
                recipient.reason.clone().unwrap_or_default(),
            ]
        })
    });
    output::table(["id", "age", "size", "from", "to", "state", "reason"], rows)?;
    Ok(Exit::Done)
}

fn show(details: &Details, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(details)?;
        return Ok(Exit::Done);
    }
    let entry = &details.entry;
    administer::facts([
        ("id", entry.id.to_string()),
        ("accepted", output::moment(entry.received)),
        ("from", format!("{} {}", sender(entry), details.parameters)),
        ("by", details.origin.account.clone().unwrap_or_default()),
        ("Message-ID", details.origin.message_id.clone().unwrap_or_default()),
        ("size", show_size(entry.size)),
    ])?;
    let rows = entry.recipients.iter().map(|recipient| {
        let held = recipient.state == queue::State::Held;
        [
            recipient.address.to_string(),
            state(recipient.state).to_owned(),
            recipient.attempts.to_string(),
            if held { "when released".to_owned() } else { output::moment(recipient.next_attempt) },
            recipient.reason.clone().unwrap_or_default(),
        ]
    });
    output::line("")?;
    output::table(["to", "state", "attempts", "next attempt", "reason"], rows)?;
    Ok(Exit::Done)
}
