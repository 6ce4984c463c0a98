//! What to think of mail that arrives (RFC 2505): from a client that neither logged in nor is on this machine or in a trusted
//! network. Nobody else is looked up.
//!
//! ```text
//! connect  Arrival::visit       the address in lists
//! EHLO     Visit::hello         the name: is it one, does its host send mail
//! MAIL     Visit::mail          rates; SPF, the sender's domain
//! RCPT     Visit::recipient     the verdict so far, by the rules of the recipient's domain; greylisting
//! header   Visit::message       keys of signatures, the author's policy
//! body     MessageChecks::update
//! end      MessageChecks::finish   the verdict for each recipient, the words for the trail, Authentication-Results
//! ```
//!
//! Each check leaves a finding: a word, a reason, and how grave it is. The [`Settings`] say what follows. Look-ups run beside
//! the dialogue; one that fails or takes too long defers what depends on it, and never rejects.

mod answers;
mod conclusion;
mod finding;
mod greylist;
mod hello;
mod judge;
mod lists;
mod message;
mod name;
mod own;
mod pending;
mod rates;
mod sealed;
mod sender;
mod settings;
mod visit;

pub use conclusion::{Conclusion, Facts};
pub use finding::Check;
pub use greylist::GreylistRules;
pub use lists::{Answer, Codes, Kind, List, MAX_DOMAINS, MAX_LISTS, survey};
pub use message::MessageChecks;
pub use name::{MAX_NAMES, ReverseName};
pub use pending::Pending;
pub use rates::RateRules;
pub use settings::{Action, Rules, Settings, Thresholds};
pub use visit::Visit;

use dns::Lookup;
use greylist::Greylist;
use lists::Health;
use net::Shutdown;
use rates::Rates;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use store::Store;
use tokio::sync::Notify;

/// What all visits share.
#[derive(Debug)]
pub struct Arrival {
    dns: Arc<dyn Lookup>,
    store: Store,
    settings: RwLock<Arc<Settings>>,
    health: Health,
    greylist: Greylist,
    rates: Rates,
    /// The lists may be others now.
    changed: Notify,
}

impl Arrival {
    pub fn new(dns: Arc<dyn Lookup>, store: Store, settings: Settings) -> Self {
        Self {
            dns,
            store,
            rates: Rates::new(settings.rates),
            settings: RwLock::new(Arc::new(settings)),
            health: Health::default(),
            greylist: Greylist::new(),
            changed: Notify::new(),
        }
    }

    /// The snapshot of now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For visits from now on.
    pub fn set_settings(&self, settings: Settings) {
        self.rates.set(settings.rates);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.changed.notify_one();
    }

    /// A client has connected. Must be called within a tokio runtime.
    pub fn visit(self: &Arc<Self>, ip: IpAddr) -> Visit {
        Visit::new(Arc::clone(self), ip)
    }

    /// Tests the lists once: those that pass are asked from then on.
    pub async fn test_lists(&self) {
        self.health.test(&*self.dns, &self.settings().lists).await;
    }

    /// Tests the lists at once, after each change of settings and every quarter of an hour, until the server stops.
    pub async fn watch_lists(&self, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                () = self.test_lists() => {}
            }
            tokio::select! {
                () = shutdown.wait() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(lists::INTERVAL) => {}
            }
        }
    }
}
