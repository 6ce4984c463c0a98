//! Folders that sessions have open: one state each, shared, and kept up with what the store tells.
//!
//! The store announces a change before whoever asked for it has its answer. [`OpenMailboxes::catch_up`] takes in all that was
//! announced; called after a write, it makes the write seen. A task calls it whenever something is announced.
//!
//! Applying is idempotent: a UID is never used again, so that what the first reading already saw changes nothing.

use imap::Runs;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use store::{Change, Changes, Id, MailboxChange, Store, StoreError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};

/// Flag changes remembered a folder, so that sessions look at the messages concerned alone. One further behind looks
/// at all.
const MAX_REMEMBERED: usize = 64;
/// Changes of an account's folders that a session which watches them may be behind (RFC 5465's NOTIFY); past it the
/// client is told so.
const MAX_WATCHED: usize = 256;

/// All folders that are open in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenMailboxes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    changes: Changes,
    mailboxes: HashMap<Id, Weak<OpenMailbox>>,
    accounts: HashMap<Id, Weak<Watched>>,
    /// By owner of shared folders: who watches them besides, by account.
    followers: HashMap<Id, HashMap<Id, Weak<Watched>>>,
}

/// A folder that somebody has open.
#[derive(Debug)]
pub(super) struct OpenMailbox {
    pub(super) id: Id,
    /// Its owner.
    pub(super) account: Id,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    account: Id,
    now: Snapshot,
    uidnext: u32,
    /// The lowest UID that no session has been told of. Ahead of the store's while sessions are open, who note it there when they
    /// leave: in this way news costs no write.
    recent_from: u32,
    /// Flag changes after `floor`, oldest first.
    flags: VecDeque<(u64, Arc<Runs>)>,
    floor: u64,
}

/// A folder at a moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) uids: Arc<Runs>,
    /// Of the last change (HIGHESTMODSEQ).
    pub(super) modseq: u64,
    /// Removed: what comes now fails.
    pub(super) gone: bool,
}

/// What happens in the folders of an account and of those that share theirs with it, for those who asked for it.
#[derive(Debug)]
pub(super) struct Watched {
    account: Id,
    sender: broadcast::Sender<Happened>,
}

/// `None`: more than was taken in, so that nobody knows what.
pub(super) type Happened = Option<Arc<Change>>;

impl Watched {
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Happened> {
        self.sender.subscribe()
    }

    /// That nobody listens at the moment is no matter.
    pub(super) fn send(&self, happened: Happened) {
        let _ = self.sender.send(happened);
    }
}

impl OpenMailboxes {
    /// Must be called within a tokio runtime; the task ends with the last clone.
    pub fn start(store: Store) -> Self {
        let changes = store.changes();
        let wake = store.changes();
        let (mailboxes, accounts, followers) = Default::default();
        let inner = Inner { changes, mailboxes, accounts, followers };
        let shared = Arc::new(Shared { store, inner: Mutex::new(inner) });
        tokio::spawn(follow(wake, Arc::downgrade(&shared)));
        Self(shared)
    }

    /// The folder's state. Reads the store, so it is to be called where that may block. `None`: there is no such folder.
    pub(super) fn open(&self, mailbox: Id) -> Result<Option<Arc<OpenMailbox>>, StoreError> {
        if let Some(open) = self.known(mailbox) {
            return Ok(Some(open));
        }
        // Read without the lock, which everybody needs; what is announced meanwhile is in `missed`, and applied after.
        let mut missed = self.0.store.changes();
        let Some(mut state) = State::read(&self.0.store, mailbox)? else { return Ok(None) };
        let mut inner = self.lock();
        self.take_in(&mut inner);
        if let Some(open) = inner.mailboxes.get(&mailbox).and_then(Weak::upgrade) {
            return Ok(Some(open));
        }
        loop {
            match missed.try_recv() {
                Ok(Change::Mailbox { mailbox: changed, modseq, kind, .. }) if changed == mailbox => {
                    state.apply(modseq, &kind);
                }
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => match State::read(&self.0.store, mailbox)? {
                    Some(anew) => state = anew,
                    None => return Ok(None),
                },
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let (account, state) = (state.account, Mutex::new(state));
        let open = Arc::new(OpenMailbox { id: mailbox, account, state, version: watch::Sender::new(0) });
        inner.mailboxes.insert(mailbox, Arc::downgrade(&open));
        Ok(Some(open))
    }

    /// How many messages no session has been told of. Reads the store.
    pub(super) fn recent_count(&self, mailbox: Id) -> Result<u64, StoreError> {
        let store = &self.0.store;
        let from = match self.known(mailbox) {
            Some(open) => open.lock().recent_from,
            None => store.recent_from(mailbox)?,
        };
        store.count_from(mailbox, from)
    }

    /// If somebody has it open.
    fn known(&self, mailbox: Id) -> Option<Arc<OpenMailbox>> {
        let mut inner = self.lock();
        self.take_in(&mut inner);
        inner.mailboxes.get(&mailbox).and_then(Weak::upgrade)
    }

    /// Everything that happens in an account's folders from now on, and changes of anybody's access lists.
    pub(super) fn watch(&self, account: Id) -> Arc<Watched> {
        let mut inner = self.lock();
        self.take_in(&mut inner);
        if let Some(watched) = inner.accounts.get(&account).and_then(Weak::upgrade) {
            return watched;
        }
        let watched = Arc::new(Watched { account, sender: broadcast::Sender::new(MAX_WATCHED) });
        inner.accounts.insert(account, Arc::downgrade(&watched));
        watched
    }

    /// From now on also what happens in the folders of these. `true`: it was not so before for one of them.
    pub(super) fn follow(&self, watched: &Arc<Watched>, owners: impl IntoIterator<Item = Id>) -> bool {
        let mut inner = self.lock();
        self.take_in(&mut inner);
        let mut anew = false;
        for owner in owners {
            let before =
                inner.followers.entry(owner).or_default().insert(watched.account, Arc::downgrade(watched));
            anew |= before.is_none_or(|before| before.strong_count() == 0);
        }
        anew
    }

    /// Takes in all that was announced until now.
    pub(super) fn catch_up(&self) {
        self.take_in(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, inner: &mut Inner) {
        loop {
            match inner.changes.try_recv() {
                Ok(change) => inner.apply(change),
                Err(TryRecvError::Lagged(_)) => inner.read_again(&self.0.store),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

async fn follow(mut wake: Changes, shared: Weak<Shared>) {
    while !matches!(wake.recv().await, Err(RecvError::Closed)) {
        let Some(shared) = shared.upgrade() else { return };
        // All that is there is taken in at once; what woke us up meanwhile is no reason to come back.
        while wake.try_recv().is_ok() {}
        OpenMailboxes(shared).catch_up();
    }
}

impl Inner {
    fn apply(&mut self, change: Change) {
        if let Change::Mailbox { mailbox, .. } = &change {
            match self.mailboxes.get(mailbox).map(Weak::upgrade) {
                Some(Some(open)) => open.apply(&change),
                Some(None) => drop(self.mailboxes.remove(mailbox)),
                None => {}
            }
        }
        if !self.accounts.is_empty() {
            self.tell_watchers(Arc::new(change));
        }
    }

    fn tell_watchers(&mut self, change: Arc<Change>) {
        // `false`: nobody watches any more.
        let tell = |watched: &Weak<Watched>| {
            watched.upgrade().map(|watched| watched.send(Some(Arc::clone(&change)))).is_some()
        };
        match &*change {
            Change::Mailbox { account, .. }
            | Change::Folders { account }
            | Change::Metadata { account, .. } => {
                if self.accounts.get(account).is_some_and(|watched| !tell(watched)) {
                    self.accounts.remove(account);
                }
                if let Some(followers) = self.followers.get_mut(account) {
                    followers.retain(|_, watched| tell(watched));
                    if followers.is_empty() {
                        self.followers.remove(account);
                    }
                }
            }
            // It may be the first folder of that account that somebody sees.
            Change::Access { .. } => self.accounts.retain(|_, watched| tell(watched)),
            Change::Queued(_) | Change::Domains => {}
        }
    }

    /// So much was announced that some of it is lost: each open folder is read anew, and who watches is told so.
    fn read_again(&mut self, store: &Store) {
        self.mailboxes.retain(|_, open| open.upgrade().is_some_and(|open| open.read_again(store)));
        self.accounts.retain(|_, watched| watched.upgrade().map(|watched| watched.send(None)).is_some());
    }
}

impl State {
    fn read(store: &Store, mailbox: Id) -> Result<Option<Self>, StoreError> {
        // The row before its UIDs: what comes in between is announced as well, and applied once more.
        let Some(found) = store.mailbox(mailbox)? else { return Ok(None) };
        let uids = store.uids(mailbox)?;
        let uidnext = found.uidnext.max(uids.last().map_or(1, |last| last.saturating_add(1)));
        let now = Snapshot { uids: Arc::new(uids), modseq: found.modseq, gone: false };
        let (account, floor) = (found.account, found.modseq);
        let recent_from = store.recent_from(mailbox)?;
        Ok(Some(Self { account, now, uidnext, recent_from, flags: VecDeque::new(), floor }))
    }

    fn apply(&mut self, modseq: u64, change: &MailboxChange) {
        self.now.modseq = self.now.modseq.max(modseq);
        match change {
            MailboxChange::Delivered { first, last } => {
                Arc::make_mut(&mut self.now.uids).push_run(self.uidnext.max(*first), *last);
                self.uidnext = self.uidnext.max(last.saturating_add(1));
            }
            MailboxChange::Expunged { uids } => self.now.uids = Arc::new(self.now.uids.difference(uids)),
            MailboxChange::Flags { uids } => {
                if self.flags.len() == MAX_REMEMBERED
                    && let Some((modseq, _)) = self.flags.pop_front()
                {
                    self.floor = modseq;
                }
                self.flags.push_back((modseq, Arc::clone(uids)));
            }
            MailboxChange::Annotated => {}
            MailboxChange::Gone => {
                self.now.gone = true;
                self.now.uids = Arc::default();
            }
        }
    }
}

impl OpenMailbox {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().now.clone()
    }

    /// Says when there is something new.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The messages whose flags changed after `modseq`, changes that are `own` left out; `None` when that is not
    /// remembered.
    pub(super) fn flags_since(&self, modseq: u64, own: &[u64]) -> Option<Runs> {
        let state = self.lock();
        if modseq < state.floor {
            return None;
        }
        let others = state.flags.iter().filter(|(at, _)| *at > modseq && !own.contains(at));
        Some(others.fold(Runs::default(), |all, (_, uids)| all.union(uids)))
    }

    /// The messages among `known` that no session has been told of. With `take` this one is told of them, and no later one finds them
    /// here.
    pub(super) fn recent(&self, known: &Runs, take: bool) -> Runs {
        let mut state = self.lock();
        let Some(last) = known.last().filter(|last| *last >= state.recent_from) else {
            return Runs::default();
        };
        let recent = known.intersection(&Runs::from(state.recent_from..=last));
        if take {
            state.recent_from = last.saturating_add(1);
        }
        recent
    }

    fn apply(&self, change: &Change) {
        let Change::Mailbox { modseq, kind, .. } = change else { return };
        self.lock().apply(*modseq, kind);
        self.version.send_modify(|version| *version += 1);
    }

    /// `false`: it has gone.
    fn read_again(&self, store: &Store) -> bool {
        let mut state = self.lock();
        match State::read(store, self.id) {
            Ok(Some(read)) => *state = State { recent_from: state.recent_from.max(read.recent_from), ..read },
            Ok(None) => state.now.gone = true,
            Err(error) => {
                tracing::error!(%error, mailbox = %self.id, "an open folder cannot be read again");
                state.now.gone = true;
            }
        }
        let there = !state.now.gone;
        drop(state);
        self.version.send_modify(|version| *version += 1);
        there
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Watched {
    /// Without a store.
    pub(super) fn alone(account: Id) -> Arc<Self> {
        Arc::new(Self { account, sender: broadcast::Sender::new(MAX_WATCHED) })
    }
}

#[cfg(test)]
impl OpenMailbox {
    /// With UIDs from 1, without a store.
    pub(super) fn with(count: u32) -> Arc<Self> {
        let account = Id::generate();
        let now = Snapshot { uids: Arc::new(Runs::from_ranges([1..=count])), modseq: 1, gone: false };
        let state =
            State { account, now, uidnext: count + 1, recent_from: 1, flags: VecDeque::new(), floor: 1 };
        let (state, version) = (Mutex::new(state), watch::Sender::new(0));
        Arc::new(Self { id: Id::generate(), account, state, version })
    }

    pub(super) fn tell(&self, modseq: u64, kind: &MailboxChange) {
        self.lock().apply(modseq, kind);
        self.version.send_modify(|version| *version += 1);
    }
}
