//! The figures of speed and scale that the project wants, each found out by a measurement and printed beside its target.
//!
//! All of them run the real `waypost` on loopback, as it comes (trail and log on), with `waypost bench` to send and to
//! take; those of speed beside Postfix, in the same run, and those of mailboxes beside Dovecot. For `relay` and `generator`, Postfix's
//! smtp-source and smtp-sink send and take instead. Figures hold for one machine and one run; ratios are worth more.

mod at_once;
mod beside;
mod bulk;
mod dead_destination;
mod dovecot;
mod figure;
mod fill;
mod generator;
mod idle;
mod imap;
mod imap_idle;
mod large;
mod large_mailbox;
mod letters;
mod lmtp;
mod load;
mod local;
mod million;
mod name_server;
mod postfix;
mod probe;
mod process;
mod relay;
mod single;
mod sink;
mod site;
mod slow_senders;
mod soak;
mod starttls;
mod versus;

use crate::Error;
pub use figure::{Figure, Machine, Target};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What there is to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// Relaying: CPU a message beside Postfix, and rates beside the generator straight into its sink
    Relay,
    /// `waypost bench` beside smtp-source, into smtp-sink: rate and CPU
    Generator,
    /// Memory of an idle connection, without and with TLS, and of a stranger whom the DNS does not know
    Idle,
    /// One fast session beside 10,000 others, idle, of which 1,000 begin to send slowly
    SlowSenders,
    /// A queue of a million deferred messages: start, memory, commands, intake
    Million,
    /// Mail to others while one destination is dead, or answers late
    DeadDestination,
    /// Accepting into mailboxes, beside relaying
    Local,
    /// One session, a message after another, beside Postfix
    Single,
    /// Messages of 100 KB, beside Postfix
    Large,
    /// STARTTLS, beside Postfix
    Starttls,
    /// Twenty minutes at half the highest rate: what grows
    Soak,
    /// The 250 while the store does bulk work
    Bulk,
    /// Delivery, APPEND, FETCH, SEARCH and STORE in a large mailbox, beside Dovecot
    Imap,
    /// A mailbox of a million messages: opening, listing, searching, memory
    LargeMailbox,
    /// Memory of a connection in IDLE, beside Dovecot, and how soon 10,000 of them hear of a delivery
    ImapIdle,
}

/// Messages of a trial.
const TRIAL: u64 = 100;

/// What a measurement is done with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The `waypost` to be measured, built with optimisations.
    pub program: &'a Path,
    /// The store's example `fill`, likewise; without it queues are filled by a session, which is for small ones.
    pub filler: Option<&'a Path>,
    /// The folder of the scripts that run other servers.
    pub peers: &'a Path,
    /// Rounds whose median counts.
    pub rounds: u32,
    /// Instead of the measurement's own number.
    pub messages: Option<u64>,
    pub connections: Option<u64>,
    pub minutes: Option<u64>,
    /// Without the other server, where there is one: its figures and the ratios are left out.
    pub alone: bool,
    /// Hears what is being done.
    pub progress: &'a (dyn Fn(String) + Sync),
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Context<'_> {
    fn messages(&self, usual: u64) -> u64 {
        self.messages.unwrap_or(usual)
    }

    /// Whether it is only to be tried, as it is with a thousandth of what the targets are about: then nobody waits longer than must be.
    fn is_trial(&self) -> bool {
        self.messages.is_some_and(|messages| messages <= TRIAL)
    }

    fn tell(&self, doing: String) {
        (self.progress)(doing);
    }
}

/// What a measurement found.
#[derive(Debug, Default)]
struct Findings {
    figures: Vec<Figure>,
    series: Option<serde_json::Value>,
}

impl Findings {
    fn of(figures: impl IntoIterator<Item = Figure>) -> Self {
        Self { figures: figures.into_iter().collect(), series: None }
    }
}

/// The document of a measurement.
#[derive(Debug, Serialize)]
pub struct Report {
    pub measure: Name,
    pub date: String,
    pub machine: Machine,
    pub seconds: f64,
    pub figures: Vec<Figure>,
    /// What was seen over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<serde_json::Value>,
}

/// Measures.
///
/// # Errors
/// When it cannot be measured. That a target was missed is in the report.
pub fn run(name: Name, context: &Context<'_>) -> Result<Report, Error> {
    let (machine, began) = (Machine::here(), Instant::now());
    let findings = match name {
        Name::Relay => relay::run(context),
        Name::Generator => generator::run(context),
        Name::Idle => idle::run(context),
        Name::SlowSenders => slow_senders::run(context),
        Name::Million => million::run(context),
        Name::DeadDestination => dead_destination::run(context),
        Name::Local => local::run(context),
        Name::Single => single::run(context),
        Name::Large => large::run(context),
        Name::Starttls => starttls::run(context),
        Name::Soak => soak::run(context),
        Name::Bulk => bulk::run(context),
        Name::Imap => imap::run(context),
        Name::LargeMailbox => large_mailbox::run(context),
        Name::ImapIdle => imap_idle::run(context),
    }?;
    Ok(Report {
        measure: name,
        date: jiff::Zoned::now().date().to_string(),
        machine,
        seconds: began.elapsed().as_secs_f64().round(),
        figures: findings.figures,
        series: findings.series,
    })
}
