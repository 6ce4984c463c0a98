//! Sends: so many connections, each taking the next message as soon as it is free and the message is due.

use super::plan::Plan;
use super::report::{Asked, Report, Tally, cpu_time};
use crate::client::{Client, Error, Sent, Transcript};
use crate::commands::send::dialogue;
use indicatif::ProgressBar;
use smtp::client::{Ended, Fate, Outcome};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connections in a row that could not be used, after which nothing better is to be expected.
const MAX_FAILURES: u32 = 100;
/// How often the display is brought up to date.
const DISPLAY: Duration = Duration::from_millis(200);

/// Sends all messages, or as many as it can before `stop`.
pub(super) async fn run(plan: Plan, bar: &ProgressBar, stop: impl Future<Output = ()>) -> Report {
    let asked = Asked {
        server: plan.settings.place.to_string(),
        connections: plan.connections,
        messages: plan.messages,
        size: plan.letter.octets(),
        rate: plan.rate,
        recipients: plan.recipients.len(),
        tls: plan.tls,
        auth: plan.settings.login.is_some(),
        keep: plan.keep,
    };
    let cpu = cpu_time();
    let shared = Arc::new(Shared::new(plan));
    let mut workers = JoinSet::new();
    for _ in 0..u64::from(asked.connections).min(asked.messages) {
        workers.spawn(Worker::new(Arc::clone(&shared)).run());
    }
    let mut display = tokio::time::interval(DISPLAY);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            ended = workers.join_next() => if ended.is_none() { break },
            _ = display.tick() => shared.show(bar),
            () = &mut stop => {
                workers.shutdown().await;
                break;
            }
        }
    }
    let took = shared.begun.elapsed();
    Report::new(asked, &shared.tally(), took, cpu_time().saturating_sub(cpu))
}

/// What the workers have in common.
struct Shared {
    plan: Plan,
    begun: Instant,
    /// The next message's number.
    next: AtomicU64,
    failures: AtomicU32,
    tally: Mutex<Tally>,
}

impl Shared {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            tally: Mutex::default(),
        }
    }

    /// The number of a message to send, and when; none when there is no more to do.
    fn take(&self) -> Option<(u64, Option<Instant>)> {
        if self.failures.load(Ordering::Relaxed) >= MAX_FAILURES {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.plan.rate.and_then(|rate| {
            let after = Duration::try_from_secs_f64(number as f64 / f64::from(rate)).ok()?;
            self.begun.checked_add(after)
        });
        (number < self.plan.messages).then_some((number, due))
    }

    /// What was counted before a worker's panic still stands.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, bar: &ProgressBar) {
        let counts = self.tally().messages;
        let (accepted, others) = (counts.accepted, counts.refused + counts.failed);
        let pace = accepted as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        bar.set_position(accepted + others);
        bar.set_message(format!("{pace:.0}/s, {} refused, {} failed", counts.refused, counts.failed));
    }
}

/// One connection at a time.
struct Worker {
    shared: Arc<Shared>,
    client: Option<Client>,
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared, client: None }
    }

    async fn run(mut self) {
        while let Some((number, due)) = self.shared.take() {
            // Whoever is late has waited for the server: that is a part of its latency. Our own timer's lateness is not.
            let late = due.filter(|due| *due < Instant::now());
            if let Some(due) = due {
                tokio::time::sleep_until(due.into()).await;
            }
            self.message(number, late).await;
            if !self.shared.plan.keep {
                self.quit().await;
            }
        }
        self.quit().await;
    }

    /// One message, counted, from when it was due if that is over. A server may close a connection that was kept: then the message is tried on a new
    /// one, since nobody has it.
    async fn message(&mut self, number: u64, due: Option<Instant>) {
        loop {
            let kept = self.client.as_ref().is_some_and(Client::is_ready);
            match self.attempt(number).await {
                Ok((Sent::Done(outcome), _)) if kept && is_broken(&outcome) => self.client = None,
                Ok((Sent::Done(outcome), begun)) => {
                    self.shared.failures.store(0, Ordering::Relaxed);
                    let took = due.unwrap_or(begun).elapsed();
                    return self.shared.tally().outcome(&outcome, took);
                }
                // No stage to stop after was given, so that this cannot be.
                Ok((Sent::Stopped(_), _)) => return,
                Err(error) => return self.unusable(&error),
            }
        }
    }

    /// Sends the message over a connection that stands, or a new one; what came of it, and when the first octet went.
    async fn attempt(&mut self, number: u64) -> Result<(Sent, Instant), Error> {
        if !self.client.as_ref().is_some_and(Client::is_ready) {
            self.quit().await;
            self.client = Some(open(&self.shared).await?);
        }
        let client = self.client.as_mut().ok_or(Error::Ended(Ended::Aborted))?;
        let transaction = self.shared.plan.transaction();
        let content = self.shared.plan.letter.numbered(number);
        let begun = Instant::now();
        let sent = client.send(transaction, &content).await?;
        Ok((sent, begun))
    }

    fn unusable(&mut self, error: &Error) {
        self.client = None;
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        self.shared.tally().error(error, self.shared.plan.recipients.len() as u64);
    }

    async fn quit(&mut self) {
        if let Some(client) = self.client.take() {
            client.quit().await;
        }
    }
}

async fn open(shared: &Shared) -> Result<Client, Error> {
    let client = dialogue::open(&shared.plan.settings, &Transcript::silent()).await?;
    shared.tally().connections += 1;
    Ok(client)
}

fn is_broken(outcome: &Outcome) -> bool {
    outcome.recipients.iter().all(|recipient| matches!(recipient.fate, Fate::Broken { .. }))
}
