//! Connections that wait a few seconds for another message.

use crate::DestinationKey;
use crate::client::Client;
use crate::security::Plan;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a connection is good for: equal keys mean the same host, called on the same terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) destination: DestinationKey,
    pub(crate) host: String,
    pub(crate) plan: Plan,
}

/// A connection, and what the trail calls its other end.
#[derive(Debug)]
pub(crate) struct Connection {
    /// In a box, as it is handed from one to another.
    pub(crate) client: Box<Client>,
    pub(crate) label: String,
}

#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    keep: Duration,
    max: usize,
}

/// Of equal keys the last kept is taken first, so that the first of each list has waited longest.
#[derive(Debug, Default)]
struct Idle {
    connections: HashMap<PoolKey, Vec<(Instant, Connection)>>,
    count: usize,
    /// A task watches for those that nobody wants: one for all, as most are taken again within a moment.
    watched: bool,
}

impl Pool {
    pub(crate) fn new(keep: Duration, max: usize) -> Self {
        Self { idle: Mutex::default(), keep, max }
    }

    /// A connection that still stands, the last one kept first.
    pub(crate) fn take(&self, key: &PoolKey) -> Option<Connection> {
        loop {
            let mut connection = self.with(|idle| idle.take(key))?;
            if connection.client.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for a while, or takes leave of it when there are too many.
    pub(crate) fn put(self: &Arc<Self>, key: PoolKey, connection: Connection) {
        let until = Instant::now() + self.keep;
        let unwatched = self.with(|idle| {
            if idle.count >= self.max {
                return Err(connection);
            }
            idle.count += 1;
            idle.connections.entry(key).or_default().push((until, connection));
            Ok(!std::mem::replace(&mut idle.watched, true))
        });
        match unwatched {
            Err(connection) => connection.client.dismiss(),
            Ok(true) => drop(tokio::spawn(Arc::clone(self).watch())),
            Ok(false) => {}
        }
    }

    /// Takes leave of connections that were kept long enough, until there are none.
    async fn watch(self: Arc<Self>) {
        loop {
            let (over, next) = self.with(|idle| (idle.take_over(Instant::now()), idle.next_end()));
            over.into_iter().for_each(|connection| connection.client.dismiss());
            match next {
                Some(end) => tokio::time::sleep_until(end).await,
                None => return,
            }
        }
    }

    /// Takes leave of all.
    pub(crate) fn clear(&self) {
        let connections = self.with(|idle| {
            idle.count = 0;
            std::mem::take(&mut idle.connections)
        });
        for (_, connection) in connections.into_values().flatten() {
            connection.client.dismiss();
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Idle) -> T) -> T {
        act(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Idle {
    fn take(&mut self, key: &PoolKey) -> Option<Connection> {
        let list = self.connections.get_mut(key)?;
        let (_, connection) = list.pop()?;
        if list.is_empty() {
            self.connections.remove(key);
        }
        self.count -= 1;
        Some(connection)
    }

    /// Those whose time is over at `now`.
    fn take_over(&mut self, now: Instant) -> Vec<Connection> {
        let mut over = Vec::new();
        self.connections.retain(|_, list| {
            let ended = list.partition_point(|(until, _)| *until <= now);
            over.extend(list.drain(..ended).map(|(_, connection)| connection));
            !list.is_empty()
        });
        self.count -= over.len();
        over
    }

    /// When the next one's time is over. With none left the watch ends.
    fn next_end(&mut self) -> Option<Instant> {
        let next = self.connections.values().filter_map(|list| list.first()).map(|(until, _)| *until).min();
        self.watched = next.is_some();
        next
    }
}
