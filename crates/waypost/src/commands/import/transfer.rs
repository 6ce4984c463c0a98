//! From a source into the folders of an account: batches, and the account of them.

use super::place::{Place, Placing};
use super::report::{FolderReport, Report};
use super::source::{AHEAD, Content, Item, Known, Message, Piece, Source};
use crate::exit::Failure;
use address::Address;
use admin::import::{
    self, Brought, Follow, Incoming, MAX_BATCH, MAX_FOLLOWED, Marks, Outcome, Prepare, Put, Subscribe, Upload,
};
use admin::{AdminError, Client, Octets};
use indicatif::ProgressBar;
use mailfile::Flags;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::Id;
use store::mailbox::flag;
use tokio::sync::mpsc;

/// Octets of a batch.
const MAX_OCTETS: usize = 4 << 20;
/// Messages that do not fit one after another before an account is said to be full.
const MAX_NO_ROOM: u64 = 20;

/// An import into one account.
pub(super) struct Transfer<'a> {
    pub(super) client: &'a Client,
    pub(super) account: Address,
    pub(super) placing: Placing,
    pub(super) dry_run: bool,
    /// What has gone there goes here too.
    pub(super) remove_gone: bool,
    pub(super) bar: ProgressBar,
}

impl Transfer<'_> {
    /// Brings all that is not here yet, and what has become there of what is.
    ///
    /// # Errors
    /// The source or the store does not work: what was brought until then is here.
    pub(super) async fn run(&self, source: &mut impl Source) -> Result<Report, Failure> {
        let mut report =
            Report { account: self.account.to_string(), dry_run: self.dry_run, ..Report::default() };
        for (number, folder) in source.folders().await?.into_iter().enumerate() {
            let Place { name, folder: Some(target), by_role } = self.placing.of(&folder.levels) else {
                continue;
            };
            let prepared = self.client.call(Prepare {
                account: self.account.clone(),
                folder: target,
                role: folder.role.clone().filter(|_| by_role),
                subscribed: folder.subscribed,
                dry_run: self.dry_run,
            });
            let prepared = prepared.await?;
            let one = FolderReport {
                source: name,
                folder: prepared.folder,
                new: prepared.new,
                ..FolderReport::default()
            };
            let known = self.known(&folder.source).await?;
            let one = self.folder(source, number, &folder.source, known, one, &mut report).await?;
            let one = self.compare(source, &folder.source, one, &mut report).await?;
            report.folders.push(one);
            if report.stopped.is_some() {
                return Ok(report);
            }
        }
        if !self.dry_run {
            self.subscribe(source).await?;
        }
        source.end().await;
        Ok(report)
    }

    /// All that was brought from a folder before.
    async fn known(&self, source: &str) -> Result<Known, Failure> {
        let mut all = HashMap::new();
        self.each_known(source, |key, octets| {
            all.insert(key, octets);
        })
        .await?;
        Ok(Arc::new(all))
    }

    /// Page by page.
    async fn each_known(&self, source: &str, mut take: impl FnMut(Vec<u8>, u64)) -> Result<(), Failure> {
        let mut after = Octets::default();
        loop {
            let page = import::Known { account: self.account.clone(), source: source.to_owned(), after };
            let page = self.client.call(page).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.clone();
            page.into_iter().for_each(|(key, octets)| take(key.0.to_vec(), octets));
        }
    }

    async fn folder(
        &self,
        source: &mut impl Source,
        number: usize,
        name: &str,
        known: Known,
        mut one: FolderReport,
        report: &mut Report,
    ) -> Result<FolderReport, Failure> {
        let count = if self.dry_run {
            source.read(number, known, None).await?
        } else {
            let (sender, receiver) = mpsc::channel(AHEAD);
            let mut batches = Batches {
                transfer: self,
                source: name,
                one: &mut one,
                report,
                waiting: Vec::new(),
                octets: 0,
                followed: Vec::new(),
                seen: HashSet::new(),
                no_room: 0,
            };
            let read = source.read(number, Arc::clone(&known), Some(sender));
            let (read, put) = tokio::join!(read, batches.take_all(receiver));
            put?;
            let count = read?;
            if self.remove_gone && batches.report.stopped.is_none() {
                batches.remove_gone(&known).await?;
            }
            count
        };
        (one.messages, one.known, one.octets) = (count.messages, one.known + count.known, count.octets);
        Ok(one)
    }

    /// Whether all that is there is here, by number and octets.
    async fn compare(
        &self,
        source: &impl Source,
        name: &str,
        mut one: FolderReport,
        report: &mut Report,
    ) -> Result<FolderReport, Failure> {
        let Some((all, wanted)) = source.totals().filter(|_| !self.dry_run) else { return Ok(one) };
        let (mut count, mut size) = (0, 0);
        self.each_known(name, |key, octets| {
            if source.has(&key) {
                (count, size) = (count + 1, size + octets);
            }
        })
        .await?;
        one.verified = Some((count, size) == (all, wanted));
        if one.verified == Some(false) {
            let from = &one.source;
            report.differences.push(format!(
                "{from}: the server says {all} messages of {wanted} octets, here are {count} of {size} octets"
            ));
        }
        Ok(one)
    }

    async fn subscribe(&self, source: &impl Source) -> Result<(), Failure> {
        let places = source.subscriptions().into_iter().map(|levels| self.placing.of(&levels));
        let names: Vec<String> = places.filter_map(|place| place.folder).collect();
        if !names.is_empty() {
            self.client.call(Subscribe { account: self.account.clone(), names }).await?;
        }
        Ok(())
    }
}

/// Puts the messages of a folder.
struct Batches<'a> {
    transfer: &'a Transfer<'a>,
    source: &'a str,
    one: &'a mut FolderReport,
    report: &'a mut Report,
    /// With what each is called, and its octets.
    waiting: Vec<(Incoming, String, u64)>,
    octets: usize,
    /// Those that were brought before, as they are now.
    followed: Vec<Brought>,
    /// Their keys, where it matters which have gone.
    seen: HashSet<Vec<u8>>,
    no_room: u64,
}

impl Batches<'_> {
    async fn take_all(&mut self, mut receiver: mpsc::Receiver<Item>) -> Result<(), Failure> {
        while let Some(item) = receiver.recv().await {
            match item {
                Item::Expected(count) => self.transfer.bar.inc_length(count),
                Item::Message(message) => self.take(message).await?,
                Item::Known { key, flags } => self.known(key, flags).await?,
                Item::Failed { label, why } => self.report.fail(self.one, label, why),
            }
            if self.report.stopped.is_some() {
                return Ok(());
            }
        }
        self.put().await?;
        self.follow().await
    }

    async fn known(&mut self, key: Vec<u8>, flags: Option<Flags>) -> Result<(), Failure> {
        if self.transfer.remove_gone {
            self.seen.insert(key.clone());
        }
        let Some(flags) = flags else { return Ok(()) };
        let marks = Marks { flags: bits(&flags), keywords: flags.keywords };
        self.now(Brought { key: key.into(), marks: Some(marks) }).await
    }

    /// After all was read: what was brought and was not seen has gone.
    async fn remove_gone(&mut self, known: &Known) -> Result<(), Failure> {
        let seen = std::mem::take(&mut self.seen);
        for key in known.keys().filter(|key| !seen.contains(*key)) {
            self.now(Brought { key: key.clone().into(), marks: None }).await?;
        }
        self.follow().await
    }

    async fn now(&mut self, message: Brought) -> Result<(), Failure> {
        self.followed.push(message);
        if self.followed.len() < MAX_FOLLOWED {
            return Ok(());
        }
        self.follow().await
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        let messages = std::mem::take(&mut self.followed);
        if messages.is_empty() {
            return Ok(());
        }
        let (account, source) = (self.transfer.account.clone(), self.source.to_owned());
        let done = self.transfer.client.call(Follow { account, source, messages }).await?;
        self.one.changed += done.changed;
        self.one.removed += done.removed;
        Ok(())
    }

    async fn take(&mut self, message: Message) -> Result<(), Failure> {
        let Message { key, label, flags, received, content } = message;
        let (content, octets) = match content {
            Content::Whole(octets) => {
                let count = octets.len();
                if self.octets + count > MAX_OCTETS {
                    self.put().await?;
                }
                self.octets += count;
                (import::Content::Octets(octets.into()), count as u64)
            }
            Content::Pieces(pieces) => match self.upload(pieces).await? {
                Ok(Some((id, octets))) => (import::Content::Uploaded(id), octets),
                Ok(None) => return Ok(()),
                Err(why) => {
                    self.report.fail(self.one, label, why);
                    return Ok(());
                }
            },
        };
        let large = matches!(content, import::Content::Uploaded(_));
        let incoming =
            Incoming { key: key.into(), content, flags: bits(&flags), keywords: flags.keywords, received };
        self.waiting.push((incoming, label, octets));
        if large || self.waiting.len() >= MAX_BATCH {
            self.put().await?;
        }
        Ok(())
    }

    /// Sends a large message piece by piece; or why it could not be. Nothing: it broke off.
    async fn upload(
        &self,
        mut pieces: mpsc::Receiver<Piece>,
    ) -> Result<Result<Option<(Id, u64)>, String>, Failure> {
        let (id, mut octets) = (Id::generate(), 0);
        while let Some(piece) = pieces.recv().await {
            let data = match piece {
                Piece::End => return Ok(Ok(Some((id, octets)))),
                Piece::Data(data) => data,
            };
            octets += data.len() as u64;
            match self.transfer.client.call(Upload { id, data: data.into() }).await {
                Ok(()) => {}
                Err(AdminError::Refused(why)) => return Ok(Err(why)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Ok(None))
    }

    /// Puts what waits.
    async fn put(&mut self) -> Result<(), Failure> {
        self.octets = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let (mut messages, mut rest) = (Vec::new(), Vec::new());
        for (message, label, octets) in waiting {
            messages.push(message);
            rest.push((label, octets));
        }
        self.transfer.bar.inc(messages.len() as u64);
        let put = Put {
            account: self.transfer.account.clone(),
            folder: self.one.folder.clone(),
            source: self.source.to_owned(),
            messages,
        };
        let outcomes = self.transfer.client.call(put).await?;
        for (outcome, (label, octets)) in outcomes.into_iter().zip(rest) {
            self.note(outcome, label, octets);
        }
        Ok(())
    }

    fn note(&mut self, outcome: Outcome, label: String, octets: u64) {
        if outcome != Outcome::NoRoom {
            self.no_room = 0;
        }
        match outcome {
            Outcome::Known => self.one.known += 1,
            Outcome::Refused(why) => self.report.fail(self.one, label, why),
            Outcome::Imported => {
                self.one.imported += 1;
                self.one.imported_octets += octets;
            }
            Outcome::ImportedWithoutKeywords => {
                self.one.imported += 1;
                self.one.imported_octets += octets;
                let text = "imported without its keywords: the folder has as many as there may be";
                self.report.differences.push(format!("{}: {label}: {text}", self.one.source));
            }
            Outcome::NoRoom => {
                self.report.fail(self.one, label, "the account has no room for it (quota)".to_owned());
                self.no_room += 1;
                if self.no_room >= MAX_NO_ROOM {
                    let text = "stopped: the account is full; raise its quota (`waypost account quota`) and run this again";
                    self.report.stopped = Some(text.to_owned());
                }
            }
        }
    }
}

fn bits(flags: &Flags) -> u32 {
    let marks = [
        (flags.seen, flag::SEEN),
        (flags.answered, flag::ANSWERED),
        (flags.flagged, flag::FLAGGED),
        (flags.deleted, flag::DELETED),
        (flags.draft, flag::DRAFT),
    ];
    marks.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum()
}
