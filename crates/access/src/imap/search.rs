//! SEARCH, SORT, THREAD (RFC 9051 §6.4.4, RFC 5256).
//!
//! [`criteria`](super::criteria) is a search key made ready, [`matching`](super::matching) finds the messages that it names; here the
//! answer is given.

use super::connection::Driver;
use super::criteria::Criteria;
use super::fetch::window;
use super::matching::{Bounds, matching};
use super::message::{message_id, moment, references};
use super::pages::{Pages, Row};
use super::progress::Progress;
use super::stop::{Outcome, Stop, read};
use super::view::View;
use ::message::structure::Parsed;
use imap::response::{Data, Esearch, EsearchAll, Status, StatusKind};
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
        let found = self.find(&search.key).await?;
        let modseq = self.modseq_told(&found, returns).await?;
        let view = self.view()?;
        let answer = numbers(view, &found.uids, search.uid);
        let save = returns.is_some_and(|returns| returns.save);
        match returns {
            None => self.data(&Data::Search { numbers: answer.iter().collect(), modseq }),
            Some(returns) => {
                let only_save = save && !(returns.min || returns.max || returns.all || returns.count);
                if !only_save || returns.partial.is_some() {
                    let esearch =
                        esearch(&answer, returns, modseq, |range| EsearchAll::Set(window(&answer, range)));
                    self.data(&Data::Esearch(Esearch { tag: self.tag(), uid: search.uid, ..esearch }));
                }
            }
        }
        if save {
            self.view()?.saved = saved(&found.uids, returns.unwrap_or_default());
        }
        Ok(Status::ok("these were found"))
    }

    async fn sort_now(&mut self, asked: Sort) -> Outcome<Status> {
        let found = self.find(&asked.key).await?;
        let (pages, sorter) = (self.pages(found.uids.clone())?, sort::Sorter::new(&asked.criteria));
        let sorted = self.with_progress(&Progress::default(), sort_uids(pages, sorter)).await?;
        let view = self.view()?;
        let name = |uid: u32| if asked.uid { Some(uid) } else { view.number(uid) };
        let numbers: Vec<u32> = sorted.into_iter().filter_map(name).collect();
        let Some(returns) = asked.returns else {
            self.data(&Data::Sort { numbers, modseq: found.modseq });
            return Ok(Status::ok("sorted"));
        };
        let at = |range: imap::fetch::PartialRange| {
            let places = Runs::from_ranges([1..=numbers.len() as u32]);
            let chosen = window(&places, range);
            EsearchAll::Ordered(
                chosen.iter().filter_map(|place| numbers.get(place as usize - 1)).copied().collect(),
            )
        };
        // RFC 5267 §3.2: MIN and MAX are the first and last of the order.
        let esearch = Esearch {
            tag: self.tag(),
            uid: asked.uid,
            min: numbers.first().copied().filter(|_| returns.min),
            max: numbers.last().copied().filter(|_| returns.max),
            count: returns.count.then_some(numbers.len() as u32),
            all: (returns.all && !numbers.is_empty()).then(|| EsearchAll::Ordered(numbers.clone())),
            modseq: found.modseq.filter(|_| !numbers.is_empty()),
            partial: returns.partial.map(|range| (range, at(range))),
        };
        if returns.save {
            self.view()?.saved = saved(&found.uids, returns);
        }
        self.data(&Data::Esearch(esearch));
        Ok(Status::ok("sorted"))
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

    /// RFC 4731 §3.2: where only MIN and MAX are told, theirs is the highest.
    async fn modseq_told(&mut self, found: &Found, returns: Option<SearchReturn>) -> Outcome<Option<u64>> {
        let told = returns.map_or_else(|| found.uids.clone(), |returns| saved(&found.uids, returns));
        if found.modseq.is_none() || told == found.uids {
            return Ok(found.modseq);
        }
        let highest = |page: Vec<Row>| page.iter().map(|row| row.summary.modseq).max();
        Ok(self.pages(told)?.next_page(highest).await?.flatten())
    }

    /// By which the client knows an answer as its command's.
    fn tag(&self) -> Option<String> {
        self.session.tag().map(|tag| tag.as_str().to_owned())
    }

    /// The messages that a key names, of those that the client knows.
    async fn find(&mut self, key: &SearchKey) -> Outcome<Found> {
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
        Ok(Found { uids: matching.uids, modseq })
    }
}

/// What a search found.
struct Found {
    uids: Runs,
    /// The highest among them, if the client wants to know (RFC 7162 §3.1.5).
    modseq: Option<u64>,
}

/// As the command names them.
fn numbers(view: &View, uids: &Runs, uid: bool) -> Runs {
    match uid {
        true => uids.clone(),
        false => uids.iter().filter_map(|uid| view.number(uid)).collect(),
    }
}

fn esearch(
    found: &Runs,
    returns: SearchReturn,
    modseq: Option<u64>,
    at: impl Fn(imap::fetch::PartialRange) -> EsearchAll,
) -> Esearch {
    Esearch {
        tag: None,
        uid: false,
        min: found.first().filter(|_| returns.min),
        max: found.last().filter(|_| returns.max),
        count: returns.count.then(|| found.len()),
        all: (returns.all && !found.is_empty()).then(|| EsearchAll::Set(found.clone())),
        modseq,
        partial: returns.partial.map(|range| (range, at(range))),
    }
}

/// RFC 5182 §2.1: MIN and MAX alone save just these.
fn saved(uids: &Runs, returns: SearchReturn) -> Runs {
    if returns.all || returns.count || returns.partial.is_some() || !(returns.min || returns.max) {
        return uids.clone();
    }
    let ends = [uids.first().filter(|_| returns.min), uids.last().filter(|_| returns.max)];
    ends.into_iter().flatten().collect()
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
