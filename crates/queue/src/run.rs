//! The driver: carries out what the schedule says.

use crate::attempt::{attempt, locate};
use crate::clock::Clock;
use crate::routing::Rules;
use crate::schedule::{Limits, Schedule, Step};
use crate::settings::Settings;
use crate::shared::Shared;
use directory::Directory;
use smtp::parameter::MailParameters;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::{QueueFeed, Store, StoreError};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use transport::Carrier;

/// Rows of the schedule read at a time at start.
const PAGE: usize = 1_000;
/// After a page, while new mail comes.
const PAGE_PAUSE: Duration = Duration::from_millis(200);
/// Messages taken from the feed before the schedule gets its turn.
const MAX_TAKEN: usize = 100;
/// When nothing is due.
const LONG: Duration = Duration::from_secs(3600);
/// After a page could not be read at start.
const LOAD_PAUSE: Duration = Duration::from_secs(5);

/// The queue's doors: [`Queue::start`].
#[derive(Debug)]
pub struct Queue;

/// A running queue, to be commanded and stopped. Cheap to clone.
#[derive(Clone)]
pub struct QueueHandle {
    pub(crate) shared: Arc<Shared>,
    driver: Arc<tokio::sync::Mutex<Option<JoinHandle<JoinSet<()>>>>>,
}

impl std::fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueHandle")
    }
}

impl Queue {
    /// Starts the queue of this store: everything that was in flight is due at once. There is one.
    ///
    /// # Errors
    /// [`StoreError::Bug`] when the store's feed was taken before.
    pub fn start(
        store: Store,
        directory: Directory,
        carrier: Arc<dyn Carrier>,
        settings: Settings,
        clock: Clock,
    ) -> Result<QueueHandle, StoreError> {
        let feed =
            store.queue_feed().ok_or_else(|| StoreError::Bug("the store has a queue already".into()))?;
        let limits =
            Limits { window: settings.window, jobs: settings.attempts, recipients: settings.recipients };
        let schedule = Schedule::new(limits, clock.id().get() as u64);
        let rules = Rules::new(settings, 0);
        let shared = Arc::new(Shared::new(store, directory, carrier, rules, clock, schedule));
        let driver = tokio::spawn(supervise(Arc::clone(&shared), feed));
        Ok(QueueHandle { shared, driver: Arc::new(tokio::sync::Mutex::new(Some(driver))) })
    }
}

impl QueueHandle {
    /// New routes and schedule for what is attempted from now on. Limits of jobs and windows stay as they were.
    pub fn reload(&self, settings: Settings) {
        self.shared.set_rules(|before| Rules::new(settings, before.generation().wrapping_add(1)));
        self.shared.wake.notify_one();
    }

    /// Takes no more jobs, waits for the running ones for at most `patience`, and leaves everything else as it is on
    /// disk. Returns whether all could finish.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.shared.stopping.send_replace(true);
        let Some(driver) = self.driver.lock().await.take() else { return true };
        let Ok(mut running) = driver.await else { return false };
        let all = async {
            while let Some(done) = running.join_next().await {
                survive(done);
            }
        };
        let in_time = tokio::time::timeout(patience, all).await.is_ok();
        running.abort_all();
        in_time
    }
}

/// Ends the process when a task of the queue panicked: a queue that has stopped must not look alive.
fn survive<T>(done: Result<T, JoinError>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => {
            tracing::error!(%error, "the queue failed: the process ends, so that it is started anew");
            std::process::abort();
        }
        Err(_) => None,
    }
}

/// Drives, and watches that driving.
async fn supervise(shared: Arc<Shared>, feed: QueueFeed) -> JoinSet<()> {
    survive(tokio::spawn(drive(shared, feed)).await).unwrap_or_default()
}

async fn drive(shared: Arc<Shared>, mut feed: QueueFeed) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let mut stopping = shared.stopping.subscribe();
    let loading = running.spawn(load(Arc::clone(&shared)));
    while !*stopping.borrow_and_update() {
        let wakeup = start_due(&shared, &mut running);
        tokio::select! {
            fresh = feed.recv() => {
                let Some(fresh) = fresh else { break };
                shared.take(fresh);
                (0..MAX_TAKEN).map_while(|_| feed.try_recv().ok()).for_each(|fresh| shared.take(fresh));
            }
            () = shared.wake.notified() => {}
            () = tokio::time::sleep_until(wakeup) => {}
            Some(done) = running.join_next() => { survive(done); }
            _ = stopping.changed() => {}
        }
    }
    loading.abort();
    running
}

/// Starts everything that can start now; says when there is more.
fn start_due(shared: &Arc<Shared>, running: &mut JoinSet<()>) -> Instant {
    let now = shared.clock.now();
    let mut state = shared.state();
    while let Some(step) = state.schedule.next(now) {
        let shared = Arc::clone(shared);
        running.spawn(async move {
            match step {
                Step::Locate(lane) => locate(shared, lane).await,
                Step::Attempt(job) => attempt(shared, job).await,
            }
        });
    }
    let wait =
        state.schedule.next_wakeup().map_or(LONG, |due| Duration::from_millis(due.saturating_sub(now)));
    Instant::now() + wait.min(LONG)
}

/// Schedules what the disk has, page by page, while new mail is already served.
async fn load(shared: Arc<Shared>) {
    let mut after = None;
    loop {
        let before = shared.taken.load(Ordering::Relaxed);
        let page = match shared.blocking(move |store| store.waiting_page(after, PAGE)).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "cannot read the queue");
                tokio::time::sleep(LOAD_PAUSE).await;
                continue;
            }
        };
        let Some(last) = page.last() else { return shared.state().schedule.pack() };
        after = Some((last.scheduled.message, last.scheduled.recipient.position));
        let loaded = Arc::clone(&shared);
        let scheduled = tokio::task::spawn_blocking(move || {
            for rows in page.chunk_by(|a, b| a.scheduled.message == b.scheduled.message) {
                load_message(&loaded, rows);
            }
        });
        if let Err(error) = scheduled.await {
            tracing::error!(%error, "cannot schedule the queue");
        }
        shared.wake.notify_one();
        shared.give_way(before, PAGE_PAUSE).await;
    }
}

fn load_message(shared: &Shared, rows: &[store::queue::Waiting]) {
    let Some(first) = rows.first() else { return };
    let (rules, message) = (shared.rules(), first.scheduled.message);
    let parameters = MailParameters::parse(&first.parameters).unwrap_or_default();
    let start = crate::deadline::start(message, &parameters);
    for row in rows {
        let recipient = &row.scheduled.recipient;
        let lane = shared.lane(&first.reverse_path, recipient, &rules);
        let lane = lane.unwrap_or_else(|| shared.lane_here(&rules));
        let due = start.max(recipient.due.max(0) as u64);
        shared.add(message, recipient, lane, due, &parameters);
    }
}
