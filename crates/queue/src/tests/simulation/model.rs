//! What must be true: each recipient's way, followed step by step beside the queue's own.

use super::network::{Begun, Said, Told};
use super::plan::{Addressee, Plan};
use crate::Action;
use crate::schedule::Key;
use crate::schedule::probe::{Seen, Standing};
use smtp::parameter::{Notify, RcptParameters};
use std::collections::{BTreeMap, HashMap, HashSet};
use store::Id;

/// Reports in notifications: for whom, and what they say; and how many.
pub(super) type Reports = BTreeMap<(String, String), u32>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Delivered,
    Failed,
    Dropped,
}

/// What a recipient is to the model.
#[derive(Debug)]
pub(super) struct Recipient {
    address: String,
    notify: Notify,
    null_sender: bool,
    /// Of the message that tells the postmaster: there is nobody else to tell.
    last_resort: bool,
    arrival: u64,
    delay_told: bool,
    standing: Standing,
    due: u64,
    attempts: u32,
    pub(super) ending: Option<Ending>,
}

/// One thing that happened, after which all came to rest.
#[derive(Debug)]
pub(super) enum Event {
    /// Something became due.
    Time,
    Said(Said),
    Accepted,
    Command(Action, Key),
    Reloaded,
    Started,
}

pub(super) struct Model<'a> {
    plan: &'a Plan,
    pub(super) recipients: BTreeMap<Key, Recipient>,
    pub(super) expected: Reports,
    /// Attempts that failed, by shared fate too.
    pub(super) deferrals: u64,
}

/// Without NOTIFY (RFC 3461 §4.1).
const USUAL: Notify = Notify { success: false, failure: true, delay: true };

impl<'a> Model<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, recipients: BTreeMap::new(), expected: Reports::new(), deferrals: 0 }
    }

    /// A message is in the queue, durable.
    pub(super) fn accepted(&mut self, id: Id, null_sender: bool, last_resort: bool, to: &[Addressee]) {
        for (position, to) in (0..).zip(to) {
            let parameters = RcptParameters::parse(&to.parameters).unwrap();
            let recipient = Recipient {
                address: to.address.clone(),
                notify: parameters.notify.unwrap_or(USUAL),
                null_sender,
                last_resort,
                arrival: id.unix_ms() as u64,
                delay_told: false,
                standing: if to.held { Standing::Held } else { Standing::Waiting },
                due: id.unix_ms() as u64,
                attempts: 0,
                ending: None,
            };
            self.recipients.insert(Key { message: id, position }, recipient);
        }
    }

    /// What an administrator's command may do to this one now: `None` when it is being attempted.
    pub(super) fn can(&self, action: Action, key: Key) -> Option<bool> {
        let recipient = &self.recipients[&key];
        if recipient.ending.is_some() || recipient.standing == Standing::Running {
            return None;
        }
        let held = recipient.standing == Standing::Held;
        Some(match action {
            Action::Retry | Action::Hold => !held,
            Action::Release => held,
            Action::Bounce | Action::Drop => true,
        })
    }

    /// Follows everybody through one step.
    pub(super) fn step(&mut self, now: u64, event: &Event, seen: &BTreeMap<Key, Seen>) -> Result<(), String> {
        for (key, after) in seen {
            match self.recipients.get(key) {
                None => return Err(format!("{key:?} came out of nowhere: {after:?}")),
                Some(Recipient { ending: Some(ending), address, .. }) => {
                    return Err(format!(
                        "{address} is in the queue again after it was {ending:?}: {after:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        let mut step = Step { plan: self.plan, now, event, expected: &mut self.expected, deferrals: 0 };
        for (key, recipient) in self.recipients.iter_mut().filter(|(_, r)| r.ending.is_none()) {
            let before = (recipient.standing, recipient.due, recipient.attempts);
            let after = seen.get(key).copied();
            step.follow(*key, recipient, after)
                .map_err(|problem| format!("{problem}: {key:?} {before:?} → {after:?} of {recipient:?}"))?;
            if let Some(after) = after {
                (recipient.standing, recipient.due, recipient.attempts) =
                    (after.standing, after.due, after.attempts);
            }
        }
        self.deferrals += step.deferrals;
        Ok(())
    }

    /// Attempts began: of these, no more than this at once.
    pub(super) fn began(&self, begun: &[Begun], window: impl Fn(Key) -> Option<u32>) -> Result<(), String> {
        let most = self.plan.window.max;
        for Begun { destination, at_once, keys } in begun {
            if keys.len() > self.plan.recipients {
                return Err(format!("{} recipients at once for {destination}", keys.len()));
            }
            for key in keys {
                let recipient = &self.recipients[key];
                if recipient.standing != Standing::Running || recipient.ending.is_some() {
                    return Err(format!("{recipient:?} is attempted at {destination}"));
                }
            }
            let window = window(keys[0]).unwrap_or(most).min(most);
            if *at_once > window as usize {
                return Err(format!("{at_once} at once at {destination}, whose window is {window}"));
            }
        }
        Ok(())
    }

    /// Copies that mailboxes here must have, by address.
    pub(super) fn delivered_here(&self) -> HashMap<&str, u32> {
        let here = self.recipients.values().filter(|r| r.address.starts_with("box+"));
        let here = here.filter(|r| r.ending == Some(Ending::Delivered));
        here.map(|r| (r.address.as_str(), 1)).collect()
    }

    pub(super) fn ended(&self, ending: Option<Ending>) -> u64 {
        self.recipients.values().filter(|recipient| recipient.ending == ending).count() as u64
    }

    /// Recipients that are neither over nor held.
    pub(super) fn open(&self) -> u64 {
        let open = |r: &&Recipient| r.ending.is_none() && r.standing != Standing::Held;
        self.recipients.values().filter(open).count() as u64
    }
}

struct Step<'a> {
    plan: &'a Plan,
    now: u64,
    event: &'a Event,
    expected: &'a mut Reports,
    deferrals: u64,
}

impl Step<'_> {
    /// From what it was to what it is, if that is a way to go.
    fn follow(&mut self, key: Key, recipient: &mut Recipient, after: Option<Seen>) -> Result<(), String> {
        match self.event {
            Event::Said(Said::Carried { told, .. }) if told.contains_key(&key) => {
                return self.told(told[&key], recipient, after);
            }
            Event::Command(action, changed) if *changed == key => match action {
                Action::Hold => return is_held(after),
                Action::Bounce => return self.failed(recipient, after),
                Action::Drop => return ends(recipient, Ending::Dropped, after),
                Action::Retry | Action::Release => {
                    (recipient.standing, recipient.due) = (Standing::Waiting, self.now);
                }
            },
            // What was in flight is due at once.
            Event::Started if recipient.standing == Standing::Running => recipient.standing = Standing::Ready,
            _ => {}
        }
        match recipient.standing {
            Standing::Held => is_held(after),
            Standing::Running => match after {
                Some(Seen { standing: Standing::Running, attempts, .. })
                    if attempts == recipient.attempts =>
                {
                    Ok(())
                }
                _ => Err("the network has not answered yet".into()),
            },
            Standing::Waiting if recipient.due > self.now => match after {
                Some(Seen { standing: Standing::Waiting, due, attempts, .. })
                    if (due, attempts) == (recipient.due, recipient.attempts) =>
                {
                    Ok(())
                }
                _ => Err("it is not due yet".into()),
            },
            Standing::Waiting | Standing::Ready => self.due(recipient, after),
        }
    }

    /// A destination said this about it.
    fn told(&mut self, told: Told, recipient: &mut Recipient, after: Option<Seen>) -> Result<(), String> {
        match told {
            Told::Taken { dsn } => {
                if recipient.notify.success && !dsn && !recipient.null_sender {
                    self.expect(recipient, "relayed");
                }
                ends(recipient, Ending::Delivered, after)
            }
            Told::Never => self.failed(recipient, after),
            Told::Later | Told::Slow | Told::Nothing => self.deferred(recipient, after),
            Told::NotTried => match after {
                Some(Seen { standing, attempts, due, .. })
                    if standing != Standing::Held && attempts == recipient.attempts && due <= self.now =>
                {
                    Ok(())
                }
                _ => Err("it was not tried: it stays as it was".into()),
            },
        }
    }

    /// It is due, and nobody said anything about it alone.
    fn due(&mut self, recipient: &mut Recipient, after: Option<Seen>) -> Result<(), String> {
        let shares_fate = match self.event {
            Event::Said(Said::Carried { told, .. }) => {
                told.values().any(|told| *told == Told::Slow).then_some(false)
            }
            Event::Said(Said::Located { unreachable, host }) => {
                unreachable.filter(|_| recipient.address.ends_with(&format!("@{host}")))
            }
            _ => None,
        };
        match (after, shares_fate) {
            (Some(Seen { standing: Standing::Ready | Standing::Running, attempts, .. }), _)
                if attempts == recipient.attempts =>
            {
                Ok(())
            }
            (None, _) if recipient.address.ends_with("@example.org") => {
                if recipient.notify.success && !recipient.null_sender {
                    self.expect(recipient, "delivered");
                }
                ends(recipient, Ending::Delivered, after)
            }
            (_, Some(true)) => self.failed(recipient, after),
            (_, Some(false)) => self.deferred(recipient, after),
            _ => Err("it is due, and nothing said to it explains this".into()),
        }
    }

    fn deferred(&mut self, recipient: &mut Recipient, after: Option<Seen>) -> Result<(), String> {
        self.deferrals += 1;
        let backoff = &self.plan.backoff;
        let lifetime = if recipient.null_sender { backoff.lifetime_null } else { backoff.lifetime };
        let end = recipient.arrival + lifetime;
        if self.now >= end {
            return self.failed(recipient, after);
        }
        if self.now >= recipient.arrival + backoff.delay_notice && !recipient.delay_told {
            recipient.delay_told = true;
            if recipient.notify.delay && !recipient.null_sender {
                self.expect(recipient, "delayed");
            }
        }
        let base = (backoff.first << recipient.attempts.min(20)).min(backoff.longest);
        let swing = base * backoff.jitter_percent / 100;
        // They are rounded.
        let (soonest, latest) = (self.now + base - swing, self.now + base + swing + 100);
        match after {
            Some(Seen { standing: Standing::Waiting, attempts, .. })
                if attempts != recipient.attempts + 1 =>
            {
                Err(format!("{attempts} attempts are counted"))
            }
            Some(Seen { standing: Standing::Waiting, due, .. })
                if (soonest..=latest).contains(&due) && due <= end || due == end && end <= latest =>
            {
                Ok(())
            }
            Some(Seen { standing: Standing::Waiting, .. }) => {
                Err(format!("to be tried again from {soonest} to {latest}, and until {end}"))
            }
            _ => Err("it was put off, and does not wait".into()),
        }
    }

    fn failed(&mut self, recipient: &mut Recipient, after: Option<Seen>) -> Result<(), String> {
        if recipient.null_sender && recipient.last_resort {
            return is_held(after);
        }
        if recipient.notify.failure {
            self.expect(recipient, "failed");
        }
        ends(recipient, Ending::Failed, after)
    }

    fn expect(&mut self, recipient: &Recipient, action: &str) {
        *self.expected.entry((recipient.address.clone(), action.to_owned())).or_default() += 1;
    }
}

fn ends(recipient: &mut Recipient, ending: Ending, after: Option<Seen>) -> Result<(), String> {
    recipient.ending = Some(ending);
    if after.is_some() { Err(format!("it is {ending:?}, and still in the queue")) } else { Ok(()) }
}

fn is_held(after: Option<Seen>) -> Result<(), String> {
    match after {
        Some(Seen { standing: Standing::Held, .. }) => Ok(()),
        _ => Err("it is held until somebody releases it".into()),
    }
}

/// The reports of a notification: `Final-Recipient` with the `Action` of its group (RFC 3464 §2.3).
pub(super) fn reports(text: &str) -> Vec<(String, String)> {
    let mut reports = Vec::new();
    let mut recipient = None;
    for line in text.lines() {
        if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
            recipient = Some(address.trim().to_owned());
        } else if let Some(action) = line.strip_prefix("Action: ") {
            reports.extend(recipient.take().map(|recipient| (recipient, action.trim().to_owned())));
        } else if line.starts_with("Content-Type: message/rfc822") {
            // What is returned may be a notification itself.
            break;
        }
    }
    reports
}

/// Two things that must be equal, told by what differs.
pub(super) fn compare(expected: &Reports, found: &Reports) -> Result<(), String> {
    let all: HashSet<_> = expected.keys().chain(found.keys()).collect();
    let wrong = all.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    let mut wrong: Vec<String> = wrong
        .map(|key| {
            let count = |reports: &Reports| reports.get(key).copied().unwrap_or(0);
            format!("{} {}: {} notifications, {} expected", key.0, key.1, count(found), count(expected))
        })
        .collect();
    wrong.sort();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
