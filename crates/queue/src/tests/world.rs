//! What the tests have in common.

use crate::{
    Backoff, Clock, DEFAULT_ATTEMPTS, DEFAULT_RECIPIENTS, Hop, Queue, QueueHandle, RewriteFrom, Rule,
    Settings, WindowLimits,
};
use address::{Address, Host, ReversePath};
use directory::Directory;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::directory::{AccountRecord, DomainKind, DomainRecord, RelayRecipients, RelayTarget};
use store::queue::{NewMessage, NewRecipient};
use store::trail::{Event, Origin};
use store::{Body, Id, Options, Store};
use transport::{
    Boxed, Carried, Carrier, Destination, DestinationKey, Errand, NamedHost, NextHop, Outcome, Place,
    Published, Route, Terms, TlsLevel, Unreachable,
};

pub(super) const MINUTE: u64 = 60 * 1000;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
/// Until a test that waits for something gives up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) type Say = fn(&str) -> (Outcome, &'static str);

/// A simulated network: what it says about each address, and what it was given.
pub(super) struct Network {
    say: Mutex<Say>,
    pub(super) log: Mutex<Vec<(Errand, String)>>,
}

impl Network {
    pub(super) fn says(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }
}

impl Carrier for Network {
    fn locate<'a>(&'a self, route: &'a Route) -> Boxed<'a, Result<Destination, Unreachable>> {
        let lost = |permanent, reply: &str| Err(Unreachable { permanent, reply: reply.to_owned() });
        let found = match &route.next {
            NextHop::Mx(Host::Domain(domain)) if domain.as_str() == "null.example" => {
                lost(true, "556 5.1.10 null.example takes no mail")
            }
            NextHop::Mx(Host::Domain(domain)) if domain.as_str() == "lame.example" => {
                lost(false, "451 4.4.3 no name server answers")
            }
            next => {
                let name = match next {
                    NextHop::Mx(host) | NextHop::Smtp { host, .. } | NextHop::Lmtp { host, .. } => {
                        host.to_string()
                    }
                    NextHop::BetterMx(domain) => format!("better-than-us.{domain}"),
                    NextHop::LmtpSocket(path) => path.display().to_string(),
                };
                let host = name.parse().unwrap_or_else(|_| "socket.example".parse().unwrap());
                let place = Place::Host { host, port: 25, implicit_tls: false };
                let hosts = vec![NamedHost { name: format!("mx.{name}"), place }];
                Ok(Destination {
                    key: DestinationKey(name),
                    route: route.clone(),
                    hosts,
                    published: Published::default(),
                })
            }
        };
        Box::pin(async { found })
    }

    fn carry<'a>(&'a self, destination: &'a Destination, errand: Errand) -> Boxed<'a, Vec<Carried>> {
        let say = *self.say.lock().unwrap();
        let answer = |r: &transport::ErrandRecipient| {
            let (outcome, reply) = say(&r.address.to_string());
            Carried {
                position: r.position,
                outcome,
                host: format!("{} [192.0.2.1]:25", destination.hosts[0].name),
                tls: None,
                reply: reply.into(),
                // By convention of these tests, what concerns the network is found out here.
                theirs: !reply.contains(".4."),
                notes: Vec::new(),
            }
        };
        let carried = errand.recipients.iter().map(answer).collect();
        self.log.lock().unwrap().push((errand, destination.key.0.clone()));
        Box::pin(async { carried })
    }
}

pub(super) fn taken(_: &str) -> (Outcome, &'static str) {
    (Outcome::Delivered { dsn: false, deliver_by: false }, "250 2.0.0 ok")
}

pub(super) fn later(_: &str) -> (Outcome, &'static str) {
    (Outcome::Deferred { slow: false }, "451 4.7.1 come back later")
}

pub(super) fn never(_: &str) -> (Outcome, &'static str) {
    (Outcome::Failed, "550 5.1.1 no such user")
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) network: Arc<Network>,
    pub(super) queue: QueueHandle,
    rules: Vec<Rule>,
    /// Of the system's clock, in milliseconds.
    ahead: Arc<AtomicU64>,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Vec::new()).await
    }

    /// `boss@` (who is postmaster), `me@` (who speaks German) and `full@example.org`, an alias that leads out, and two
    /// relay domains.
    pub(super) async fn with(rules: Vec<Rule>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let to = RelayTarget::Url("lmtp://inside.example".into());
        let relay = |to| DomainKind::Relay { to, recipients: RelayRecipients::Verify };
        for (name, kind) in [
            ("example.org", DomainKind::Local),
            ("relay.example", relay(to)),
            ("backup.example", relay(RelayTarget::Mx)),
        ] {
            let name = name.parse().unwrap();
            let domain = DomainRecord { name, kind, catch_all: None, language: None, quota: None };
            store.add_domain(domain, Vec::new()).await.unwrap();
        }
        for (local, language, quota) in
            [("boss", None, None), ("me", Some("de"), None), ("full", None, Some(1))]
        {
            let account = AccountRecord {
                language: language.map(str::to_owned),
                quota,
                ..AccountRecord::new(at(&format!("{local}@example.org")))
            };
            store.add_account(account, None).await.unwrap();
        }
        let targets = vec![at("you@far.example"), at("me@example.org")];
        store.add_alias(at("list@example.org"), targets).await.unwrap();
        store.add_alias(at("out@example.org"), vec![at("you@far.example")]).await.unwrap();
        let ahead = Arc::new(AtomicU64::new(0));
        let network = Arc::new(Network { say: Mutex::new(taken), log: Mutex::default() });
        let queue = start(&store, &network, &ahead, rules.clone()).await;
        Self { store, network, queue, rules, ahead, folder }
    }

    pub(super) fn directory_of(&self) -> &Directory {
        &self.queue.shared.directory
    }

    /// From of what goes on may be rewritten from now on.
    pub(super) fn allow_rewriting(&self) {
        let rewrite_from = RewriteFrom { otherwise: true, ..RewriteFrom::default() };
        self.queue.reload(Settings { rewrite_from, ..settings(self.rules.clone()) });
    }

    pub(super) fn now(&self) -> u64 {
        time(&self.ahead)
    }

    /// Moves the clock, and waits until nothing is due any more.
    pub(super) async fn pass(&self, time: u64) {
        self.ahead.fetch_add(time, Ordering::Relaxed);
        self.queue.shared.wake.notify_one();
        self.quiet().await;
    }

    /// Hours and hours, in steps, so that retries come at their times.
    pub(super) async fn pass_by_steps(&self, time: u64, step: u64) {
        for _ in 0..time / step {
            self.pass(step).await;
        }
    }

    /// Waits until nobody is attempted or due, and memory and disk agree.
    pub(super) async fn quiet(&self) {
        let quiet = || {
            let state = self.queue.shared.state();
            let known = state.schedule.len() as u64;
            state.schedule.is_quiet(self.now()) && self.store.queue_count().unwrap().recipients == known
        };
        let waiting = async {
            while !quiet() {
                self.queue.shared.wake.notify_one();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the queue does not come to rest");
    }

    /// Stops everything and starts it again on the same data.
    pub(super) async fn restart(self) -> Self {
        assert!(self.queue.stop(PATIENCE).await);
        let Self { store, network, queue, rules, ahead, folder } = self;
        drop((store, queue));
        let open = || Store::open(folder.path(), &Options::default());
        let opening = async {
            loop {
                // Aborted tasks may hold the store for another moment.
                match open() {
                    Ok(store) => break store,
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let store = tokio::time::timeout(PATIENCE, opening).await.unwrap();
        let queue = start(&store, &network, &ahead, rules.clone()).await;
        Self { store, network, queue, rules, ahead, folder }
    }

    /// Accepts a message, `FROM → TO[ PARAMETERS]…`, with MAIL's parameters.
    pub(super) async fn accept(&self, from: &str, parameters: &str, to: &[&str]) -> Id {
        let letter = Body::from_bytes("Subject: a letter\r\n\r\nhello\r\n");
        self.accepted("Received: from x by y\r\n", letter, from, parameters, to).await
    }

    /// Accepts a message with that trace and text.
    pub(super) async fn accept_with(&self, trace: &str, text: &str, from: &str, to: &[&str]) -> Id {
        self.accepted(trace, Body::from_bytes(text.to_owned()), from, "", to).await
    }

    async fn accepted(&self, trace: &str, body: Body, from: &str, parameters: &str, to: &[&str]) -> Id {
        let remote = to.iter().map(|to| {
            let (address, parameters) = to.split_once(' ').unwrap_or((to, ""));
            NewRecipient { address: at(address), parameters: parameters.into(), due: 0, held: false }
        });
        let message = NewMessage {
            id: Id::generate(),
            reverse_path: if from == "<>" { ReversePath::Null } else { from.parse().unwrap() },
            parameters: parameters.into(),
            body,
            trace: trace.to_owned().into(),
            origin: Origin::default(),
            local: Vec::new(),
            remote: remote.collect(),
        };
        let id = message.id;
        self.store.accept(message).await.unwrap();
        id
    }

    /// Accepts a message and waits until the queue has done what it can now.
    pub(super) async fn send(&self, from: &str, parameters: &str, to: &[&str]) -> Id {
        let id = self.accept(from, parameters, to).await;
        self.quiet().await;
        id
    }

    /// The messages in an account's INBOX, as text.
    pub(super) async fn inbox(&self, local: &str) -> Vec<String> {
        let domain = "example.org".parse().unwrap();
        let account = self.store.account(&domain, local).unwrap().unwrap();
        let inbox = self.store.inbox(account.id).unwrap();
        let mut texts = Vec::new();
        for summary in self.store.messages(inbox.id, 0, 1000).unwrap() {
            let message = self.store.message(inbox.id, summary.uid).unwrap().unwrap();
            let body = message.body.read(usize::MAX).await.unwrap();
            texts.push(String::from_utf8_lossy(&[&message.prefix[..], &body].concat()).into_owned());
        }
        texts
    }

    /// What the network was given: `DESTINATION: FROM → TO TO`.
    pub(super) fn carried(&self) -> Vec<String> {
        let log = self.network.log.lock().unwrap();
        let show = |(errand, key): &(Errand, String)| {
            let to: Vec<String> = errand.recipients.iter().map(|r| r.address.to_string()).collect();
            format!("{key}: {} → {}", errand.message.reverse_path, to.join(" "))
        };
        log.iter().map(show).collect()
    }

    /// The names of a message's events.
    pub(super) fn events(&self, id: Id) -> Vec<String> {
        let name = |event: Event| match event {
            Event::Attempt { outcome, recipients, .. } => format!("{outcome:?} {}", recipients.join(" ")),
            Event::Delivered { delivery } => format!("kept by {}", delivery.account),
            Event::Notified { kind, to, .. } => format!("{kind} to {to}"),
            Event::Command { action, actor, .. } => format!("{action} by {actor}"),
            Event::Note { text } => format!("note {text}"),
            other => format!("{other:?}"),
        };
        self.store.trail(id).unwrap().into_iter().map(|entry| name(entry.event)).collect()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.store.queue_count().unwrap().recipients
    }
}

async fn start(
    store: &Store,
    network: &Arc<Network>,
    ahead: &Arc<AtomicU64>,
    rules: Vec<Rule>,
) -> QueueHandle {
    let directory = Directory::open(store.clone(), "mail.example.org".parse().unwrap()).await.unwrap();
    let ahead = Arc::clone(ahead);
    let clock = Clock::new(move || time(&ahead));
    let (carrier, settings) = (Arc::clone(network) as Arc<dyn Carrier>, settings(rules));
    Queue::start(store.clone(), directory, carrier, settings, clock).unwrap()
}

fn settings(rules: Vec<Rule>) -> Settings {
    Settings {
        hostname: "mail.example.org".parse().unwrap(),
        dsn_sender: at("MAILER-DAEMON@mail.example.org"),
        rules,
        otherwise: Hop::Mx,
        terms: Arc::new(terms()),
        backoff: Backoff::default(),
        window: WindowLimits::default(),
        attempts: DEFAULT_ATTEMPTS,
        recipients: DEFAULT_RECIPIENTS,
        rewrite_from: RewriteFrom::default(),
    }
}

fn time(ahead: &AtomicU64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    now + ahead.load(Ordering::Relaxed)
}

pub(super) fn terms() -> Terms {
    Terms {
        port: 25,
        tls: TlsLevel::Opportunistic,
        source: Vec::new(),
        helo: "mail.example.org".into(),
        family: dns::Family::Both,
        credentials: None,
    }
}

pub(super) fn at(text: &str) -> Address {
    text.parse().unwrap()
}
