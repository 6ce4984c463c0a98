//! The simulated network: what each destination says is drawn from the seed when it is called, and said when the clock
//! has come so far. Nothing here waits for real time.

use super::plan::{Dice, Domain, Plan};
use crate::schedule::Key;
use address::Host;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;
use transport::{
    Boxed, Carried, Carrier, Destination, DestinationKey, Errand, ErrandRecipient, NamedHost, NextHop,
    Outcome, Place, Route, Unreachable,
};

/// What a destination says about one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Taken {
        dsn: bool,
    },
    Later,
    /// 421, or no connection.
    Slow,
    Never,
    NotTried,
    /// The carrier forgets to say: it counts as put off.
    Nothing,
}

/// What was said at a time, as the model needs it.
#[derive(Debug)]
pub(super) enum Said {
    Located { host: String, unreachable: Option<bool> },
    Carried { destination: String, told: BTreeMap<Key, Told> },
}

/// An attempt that began.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) destination: String,
    /// With this one.
    pub(super) at_once: usize,
    pub(super) keys: Vec<Key>,
}

/// An attempt that nobody has listened to yet.
struct Call {
    destination: String,
    domain: Domain,
    keys: Vec<Key>,
    answer: oneshot::Sender<Vec<Carried>>,
}

/// An answer on its way.
struct Pending {
    said: Said,
    give: Box<dyn FnOnce() + Send>,
}

/// Ordered by time, then by content, so that who asked first does not matter.
type Order = (u64, String);

#[derive(Default)]
struct State {
    now: u64,
    pending: BTreeMap<Order, Pending>,
    connected: HashMap<String, usize>,
    /// How often each was asked, for another answer each time.
    calls: HashMap<(u64, u32), u64>,
    /// Since all came to rest the last time.
    new: Vec<Call>,
}

pub(super) struct Network {
    seed: u64,
    domains: Vec<Domain>,
    state: Mutex<State>,
    /// Tasks that wait for the network.
    pub(super) waiting: Arc<AtomicUsize>,
}

impl Network {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            domains: plan.domains.clone(),
            state: Mutex::default(),
            waiting: Arc::default(),
        }
    }

    pub(super) fn set_time(&self, now: u64) {
        self.state().now = now;
    }

    /// When the next answer comes.
    pub(super) fn next(&self) -> Option<u64> {
        self.state().pending.keys().next().map(|(time, _)| *time)
    }

    /// Gives the next answer.
    pub(super) fn answer(&self) -> Option<Said> {
        let (_, Pending { said, give }) = self.state().pending.pop_first()?;
        if let Said::Carried { destination, .. } = &said {
            *self.state().connected.entry(destination.clone()).or_default() -= 1;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        give();
        Some(said)
    }

    /// Decides about the attempts that have begun since the last time, in an order of their own: which came first depends
    /// on the machine.
    pub(super) fn listen(&self) -> Vec<Begun> {
        let mut state = self.state();
        let mut new = std::mem::take(&mut state.new);
        new.sort_by(|one, other| one.keys.cmp(&other.keys));
        new.into_iter().map(|call| self.begin(&mut state, call)).collect()
    }

    fn begin(&self, state: &mut State, call: Call) -> Begun {
        let Call { destination, domain, keys, answer } = call;
        let connected = state.connected.entry(destination.clone()).or_default();
        *connected += 1;
        let at_once = *connected;
        let (after, told) = self.converse(state, &domain, at_once, &keys);
        let told: BTreeMap<Key, Told> = keys.iter().copied().zip(told).collect();
        let carried: Vec<Carried> =
            told.iter().filter_map(|(key, told)| carried(*key, *told, &destination)).collect();
        let order = (state.now + after, format!("{} {}", keys[0].message, keys[0].position));
        let said = Said::Carried { destination: destination.clone(), told };
        let give = Box::new(move || drop(answer.send(carried)));
        state.pending.insert(order, Pending { said, give });
        Begun { destination, at_once, keys }
    }

    pub(super) fn locating(&self) -> usize {
        self.state().pending.values().filter(|p| matches!(p.said, Said::Located { .. })).count()
    }

    /// The recipients that are being attempted.
    pub(super) fn carrying(&self) -> Vec<Key> {
        let state = self.state();
        let keys = state.pending.values().filter_map(|pending| match &pending.said {
            Said::Carried { told, .. } => Some(told.keys().copied()),
            Said::Located { .. } => None,
        });
        keys.flatten().collect()
    }

    /// The server is killed: conversations end somewhere. Those of them that the other side has taken all the same.
    pub(super) fn cut(&self) -> Vec<Key> {
        let mut state = self.state();
        state.connected.clear();
        self.waiting.store(0, Ordering::Relaxed);
        let pending = std::mem::take(&mut state.pending);
        let carried = pending.into_iter().filter_map(|(order, pending)| match pending.said {
            Said::Carried { told, .. } => Some((order.0, told)),
            Said::Located { .. } => None,
        });
        let taken = carried.filter(|(time, _)| Dice::of(&[self.seed, 2, *time]).percent(50));
        let taken = taken.flat_map(|(_, told)| told);
        taken.filter(|(_, told)| matches!(told, Told::Taken { .. })).map(|(key, _)| key).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn domain(&self, host: &Host) -> Option<&Domain> {
        let number = host.to_string().strip_prefix('d')?.strip_suffix(".example")?.parse::<usize>().ok()?;
        self.domains.get(number)
    }

    /// Asks a destination about recipients: how long it takes, and what it says.
    fn converse(&self, state: &mut State, domain: &Domain, at_once: usize, keys: &[Key]) -> (u64, Vec<Told>) {
        let first = keys[0];
        let calls = state.calls.entry((first.message.get() as u64, first.position)).or_default();
        *calls += 1;
        let mut dice = Dice::of(&[self.seed, 3, first.message.get() as u64, first.position.into(), *calls]);
        let all = |told: Told| vec![told; keys.len()];
        if domain.down.iter().any(|period| period.contains(&state.now)) {
            return (
                if domain.silent { 300_000 + dice.below(300_000) } else { 1 + dice.below(50) },
                all(Told::Slow),
            );
        }
        let takes = 1 + dice.below(domain.takes.max(1));
        if domain.connections.is_some_and(|most| at_once > most) || dice.percent(domain.hangs_up) {
            // Sometimes after it has taken some.
            let taken = if dice.percent(30) { dice.below(keys.len() as u64) as usize } else { 0 };
            let told =
                (0..keys.len()).map(|n| if n < taken { Told::Taken { dsn: domain.dsn } } else { Told::Slow });
            return (takes, told.collect());
        }
        let room = domain.room.unwrap_or(usize::MAX);
        let told = keys.iter().enumerate().map(|(n, key)| {
            let calls = state.calls.entry((key.message.get() as u64, key.position | 1 << 31)).or_default();
            if n >= room {
                return Told::NotTried;
            }
            *calls += 1;
            match dice.below(100) {
                _ if domain.greylists && *calls == 1 => Told::Later,
                said if said < domain.later => {
                    if dice.percent(5) {
                        Told::Nothing
                    } else {
                        Told::Later
                    }
                }
                said if said < domain.later + domain.never => Told::Never,
                _ => Told::Taken { dsn: domain.dsn },
            }
        });
        (takes, told.collect())
    }
}

impl Carrier for Network {
    fn locate<'a>(&'a self, route: &'a Route) -> Boxed<'a, Result<Destination, Unreachable>> {
        let NextHop::Mx(host) = &route.next else { unreachable!("simulations have MX routes only") };
        let mut state = self.state();
        let now = state.now;
        let found = match self.domain(host) {
            None => Err(Unreachable { permanent: true, reply: "550 5.1.2 no such domain".into() }),
            Some(domain) if domain.null_mx => {
                Err(Unreachable { permanent: true, reply: "556 5.1.10 it takes no mail".into() })
            }
            Some(domain) if domain.no_dns.iter().any(|period| period.contains(&now)) => {
                Err(Unreachable { permanent: false, reply: "451 4.4.3 no name server answers".into() })
            }
            Some(domain) => {
                let hosts = domain.moves.filter(|(time, _)| *time <= now).map_or(domain.hosts, |(_, to)| to);
                let name = format!("mx{hosts}.example");
                let place = Place::Host { host: name.parse().unwrap(), port: 25, implicit_tls: false };
                let hosts = vec![NamedHost { name: name.clone(), place }];
                Ok(Destination {
                    key: DestinationKey(name),
                    route: route.clone(),
                    hosts,
                    published: transport::Published::default(),
                })
            }
        };
        let unreachable = found.as_ref().err().map(|lost| lost.permanent);
        let after = 1 + Dice::of(&[self.seed, 4, now]).below(3_000);
        let (answer, found_out) = oneshot::channel();
        let mut order = (now + after, format!("locate {host}"));
        while state.pending.contains_key(&order) {
            order.1.push_str(" again");
        }
        let said = Said::Located { host: host.to_string(), unreachable };
        // Who asked may have been killed.
        let give = Box::new(move || answer.send(()).unwrap_or_default());
        state.pending.insert(order, Pending { said, give });
        drop(state);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let _ = found_out.await;
            found
        })
    }

    fn carry<'a>(&'a self, destination: &'a Destination, errand: Errand) -> Boxed<'a, Vec<Carried>> {
        let key = |r: &ErrandRecipient| Key { message: errand.message.id, position: r.position };
        let (answer, answered) = oneshot::channel();
        let call = Call {
            destination: destination.key.0.clone(),
            domain: self.domain(errand.recipients[0].address.host()).cloned().unwrap_or_default(),
            keys: errand.recipients.iter().map(key).collect(),
            answer,
        };
        self.state().new.push(call);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { answered.await.unwrap_or_default() })
    }
}

fn carried(key: Key, told: Told, host: &str) -> Option<Carried> {
    let (outcome, reply, theirs) = match told {
        Told::Taken { dsn } => (Outcome::Delivered { dsn, deliver_by: false }, "250 2.0.0 ok", true),
        Told::Later => (Outcome::Deferred { slow: false }, "451 4.7.1 come back later", true),
        Told::Slow => (Outcome::Deferred { slow: true }, "421 4.4.2 busy, or gone", false),
        Told::Never => (Outcome::Failed, "550 5.1.1 no such user", true),
        Told::NotTried => (Outcome::NotTried, "452 4.5.3 too many recipients", true),
        Told::Nothing => return None,
    };
    let host = format!("{host} [192.0.2.1]:25");
    Some(Carried {
        position: key.position,
        outcome,
        host,
        tls: None,
        reply: reply.into(),
        theirs,
        notes: Vec::new(),
    })
}
