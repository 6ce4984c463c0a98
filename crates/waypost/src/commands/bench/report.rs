//! What was counted: for a person, for a program, and for the shell.

use super::histogram::{Histogram, Percentiles};
use crate::cli::values::Tls;
use crate::client::Error;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use clap::ValueEnum as _;
use serde::Serialize;
use smtp::client::{Ended, Fate, Outcome, TooMany};
use std::collections::BTreeMap;
use std::time::Duration;

/// Different problems told apart; servers put identifiers into their replies.
const MAX_PROBLEMS: usize = 20;

/// How many went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    /// The server said no, for now or for good.
    pub(super) refused: u64,
    /// There was no answer, or no connection.
    pub(super) failed: u64,
}

/// Counted while it runs.
#[derive(Default)]
pub(super) struct Tally {
    /// A message is accepted if it was for one recipient at least.
    pub(super) messages: Counts,
    pub(super) recipients: Counts,
    pub(super) connections: u64,
    latency: Histogram,
    problems: BTreeMap<String, u64>,
    other_problems: u64,
    /// What the shell would be told of the last connection that could not be used.
    unusable: Option<Exit>,
}

impl Tally {
    /// A transaction that took this long came to an end.
    pub(super) fn outcome(&mut self, outcome: &Outcome, took: Duration) {
        let before = self.recipients;
        for recipient in &outcome.recipients {
            match &recipient.fate {
                Fate::Accepted(_) => self.recipients.accepted += 1,
                Fate::Refused { reply, .. } | Fate::NotTried(TooMany::Refused(reply)) => {
                    self.recipients.refused += 1;
                    self.problem(reply.to_string());
                }
                Fate::NotTried(_) => {
                    self.recipients.refused += 1;
                    self.problem("more recipients than the server's LIMITS allow".to_owned());
                }
                Fate::Broken { .. } | Fate::Unknown => {
                    self.recipients.failed += 1;
                    self.problem(outcome.ended.as_ref().unwrap_or(&Ended::Aborted).to_string());
                }
            }
        }
        if self.recipients.accepted > before.accepted {
            self.messages.accepted += 1;
            self.latency.add(took);
        } else if self.recipients.refused > before.refused {
            self.messages.refused += 1;
        } else {
            self.messages.failed += 1;
        }
    }

    /// A message for so many recipients could not be tried, or was never answered.
    pub(super) fn error(&mut self, error: &Error, recipients: u64) {
        let counts = [&mut self.messages, &mut self.recipients];
        for (counts, by) in counts.into_iter().zip([1, recipients]) {
            match error {
                Error::Refused { .. } | Error::Ended(Ended::Refused { .. }) => counts.refused += by,
                _ => counts.failed += by,
            }
        }
        self.unusable = Some(error.exit());
        self.problem(error.to_string());
    }

    fn problem(&mut self, text: String) {
        if let Some(count) = self.problems.get_mut(&text) {
            *count += 1;
        } else if self.problems.len() < MAX_PROBLEMS {
            self.problems.insert(text, 1);
        } else {
            self.other_problems += 1;
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let named = self.problems.iter().map(|(text, count)| Problem { text: text.clone(), count: *count });
        let mut all: Vec<Problem> = named.collect();
        all.sort_by_key(|problem| std::cmp::Reverse(problem.count));
        if self.other_problems > 0 {
            all.push(Problem { text: "others".to_owned(), count: self.other_problems });
        }
        all
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) count: u64,
}

/// What was asked for, as the report repeats it.
pub(super) struct Asked {
    pub(super) server: String,
    pub(super) connections: u32,
    pub(super) messages: u64,
    /// Octets of each.
    pub(super) size: u64,
    /// Messages a second.
    pub(super) rate: Option<u32>,
    /// Of each.
    pub(super) recipients: usize,
    pub(super) tls: Tls,
    pub(super) auth: bool,
    pub(super) keep: bool,
}

/// The generator's document of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    /// Whether all messages were sent and all recipients accepted.
    pub(super) ok: bool,
    connections: u32,
    /// Connections opened in all.
    pub(super) connections_opened: u64,
    messages: u64,
    size: u64,
    rate: Option<u32>,
    recipients_each: usize,
    /// The word of `--tls`.
    tls: String,
    auth: bool,
    keep: bool,
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// Not sent any more, because of an interruption or of too many failures.
    pub(super) unsent: u64,
    pub(super) recipients: Counts,
    pub(super) seconds: f64,
    messages_per_second: f64,
    megabytes_per_second: f64,
    /// From the first octet of a transaction, or from when its message was due, to the 250 at its end.
    pub(super) latency_ms: Option<Percentiles>,
    /// Of this process.
    cpu_us_per_message: Option<f64>,
    pub(super) problems: Vec<Problem>,
    #[serde(skip)]
    unusable: Option<Exit>,
}

impl Report {
    pub(super) fn new(asked: Asked, tally: &Tally, took: Duration, cpu: Duration) -> Self {
        let counts = tally.messages;
        let done = counts.accepted + counts.refused + counts.failed;
        let pace = Pace::new(counts.accepted, counts.accepted.saturating_mul(asked.size), took, cpu);
        Self {
            server: asked.server,
            ok: counts.accepted == asked.messages
                && tally.recipients.refused == 0
                && tally.recipients.failed == 0,
            connections: asked.connections,
            connections_opened: tally.connections,
            messages: asked.messages,
            size: asked.size,
            rate: asked.rate,
            recipients_each: asked.recipients,
            tls: asked.tls.to_possible_value().map(|word| word.get_name().to_owned()).unwrap_or_default(),
            auth: asked.auth,
            keep: asked.keep,
            counts,
            unsent: asked.messages.saturating_sub(done),
            recipients: tally.recipients,
            seconds: pace.seconds,
            messages_per_second: pace.messages_per_second,
            megabytes_per_second: pace.megabytes_per_second,
            latency_ms: tally.latency.percentiles(),
            cpu_us_per_message: pace.cpu_us_per_message,
            problems: tally.problems(),
            unusable: tally.unusable,
        }
    }

    /// As a single message would end: 75 when the server could never be talked to, and may be later.
    pub(super) fn exit(&self) -> Exit {
        match self.unusable {
            _ if self.ok => Exit::Done,
            Some(exit) if self.counts.accepted == 0 => exit,
            _ => Exit::No,
        }
    }

    fn asked(&self) -> String {
        let Self { size, recipients_each, connections, connections_opened, tls, .. } = self;
        let mut words = format!(
            "{size} octets each for {recipients_each}, {connections} connections at once, {connections_opened} in all, TLS {tls}"
        );
        if self.auth {
            words.push_str(", logged in");
        }
        if let Some(rate) = self.rate {
            words.push_str(&format!(", {rate}/s asked for"));
        }
        words
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        let Counts { accepted, refused, failed } = self.counts;
        let mut counts = format!("{accepted} messages accepted, {refused} refused, {failed} failed");
        if self.unsent > 0 {
            counts.push_str(&format!(", {} not sent", self.unsent));
        }
        let tone = if self.ok { Tone::Good } else { Tone::Bad };
        output::line(&format!("{} by {}", output::tinted(&counts, tone), self.server))?;
        if self.recipients.accepted != accepted || !self.ok {
            let Counts { accepted, refused, failed } = self.recipients;
            output::line(&format!("recipients: {accepted} accepted, {refused} refused, {failed} failed"))?;
        }
        output::line(&format!(
            "{:.2} s, {:.1} messages/s, {:.2} MB/s; {}",
            self.seconds,
            self.messages_per_second,
            self.megabytes_per_second,
            self.asked()
        ))?;
        if let Some(Percentiles { p50, p90, p99, max }) = self.latency_ms {
            output::line(&format!("latency in ms: p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, max {max:.2}"))?;
        }
        if let Some(cpu) = self.cpu_us_per_message {
            output::line(&format!("CPU of this process: {cpu:.0} us a message"))?;
        }
        for Problem { text, count } in &self.problems {
            output::line(&format!("{count:>8} x {}", output::printable(text)))?;
        }
        Ok(())
    }
}

/// The sink's document of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct SinkReport {
    pub(super) listen: String,
    pub(super) messages: u64,
    pub(super) recipients: u64,
    /// Of all messages.
    pub(super) octets: u64,
    pub(super) connections: u64,
    /// From the first connection to the last message.
    pub(super) seconds: f64,
    messages_per_second: f64,
    megabytes_per_second: f64,
    /// Of this process.
    cpu_us_per_message: Option<f64>,
}

/// What a sink has taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) messages: u64,
    pub(super) recipients: u64,
    pub(super) octets: u64,
    pub(super) connections: u64,
}

impl SinkReport {
    pub(super) fn new(listen: String, taken: Taken, took: Duration, cpu: Duration) -> Self {
        let pace = Pace::new(taken.messages, taken.octets, took, cpu);
        Self {
            listen,
            messages: taken.messages,
            recipients: taken.recipients,
            octets: taken.octets,
            connections: taken.connections,
            seconds: pace.seconds,
            messages_per_second: pace.messages_per_second,
            megabytes_per_second: pace.megabytes_per_second,
            cpu_us_per_message: pace.cpu_us_per_message,
        }
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        output::line(&format!(
            "{} messages for {} recipients, {} octets, over {} connections",
            self.messages, self.recipients, self.octets, self.connections
        ))?;
        output::line(&format!(
            "{:.2} s, {:.1} messages/s, {:.2} MB/s",
            self.seconds, self.messages_per_second, self.megabytes_per_second
        ))?;
        match self.cpu_us_per_message {
            Some(cpu) => output::line(&format!("CPU of this process: {cpu:.0} us a message")),
            None => Ok(()),
        }
    }
}

/// What both ends work out alike.
struct Pace {
    seconds: f64,
    messages_per_second: f64,
    megabytes_per_second: f64,
    cpu_us_per_message: Option<f64>,
}

impl Pace {
    fn new(messages: u64, octets: u64, took: Duration, cpu: Duration) -> Self {
        let seconds = took.as_secs_f64();
        let per_second = |amount: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        Self {
            seconds,
            messages_per_second: per_second(messages as f64),
            megabytes_per_second: per_second(octets as f64 / 1e6),
            cpu_us_per_message: (messages > 0).then(|| cpu.as_secs_f64() * 1e6 / messages as f64),
        }
    }
}

/// The time that this process has spent on processors, for itself and in the kernel.
pub(super) fn cpu_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;
    let micros = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    // It fails for a wrong argument only.
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(Duration::ZERO, |usage| micros(usage.user_time()) + micros(usage.system_time()))
}
