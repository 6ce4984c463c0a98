//! One job of the schedule carried out: by the carrier, or here.

use crate::conclude::{Settled, Verdict, conclude};
use crate::deadline::{Deadlines, passed_on};
use crate::fate::{Said, share_fate};
use crate::here;
use crate::routing::{Rules, Way};
use crate::schedule::{Job, Key, Lane, Next, Place};
use crate::shared::{Loaded, Shared};
use crate::window::Feedback;
use smtp::parameter::MailParameters;
use std::sync::Arc;
use store::Id;
use store::queue::{QueuedMessage, QueuedRecipient};
use transport::{Carried, Destination, Errand, ErrandRecipient, Outcome, Outgoing, Unreachable};

/// After the store could not be read.
const STORE_PAUSE_MS: u64 = 60 * 1000;
/// For how long a location is believed. The resolver's cache bounds the look-ups further.
const LOCATION_MS: u64 = 5 * 60 * 1000;

pub(crate) async fn attempt(shared: Arc<Shared>, job: Job) {
    let loaded = load(&shared, vec![(job.message, job.positions.clone())]).await;
    let (feedback, said) = match loaded.into_iter().next() {
        Some(loaded) => serve(&shared, &job, loaded).await,
        None => (Feedback::Neutral, None),
    };
    let condemned = shared.state().schedule.finished(&job, feedback, shared.clock.now());
    shared.wake.notify_one();
    if condemned.is_empty() {
        return;
    }
    let said = said.unwrap_or_else(|| Said::here("451 4.4.1 no answer".into()));
    share_fate(&shared, condemned, &said, false).await;
    shared.state().schedule.shared(job.place);
    shared.wake.notify_one();
}

/// Locates a lane. When it leads nowhere, so do all who wait for it.
pub(crate) async fn locate(shared: Arc<Shared>, lane: Lane) {
    let way = shared.state().numbers.way(lane).cloned();
    let Some(Way::Carry(route)) = way else {
        shared.state().schedule.located(lane, Place::HERE, u64::MAX);
        return shared.wake.notify_one();
    };
    match shared.carrier.locate(&route).await {
        Ok(destination) => {
            let until = shared.clock.now() + LOCATION_MS;
            let mut state = shared.state();
            let place = state.numbers.place(destination);
            state.schedule.located(lane, place, until);
        }
        Err(Unreachable { permanent, reply }) => {
            // All who wait now. Who comes while they are told, the notifications about them too, asks again.
            let mut waiting = Vec::new();
            loop {
                let lost = shared.state().schedule.lost(lane);
                if lost.is_empty() {
                    break;
                }
                waiting.extend(lost);
            }
            share_fate(&shared, waiting, &Said::here(reply), permanent).await;
        }
    }
    shared.wake.notify_one();
}

/// The messages with those of these recipients that are still there; settles the others.
pub(crate) async fn load(shared: &Shared, wanted: Vec<(Id, Vec<u32>)>) -> Vec<Loaded> {
    let found = match shared.load(wanted.clone()).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "cannot read queued messages");
            let later = Next::Later(shared.clock.now() + STORE_PAUSE_MS);
            for (id, positions) in wanted {
                let nexts: Vec<_> = positions.iter().map(|position| (*position, later)).collect();
                shared.settle(id, &nexts);
            }
            return Vec::new();
        }
    };
    let mut all = Vec::with_capacity(found.len());
    for ((id, positions), loaded) in wanted.into_iter().zip(found) {
        let recipients = loaded.as_ref().map_or(&[][..], |loaded| &loaded.recipients);
        let there = |position: &u32| recipients.iter().any(|r| r.position == *position);
        let gone: Vec<_> = positions.iter().filter(|p| !there(p)).map(|p| (*p, Next::Gone)).collect();
        if !gone.is_empty() {
            shared.settle(id, &gone);
        }
        all.extend(loaded.filter(|loaded| !loaded.recipients.is_empty()));
    }
    all
}

async fn serve(shared: &Shared, job: &Job, loaded: Loaded) -> (Feedback, Option<Said>) {
    let Loaded { message, recipients } = loaded;
    let rules = shared.rules();
    let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
    let recipients = reroute(shared, &message, recipients, &rules);
    if recipients.is_empty() {
        return (Feedback::Neutral, None);
    }
    let now = shared.clock.now();
    if Deadlines::of(&message, &parameters, &rules.settings.backoff).is_expired(now) {
        let settled = recipients.into_iter().map(late).collect();
        conclude(shared, &message, settled, Vec::new()).await;
        return (Feedback::Neutral, None);
    }
    if job.place == Place::HERE {
        serve_here(shared, &message, recipients).await;
        return (Feedback::Clean, None);
    }
    let destination = shared.state().numbers.destination(job.place).cloned();
    let Some(destination) = destination else {
        let nexts: Vec<_> = recipients.iter().map(|r| (r.position, Next::Later(now))).collect();
        shared.settle(message.id, &nexts);
        return (Feedback::Neutral, None);
    };
    let carried = carry(shared, &destination, &message, &parameters, &recipients).await;
    let (feedback, said) = feedback(&carried);
    conclude(shared, &message, pair(recipients, carried), Vec::new()).await;
    (feedback, said)
}

/// RFC 2852 §4.1.3, with the reason why it could not be in time.
fn late(recipient: QueuedRecipient) -> Settled {
    let over = "554 5.4.7 the time within which the sender wanted it delivered is over";
    let reply = match &recipient.last {
        Some(last) => format!("{over}; the last attempt: {last}"),
        None => over.to_owned(),
    };
    Settled::here(recipient, Verdict::Failed, &reply)
}

/// Sends recipients whose way has changed since they were scheduled to their new lane; the others stay.
fn reroute(
    shared: &Shared,
    message: &QueuedMessage,
    recipients: Vec<QueuedRecipient>,
    rules: &Rules,
) -> Vec<QueuedRecipient> {
    let mut moved = Vec::new();
    let mut stay = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let lane = shared.lane(&message.reverse_path, &recipient, rules);
        let before =
            shared.state().schedule.lane_of(Key { message: message.id, position: recipient.position });
        match lane {
            Some(lane) if Some(lane) != before => moved.push((recipient.position, Next::Again(lane))),
            _ => stay.push(recipient),
        }
    }
    if !moved.is_empty() {
        shared.settle(message.id, &moved);
    }
    stay
}

async fn serve_here(shared: &Shared, message: &QueuedMessage, recipients: Vec<QueuedRecipient>) {
    let (mut settled, mut local) = (Vec::new(), Vec::new());
    for recipient in recipients {
        let key = Key { message: message.id, position: recipient.position };
        let way = {
            let state = shared.state();
            state.schedule.lane_of(key).and_then(|lane| state.numbers.way(lane).cloned())
        };
        match way {
            Some(Way::Hold) => settled.push(Settled::here(recipient, Verdict::Held, "held by a route")),
            Some(Way::Discard) => {
                settled.push(Settled::here(recipient, Verdict::Discarded, "discarded by a route"));
            }
            _ => local.push(recipient),
        }
    }
    let (delivered, new) = here::deliver(shared, message, local).await;
    settled.extend(delivered);
    conclude(shared, message, settled, new).await;
}

async fn carry(
    shared: &Shared,
    destination: &Destination,
    message: &QueuedMessage,
    parameters: &MailParameters,
    recipients: &[QueuedRecipient],
) -> Vec<Carried> {
    let body = match shared.body(message).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(queue = %message.id, %error, "cannot read a queued body");
            let reply = "451 4.3.0 the message cannot be read from disk now".to_owned();
            return recipients.iter().map(|r| unanswered(r.position, destination, &reply)).collect();
        }
    };
    let outgoing = Outgoing {
        id: message.id,
        reverse_path: message.reverse_path.clone(),
        parameters: passed_on(message, parameters, shared.clock.now()),
        trace: message.trace.clone(),
        body,
        ours: message.origin.account.is_some(),
    };
    let recipients = recipients.iter().map(|r| ErrandRecipient {
        position: r.position,
        address: r.address.clone(),
        parameters: r.parameters.clone(),
    });
    let errand = Errand { message: Arc::new(outgoing), recipients: recipients.collect() };
    let positions: Vec<u32> = errand.recipients.iter().map(|r| r.position).collect();
    let mut carried = shared.carrier.carry(destination, errand).await;
    // One answer for each, whatever the carrier does.
    let mut answered = std::collections::HashSet::new();
    carried.retain(|c| positions.contains(&c.position) && answered.insert(c.position));
    let missing = positions.iter().filter(|position| !answered.contains(position));
    let missing: Vec<_> =
        missing.map(|position| unanswered(*position, destination, "451 4.4.2 no answer")).collect();
    carried.extend(missing);
    carried
}

fn unanswered(position: u32, destination: &Destination, reply: &str) -> Carried {
    Carried {
        position,
        outcome: Outcome::Deferred { slow: false },
        host: destination.key.0.clone(),
        tls: None,
        reply: reply.to_owned(),
        theirs: false,
        notes: Vec::new(),
    }
}

fn feedback(carried: &[Carried]) -> (Feedback, Option<Said>) {
    let slow = carried.iter().find(|c| matches!(c.outcome, Outcome::Deferred { slow: true }));
    match slow {
        Some(Carried { host, reply, theirs, .. }) => {
            let said = Said { host: host.clone(), reply: reply.clone(), theirs: *theirs };
            (Feedback::Slow, Some(said))
        }
        None if carried.iter().all(|c| c.outcome == Outcome::NotTried) => (Feedback::Neutral, None),
        None => (Feedback::Clean, None),
    }
}

fn pair(recipients: Vec<QueuedRecipient>, carried: Vec<Carried>) -> Vec<Settled> {
    let mut answers: std::collections::HashMap<u32, Carried> =
        carried.into_iter().map(|carried| (carried.position, carried)).collect();
    let settled = recipients.into_iter().filter_map(|recipient| {
        let carried = answers.remove(&recipient.position)?;
        let verdict = match carried.outcome {
            Outcome::Delivered { dsn, deliver_by } => Verdict::Relayed { dsn, deliver_by },
            Outcome::Deferred { .. } => Verdict::Deferred,
            Outcome::Failed => Verdict::Failed,
            Outcome::NotTried => Verdict::NotTried,
        };
        let Carried { host, tls, reply, theirs, notes, .. } = carried;
        Some(Settled { recipient, verdict, host, tls, reply, theirs, notes })
    });
    settled.collect()
}
