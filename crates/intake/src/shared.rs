//! What all sessions share.

use crate::room::Room;
use crate::{Listener, Reporter, Settings, driver};
use address::Address;
use directory::Directory;
use net::tls::TlsServer;
use net::{Connection, Limits, Shutdown};
use policy::arrival::Arrival;
use policy::{AuthGuard, HarvestGuard, RateLimiter};
use smtp::reply::Reply;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use store::{Id, Store};

/// Whether the next host takes a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    Taken,
    /// In its words.
    Refused(String),
    /// It could not be asked.
    Unknown(String),
}

/// Asks the next host of a relay domain at RCPT: `transport` behind a seam, so that intake opens no connections.
pub trait RecipientCheck: Send + Sync {
    fn check<'a>(&'a self, address: &'a Address) -> Pin<Box<dyn Future<Output = Verification> + Send + 'a>>;
}

/// The receiving side of one installation.
pub struct Intake {
    pub store: Store,
    pub directory: Directory,
    pub tls: Option<TlsServer>,
    pub resolver: Arc<dyn dns::Lookup>,
    pub recipients: Option<Arc<dyn RecipientCheck>>,
    pub reporter: Option<Arc<dyn Reporter>>,
    pub auth_guard: Arc<AuthGuard>,
    pub harvest_guard: HarvestGuard,
    /// What to think of strangers and their mail.
    pub arrival: Arc<Arrival>,
    /// All connections, of every kind: when they are scarce, port 25 is told to come back later.
    pub limits: Option<Limits>,
    /// Connections of a network.
    pub connection_rate: Option<RateLimiter<policy::Network>>,
    /// Messages of an account.
    pub message_rate: Option<RateLimiter<Id>>,
    /// Recipients of an account.
    pub recipient_rate: Option<RateLimiter<Id>>,
    pub shutdown: Shutdown,
    settings: RwLock<Arc<Settings>>,
    room: Room,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Intake {
    /// With neither TLS nor rates, which are set as fields.
    pub fn new(
        directory: Directory,
        resolver: Arc<dyn dns::Lookup>,
        settings: Settings,
        shutdown: Shutdown,
    ) -> Self {
        let store = directory.store().clone();
        let thoughts = policy::arrival::Settings::new(settings.hostname.clone());
        Self {
            arrival: Arc::new(Arrival::new(Arc::clone(&resolver), store.clone(), thoughts)),
            store,
            directory,
            tls: None,
            resolver,
            recipients: None,
            reporter: None,
            auth_guard: Arc::new(AuthGuard::new(policy::AuthRules::default())),
            harvest_guard: HarvestGuard::new(policy::HarvestRules::default()),
            limits: None,
            connection_rate: None,
            message_rate: None,
            recipient_rate: None,
            shutdown,
            settings: RwLock::new(Arc::new(settings)),
            room: Room::new(),
        }
    }

    /// Runs one connection to its end.
    pub fn serve(
        self: Arc<Self>,
        listener: Arc<Listener>,
        connection: Connection,
    ) -> impl Future<Output = ()> + Send {
        driver::run(self, listener, connection)
    }

    /// The snapshot of now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For sessions from now on.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// The words for everybody who brings mail now, when there is no room for it. It passes by itself.
    pub(crate) fn pressure(&self, size: u64) -> Option<(Reply, String)> {
        self.room.refuse(&self.store, self.settings().limits.message_size, size)
    }
}
