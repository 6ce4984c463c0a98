//! What the driver, the attempts and the commands share.

use crate::clock::Clock;
use crate::routing::{Name, Numbers, Rules, Way};
use crate::schedule::{Entry, Key, Lane, Next, Place, Schedule};
use address::{Address, Host, ReversePath};
use directory::Directory;
use smtp::parameter::MailParameters;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use store::queue::{Fresh, QueuedMessage, QueuedRecipient};
use store::{Body, Id, Store, StoreError};
use tokio::sync::{Notify, watch};
use transport::Carrier;

/// Of the budget of bodies in memory: above it, bodies of waiting messages are given up and read back later.
const MEMORY_PERCENT: usize = 50;

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) directory: Directory,
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) clock: Clock,
    pub(crate) wake: Notify,
    pub(crate) stopping: watch::Sender<bool>,
    /// Whose turn it is to settle those who share a fate.
    pub(crate) fates: tokio::sync::Mutex<()>,
    /// Messages taken from the feed so far.
    pub(crate) taken: AtomicU64,
    rules: RwLock<Arc<Rules>>,
    state: Mutex<State>,
    fresh: Mutex<HashMap<Id, Unsettled>>,
}

/// The schedule, and what its numbers mean.
pub(crate) struct State {
    pub(crate) schedule: Schedule,
    pub(crate) numbers: Numbers,
}

/// A message whose first attempts are not over, with its body.
struct Unsettled {
    fresh: Arc<Fresh>,
    settled: HashSet<u32>,
}

/// A message with those of its recipients that an attempt is for.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) message: QueuedMessage,
    pub(crate) recipients: Vec<QueuedRecipient>,
}

impl Unsettled {
    /// As it was accepted, while none of these is settled.
    fn loaded(&self, positions: &[u32]) -> Option<Loaded> {
        if positions.iter().any(|position| self.settled.contains(position)) {
            return None;
        }
        let recipients = self.fresh.recipients.iter().filter(|r| positions.contains(&r.position));
        Some(Loaded { message: self.fresh.message.clone(), recipients: recipients.cloned().collect() })
    }
}

impl Shared {
    pub(crate) fn new(
        store: Store,
        directory: Directory,
        carrier: Arc<dyn Carrier>,
        rules: Rules,
        clock: Clock,
        schedule: Schedule,
    ) -> Self {
        Self {
            store,
            directory,
            carrier,
            clock,
            wake: Notify::new(),
            stopping: watch::Sender::new(false),
            fates: tokio::sync::Mutex::new(()),
            taken: AtomicU64::new(0),
            rules: RwLock::new(Arc::new(rules)),
            state: Mutex::new(State { schedule, numbers: Numbers::new() }),
            fresh: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_rules(&self, make: impl FnOnce(&Rules) -> Rules) {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *rules = Arc::new(make(&rules));
    }

    /// The lane of a recipient as things are now. What the directory cannot tell is retried on the lane it has.
    pub(crate) fn lane(
        &self,
        sender: &ReversePath,
        recipient: &QueuedRecipient,
        rules: &Rules,
    ) -> Option<Lane> {
        match rules.way(&self.directory, sender, &recipient.address, recipient.last.is_none()) {
            Ok(name) => Some(self.lane_named(&name, rules)),
            Err(error) => {
                tracing::warn!(recipient = %recipient.address, %error, "cannot look up a recipient");
                None
            }
        }
    }

    pub(crate) fn lane_here(&self, rules: &Rules) -> Lane {
        self.lane_named(&Name::Here, rules)
    }

    fn lane_named(&self, name: &Name, rules: &Rules) -> Lane {
        let mut state = self.state();
        let state = &mut *state;
        let (lane, new) = state.numbers.lane(name, rules);
        if new && !matches!(state.numbers.way(lane), Some(Way::Carry(_))) {
            state.schedule.located(lane, Place::HERE, u64::MAX);
        }
        lane
    }

    /// Schedules a message that has just become durable, and keeps it for its first attempts.
    pub(crate) fn take(&self, fresh: Arc<Fresh>) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let rules = self.rules();
        let message = &fresh.message;
        let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
        let start = crate::deadline::start(message.id, &parameters);
        let mut lanes: HashMap<Host, Option<Lane>> = HashMap::new();
        let now = self.clock.now();
        let mut waits = false;
        for recipient in &fresh.recipients {
            let lane = *lanes
                .entry(recipient.address.host().clone())
                .or_insert_with(|| self.lane(&message.reverse_path, recipient, &rules));
            let lane = lane.unwrap_or_else(|| self.lane_here(&rules));
            let due = start.max(recipient.due.max(0) as u64);
            waits |= due > now || recipient.held;
            self.add(message.id, recipient, lane, due, &parameters);
        }
        if !waits && self.store.budget().percent_used() <= MEMORY_PERCENT {
            let unsettled = Unsettled { fresh: Arc::clone(&fresh), settled: HashSet::new() };
            self.fresh().insert(fresh.id, unsettled);
        }
    }

    /// Schedules a recipient.
    pub(crate) fn add(
        &self,
        message: Id,
        recipient: &QueuedRecipient,
        lane: Lane,
        due: u64,
        parameters: &MailParameters,
    ) {
        let entry = Entry {
            lane,
            due,
            attempts: recipient.attempts,
            priority: parameters.priority.unwrap_or_default().value(),
            held: recipient.held,
        };
        self.state().schedule.add(Key { message, position: recipient.position }, entry);
    }

    /// Messages with these of their recipients, as far as they are still to be served; for each that was asked for, in order.
    pub(crate) async fn load(&self, wanted: Vec<(Id, Vec<u32>)>) -> Result<Vec<Option<Loaded>>, StoreError> {
        let fresh: Vec<Option<Loaded>> = {
            let known = self.fresh();
            wanted.iter().map(|(id, positions)| known.get(id)?.loaded(positions)).collect()
        };
        if fresh.iter().all(Option::is_some) {
            return Ok(fresh);
        }
        let read = move |store: &Store| {
            let all = wanted.into_iter().zip(fresh).map(|((id, positions), fresh)| match fresh {
                Some(loaded) => Ok(Some(loaded)),
                None => Ok(store.queued(id)?.map(|(message, mut recipients)| {
                    recipients.retain(|r| positions.contains(&r.position));
                    Loaded { message, recipients }
                })),
            });
            all.collect()
        };
        self.blocking(read).await
    }

    /// The message's body, from memory or from disk.
    pub(crate) async fn body(&self, message: &QueuedMessage) -> Result<Body, StoreError> {
        if let Some(body) = &message.body {
            return Ok(body.clone());
        }
        let (id, size) = (message.body_id, message.body_size);
        self.blocking(move |store| store.body(id, size)).await
    }

    /// After a piece of work that new mail should not notice: waits for so long if any was taken since `before`
    /// ([`Shared::taken`]). Alone, the work goes on at once.
    pub(crate) async fn give_way(&self, before: u64, pause: Duration) {
        if self.taken.load(Ordering::Relaxed) != before {
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs a read of the store where it holds nobody up.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || read(&store)).await;
        done.unwrap_or_else(|error| Err(StoreError::Bug(error.to_string())))
    }

    /// Tells the schedule what is next for recipients of a message.
    pub(crate) fn settle(&self, message: Id, nexts: &[(u32, Next)]) {
        self.settle_all(&[(message, nexts)]);
    }

    /// Of several messages.
    pub(crate) fn settle_all(&self, all: &[(Id, &[(u32, Next)])]) {
        {
            let mut state = self.state();
            for (message, nexts) in all {
                for (position, next) in *nexts {
                    state.schedule.settle(Key { message: *message, position: *position }, *next);
                }
            }
            if state.numbers.are_many() {
                let (lanes, places) = state.schedule.prune();
                state.numbers.forget(&lanes, &places);
            }
        }
        let mut fresh = self.fresh();
        for (message, nexts) in all {
            let Some(unsettled) = fresh.get_mut(message) else { continue };
            let over = nexts.iter().filter(|(_, next)| !matches!(next, Next::Again(_)));
            unsettled.settled.extend(over.map(|(position, _)| *position));
            if unsettled.settled.len() >= unsettled.fresh.recipients.len() {
                fresh.remove(message);
            }
        }
        if !fresh.is_empty() && self.store.budget().percent_used() > MEMORY_PERCENT {
            fresh.clear();
        }
        drop(fresh);
        self.wake.notify_one();
    }

    /// Who is told what cannot be told to the sender.
    pub(crate) fn postmaster(&self) -> Option<Address> {
        self.directory.postmaster().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look up the postmaster");
            None
        })
    }

    fn fresh(&self) -> MutexGuard<'_, HashMap<Id, Unsettled>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
