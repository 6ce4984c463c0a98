//! SEARCH, SORT, THREAD (RFC 9051 §6.4.4, RFC 5256).
//!
//! A search is answered in two steps. What asks for words is answered first, for the folder's bodies at once, by the store's index;
//! then the rows are read, page by page, and each is held against the whole key. Bodies are never read here.

use super::connection::Driver;
use super::fetch::window;
use super::message::{bit, email_id, moment};
use super::stop::{Outcome, Stop, read};
use super::view::View;
use super::words::bodies_with;
use ::message::structure::Parsed;
use imap::response::{Data, Esearch, EsearchAll, Status, StatusKind};
use imap::search::{
    Comparison, DateOf, FlagKey, Search, SearchFlag, SearchKey, SearchReturn, Sort, Thread, ThreadAlgorithm,
};
use imap::{Runs, sort, thread};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use std::collections::HashSet;
use std::sync::Arc;
use store::mailbox::Summary;
use store::search::Query;
use store::{Id, Store, StoreError};

/// Rows held against a key at once.
const PAGE: usize = 2_000;
/// The same when what is kept parsed is needed too.
const PAGE_PARSED: usize = 500;
/// As many bodies with the words that are looked for are asked where they are in the folder, which then is not gone through.
const NARROWING: usize = 1_000;

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
        let returns = search.returns;
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
        let (store, view) = (self.data_store(), self.view()?);
        let (mailbox, uids) = (view.mailbox.id, found.uids.clone());
        let sorter = sort::Sorter::new(&asked.criteria);
        let sorted = read(move || sort_uids(&store, mailbox, &uids, sorter)).await?;
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
        let (store, view) = (self.data_store(), self.view()?);
        let (mailbox, uids, known) = (view.mailbox.id, found.uids, Arc::clone(view.uids()));
        let (uid, algorithm) = (asked.uid, asked.algorithm);
        let number =
            move |named: u32| if uid { Some(named) } else { known.position(named).map(|before| before + 1) };
        let threads = read(move || {
            let inputs = thread_inputs(&store, mailbox, &uids, number)?;
            Ok(match algorithm {
                ThreadAlgorithm::References => thread::references(&inputs),
                ThreadAlgorithm::OrderedSubject => thread::ordered_subject(&inputs),
            })
        });
        let threads = threads.await?;
        self.data(&Data::Thread(threads));
        Ok(Status::ok("these are the threads"))
    }

    /// RFC 4731 §3.2: where only MIN and MAX are told, theirs is the highest.
    async fn modseq_told(&mut self, found: &Found, returns: Option<SearchReturn>) -> Outcome<Option<u64>> {
        let told = returns.map_or_else(|| found.uids.clone(), |returns| saved(&found.uids, returns));
        if found.modseq.is_none() || told == found.uids {
            return Ok(found.modseq);
        }
        let rows = self.rows(told, 0, 2).await?;
        Ok(rows.iter().map(|row| row.modseq).max())
    }

    /// By which the client knows an answer as its command's.
    fn tag(&self) -> Option<String> {
        self.session.tag().map(|tag| tag.as_str().to_owned())
    }

    /// The messages that a key names, of those that the client knows.
    async fn find(&mut self, key: &SearchKey) -> Outcome<Found> {
        let store = self.data_store();
        let view = self.view()?;
        let owner = view.mailbox.account;
        let compiled = compile(key, view)?;
        let (mailbox, uids) = (view.mailbox.id, Arc::clone(view.uids()));
        let now = Timestamp::now();
        let searched = find(store, owner, mailbox, uids, compiled, now);
        let (uids, highest) = self.with_progress(searched).await?;
        let modseq = self.session.enabled().condstore && asks_for_modseq(key) && !uids.is_empty();
        Ok(Found { uids, modseq: modseq.then_some(highest) })
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

fn asks_for_modseq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::Not(inner) => asks_for_modseq(inner),
        SearchKey::Or(two) => asks_for_modseq(&two.0) || asks_for_modseq(&two.1),
        SearchKey::And(all) => all.iter().any(asks_for_modseq),
        _ => false,
    }
}

/// A key with its sets resolved and its words apart.
struct Compiled {
    test: Test,
    /// What the index is asked; a test names its query by its place here.
    queries: Vec<Query>,
    parsed: bool,
}

/// What a row is held against.
#[derive(Debug)]
enum Test {
    Always,
    Uids(Runs),
    Flags { bits: u32, set: bool },
    Keyword { name: String, set: bool },
    Received(Comparison, civil::Date),
    Saved(Comparison, civil::Date),
    Sent(Comparison, civil::Date),
    Age { older: bool, seconds: u32 },
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    Email(String),
    Never,
    Words(usize),
    Not(Box<Self>),
    Or(Box<(Self, Self)>),
    And(Vec<Self>),
}

fn compile(key: &SearchKey, view: &View) -> Outcome<Compiled> {
    let mut compiled = Compiled { test: Test::Always, queries: Vec::new(), parsed: false };
    compiled.test = compiled.test(key, view)?;
    Ok(compiled)
}

impl Compiled {
    fn test(&mut self, key: &SearchKey, view: &View) -> Outcome<Test> {
        let missing = || Stop::bad("there are not that many messages");
        Ok(match key {
            SearchKey::All | SearchKey::SaveDateSupported => Test::Always,
            SearchKey::Numbers(set) => Test::Uids(view.resolve(set, false).ok_or_else(missing)?),
            SearchKey::Uid(set) => Test::Uids(view.resolve(set, true).ok_or_else(missing)?),
            SearchKey::Flag(FlagKey { flag, set }) => match flag {
                SearchFlag::System(flag) => Test::Flags { bits: bit(flag), set: *set },
                SearchFlag::Keyword(name) => Test::Keyword { name: name.to_string(), set: *set },
                // Nobody is told that a message is recent: none is.
                SearchFlag::Recent if *set => Test::Never,
                SearchFlag::Recent => Test::Always,
            },
            SearchKey::Date(DateOf::Internal, comparison, day) => Test::Received(*comparison, *day),
            SearchKey::Date(DateOf::Saved, comparison, day) => Test::Saved(*comparison, *day),
            SearchKey::Date(DateOf::Sent, comparison, day) => {
                self.parsed = true;
                Test::Sent(*comparison, *day)
            }
            SearchKey::Within { older, seconds } => Test::Age { older: *older, seconds: *seconds },
            SearchKey::Larger(size) => Test::Larger(*size),
            SearchKey::Smaller(size) => Test::Smaller(*size),
            SearchKey::Header { name, needle } => {
                self.words(Query::Header { name: name.clone(), needle: needle.clone() })
            }
            SearchKey::Body(needle) => self.words(Query::Body(needle.clone())),
            SearchKey::Text(needle) => self.words(Query::Text(needle.clone())),
            SearchKey::Not(inner) => Test::Not(Box::new(self.test(inner, view)?)),
            SearchKey::Or(two) => Test::Or(Box::new((self.test(&two.0, view)?, self.test(&two.1, view)?))),
            SearchKey::And(all) => {
                Test::And(all.iter().map(|key| self.test(key, view)).collect::<Outcome<_>>()?)
            }
            SearchKey::ModSeq(modseq) => Test::ModSeq(*modseq),
            SearchKey::EmailId(id) => Test::Email(id.clone()),
            SearchKey::ThreadId(_) => Test::Never,
        })
    }

    fn words(&mut self, query: Query) -> Test {
        self.queries.push(query);
        Test::Words(self.queries.len() - 1)
    }
}

/// Rows and what is known of them.
struct Row<'a> {
    summary: &'a Summary,
    parsed: Option<&'a Parsed>,
    /// The bodies that each query found.
    found: &'a [HashSet<Id>],
    now: Timestamp,
}

impl Test {
    fn holds(&self, row: &Row<'_>) -> bool {
        let summary = row.summary;
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Uids(uids) => uids.contains(summary.uid),
            Self::Flags { bits, set } => (summary.flags & bits != 0) == *set,
            Self::Keyword { name, set } => summary.keywords.contains(name) == *set,
            Self::Received(comparison, day) => compare(*comparison, day_of(summary.received), *day),
            Self::Saved(comparison, day) => compare(*comparison, day_of(summary.saved), *day),
            Self::Sent(comparison, day) => {
                let sent = row.parsed.and_then(|parsed| sort::sent_day(parsed.envelope.date.as_deref()));
                sent.is_some_and(|sent| compare(*comparison, sent, *day))
            }
            Self::Age { older, seconds } => {
                let age = row.now.as_millisecond() - summary.received;
                let limit = i64::from(*seconds) * 1_000;
                if *older { age >= limit } else { age <= limit }
            }
            Self::Larger(size) => summary.size > *size,
            Self::Smaller(size) => summary.size < *size,
            Self::ModSeq(modseq) => summary.modseq >= *modseq,
            Self::Email(id) => email_id(summary) == *id,
            Self::Words(query) => row.found[*query].contains(&summary.body),
            Self::Not(inner) => !inner.holds(row),
            Self::Or(two) => two.0.holds(row) || two.1.holds(row),
            Self::And(all) => all.iter().all(|test| test.holds(row)),
        }
    }
}

/// Without time and zone (RFC 9051 §6.4.4): internal dates are shown in UTC, so their days are UTC's.
fn day_of(unix_ms: i64) -> civil::Date {
    moment(unix_ms).to_zoned(TimeZone::UTC).date()
}

fn compare(comparison: Comparison, day: civil::Date, with: civil::Date) -> bool {
    match comparison {
        Comparison::Before => day < with,
        Comparison::On => day == with,
        Comparison::Since => day >= with,
    }
}

/// The messages for which the key holds, and their highest modification sequence.
async fn find(
    store: Store,
    account: Id,
    mailbox: Id,
    uids: Arc<Runs>,
    compiled: Compiled,
    now: Timestamp,
) -> Outcome<(Runs, u64)> {
    let Compiled { test, queries, parsed } = compiled;
    let mut found = Vec::with_capacity(queries.len());
    for query in queries {
        found.push(bodies_with(&store, account, mailbox, query).await?);
    }
    let uids = narrowed(&store, mailbox, uids, &test, &found).await?;
    let (test, found) = (Arc::new(test), Arc::new(found));
    let (mut matching, mut highest, mut after) = (Runs::default(), 0, 0);
    loop {
        let (store, uids, test, found) =
            (store.clone(), Arc::clone(&uids), Arc::clone(&test), Arc::clone(&found));
        let page = if parsed { PAGE_PARSED } else { PAGE };
        let work = move || {
            let rows = store.messages_in(mailbox, &uids, 0, after, page)?;
            let bodies: Vec<(Id, u64)> = rows.iter().map(|row| (row.body, row.body_size())).collect();
            let parsed = if parsed { store.parsed_many(&bodies)? } else { Vec::new() };
            let holds = |(index, summary): &(usize, &Summary)| {
                let parsed = parsed.get(*index).map(AsRef::as_ref);
                test.holds(&Row { summary, parsed, found: &found, now })
            };
            let matching = rows.iter().enumerate().filter(holds).map(|(_, row)| (row.uid, row.modseq));
            Ok((matching.collect::<Vec<_>>(), rows.last().map(|row| row.uid), rows.len() == page))
        };
        let (page, last, more) = read(work).await?;
        for (uid, modseq) in page {
            matching.push(uid);
            highest = highest.max(modseq);
        }
        match last.filter(|_| more) {
            Some(last) => after = last,
            None => return Ok((matching, highest)),
        }
    }
}

/// The messages that have to be looked at: fewer, when what holds for all that is looked for names them.
async fn narrowed(
    store: &Store,
    mailbox: Id,
    mut uids: Arc<Runs>,
    test: &Test,
    found: &[HashSet<Id>],
) -> Outcome<Arc<Runs>> {
    let conditions = if let Test::And(all) = test { all } else { std::slice::from_ref(test) };
    for condition in conditions {
        let named = match condition {
            Test::Uids(named) => named.clone(),
            Test::Words(query) if found[*query].len() <= NARROWING => {
                let (store, bodies) = (store.clone(), found[*query].iter().copied().collect::<Vec<_>>());
                read(move || store.uids_of_bodies(mailbox, &bodies)).await?
            }
            _ => continue,
        };
        uids = Arc::new(uids.intersection(&named));
    }
    Ok(uids)
}

fn sort_uids(
    store: &Store,
    mailbox: Id,
    uids: &Runs,
    mut sorter: sort::Sorter,
) -> Result<Vec<u32>, StoreError> {
    let needs_envelope = sorter.needs_envelope();
    each(store, mailbox, uids, needs_envelope, |row, parsed| {
        let envelope = parsed.map(|parsed| &*parsed.envelope);
        sorter.push(row.uid, sort::Facts { arrival: moment(row.received), size: row.size, envelope });
    })?;
    Ok(sorter.finish())
}

fn thread_inputs(
    store: &Store,
    mailbox: Id,
    uids: &Runs,
    number: impl Fn(u32) -> Option<u32>,
) -> Result<Vec<thread::ThreadInput>, StoreError> {
    let mut inputs = Vec::with_capacity(uids.len() as usize);
    each(store, mailbox, uids, true, |row, parsed| {
        if let (Some(number), Some(parsed)) = (number(row.uid), parsed) {
            inputs.push(thread_input(number, moment(row.received), parsed));
        }
    })?;
    Ok(inputs)
}

fn thread_input(number: u32, arrival: Timestamp, parsed: &Parsed) -> thread::ThreadInput {
    let text = |octets: &Option<Vec<u8>>| {
        octets.as_deref().map(|octets| String::from_utf8_lossy(octets).into_owned())
    };
    let envelope = &parsed.envelope;
    let ids = |text: Option<String>| text.map(|text| ::message::message_ids(&text)).unwrap_or_default();
    // RFC 5256 §3: References, or else the first of In-Reply-To.
    let mut references = ids(parsed.references());
    if references.is_empty() {
        references = ids(text(&envelope.in_reply_to)).into_iter().take(1).collect();
    }
    let subject =
        text(&envelope.subject).map(|subject| ::message::decode_words(&subject)).unwrap_or_default();
    let (subject, is_reply) = ::message::base_subject(&subject);
    thread::ThreadInput {
        number,
        message_id: ids(text(&envelope.message_id)).into_iter().next(),
        references,
        subject,
        is_reply,
        date: sort::sent_date(envelope.date.as_deref(), arrival),
    }
}

/// Every message, with what is kept parsed if that is needed, in pages.
fn each(
    store: &Store,
    mailbox: Id,
    uids: &Runs,
    needs_parsed: bool,
    mut each: impl FnMut(&Summary, Option<&Parsed>),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows = store.messages_in(mailbox, uids, 0, after, PAGE_PARSED)?;
        let bodies: Vec<(Id, u64)> = rows.iter().map(|row| (row.body, row.body_size())).collect();
        let parsed = if needs_parsed { store.parsed_many(&bodies)? } else { Vec::new() };
        let mut parsed = parsed.iter().map(AsRef::as_ref);
        rows.iter().for_each(|row| each(row, parsed.next()));
        match rows.last().filter(|_| rows.len() == PAGE_PARSED) {
            Some(last) => after = last.uid,
            None => return Ok(()),
        }
    }
}
