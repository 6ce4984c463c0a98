//! SEARCH, SORT, THREAD (RFC 9051 §6.4.4, RFC 5256).
//!
//! [`criteria`](super::criteria) is a search key made ready, [`matching`](super::matching) finds the messages that it names,
//! [`found`](super::found) is what is told and saved of them.

use super::connection::Driver;
use super::criteria::Criteria;
use super::found::{Found, is_told, named};
use super::matching::{Bounds, matching};
use super::message::{message_id, moment, references};
use super::pages::{Pages, Row};
use super::progress::Progress;
use super::stop::{Outcome, Stop, read};
use ::message::structure::Parsed;
use imap::response::{Data, Esearch, Status, StatusKind};
use imap::search::{Search, SearchKey, SearchReturn, Sort, Thread, ThreadAlgorithm};
use imap::{Runs, sort, thread};
use jiff::Timestamp;
use std::sync::Arc;

impl Driver {
    /// RFC 5182 §2.1: one that was to save its result and is answered NO leaves an empty one.
    pub(super) fn forget_saved(&mut self) {
        if let Some(view) = &mut self.view {
            view.saved = Runs::default();
        }
    }

    pub(super) async fn search(&mut self, search: Search) -> Outcome<Status> {
        let save = search.returns.is_some_and(|returns| returns.save);
        let done = self.search_now(search).await;
        self.saved_or_not(save, done)
    }

    pub(super) async fn sort(&mut self, asked: Sort) -> Outcome<Status> {
        let save = asked.returns.is_some_and(|returns| returns.save);
        let done = self.sort_now(asked).await;
        self.saved_or_not(save, done)
    }

    fn saved_or_not(&mut self, save: bool, done: Outcome<Status>) -> Outcome<Status> {
        if let (true, Err(Stop::Answer(Status { kind: StatusKind::No, .. }))) = (save, &done) {
            self.forget_saved();
        }
        done
    }

    async fn search_now(&mut self, search: Search) -> Outcome<Status> {
        // RFC 9051 §6.4.4: ALL is what is asked for where nothing is said.
        let all = SearchReturn { all: true, ..SearchReturn::default() };
        let returns = search.returns.or_else(|| self.session.enabled().rev2.then_some(all));
        let Matched { uids, modseq } = self.find(&search.key).await?;
        match returns {
            Some(returns) => self.tell_found(&Found::Rising(uids), search.uid, returns, modseq).await?,
            None => {
                let numbers = named(self.view()?, uids.iter(), search.uid).collect();
                self.data(&Data::Search { numbers, modseq });
            }
        }
        Ok(Status::ok("these were found"))
    }

    async fn sort_now(&mut self, asked: Sort) -> Outcome<Status> {
        let Matched { uids, modseq } = self.find(&asked.key).await?;
        let (pages, sorter) = (self.pages(uids)?, sort::Sorter::new(&asked.criteria));
        let sorted = self.with_progress(&Progress::default(), sort_uids(pages, sorter)).await?;
        match asked.returns {
            Some(returns) => self.tell_found(&Found::Sorted(sorted), asked.uid, returns, modseq).await?,
            None => {
                let numbers = named(self.view()?, sorted.into_iter(), asked.uid).collect();
                self.data(&Data::Sort { numbers, modseq });
            }
        }
        Ok(Status::ok("sorted"))
    }

    /// The answer to RETURN, if there is to be one, and what is to be saved.
    async fn tell_found(
        &mut self,
        found: &Found,
        uid: bool,
        returns: SearchReturn,
        modseq: Option<u64>,
    ) -> Outcome<()> {
        let chosen = found.chosen(returns);
        if is_told(returns) {
            let modseq = match modseq {
                Some(_) if chosen.len() < found.len() => self.highest_of(&chosen).await?,
                of_all => of_all,
            };
            let esearch = found.esearch(self.view()?, uid, returns);
            self.data(&Data::Esearch(Esearch { tag: self.tag(), modseq, ..esearch }));
        }
        if returns.save {
            self.view()?.saved = chosen;
        }
        Ok(())
    }

    pub(super) async fn thread(&mut self, asked: Thread) -> Outcome<Status> {
        let found = self.find(&asked.key).await?;
        let (pages, known) = (self.pages(found.uids)?, Arc::clone(self.view()?.uids()));
        let (uid, algorithm) = (asked.uid, asked.algorithm);
        let number =
            move |named: u32| if uid { Some(named) } else { known.position(named).map(|before| before + 1) };
        let threads = async {
            let inputs = thread_inputs(pages, number).await?;
            let threads = move || match algorithm {
                ThreadAlgorithm::References => thread::references(&inputs),
                ThreadAlgorithm::OrderedSubject => thread::ordered_subject(&inputs),
            };
            read(move || Ok(threads())).await
        };
        let threads = self.with_progress(&Progress::default(), threads).await?;
        self.data(&Data::Thread(threads));
        Ok(Status::ok("these are the threads"))
    }

    /// RFC 4731 §3.2: where a part is told, its own modification sequence is.
    async fn highest_of(&mut self, uids: &Runs) -> Outcome<Option<u64>> {
        let highest = |highest: &mut Option<u64>, page: Vec<Row>| {
            *highest = page.iter().map(|row| Some(row.summary.modseq)).fold(*highest, Option::max);
        };
        self.pages(uids.clone())?.fold(None, highest).await
    }

    /// By which the client knows an answer as its command's.
    fn tag(&self) -> Option<String> {
        self.session.tag().map(|tag| tag.as_str().to_owned())
    }

    /// The messages that a key names, of those that the client knows.
    async fn find(&mut self, key: &SearchKey) -> Outcome<Matched> {
        let (store, view) = (self.data_store(), self.view()?);
        let (owner, criteria) = (view.mailbox.account, Criteria::new(key, view, Timestamp::now())?);
        let uids = criteria.within(view.uids());
        let modseq = criteria.ask_for_modseq() && self.session.enabled().condstore;
        // A round through the messages for their rows, and one for each of the words that are looked for.
        let rounds = 1 + criteria.words.len() as u64;
        let progress = Arc::new(Progress::of(rounds * u64::from(uids.len())));
        let pages = criteria.read(self.pages(uids)?);
        let matching = matching(store, owner, pages, criteria, Bounds::default(), &progress);
        let matching = self.with_progress(&progress, matching).await?;
        let modseq = (modseq && !matching.uids.is_empty()).then_some(matching.modseq);
        Ok(Matched { uids: matching.uids, modseq })
    }
}

/// The messages that a key names.
struct Matched {
    uids: Runs,
    /// The highest among them, if the client wants to know (RFC 7162 §3.1.5).
    modseq: Option<u64>,
}

async fn sort_uids(pages: Pages, sorter: sort::Sorter) -> Outcome<Vec<u32>> {
    let pages = if sorter.needs_envelope() { pages.with_parsed() } else { pages };
    let push = |sorter: &mut sort::Sorter, page: Vec<Row>| {
        for Row { summary, parsed, .. } in page {
            let envelope = parsed.as_ref().map(|parsed| &*parsed.envelope);
            let arrival = moment(summary.received);
            sorter.push(summary.uid, sort::Facts { arrival, size: summary.size, envelope });
        }
    };
    let sorter = pages.fold(sorter, push).await?;
    read(move || Ok(sorter.finish())).await
}

async fn thread_inputs(
    pages: Pages,
    number: impl Fn(u32) -> Option<u32> + Clone + Send + 'static,
) -> Outcome<Vec<thread::ThreadInput>> {
    let push = move |inputs: &mut Vec<thread::ThreadInput>, page: Vec<Row>| {
        for Row { summary, parsed, .. } in page {
            if let (Some(number), Some(parsed)) = (number(summary.uid), parsed) {
                inputs.push(thread_input(number, moment(summary.received), &parsed));
            }
        }
    };
    pages.with_parsed().fold(Vec::new(), push).await
}

fn thread_input(number: u32, arrival: Timestamp, parsed: &Parsed) -> thread::ThreadInput {
    let envelope = &parsed.envelope;
    let subject = envelope.subject.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let (subject, is_reply) = ::message::base_subject(&::message::decode_words(&subject));
    thread::ThreadInput {
        number,
        message_id: message_id(parsed),
        references: references(parsed),
        subject,
        is_reply,
        date: sort::sent_date(envelope.date.as_deref(), arrival),
    }
}
