//! A folder as one client knows it: which sequence number is which message, and what it has not been told yet.

use super::open::{OpenMailbox, Snapshot};
use imap::{Runs, SequenceSet};
use std::sync::Arc;
use tokio::sync::watch;

/// An open folder, as the client was last told of it. Sequence numbers change only in [`View::take_news`].
#[derive(Debug)]
pub(super) struct View {
    pub(super) mailbox: Arc<OpenMailbox>,
    pub(super) read_only: bool,
    /// The result that the last SEARCH saved, as UIDs (RFC 5182).
    pub(super) saved: Runs,
    versions: watch::Receiver<u64>,
    uids: Arc<Runs>,
    /// Flags are told up to this change, and of the later ones those that were the client's own.
    modseq: u64,
    own: Vec<u64>,
}

/// What a client has to be told, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// UIDs that have gone, with the sequence numbers that they had, highest first: each is right when told in turn.
    pub(super) expunged: Vec<(u32, u32)>,
    /// How many messages there are, when new ones have come.
    pub(super) exists: Option<u32>,
    pub(super) new: Runs,
    /// Messages whose flags changed, not by this client.
    pub(super) flags: Runs,
    pub(super) gone: bool,
}

impl View {
    pub(super) fn new(mailbox: Arc<OpenMailbox>, read_only: bool) -> Self {
        let mut versions = mailbox.versions();
        versions.mark_unchanged();
        let Snapshot { uids, modseq, .. } = mailbox.snapshot();
        Self { mailbox, read_only, saved: Runs::default(), versions, uids, modseq, own: Vec::new() }
    }

    pub(super) fn uids(&self) -> &Arc<Runs> {
        &self.uids
    }

    /// Up to which change the client knows the folder.
    pub(super) fn modseq(&self) -> u64 {
        self.modseq
    }

    /// The UIDs that a set names here. With `uid`, those that do not exist are passed over (RFC 9051 §6.4.9);
    /// `None`: a sequence number is not there, which is the client's mistake.
    pub(super) fn resolve(&self, set: &SequenceSet, uid: bool) -> Option<Runs> {
        if *set == SequenceSet::Saved {
            return Some(self.saved.intersection(&self.uids));
        }
        if uid {
            let named = set.resolve(self.uids.last().unwrap_or(0))?;
            return Some(named.intersection(&self.uids));
        }
        let count = self.uids.len();
        let numbers = set.resolve(count)?;
        let within = numbers.last().is_none_or(|last| last <= count) && !numbers.is_empty();
        within.then(|| self.uids.select(&numbers))
    }

    /// The sequence number of a message, as the client counts.
    pub(super) fn number(&self, uid: u32) -> Option<u32> {
        self.uids.position(uid).map(|before| before + 1)
    }

    /// A change that the client made itself and was answered: it is no news.
    pub(super) fn made(&mut self, modseqs: impl IntoIterator<Item = u64>) {
        self.own.extend(modseqs);
    }

    /// Until there may be news.
    pub(super) async fn changed(&mut self) {
        if self.versions.changed().await.is_err() {
            // The folder lives as long as this view holds it.
            std::future::pending::<()>().await;
        }
    }

    /// What is new; from now on the client knows it. Without `expunges` what has gone stays numbered: no command that
    /// uses sequence numbers may be told of it (RFC 9051 §7.5.1).
    pub(super) fn take_news(&mut self, expunges: bool) -> News {
        self.versions.mark_unchanged();
        let now = self.mailbox.snapshot();
        let mut news = News { gone: now.gone, ..News::default() };
        if !Arc::ptr_eq(&now.uids, &self.uids) {
            if expunges {
                let gone = self.uids.difference(&now.uids);
                news.expunged = gone.iter().filter_map(|uid| Some((self.number(uid)?, uid))).collect();
                news.expunged.reverse();
            }
            news.new = now.uids.difference(&self.uids);
            self.uids = match expunges || self.uids.difference(&now.uids).is_empty() {
                true => now.uids,
                false => Arc::new(self.uids.union(&news.new)),
            };
            news.exists = (!news.new.is_empty()).then(|| self.uids.len());
        }
        if now.modseq > self.modseq {
            let known = self.uids.difference(&news.new);
            let own = std::mem::take(&mut self.own);
            let changed = self.mailbox.flags_since(self.modseq, &own);
            news.flags = changed.map_or_else(|| known.clone(), |changed| changed.intersection(&known));
            self.modseq = now.modseq;
        }
        news
    }
}
