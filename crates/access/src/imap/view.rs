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
    /// Keywords that the client has been told of, by FLAGS.
    pub(super) keywords: Vec<String>,
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
        let (saved, keywords, own) = (Runs::default(), Vec::new(), Vec::new());
        Self { mailbox, read_only, saved, keywords, versions, uids, modseq, own }
    }

    /// Takes note of keywords; says whether one of them is new to the client.
    pub(super) fn learn<'a>(&mut self, keywords: impl Iterator<Item = &'a str>) -> bool {
        let before = self.keywords.len();
        for keyword in keywords {
            if !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
                self.keywords.push(keyword.to_owned());
            }
        }
        self.keywords.len() > before
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
        let saved = || self.saved.intersection(&self.uids);
        match set {
            SequenceSet::Saved => Some(saved()),
            SequenceSet::WithSaved(_) => Some(self.resolve_numbers(set, uid)?.union(&saved())),
            SequenceSet::Numbers(_) => self.resolve_numbers(set, uid),
        }
    }

    fn resolve_numbers(&self, set: &SequenceSet, uid: bool) -> Option<Runs> {
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

    /// Those of the messages that have gone, of which the client has not been told yet.
    pub(super) fn gone(&self, uids: &Runs) -> Runs {
        uids.difference(&self.mailbox.snapshot().uids)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use store::MailboxChange;

    /// A folder with UIDs from 1, and a view of it.
    fn opened(count: u32) -> (Arc<OpenMailbox>, View) {
        let mailbox = OpenMailbox::with(count);
        let view = View::new(Arc::clone(&mailbox), false);
        (mailbox, view)
    }

    fn expunged(uids: impl IntoIterator<Item = u32>) -> MailboxChange {
        MailboxChange::Expunged { uids: Arc::new(uids.into_iter().collect()) }
    }

    fn flags(uids: impl IntoIterator<Item = u32>) -> MailboxChange {
        MailboxChange::Flags { uids: Arc::new(uids.into_iter().collect()) }
    }

    fn runs(uids: impl IntoIterator<Item = u32>) -> Runs {
        uids.into_iter().collect()
    }

    #[test]
    fn numbers_stay_until_expunges_may_be_told() {
        let (mailbox, mut view) = opened(4);
        mailbox.tell(2, &expunged([1, 3]));
        mailbox.tell(3, &MailboxChange::Delivered { first: 5, last: 5 });
        let news = view.take_news(false);
        assert_eq!(news, News { exists: Some(5), new: runs([5]), ..News::default() });
        assert_eq!((view.number(3), view.number(5)), (Some(3), Some(5)));
        assert_eq!(view.gone(&runs(1..=5)), runs([1, 3]));
        let news = view.take_news(true);
        assert_eq!(news, News { expunged: vec![(3, 3), (1, 1)], ..News::default() });
        assert_eq!((view.number(3), view.number(5)), (None, Some(3)));
        assert_eq!(view.take_news(true), News::default());
    }

    #[test]
    fn what_came_and_went_in_between_is_never_told() {
        let (mailbox, mut view) = opened(1);
        mailbox.tell(2, &MailboxChange::Delivered { first: 2, last: 3 });
        mailbox.tell(3, &expunged([2]));
        assert_eq!(view.take_news(true), News { exists: Some(2), new: runs([3]), ..News::default() });
    }

    #[test]
    fn own_changes_are_no_news_but_those_of_others_to_the_same_message_are() {
        let (mailbox, mut view) = opened(3);
        mailbox.tell(2, &flags([1, 2]));
        view.made([2]);
        assert_eq!(view.take_news(true), News::default());
        mailbox.tell(3, &flags([1]));
        mailbox.tell(4, &flags([1, 3]));
        view.made([4]);
        assert_eq!(view.take_news(true).flags, runs([1]));
    }

    #[test]
    fn flags_too_far_back_are_told_of_all() {
        let (mailbox, mut view) = opened(3);
        for modseq in 2..200 {
            mailbox.tell(modseq, &flags([1]));
        }
        assert_eq!(view.take_news(true).flags, runs(1..=3));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Deliver(u32),
        Expunge(u32),
        Flags { uid: u32, own: bool },
        Take { expunges: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u32..4).prop_map(Step::Deliver),
            any::<u32>().prop_map(Step::Expunge),
            (any::<u32>(), any::<bool>()).prop_map(|(uid, own)| Step::Flags { uid, own }),
            any::<bool>().prop_map(|expunges| Step::Take { expunges }),
        ]
    }

    /// The folder, and the client's list as it makes it from what it is told.
    struct Model {
        there: Vec<u32>,
        client: Vec<u32>,
        flagged: BTreeSet<u32>,
        next: u32,
        modseq: u64,
    }

    impl Model {
        fn told(&mut self, news: &News, expunges: bool) {
            for (number, uid) in &news.expunged {
                assert!(expunges);
                assert_eq!(self.client.remove(*number as usize - 1), *uid);
            }
            let flagged: BTreeSet<u32> =
                self.flagged.iter().copied().filter(|uid| self.client.contains(uid)).collect();
            assert_eq!(news.flags, flagged.into_iter().collect());
            self.flagged.clear();
            self.client.extend(news.new.iter());
            assert_eq!(news.exists, (!news.new.is_empty()).then_some(self.client.len() as u32));
            if expunges {
                assert_eq!(self.client, self.there);
            }
        }
    }

    proptest! {
        #[test]
        fn a_client_that_believes_what_it_is_told_knows_the_folder(steps in prop::collection::vec(step(), 0..50)) {
            let (mailbox, mut view) = opened(3);
            let there: Vec<u32> = (1..=3).collect();
            let mut model = Model { client: there.clone(), there, flagged: BTreeSet::new(), next: 4, modseq: 1 };
            for step in steps {
                model.modseq += 1;
                let place = |number: u32| (number as usize).checked_rem(model.there.len());
                match step {
                    Step::Deliver(count) => {
                        let (first, last) = (model.next, model.next + count - 1);
                        mailbox.tell(model.modseq, &MailboxChange::Delivered { first, last });
                        model.there.extend(first..=last);
                        model.next += count;
                    }
                    Step::Expunge(number) => {
                        let Some(place) = place(number) else { continue };
                        let uid = model.there.remove(place);
                        mailbox.tell(model.modseq, &expunged([uid]));
                    }
                    Step::Flags { uid: number, own } => {
                        let Some(place) = place(number) else { continue };
                        let uid = model.there[place];
                        mailbox.tell(model.modseq, &flags([uid]));
                        match own {
                            true => view.made([model.modseq]),
                            false => drop(model.flagged.insert(uid)),
                        }
                    }
                    Step::Take { expunges } => {
                        let news = view.take_news(expunges);
                        model.told(&news, expunges);
                    }
                }
                prop_assert_eq!(view.uids().iter().collect::<Vec<_>>(), model.client.clone());
            }
        }
    }
}
