//! After an attempt: what is recorded, who is told, and when it is tried again, all in one transaction.

use crate::backoff::Backoff;
use crate::deadline::Deadlines;
use crate::line;
use crate::notice::{self, News, Report};
use crate::schedule::Next;
use crate::shared::Shared;
use delivery::Keep;
use smtp::parameter::{MailParameters, Notify, RcptParameters};
use std::collections::HashMap;
use std::time::Duration;
use store::queue::{Fate, Full, NewMessage, NewRecipient, QueuedMessage, QueuedRecipient, RecipientChange};
use store::trail::{Delivery, Entry, Event, Outcome, sender};
use store::{Id, StoreError};

/// Between tries to record what has happened already, so that a disk that fails for a moment does not make duplicates.
const RECORD_PAUSE: Duration = Duration::from_secs(2);
/// Without NOTIFY the sender hears of failure and delay (RFC 3461 §4.1).
const USUAL: Notify = Notify { success: false, failure: true, delay: true };

/// What became of a recipient.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The next server has it; `dsn`: it will notify; `deliver_by`: it minds the time.
    Relayed {
        dsn: bool,
        deliver_by: bool,
    },
    /// It is in mailboxes here.
    Kept(Vec<Keep>),
    /// It went to one other address.
    Forwarded,
    /// It went to several, some of them perhaps here, the others as the messages `onward`.
    Expanded {
        kept: Vec<Keep>,
        onward: Vec<Id>,
    },
    Deferred,
    Failed,
    Held,
    Discarded,
    /// By command, with nobody told.
    Dropped,
    NotTried,
}

#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) recipient: QueuedRecipient,
    pub(crate) verdict: Verdict,
    /// Who said so; empty when it was us.
    pub(crate) host: String,
    pub(crate) tls: Option<String>,
    pub(crate) reply: String,
    /// They are the words of `host`.
    pub(crate) theirs: bool,
    pub(crate) notes: Vec<String>,
}

impl Settled {
    /// Found out on this machine.
    pub(crate) fn here(recipient: QueuedRecipient, verdict: Verdict, reply: &str) -> Self {
        Self {
            recipient,
            verdict,
            host: String::new(),
            tls: None,
            reply: reply.to_owned(),
            theirs: false,
            notes: Vec::new(),
        }
    }
}

/// One transaction to be, and what follows from it.
#[derive(Default)]
struct Conclusion {
    changes: Vec<RecipientChange>,
    nexts: Vec<(u32, Next)>,
    news: Vec<News>,
    /// Double bounces that reached nobody: kept for people to see.
    events: Vec<Event>,
}

/// Records the outcomes of one message with `new` messages that came of them, tells the trail and the schedule.
pub(crate) async fn conclude(
    shared: &Shared,
    message: &QueuedMessage,
    settled: Vec<Settled>,
    new: Vec<NewMessage>,
) {
    if !settled.is_empty() {
        let conclusion = weigh(shared, message, &settled);
        conclude_as(shared, message, settled, conclusion, new).await;
    }
}

/// As [`conclude`], for what has been weighed.
async fn conclude_as(
    shared: &Shared,
    message: &QueuedMessage,
    mut settled: Vec<Settled>,
    mut conclusion: Conclusion,
    mut new: Vec<NewMessage>,
) {
    loop {
        let recorded = record_all(shared, message, &settled, conclusion, &mut new).await;
        let Err(error) = recorded else { return };
        // Others filled a mailbox since it was asked. Each time it is fewer copies, so this ends.
        if let StoreError::NoRoom(full) = &error
            && put_off(message.id, full, &mut settled, &mut new)
        {
            conclusion = weigh(shared, message, &settled);
            continue;
        }
        tracing::error!(queue = %message.id, %error, "cannot record a delivery, or write a notification");
        return fall_back(shared, message, &settled, &error).await;
    }
}

/// As [`conclude`], for several messages of which nothing new came: in one transaction, but for those about which somebody
/// is to be told.
pub(crate) async fn conclude_all(shared: &Shared, all: Vec<(QueuedMessage, Vec<Settled>)>) {
    let weighed = all.into_iter().map(|(message, settled)| {
        let conclusion = weigh(shared, &message, &settled);
        (message, settled, conclusion)
    });
    let (mut quiet, mut alone): (Vec<_>, Vec<_>) =
        weighed.partition(|(_, _, conclusion)| conclusion.news.is_empty());
    let changes = quiet.iter().flat_map(|(_, _, conclusion)| &conclusion.changes);
    let changes: Vec<RecipientChange> = changes.cloned().collect();
    let first = quiet.first().map_or_else(|| Id::at(0), |(message, _, _)| message.id);
    if let Err(error) = record(shared, first, &changes, &mut []).await {
        tracing::warn!(%error, "cannot record deliveries together; one by one");
        alone.append(&mut quiet);
    }
    for (message, settled, conclusion) in &mut quiet {
        let mut events = attempts(settled, &conclusion.nexts);
        events.append(&mut conclusion.events);
        tell(shared, message.id, events, &[]);
    }
    let nexts: Vec<_> = quiet.iter().map(|(message, _, done)| (message.id, &done.nexts[..])).collect();
    shared.settle_all(&nexts);
    for (message, settled, conclusion) in alone {
        conclude_as(shared, &message, settled, conclusion, Vec::new()).await;
    }
}

/// On an error nothing is recorded, and `new` is as it was.
async fn record_all(
    shared: &Shared,
    message: &QueuedMessage,
    settled: &[Settled],
    mut conclusion: Conclusion,
    new: &mut Vec<NewMessage>,
) -> Result<(), StoreError> {
    let (news, before) = (std::mem::take(&mut conclusion.news), new.len());
    if !news.is_empty() {
        // Without a notification nothing may be closed; the next attempt finds out again.
        if let Some(report) = notice::write(shared, message, news).await? {
            notified(report, &mut conclusion, new);
        }
    }
    if let Err(error) = record(shared, message.id, &conclusion.changes, new).await {
        new.truncate(before);
        return Err(error);
    }
    let mut events = attempts(settled, &conclusion.nexts);
    events.append(&mut conclusion.events);
    tell(shared, message.id, events, new);
    if !new.is_empty() {
        // What is new is scheduled before this attempt ends, however fast the disk was.
        tokio::task::yield_now().await;
    }
    shared.settle(message.id, &conclusion.nexts);
    Ok(())
}

/// Defers those of whom a copy has no room, with all that was to be done for them. Whether there were any.
fn put_off(id: Id, full: &[Full], settled: &mut [Settled], new: &mut Vec<NewMessage>) -> bool {
    let mut any = false;
    for one in settled {
        let address = one.recipient.address.clone();
        let onward = match &one.verdict {
            Verdict::Kept(_) => Vec::new(),
            Verdict::Expanded { onward, .. } => onward.clone(),
            _ => continue,
        };
        if !full.iter().any(|full| full.message == id && full.recipient == address) {
            continue;
        }
        any = true;
        *one = Settled::here(one.recipient.clone(), Verdict::Deferred, "452 4.2.2 the mailbox is full");
        new.retain(|new| !onward.contains(&new.id));
        for copies in new.iter_mut().filter(|new| new.id == id) {
            copies.local.retain(|copy| copy.recipient != address);
        }
    }
    new.retain(|new| !new.local.is_empty() || !new.remote.is_empty());
    any
}

/// Decides about each recipient.
fn weigh(shared: &Shared, message: &QueuedMessage, settled: &[Settled]) -> Conclusion {
    let rules = shared.rules();
    let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
    let mut scales = Scales {
        shared,
        message,
        backoff: &rules.settings.backoff,
        deadlines: Deadlines::of(message, &parameters, &rules.settings.backoff),
        parameters: &parameters,
        now: shared.clock.now(),
        dues: HashMap::new(),
    };
    let mut conclusion = Conclusion::default();
    for one in settled {
        let position = one.recipient.position;
        let (fate, next, report) = match &one.verdict {
            Verdict::NotTried => {
                conclusion.nexts.push((position, Next::Later(scales.now)));
                continue;
            }
            Verdict::Held => (Fate::Held, Next::Held, None),
            Verdict::Deferred if scales.now < scales.deadlines.end => scales.later(one),
            Verdict::Deferred | Verdict::Failed
                if message.reverse_path.is_null() && notice::is_double_bounce(message) =>
            {
                let text =
                    format!("nobody can be told that {} did not get this: held", one.recipient.address);
                conclusion.events.push(Event::Note { text });
                (Fate::Held, Next::Held, None)
            }
            Verdict::Deferred | Verdict::Failed => (Fate::Closed, Next::Gone, scales.failure(one)),
            _ => (Fate::Closed, Next::Gone, scales.success(one)),
        };
        conclusion.news.extend(report.map(|report| News::new(one, report)));
        conclusion.changes.push(RecipientChange { message: message.id, position, fate });
        conclusion.nexts.push((position, next));
    }
    conclusion
}

/// What the recipients of one message are weighed with.
struct Scales<'a> {
    shared: &'a Shared,
    message: &'a QueuedMessage,
    backoff: &'a Backoff,
    deadlines: Deadlines,
    parameters: &'a MailParameters,
    now: u64,
    /// One due time for all that are alike, by attempts and whether the delay was told, so that they go together again.
    dues: HashMap<(u32, bool), u64>,
}

impl Scales<'_> {
    /// Tried again, and the sender told once it is late.
    fn later(&mut self, one: &Settled) -> (Fate, Next, Option<Report>) {
        let (recipient, deadlines, now) = (&one.recipient, &self.deadlines, self.now);
        let late = !recipient.delay_told && now >= deadlines.late;
        let told = recipient.delay_told || late;
        let due = *self.dues.entry((recipient.attempts, told)).or_insert_with(|| {
            let retry = self.shared.state().schedule.retry_at(self.backoff, recipient.attempts, now);
            retry.min(deadlines.next(now, told))
        });
        let tells = late && notify(recipient).delay && !self.message.reverse_path.is_null();
        let report = tells.then(|| Report::Delayed { until: deadlines.end, expired: deadlines.is_due(now) });
        let fate = Fate::Deferred { due: due as i64, delay_told: told, last: last(one) };
        (fate, Next::Due(due), report)
    }

    fn failure(&self, one: &Settled) -> Option<Report> {
        let expired = matches!(one.verdict, Verdict::Deferred) && self.deadlines.is_expired(self.now);
        notify(&one.recipient).failure.then_some(Report::Failed { expired })
    }

    /// Told to those who asked for it.
    fn success(&self, one: &Settled) -> Option<Report> {
        let notify = notify(&one.recipient);
        let report = match one.verdict {
            Verdict::Relayed { dsn, deliver_by } => {
                let timed = notify != Notify::NEVER
                    && is_told_of_relay(self.parameters, &self.deadlines, deliver_by, self.now);
                let asked = notify.success && !dsn;
                (asked || timed).then_some(Report::Relayed { notifies: dsn })
            }
            Verdict::Kept(_) => notify.success.then_some(Report::Delivered),
            Verdict::Expanded { .. } => notify.success.then_some(Report::Expanded),
            _ => None,
        };
        report.filter(|_| !self.message.reverse_path.is_null())
    }
}

/// RFC 2852 §4.1.4: every relay of a traced message, and one to a server that knows no deadline while there is one.
fn is_told_of_relay(parameters: &MailParameters, deadlines: &Deadlines, deliver_by: bool, now: u64) -> bool {
    parameters.by.is_some_and(|by| by.trace() || (!deliver_by && !deadlines.is_due(now)))
}

fn notify(recipient: &QueuedRecipient) -> Notify {
    let parameters = RcptParameters::parse(&recipient.parameters).unwrap_or_default();
    parameters.notify.unwrap_or(USUAL)
}

/// The last attempt for people, and for [`crate::Summary`]: `host: reply`.
fn last(one: &Settled) -> String {
    if one.host.is_empty() { one.reply.clone() } else { format!("{}: {}", one.host, one.reply) }
}

fn notified(report: notice::Notice, conclusion: &mut Conclusion, new: &mut Vec<NewMessage>) {
    let Some(notice) = report.message else {
        // Nobody to tell: what failed is kept instead of closed.
        for change in &mut conclusion.changes {
            if matches!(change.fate, Fate::Closed) && report.failed.contains(&change.position) {
                change.fate = Fate::Held;
            }
        }
        for (position, next) in &mut conclusion.nexts {
            if *next == Next::Gone && report.failed.contains(position) {
                *next = Next::Held;
            }
        }
        let text = "it failed and there is nobody to tell (no domain here has a postmaster): held".to_owned();
        conclusion.events.push(Event::Note { text });
        return;
    };
    conclusion.events.push(Event::Notified {
        kind: report.kind.to_owned(),
        notice: notice.id,
        to: report.to,
        recipients: report.recipients,
    });
    new.push(notice);
}

/// Tries until the store takes it or says that it never will: what happened, happened. After an error of the disk the
/// outcome is unknown, so the next try first looks whether it was recorded: a copy for a mailbox is made once.
async fn record(
    shared: &Shared,
    message: Id,
    changes: &[RecipientChange],
    new: &mut [NewMessage],
) -> Result<(), StoreError> {
    if changes.is_empty() && new.is_empty() {
        return Ok(());
    }
    loop {
        match shared.store.record(changes.to_vec(), new.to_vec()).await {
            Err(error) if error.is_temporary() => tracing::warn!(%error, "cannot record now; trying again"),
            Err(StoreError::NoRoom(full)) if wait_for_room(message, &full, new) => continue,
            done => return done,
        }
        loop {
            tokio::time::sleep(RECORD_PAUSE).await;
            match is_recorded(shared, changes).await {
                Ok(true) => return Ok(()),
                Ok(false) => break,
                Err(error) => tracing::warn!(%error, "cannot read the queue"),
            }
        }
    }
}

/// Notifications (not copies of the message itself) without room wait in the queue. Whether there were any.
fn wait_for_room(message: Id, full: &[Full], new: &mut [NewMessage]) -> bool {
    let mut any = false;
    for notice in new.iter_mut().filter(|new| new.id != message && full.iter().any(|f| f.message == new.id)) {
        let copies = notice.local.drain(..).map(|copy| copy.recipient);
        let waiting =
            copies.map(|address| NewRecipient { address, parameters: String::new(), due: 0, held: false });
        notice.remote.extend(waiting);
        any = true;
    }
    any
}

/// Whether a recipient that was to be closed is closed. Those of one transaction are closed together.
async fn is_recorded(shared: &Shared, changes: &[RecipientChange]) -> Result<bool, StoreError> {
    let Some(closed) = changes.iter().find(|change| matches!(change.fate, Fate::Closed)) else {
        return Ok(false);
    };
    let (message, position) = (closed.message, closed.position);
    let found = shared.blocking(move |store| store.queued(message)).await?;
    Ok(found.is_none_or(|(_, recipients)| recipients.iter().all(|r| r.position != position)))
}

/// When the whole cannot be recorded (an account went away meanwhile, say): what is certain is closed, the rest is
/// tried again later.
async fn fall_back(shared: &Shared, message: &QueuedMessage, settled: &[Settled], error: &StoreError) {
    let rules = shared.rules();
    let now = shared.clock.now();
    let (mut changes, mut nexts) = (Vec::new(), Vec::new());
    for one in settled {
        let (fate, next) = match one.verdict {
            Verdict::Relayed { .. } => (Fate::Closed, Next::Gone),
            _ => {
                let attempts = one.recipient.attempts;
                let due = shared.state().schedule.retry_at(&rules.settings.backoff, attempts, now);
                let last = format!("451 4.3.0 {error}");
                let delay_told = one.recipient.delay_told;
                (Fate::Deferred { due: due as i64, delay_told, last }, Next::Due(due))
            }
        };
        changes.push(RecipientChange { message: message.id, position: one.recipient.position, fate });
        nexts.push((one.recipient.position, next));
    }
    if let Err(error) = record(shared, message.id, &changes, &mut []).await {
        tracing::error!(queue = %message.id, %error, "cannot record that a delivery failed");
    }
    let mut events = vec![Event::Note { text: format!("could not be recorded: {error}") }];
    events.extend(attempts(settled, &nexts));
    tell(shared, message.id, events, &[]);
    shared.settle(message.id, &nexts);
}

/// The trail's events: one for recipients with the same outcome.
fn attempts(settled: &[Settled], nexts: &[(u32, Next)]) -> Vec<Event> {
    let nexts: HashMap<u32, Next> = nexts.iter().copied().collect();
    let mut events: Vec<Event> = Vec::new();
    for one in settled {
        let recipient = one.recipient.address.to_string();
        let outcome = match &one.verdict {
            Verdict::Relayed { .. } => Outcome::Delivered,
            Verdict::Deferred => Outcome::Deferred,
            Verdict::Failed => Outcome::Failed,
            Verdict::Kept(kept) | Verdict::Expanded { kept, .. } => {
                events.extend(kept.iter().map(|keep| delivered(&recipient, keep)));
                events.extend(one.notes.iter().map(|text| Event::Note { text: text.clone() }));
                continue;
            }
            Verdict::Forwarded => {
                events.extend(one.notes.iter().map(|text| Event::Note { text: text.clone() }));
                continue;
            }
            Verdict::Held | Verdict::Discarded => {
                events.push(Event::Note { text: format!("{recipient}: {}", one.reply) });
                continue;
            }
            Verdict::NotTried | Verdict::Dropped => continue,
        };
        let (outcome, next) = match nexts.get(&one.recipient.position) {
            Some(Next::Due(due)) => (outcome, Some(*due as i64)),
            // Given up, though the last answer was temporary.
            _ if outcome == Outcome::Deferred => (Outcome::Failed, None),
            _ => (outcome, None),
        };
        let (host, tls, reply) = (one.host.clone(), one.tls.clone(), one.reply.clone());
        merge(&mut events, Event::Attempt { recipients: vec![recipient], host, tls, outcome, reply, next });
        for text in &one.notes {
            let note = Event::Note { text: text.clone() };
            if !events.contains(&note) {
                events.push(note);
            }
        }
    }
    events
}

/// Adds an attempt, or its recipient to one that is otherwise equal.
fn merge(events: &mut Vec<Event>, new: Event) {
    let Event::Attempt { recipients, host, tls, outcome, reply, next } = &new else {
        return events.push(new);
    };
    for event in events.iter_mut() {
        if let Event::Attempt { recipients: all, host: h, tls: t, outcome: o, reply: r, next: n } = event
            && (&*h, &*t, &*o, &*r, &*n) == (host, tls, outcome, reply, next)
        {
            all.extend(recipients.iter().cloned());
            return;
        }
    }
    events.push(new);
}

fn delivered(recipient: &str, keep: &Keep) -> Event {
    let delivery = Delivery {
        recipient: recipient.to_owned(),
        account: keep.address.to_string(),
        mailbox: keep.mailbox.clone(),
    };
    Event::Delivered { delivery }
}

/// Tells the trail about the message, and about those that came of it.
fn tell(shared: &Shared, id: Id, events: Vec<Event>, new: &[NewMessage]) {
    for event in events {
        line::log(id, &event);
        shared.store.tell(Entry::now(id, event));
    }
    for message in new.iter().filter(|message| message.id != id) {
        let all = message.local.iter().map(|copy| copy.recipient.to_string());
        let remote = message.remote.iter().map(|recipient| recipient.address.to_string());
        let delivered = message.local.iter().map(|copy| Delivery {
            recipient: copy.recipient.to_string(),
            account: account_of(shared, copy.account).unwrap_or_else(|| copy.recipient.to_string()),
            mailbox: copy.mailbox.clone(),
        });
        let event = Event::Accepted {
            origin: message.origin.clone(),
            from: sender(&message.reverse_path),
            recipients: all.chain(remote).collect(),
            delivered: delivered.collect(),
            size: message.body.size() + message.trace.len() as u64,
            verdicts: Vec::new(),
        };
        shared.store.tell(Entry::now(message.id, event));
    }
}

fn account_of(shared: &Shared, id: Id) -> Option<String> {
    Some(shared.store.account_by_id(id).ok()??.address.to_string())
}
