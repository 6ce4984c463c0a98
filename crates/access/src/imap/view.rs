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
    /// Messages that this session is the first to be told of (`\Recent`, RFC 3501 §2.3.2); `None`: its client knows no such thing
    /// (RFC 9051).
    recent: Option<Runs>,
    /// It has been told of the messages below this UID, as the first.
    told_below: u32,
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
        let mut view = Self {
            mailbox,
            read_only,
            saved: Runs::default(),
            keywords: Vec::new(),
            recent: Some(Runs::default()),
            told_below: 0,
            versions,
            uids,
            modseq,
            own: Vec::new(),
        };
        view.take_recent(&Arc::clone(&view.uids));
        view
    }

    /// For a client of RFC 9051.
    pub(super) fn without_recent(self) -> Self {
        Self { recent: None, ..self }
    }

    /// Which of the messages that the client is about to hear of are recent. Who only looks at a folder takes that from nobody.
    fn take_recent(&mut self, new: &Runs) {
        let taken = self.mailbox.recent(new, !self.read_only);
        if let (Some(last), false) = (taken.last(), self.read_only) {
            self.told_below = last.saturating_add(1);
        }
        if let Some(recent) = &mut self.recent {
            *recent = recent.union(&taken);
        }
    }

    /// The messages that are recent to this client.
    pub(super) fn recent(&self) -> Option<&Runs> {
        self.recent.as_ref()
    }

    pub(super) fn is_recent(&self, uid: u32) -> bool {
        self.recent.as_ref().is_some_and(|recent| recent.contains(uid))
    }

    /// What the store has to note before another session opens the folder, if anything.
    pub(super) fn told_below(&self) -> Option<u32> {
        (self.told_below > 0).then_some(self.told_below)
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
            if let Some(recent) = self.recent.as_mut().filter(|recent| !recent.is_empty()) {
                *recent = recent.intersection(&self.uids);
            }
            self.take_recent(&news.new);
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
    fn a_message_is_recent_to_the_first_that_may_change_the_folder() {
        let mailbox = OpenMailbox::with(2);
        let looking = View::new(Arc::clone(&mailbox), true);
        let (mut first, mut second) =
            (View::new(Arc::clone(&mailbox), false), View::new(Arc::clone(&mailbox), false));
        assert_eq!((looking.recent(), looking.told_below()), (Some(&runs(1..=2)), None));
        assert_eq!((first.recent(), first.told_below()), (Some(&runs(1..=2)), Some(3)));
        assert_eq!((second.recent(), second.told_below()), (Some(&runs([])), None));
        mailbox.tell(2, &MailboxChange::Delivered { first: 3, last: 3 });
        mailbox.tell(3, &expunged([1]));
        second.take_news(true);
        first.take_news(true);
        assert_eq!((second.recent(), second.told_below()), (Some(&runs([3])), Some(4)));
        assert_eq!((first.recent(), first.told_below()), (Some(&runs([2])), Some(3)));
        assert!(second.is_recent(3) && !first.is_recent(3));
        // A client of RFC 9051 is told of them all the same.
        mailbox.tell(4, &MailboxChange::Delivered { first: 4, last: 4 });
        let third = View::new(Arc::clone(&mailbox), false).without_recent();
        assert_eq!((third.recent(), third.is_recent(4), third.told_below()), (None, false, Some(5)));
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
