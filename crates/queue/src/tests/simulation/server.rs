//! One life of the server: a runtime of its own, so that a kill ends whatever it was at, on a store that outlives it.

use super::network::Network;
use super::plan::{Letter, Plan};
use crate::schedule::probe::Seen;
use crate::schedule::{Key, Place};
use crate::tests::world::{at, terms};
use crate::{Clock, Hop, Queue, QueueHandle, RewriteFrom, Settings};
use address::ReversePath;
use directory::Directory;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::queue::{NewMessage, NewRecipient, QueuedMessage, QueuedRecipient};
use store::trail::Origin;
use store::{Body, Id, Options, Store};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use transport::Carrier;

/// Until a queue that does not come to rest counts as one that never will.
const PATIENCE: Duration = Duration::from_secs(120);
/// Mailboxes here: two senders, and who gets what is for `box+…`.
const ACCOUNTS: [&str; 3] = ["boss", "me", "box"];

/// Simulated time, and the ids made in it.
#[derive(Clone, Default)]
pub(super) struct Time {
    now: Arc<AtomicU64>,
    last: Arc<Mutex<Option<Id>>>,
}

impl Time {
    pub(super) fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn id(&self) -> Id {
        let mut last = self.last.lock().unwrap();
        let first = Id::at(self.now() as i64);
        let id = last.map_or(first, |last| first.max(last.next()));
        *last = Some(id);
        id
    }

    fn clock(&self) -> Clock {
        let (time, ids) = (self.clone(), self.clone());
        Clock::new(move || time.now()).with_ids(move || ids.id())
    }
}

/// Known when every task of the runtime waits for the network, and nothing else is under way.
struct Rest {
    /// Tasks of the runtime that always wait.
    always: AtomicUsize,
    waiting: Arc<AtomicUsize>,
    reached: AtomicBool,
    notify: Notify,
}

impl Rest {
    /// The runtime has nothing to run. Whoever waits for the disk counts as a task that does not wait for the network.
    fn parked(&self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let waiting = self.always.load(Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed);
        if runtime.metrics().num_alive_tasks() == waiting {
            self.reached.store(true, Ordering::Relaxed);
            self.notify.notify_one();
        }
    }
}

pub(super) struct Server {
    // Dropped in this order: tasks first, then the store.
    runtime: Runtime,
    queue: QueueHandle,
    store: Store,
    rest: Arc<Rest>,
    time: Time,
    settings: Settings,
}

impl Server {
    /// Starts on what is in the folder, which is made ready when it is new.
    pub(super) fn start(folder: &Path, plan: &Plan, network: &Arc<Network>, time: &Time) -> Self {
        let rest = Arc::new(Rest {
            always: AtomicUsize::new(usize::MAX / 2),
            waiting: Arc::clone(&network.waiting),
            reached: AtomicBool::new(false),
            notify: Notify::new(),
        });
        let parked = Arc::clone(&rest);
        let runtime = Builder::new_current_thread()
            .enable_time()
            // One, so that what is read is read in the order in which it was asked for.
            .max_blocking_threads(1)
            // What the disk has brought comes after what is under way, however fast it was.
            .global_queue_interval(1_000_000)
            .on_thread_park(move || parked.parked())
            .build()
            .unwrap();
        let store = Store::open(folder, &Options::default()).unwrap();
        let settings = settings(plan);
        let carrier = Arc::clone(network) as Arc<dyn Carrier>;
        let queue = runtime.block_on(async {
            if store.domains().unwrap().is_empty() {
                furnish(&store, plan).await;
            }
            let directory = Directory::open(store.clone(), settings.hostname.clone()).await.unwrap();
            // The queue's driver, and who watches it.
            rest.always.store(Handle::current().metrics().num_alive_tasks() + 2, Ordering::Relaxed);
            Queue::start(store.clone(), directory, carrier, settings.clone(), time.clock()).unwrap()
        });
        Self { runtime, queue, store, rest, time: time.clone(), settings }
    }

    /// Somebody is due, or may be: as the queue's own timer would tell it.
    pub(super) fn wake(&self) {
        self.queue.shared.wake.notify_one();
    }

    /// Lets everybody go on until all wait for the network, or for their time.
    pub(super) fn settle(&self) {
        self.rest.reached.store(false, Ordering::Relaxed);
        let rests = async {
            while !self.rest.reached.load(Ordering::Relaxed) {
                self.rest.notify.notified().await;
            }
        };
        let rests = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, rests).await });
        rests.expect("the queue does not come to rest");
    }

    pub(super) fn accept(&self, letter: &Letter) -> Id {
        let id = self.time.id();
        let remote = letter.to.iter().map(|to| NewRecipient {
            address: at(&to.address),
            parameters: to.parameters.clone(),
            due: 0,
            held: to.held,
        });
        let message = NewMessage {
            id,
            reverse_path: if letter.from == "<>" { ReversePath::Null } else { letter.from.parse().unwrap() },
            parameters: String::new(),
            body: Body::from_bytes("Subject: a letter\r\n\r\nhello\r\n"),
            trace: "Received: from x by y\r\n".into(),
            origin: Origin::default(),
            local: Vec::new(),
            remote: remote.collect(),
        };
        self.runtime.block_on(self.store.accept(message)).unwrap();
        id
    }

    pub(super) fn command(&self, action: crate::Action, message: Id, position: u32) -> crate::Done {
        let positions = [position];
        let done = self.queue.change_recipients(action, message, &positions, "root");
        self.runtime.block_on(done).unwrap()
    }

    pub(super) fn reload(&self) {
        self.queue.reload(self.settings.clone());
    }

    pub(super) fn seen(&self) -> BTreeMap<Key, Seen> {
        self.queue.shared.state().schedule.seen()
    }

    pub(super) fn next_wakeup(&self) -> Option<u64> {
        self.queue.shared.state().schedule.next_wakeup()
    }

    pub(super) fn forgotten(&self, network: &Network) -> Option<String> {
        let state = self.queue.shared.state();
        let (asked, asking) = (state.schedule.locating(), network.locating());
        if asked != asking {
            return Some(format!("{asked} look-ups are counted, {asking} are under way"));
        }
        let (key, why) = state.schedule.forgotten(self.time.now())?;
        Some(format!("{key:?} is {why}"))
    }

    /// How many attempts each place may have at once now.
    pub(super) fn windows(&self) -> HashMap<Place, u32> {
        self.queue.shared.state().schedule.windows()
    }

    pub(super) fn place_of(&self, seen: &Seen) -> Option<Place> {
        self.queue.shared.state().schedule.place_of(seen.lane)
    }

    /// A message of the queue as it is on disk.
    pub(super) fn queued(&self, id: Id) -> Option<(QueuedMessage, Vec<QueuedRecipient>)> {
        self.store.queued(id).unwrap()
    }

    pub(super) fn text(&self, message: &QueuedMessage) -> String {
        self.read(&self.store.body(message.body_id, message.body_size).unwrap())
    }

    /// What is in the mailboxes, each copy with its own prefix.
    pub(super) fn mailboxes(&self) -> Vec<String> {
        let domain = "example.org".parse().unwrap();
        let mut texts = Vec::new();
        for local in ACCOUNTS {
            let account = self.store.account(&domain, local).unwrap().unwrap();
            let inbox = self.store.inbox(account.id).unwrap();
            for summary in self.store.messages(inbox.id, 0, 10_000).unwrap() {
                let message = self.store.message(inbox.id, summary.uid).unwrap().unwrap();
                texts.push(String::from_utf8_lossy(&message.prefix).into_owned() + &self.read(&message.body));
            }
        }
        texts
    }

    /// What is wrong with the data, if something is.
    pub(super) fn check(&self) -> Vec<String> {
        self.store.check().unwrap()
    }

    fn read(&self, body: &Body) -> String {
        let read = self.runtime.block_on(body.read(usize::MAX)).unwrap();
        String::from_utf8_lossy(&read).into_owned()
    }
}

fn settings(plan: &Plan) -> Settings {
    Settings {
        hostname: "mail.example.org".parse().unwrap(),
        dsn_sender: at("MAILER-DAEMON@mail.example.org"),
        rules: Vec::new(),
        otherwise: Hop::Mx,
        terms: Arc::new(terms()),
        backoff: plan.backoff,
        window: plan.window,
        attempts: plan.jobs,
        recipients: plan.recipients,
        rewrite_from: RewriteFrom::default(),
    }
}

async fn furnish(store: &Store, plan: &Plan) {
    let name = "example.org".parse().unwrap();
    let domain = DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
    store.add_domain(domain, Vec::new()).await.unwrap();
    for local in ACCOUNTS {
        let account = AccountRecord::new(at(&format!("{local}@example.org")));
        store.add_account(account, None).await.unwrap();
    }
    if plan.postmaster_elsewhere {
        store.add_alias(at("postmaster@example.org"), vec![at("postmaster@d0.example")]).await.unwrap();
    }
}
