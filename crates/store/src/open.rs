//! Opening a data folder, and the handle to it.

use crate::body::files::{Files, sync_folder};
use crate::body::{self, Body, Budget, Spool};
use crate::change::{Announcer, Change, Changes, QueueFeed};
use crate::committer::{Bounds, Committer};
use crate::database::{Kind, Readers};
use crate::directory::KnownDomains;
use crate::freelist::FreelistLimits;
use crate::lock::Lock;
use crate::log::LogLimits;
use crate::search::Search;
use crate::{Id, StoreError, backup, trail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Bodies in memory, of all sessions and the queue together (DESIGN.md, The way of a message).
const DEFAULT_BODY_BUDGET: usize = 256 << 20;

/// How long removed messages can be brought back.
const DEFAULT_UNDELETE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Past this the log of a database holds up a start after a kill (DESIGN.md, Store).
const DEFAULT_LOG_LIMIT: u64 = 512 << 20;

/// How long what happened to a message is told.
const DEFAULT_TRAIL_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Clone)]
pub struct Options {
    /// Octets of bodies that may be in memory at once; past it they go to disk while they are received.
    pub body_budget: usize,
    /// How long removed messages can be brought back; zero: not at all.
    pub undelete: Duration,
    /// Octets of a database's write-ahead log with which [`Store::trouble`] closes intake, until readers let it be copied. A
    /// 128th of it is copied at a time; from an eighth on writers wait for readers, for a moment.
    pub log_limit: u64,
    /// How long the trail of a message is kept, from when it came.
    pub trail_kept: Duration,
    /// Pages of `waypost.db` and `bodies.db` that go back to the system once nothing needs them.
    pub freelist: FreelistLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_budget: DEFAULT_BODY_BUDGET,
            undelete: DEFAULT_UNDELETE,
            log_limit: DEFAULT_LOG_LIMIT,
            trail_kept: DEFAULT_TRAIL_KEPT,
            freelist: FreelistLimits::default(),
        }
    }
}

/// The data of one installation. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    // Fields drop in this order: what still writes ends before the lock is given back.
    pub(crate) committer: Committer,
    pub(crate) trail: trail::Writer,
    pub(crate) search: Search,
    pub(crate) main: Arc<Readers>,
    pub(crate) bodies: Arc<Readers>,
    pub(crate) trail_readers: Readers,
    pub(crate) files: Files,
    budget: Arc<Budget>,
    pub(crate) domains: Arc<KnownDomains>,
    /// Milliseconds.
    undelete: AtomicI64,
    pub(crate) purge_wanted: Notify,
    announcer: Arc<Announcer>,
    folder: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Opens the data in `folder`, makes it when it is new, and removes what a killed process left half-done.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it; [`StoreError::Damaged`], [`StoreError::Newer`].
    pub fn open(folder: &Path, options: &Options) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let lock = Lock::take(folder)?;
        if backup::is_marked(folder) {
            let text =
                "a back-up was being restored into {}, and that was interrupted: run `waypost restore` again";
            return Err(StoreError::Refused(text.replace("{}", &folder.display().to_string())));
        }
        let files = Files::open(folder)?;
        let announcer = Arc::new(Announcer::new());
        let domains = Arc::new(KnownDomains::default());
        let (publisher, known) = (Arc::clone(&announcer), Arc::clone(&domains));
        let main = Arc::new(Readers::new(Kind::Main, folder));
        let bodies = Arc::new(Readers::new(Kind::Bodies, folder));
        let readers = [Arc::clone(&main), Arc::clone(&bodies)];
        let bounds = Bounds { logs: LogLimits::new(options.log_limit), freelist: options.freelist };
        let committer = Committer::start(folder, files.clone(), readers, bounds, move |change| {
            if matches!(change, Change::Domains) {
                known.forget();
            }
            publisher.publish(change);
        })?;
        let inner = Inner {
            committer,
            trail: trail::Writer::start(folder, options.trail_kept)?,
            search: Search::new(folder),
            main,
            bodies,
            trail_readers: Readers::new(Kind::Trail, folder),
            files,
            budget: Budget::new(options.body_budget),
            domains,
            undelete: AtomicI64::new(milliseconds(options.undelete)),
            purge_wanted: Notify::new(),
            announcer,
            folder: folder.to_owned(),
            _lock: lock,
        };
        let store = Self { inner: Arc::new(inner) };
        store.rebuild_trail()?;
        Ok(store)
    }

    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// A place for a body that is being received.
    pub fn spool(&self) -> Spool {
        Spool::new(self.inner.files.clone(), &self.inner.budget)
    }

    /// The budget of bodies in memory, for those who decide when to say 4xx.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.inner.budget
    }

    /// A stored body, by what its owner remembers of it.
    pub fn body(&self, id: Id, size: u64) -> Result<Body, StoreError> {
        self.inner.bodies.with(|db| body::load(db, &self.inner.files, id, size))
    }

    /// From now on removed messages can be brought back for so long; zero: not at all.
    pub fn set_undelete(&self, time: Duration) {
        self.inner.undelete.store(milliseconds(time), Ordering::Relaxed);
    }

    /// From now on the trail of a message is kept for so long; what is older goes within a minute or so.
    pub fn set_trail_kept(&self, time: Duration) {
        self.inner.trail.keep(time);
    }

    /// Milliseconds for which removed messages can be brought back.
    pub(crate) fn undelete_ms(&self) -> i64 {
        self.inner.undelete.load(Ordering::Relaxed)
    }

    /// New work for the queue. The first caller gets it; there is one queue.
    pub fn queue_feed(&self) -> Option<QueueFeed> {
        self.inner.announcer.take_feed()
    }

    /// Changes of mailboxes from now on.
    pub fn changes(&self) -> Changes {
        self.inner.announcer.subscribe()
    }

    /// Why no more mail should be taken now, if so: nothing can be written, or the write-ahead log must become shorter first.
    /// Intake answers 4xx before it takes a message.
    pub fn trouble(&self) -> Option<String> {
        self.inner.committer.trouble()
    }

    /// Octets free on the data's disk, and its size, for the user that Waypost runs as.
    pub fn disk_space(&self) -> Result<(u64, u64), StoreError> {
        let stat =
            rustix::fs::statvfs(&self.inner.folder).map_err(|e| StoreError::file(&self.inner.folder, e))?;
        Ok((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize))
    }

    /// Reads everything once: what `waypost check store` shows. Empty when all is sound.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut problems = Vec::new();
        for (name, readers) in [
            ("waypost.db", &*self.inner.main),
            ("bodies.db", &*self.inner.bodies),
            ("trail.db", &self.inner.trail_readers),
        ] {
            let found = readers.with(|db| {
                let mut statement = db.prepare("PRAGMA integrity_check(20)")?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })?;
            problems
                .extend(found.into_iter().filter(|line| line != "ok").map(|line| format!("{name}: {line}")));
        }
        problems.extend(self.check_search());
        problems.extend(self.missing_bodies()?);
        Ok(problems)
    }

    fn missing_bodies(&self) -> Result<Vec<String>, StoreError> {
        let named = self.inner.main.with(body::named)?;
        let missing = |(id, size): &(Id, u64)| match self.body(*id, *size) {
            Ok(body) if body.size() == *size => None,
            Ok(body) => Some(format!("body {id} has {} octets, not {size}", body.size())),
            Err(error) => Some(error.to_string()),
        };
        Ok(named.iter().filter_map(missing).collect())
    }

    /// The acceptances that a kill took from the trail, from `waypost.db`, where they were durable first.
    fn rebuild_trail(&self) -> Result<(), StoreError> {
        let Some(newest) = self.inner.trail.newest_at_start() else { return Ok(()) };
        let lost = self.inner.main.with(|db| trail::lost(db, newest))?;
        lost.into_iter().for_each(|entry| self.inner.trail.add(entry));
        Ok(())
    }
}

pub(crate) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Makes the data folder if it is missing, private to its user, and safe on disk: a folder's name is so only once the one
/// it is in was synced. [`Store::open`] does this too; a program that gives up rights before it opens the store
/// calls it while it has them.
pub fn make_folder(folder: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    let make = || -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        missing.iter().try_for_each(|path| sync_parent(path))
    };
    make().map_err(|e| StoreError::file(folder, e))?;
    // Whoever made it before may have been killed just then. Who may not look into the parent could not have made it.
    let _ = sync_parent(folder);
    Ok(())
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        None => Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
    }
}
