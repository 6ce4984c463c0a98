//! The running whole: counting, sending, reading.

use crate::arrived::Arrived;
use crate::pending::Pending;
use crate::post::Sign;
use crate::{ReportError, Settings, day, dmarc, failure, https, inbox, tls};
use address::Address;
use directory::Directory;
use dns::{Lookup, Names};
use futures_util::StreamExt as _;
use jiff::{Timestamp, Zoned, tz::TimeZone};
use mailauth::report::tls::Session;
use net::Shutdown;
use net::tls::TlsClient;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use store::Store;
use store::report::{Due, ReportKind};

/// How long facts stay in memory before they are counted in the store. A kill loses what is younger, which no report needs.
const FLUSH: Duration = Duration::from_secs(60);
/// How often reports that are due are looked for, and what failed for now is tried again.
const SEND: Duration = Duration::from_secs(15 * 60);
/// Most reports that are looked at in one such time; the others are in the next.
const MAX_DUE: usize = 50_000;
/// Reports that are made at once: most of the time is waiting for the DNS.
const AT_ONCE: usize = 8;
/// What could not be sent within this many days is not news any more.
const KEPT_UNSENT: u32 = 3;
/// How long reports that came are kept, in milliseconds: thirteen months, to compare with the year before.
const KEPT: i64 = 400 * 86_400 * 1000;

/// Gathers, sends and reads. Cheap to clone.
#[derive(Clone)]
pub struct Reports(Arc<Shared>);

struct Shared {
    directory: Directory,
    dns: Arc<dyn Lookup>,
    tls: TlsClient,
    sign: Sign,
    settings: RwLock<Arc<Settings>>,
    pending: Mutex<Pending>,
    failures: Mutex<failure::Sent>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

impl Reports {
    pub fn new(
        directory: Directory,
        dns: Arc<dyn Lookup>,
        tls: TlsClient,
        sign: Sign,
        settings: Settings,
    ) -> Self {
        let settings = RwLock::new(Arc::new(settings));
        Self(Arc::new(Shared {
            directory,
            dns,
            tls,
            sign,
            settings,
            pending: Mutex::default(),
            failures: Mutex::default(),
        }))
    }

    /// From now on.
    pub fn set_settings(&self, settings: Settings) {
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Counts a message that was checked, for the report to its author's domain.
    pub fn count_message(&self, arrived: &Arrived<'_>) {
        if self.settings().dmarc
            && let Some((domain, row)) = arrived.row()
            && let Ok(key) = serde_json::to_string(&row)
        {
            self.pending().add(ReportKind::Dmarc, day::of(arrived.now), domain, key);
        }
    }

    /// Counts a connection to a host of `session.recipient_domain`; `now` in seconds since 1970.
    pub fn count_session(&self, session: Session, now: u64) {
        let domain = session.recipient_domain.clone();
        if self.settings().tls
            && let Ok(key) = serde_json::to_string(&tls::Row::from(session))
        {
            self.pending().add(ReportKind::Tls, day::of(now), domain, key);
        }
    }

    /// Counts, sends and reads until the server stops. When nobody counts any more, [`flush`](Self::flush) is to be called.
    pub async fn run(&self, shutdown: Shutdown) {
        tokio::join!(
            self.keep_counting(&shutdown),
            self.keep_sending(&shutdown),
            self.keep_posting(&shutdown),
            inbox::keep_reading(self, &shutdown)
        );
    }

    async fn keep_counting(&self, shutdown: &Shutdown) {
        let mut flush = tokio::time::interval(FLUSH);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = flush.tick() => self.flush().await,
            }
        }
    }

    async fn keep_sending(&self, shutdown: &Shutdown) {
        let mut send = tokio::time::interval(SEND);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = send.tick() => self.send_due(Timestamp::now(), shutdown).await,
            }
        }
    }

    /// What a stop interrupts is posted again: the Report-ID tells that it is the same.
    async fn keep_posting(&self, shutdown: &Shutdown) {
        let posting = async {
            let mut post = tokio::time::interval(https::EVERY);
            loop {
                post.tick().await;
                self.post_due(Timestamp::now()).await;
            }
        };
        tokio::select! {
            () = shutdown.wait() => {}
            () = posting => {}
        }
    }

    /// Counts in the store what was in memory.
    pub async fn flush(&self) {
        let (tallies, left_out) = self.pending().take();
        if tallies.is_empty() {
            return;
        }
        match self.store().add_tallies(tallies).await {
            Ok(0) if left_out == 0 => {}
            Ok(more) => {
                tracing::warn!(facts = left_out + more, "too many different facts for DMARC and TLS reports")
            }
            Err(error) => tracing::warn!(%error, "the last minute is missing from DMARC and TLS reports"),
        }
    }

    /// Sends the reports whose time has come. One that fails for now is tried again later.
    pub async fn send_due(&self, now: Timestamp, shutdown: &Shutdown) {
        let due = match self.store().due_reports(self.today(now), MAX_DUE) {
            Ok(due) => due,
            Err(error) => return tracing::warn!(%error, "reports wait"),
        };
        let ready = due.into_iter().filter(|due| day::due(due.day, &due.domain) <= seconds(now));
        let send = |due| self.send(due, now, shutdown);
        futures_util::stream::iter(ready).for_each_concurrent(AT_ONCE, send).await;
        let old = self.today(now).saturating_sub(KEPT_UNSENT);
        if let Err(error) = self.store().forget_reports(now.as_millisecond() - KEPT, old).await {
            tracing::warn!(%error, "old reports stay");
        }
    }

    async fn send(&self, due: Due, now: Timestamp, shutdown: &Shutdown) {
        if shutdown.is_triggered() {
            return;
        }
        let sent = match due.kind {
            ReportKind::Tls => tls::send(self, &due, now).await,
            ReportKind::Dmarc | ReportKind::Failure => dmarc::send(self, &due, now).await,
        };
        if let Err(error) = sent {
            tracing::warn!(domain = %due.domain, %error, "a report is not sent yet");
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn store(&self) -> &Store {
        self.0.directory.store()
    }

    pub(crate) fn dns(&self) -> &dyn Lookup {
        &*self.0.dns
    }

    pub(crate) fn tls_client(&self) -> &TlsClient {
        &self.0.tls
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names(&*self.0.dns)
    }

    pub(crate) fn sign(&self) -> &Sign {
        &self.0.sign
    }

    pub(crate) fn sender(&self) -> Result<Address, ReportError> {
        self.settings().sender(self.directory()).ok_or(ReportError::NoSender)
    }

    pub(crate) fn today(&self, now: Timestamp) -> u32 {
        day::of(seconds(now))
    }

    pub(crate) fn failures_sent(&self) -> std::sync::MutexGuard<'_, failure::Sent> {
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0)
}

/// In UTC, as the days of reports are.
pub(crate) fn zoned(now: Timestamp) -> Zoned {
    now.to_zoned(TimeZone::UTC)
}
