//! Connections that wait a few seconds for another message.

use crate::DestinationKey;
use crate::client::{Client, TlsUse};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a connection is good for: equal keys mean the same host, called on the same terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) destination: DestinationKey,
    pub(crate) host: String,
    pub(crate) tls: TlsUse,
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

#[derive(Debug, Default)]
struct Idle {
    connections: HashMap<PoolKey, Vec<(u64, Connection)>>,
    count: usize,
    next: u64,
}

impl Pool {
    pub(crate) fn new(keep: Duration, max: usize) -> Self {
        Self { idle: Mutex::default(), keep, max }
    }

    /// A connection that still stands, the last one kept first.
    pub(crate) fn take(&self, key: &PoolKey) -> Option<Connection> {
        loop {
            let (_, mut connection) = self.with(|idle| idle.remove(key, Vec::pop))?;
            if connection.client.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for a while, or takes leave of it when there are too many.
    pub(crate) fn put(self: &Arc<Self>, key: PoolKey, connection: Connection) {
        let kept = self.with(|idle| idle.add(key.clone(), connection, self.max));
        match kept {
            Err(connection) => connection.client.dismiss(),
            Ok(id) => {
                let pool = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(pool.keep).await;
                    if let Some((_, connection)) =
                        pool.with(|idle| idle.remove(&key, |list| take_id(list, id)))
                    {
                        connection.client.quit().await;
                    }
                });
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
    fn add(&mut self, key: PoolKey, connection: Connection, max: usize) -> Result<u64, Connection> {
        if self.count >= max {
            return Err(connection);
        }
        let id = self.next;
        self.next += 1;
        self.count += 1;
        self.connections.entry(key).or_default().push((id, connection));
        Ok(id)
    }

    fn remove(
        &mut self,
        key: &PoolKey,
        choose: impl FnOnce(&mut Vec<(u64, Connection)>) -> Option<(u64, Connection)>,
    ) -> Option<(u64, Connection)> {
        let list = self.connections.get_mut(key)?;
        let chosen = choose(list)?;
        if list.is_empty() {
            self.connections.remove(key);
        }
        self.count -= 1;
        Some(chosen)
    }
}

fn take_id(list: &mut Vec<(u64, Connection)>, id: u64) -> Option<(u64, Connection)> {
    let at = list.iter().position(|(other, _)| *other == id)?;
    Some(list.remove(at))
}
