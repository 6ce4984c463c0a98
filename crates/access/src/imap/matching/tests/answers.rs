//! Which messages each search key names (RFC 9051 §6.4.4, RFC 5032, RFC 7162 §3.1.5, RFC 8474, RFC 8514): at its borders, and any
//! key made of them beside a search that looks at one message after the other.

use super::*;
use imap::search::{Comparison, DateOf};
use imap::{Keyword, SeqNumber};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::MailboxChange;

/// A message as its sender and its owner see it.
struct Told {
    received: &'static str,
    /// What its Date field says, without time and zone.
    sent: Option<Date>,
    flags: u32,
    keywords: &'static [&'static str],
    /// Of this copy alone, above the header.
    above: &'static str,
    header: &'static str,
    body: &'static str,
}

/// The first is one that the client does not know of any more, so that no message's number is its UID.
const TOLD: [Told; 7] = [
    Told {
        received: "2020-03-01T12:00:00Z",
        sent: Some(date(2020, 3, 1)),
        flags: flag::SEEN | flag::ANSWERED,
        keywords: &["work"],
        above: "",
        header: "Date: Sun, 1 Mar 2020 12:00:00 +0000\r\nSubject: gone\r\n",
        body: "red\r\n",
    },
    Told {
        received: "2020-02-29T23:59:59.999Z",
        // Written on 1 March, which was 29 February in Greenwich.
        sent: Some(date(2020, 3, 1)),
        flags: flag::SEEN | flag::ANSWERED,
        keywords: &["work", "$Junk"],
        above: "",
        header: "Date: Sun, 1 Mar 2020 00:30:00 +0200\r\nFrom: Ann <ann@a.example>\r\nTo: bob@b.example\r\nMessage-ID: <1@a>\r\n",
        body: "red and blue\r\n",
    },
    Told {
        received: "2020-03-01T00:00:00Z",
        // And the other way round.
        sent: Some(date(2020, 2, 29)),
        flags: flag::DRAFT | flag::FLAGGED,
        keywords: &[],
        above: "X-Above: red\r\n",
        header: "Date: Sat, 29 Feb 2020 23:30:00 -0500\r\nFrom: bob@b.example\r\nTo: ann@a.example\r\nCc: Carl <carl@c.example>\r\n\
            In-Reply-To: <1@a>\r\nMessage-ID: <2@b>\r\n",
        body: "blue\r\n",
    },
    Told {
        received: "2020-03-01T23:59:59.999Z",
        sent: Some(date(2020, 3, 2)),
        flags: flag::DELETED,
        keywords: &["WORK"],
        above: "",
        header: "Date: 2 Mar 2020 00:00:00 +1400\r\nFrom: Carl <carl@c.example>\r\nBcc: ann@a.example\r\nCc:\r\nSubject: Red\r\n",
        body: "\r\n",
    },
    Told {
        received: "2020-03-02T00:00:00Z",
        sent: None,
        flags: 0,
        keywords: &["later"],
        above: "",
        header: "Subject: no date\r\nTo: ann@a.example\r\nTo: Carl <carl@c.example>\r\n",
        body: "green\r\n",
    },
    Told {
        received: "2020-03-02T13:46:40Z",
        sent: Some(date(2020, 2, 28)),
        flags: flag::SEEN | flag::FLAGGED | flag::DELETED,
        keywords: &["work"],
        above: "",
        header: "Date: Fri, 28 Feb 2020 24:00:00\r\nSubject: blue\r\nBcc: Carl <carl@c.example>, bob@b.example\r\n",
        body: "red\r\n",
    },
    Told {
        received: "2020-03-03T01:46:40Z",
        sent: Some(date(2020, 3, 1)),
        flags: flag::ANSWERED | flag::DRAFT | flag::SEEN | flag::FLAGGED | flag::DELETED,
        keywords: &["later", "work"],
        above: "X-Above: blue\r\nSubject: above\r\n",
        header: "Date: Sun, 1 Mar 2020 12:00:00 GMT\r\nFrom: ann@a.example\r\nSubject: red\r\n",
        body: "a longer text, with blue and green in it\r\n",
    },
];

impl Told {
    fn copy(&self) -> NewCopy {
        let received: Timestamp = self.received.parse().unwrap();
        NewCopy {
            prefix: Bytes::from_static(self.above.as_bytes()),
            body: Body::from_bytes(format!("{}\r\n{}", self.header, self.body)),
            flags: self.flags,
            keywords: self.keywords.iter().copied().collect(),
            received: received.as_millisecond(),
        }
    }

    fn size(&self) -> u64 {
        (self.above.len() + self.header.len() + 2 + self.body.len()) as u64
    }

    /// The values of a header field of this name.
    fn fields(&self, name: &str) -> Vec<String> {
        let all = format!("{}{}", self.above, self.header);
        let fields = all.lines().filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_ascii_lowercase()).collect()
    }
}

impl World {
    /// All of [`TOLD`], of which the client does not know the first any more. What its last search saved are the third and fifth.
    async fn told() -> Self {
        let copies: Vec<NewCopy> = TOLD.iter().map(Told::copy).collect();
        let mut world = Self::of(copies, TOLD.len() as u32).await;
        world.view.mailbox.tell(2, &MailboxChange::Expunged { uids: Arc::new([1].into_iter().collect()) });
        world.view.take_news(true);
        world.view.saved = [3, 5].into_iter().collect();
        world
    }

    /// UIDs of the messages that a key names.
    async fn answer(&self, key: &SearchKey) -> Vec<u32> {
        self.find(key, 100, Bounds::default()).await.uids.iter().collect()
    }

    /// The same, by looking at each message.
    fn naive(&self, key: &SearchKey) -> Vec<u32> {
        (2..=TOLD.len() as u32).filter(|uid| self.names(key, *uid)).collect()
    }

    fn names(&self, key: &SearchKey, uid: u32) -> bool {
        let (told, row) = (&TOLD[uid as usize - 1], &self.rows[uid as usize - 1]);
        let lower = |text: &str| text.to_ascii_lowercase();
        let day = |unix_ms: i64| Timestamp::from_millisecond(unix_ms).unwrap().to_zoned(TimeZone::UTC).date();
        let is = |comparison, day: Date, with: Date| match comparison {
            Comparison::Before => day < with,
            Comparison::On => day == with,
            Comparison::Since => day >= with,
        };
        match key {
            SearchKey::All | SearchKey::SaveDateSupported => true,
            SearchKey::Numbers(set) => within(set, uid - 1, &[2, 4], TOLD.len() as u32 - 1),
            SearchKey::Uid(set) => within(set, uid, &[3, 5], TOLD.len() as u32),
            SearchKey::Flag(FlagKey { flag, set }) => {
                let has = match flag {
                    SearchFlag::System(Flag::Seen) => told.flags & flag::SEEN > 0,
                    SearchFlag::System(Flag::Answered) => told.flags & flag::ANSWERED > 0,
                    SearchFlag::System(Flag::Flagged) => told.flags & flag::FLAGGED > 0,
                    SearchFlag::System(Flag::Deleted) => told.flags & flag::DELETED > 0,
                    SearchFlag::System(Flag::Draft) => told.flags & flag::DRAFT > 0,
                    SearchFlag::System(_) => unreachable!(),
                    SearchFlag::Keyword(name) => {
                        told.keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(name.as_str()))
                    }
                    // The first that looks: all are.
                    SearchFlag::Recent => true,
                };
                has == *set
            }
            SearchKey::Date(DateOf::Internal, comparison, with) => {
                let received = told.received.split('T').next().unwrap().parse().unwrap();
                is(*comparison, received, *with)
            }
            SearchKey::Date(DateOf::Sent, comparison, with) => {
                told.sent.is_some_and(|sent| is(*comparison, sent, *with))
            }
            SearchKey::Date(DateOf::Saved, comparison, with) => is(*comparison, day(row.saved), *with),
            SearchKey::Within { older, seconds } => {
                let age = NOW.duration_since(told.received.parse().unwrap()).as_millis();
                let limit = i128::from(*seconds) * 1_000;
                if *older { age >= limit } else { age <= limit }
            }
            SearchKey::Larger(size) => told.size() > *size,
            SearchKey::Smaller(size) => told.size() < *size,
            SearchKey::Header { name, needle } => {
                told.fields(name).iter().any(|value| value.contains(&lower(needle)))
            }
            SearchKey::Body(needle) => lower(told.body).contains(&lower(needle)),
            SearchKey::Text(needle) => {
                let all = format!("{}{}\r\n{}", told.above, told.header, told.body);
                lower(&all).contains(&lower(needle))
            }
            SearchKey::ModSeq(modseq) => row.modseq >= *modseq,
            SearchKey::EmailId(id) => *id == format!("M{}", row.body),
            // The third answers the second.
            SearchKey::ThreadId(id) => *id == self.thread(if uid == 3 { 2 } else { uid }),
            SearchKey::Not(inner) => !self.names(inner, uid),
            SearchKey::Or(two) => self.names(&two.0, uid) || self.names(&two.1, uid),
            SearchKey::And(all) => all.iter().all(|one| self.names(one, uid)),
        }
    }

    fn thread(&self, uid: u32) -> String {
        let row = &self.rows[uid as usize - 1];
        let parsed = self.store.parsed_many(&[(row.body, row.body_size())]).unwrap();
        super::super::super::message::thread_id(row, &parsed[0])
    }
}

/// Whether a set names this number, of so many.
fn within(set: &SequenceSet, number: u32, saved: &[u32], last: u32) -> bool {
    let end = |end: &SeqNumber| match end {
        SeqNumber::Number(number) => *number,
        SeqNumber::Last => last,
    };
    let has = |ranges: &[(SeqNumber, SeqNumber)]| {
        ranges.iter().any(|(a, b)| (end(a).min(end(b))..=end(a).max(end(b))).contains(&number))
    };
    match set {
        SequenceSet::Saved => saved.contains(&number),
        SequenceSet::WithSaved(ranges) => has(ranges) || saved.contains(&number),
        SequenceSet::Numbers(ranges) => has(ranges),
    }
}

#[tokio::test]
async fn each_key_has_its_borders() {
    let world = World::told().await;
    let on = |of, comparison, day| SearchKey::Date(of, comparison, day);
    let (before, at, since) = (Comparison::Before, Comparison::On, Comparison::Since);
    let (internal, sent, saved) = (DateOf::Internal, DateOf::Sent, DateOf::Saved);
    let (eve, first, second) = (date(2020, 2, 29), date(2020, 3, 1), date(2020, 3, 2));
    let today = Timestamp::from_millisecond(world.rows[1].saved).unwrap().to_zoned(TimeZone::UTC).date();
    let header =
        |name: &str, needle: &str| SearchKey::Header { name: name.to_owned(), needle: needle.to_owned() };
    let age = |older, seconds| SearchKey::Within { older, seconds };
    let size = TOLD[4].size();
    for (key, expected) in [
        // By the internal date: a day has all its milliseconds and no other.
        (on(internal, before, eve), &[][..]),
        (on(internal, before, first), &[2]),
        (on(internal, before, second), &[2, 3, 4]),
        (on(internal, at, eve), &[2]),
        (on(internal, at, first), &[3, 4]),
        (on(internal, at, second), &[5, 6]),
        (on(internal, since, first), &[3, 4, 5, 6, 7]),
        (on(internal, since, second), &[5, 6, 7]),
        // By the Date field, its zone not being regarded; a message without one is none of them.
        (on(sent, before, eve), &[6]),
        (on(sent, before, first), &[3, 6]),
        (on(sent, before, second), &[2, 3, 6, 7]),
        (on(sent, at, eve), &[3]),
        (on(sent, at, first), &[2, 7]),
        (on(sent, at, second), &[4]),
        (on(sent, since, eve), &[2, 3, 4, 7]),
        (on(sent, since, first), &[2, 4, 7]),
        (on(sent, since, second), &[4]),
        (on(saved, before, today), &[]),
        (on(saved, before, today.tomorrow().unwrap().tomorrow().unwrap()), &[2, 3, 4, 5, 6, 7]),
        (on(saved, at, today.yesterday().unwrap()), &[]),
        (on(saved, since, today), &[2, 3, 4, 5, 6, 7]),
        (on(saved, since, today.tomorrow().unwrap().tomorrow().unwrap()), &[]),
        // The sixth is of 43200 seconds ago, the last of this moment.
        (age(true, 43_199), &[2, 3, 4, 5, 6]),
        (age(true, 43_200), &[2, 3, 4, 5, 6]),
        (age(true, 43_201), &[2, 3, 4, 5]),
        (age(false, 43_199), &[7]),
        (age(false, 43_200), &[6, 7]),
        (age(false, 43_201), &[6, 7]),
        // Neither has a message of the very size.
        (SearchKey::And(vec![uids(5, 5), SearchKey::Larger(size - 1)]), &[5]),
        (SearchKey::And(vec![uids(5, 5), SearchKey::Larger(size)]), &[]),
        (SearchKey::And(vec![uids(5, 5), SearchKey::Smaller(size)]), &[]),
        (SearchKey::And(vec![uids(5, 5), SearchKey::Smaller(size + 1)]), &[5]),
        (has(Flag::Answered, true), &[2, 7]),
        (has(Flag::Answered, false), &[3, 4, 5, 6]),
        (has(Flag::Draft, true), &[3, 7]),
        (has(Flag::Draft, false), &[2, 4, 5, 6]),
        (has(Flag::Deleted, true), &[4, 6, 7]),
        (has(Flag::Flagged, true), &[3, 6, 7]),
        (has(Flag::Seen, false), &[3, 4, 5]),
        (header("Bcc", "ann"), &[4]),
        (header("Bcc", "CARL"), &[6]),
        (header("Bcc", ""), &[4, 6]),
        (header("Cc", "carl"), &[3]),
        (header("Cc", ""), &[3, 4]),
        (header("To", "carl"), &[5]),
        (header("From", "ann@"), &[2, 7]),
        (header("Subject", "above"), &[7]),
        (header("Subject", "red"), &[4, 7]),
    ] {
        assert_eq!(world.answer(&key).await, expected, "{key:?}");
        assert_eq!(world.naive(&key), expected, "the test's own search: {key:?}");
    }
}

fn sets() -> impl Strategy<Value = SequenceSet> {
    // There are six messages; a number that is none is the client's fault, of which others tell.
    let end = prop_oneof![6 => (1u32..=6).prop_map(SeqNumber::Number), 1 => Just(SeqNumber::Last)];
    let ranges = prop::collection::vec((end.clone(), end), 1..3);
    prop_oneof![
        1 => Just(SequenceSet::Saved),
        1 => ranges.clone().prop_map(SequenceSet::WithSaved),
        4 => ranges.prop_map(SequenceSet::Numbers),
    ]
}

/// Every key there is, without those that are made of others.
fn simple(world: &World) -> BoxedStrategy<SearchKey> {
    let today = Timestamp::from_millisecond(world.rows[1].saved).unwrap().to_zoned(TimeZone::UTC).date();
    let select = |words: &[&str]| {
        prop::sample::select(words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>())
    };
    let comparison = prop::sample::select(vec![Comparison::Before, Comparison::On, Comparison::Since]);
    let days: Vec<Date> =
        (0..6).map(|more| date(2020, 2, 27).saturating_add(jiff::Span::new().days(more))).collect();
    let dates = (
        prop::sample::select(vec![DateOf::Internal, DateOf::Sent]),
        comparison.clone(),
        prop::sample::select(days),
    );
    let saved_days = vec![today.yesterday().unwrap(), today, today.tomorrow().unwrap()];
    let saved = (comparison, prop::sample::select(saved_days));
    let system =
        prop::sample::select(vec![Flag::Answered, Flag::Deleted, Flag::Draft, Flag::Flagged, Flag::Seen]);
    let keyword = select(&["work", "$junk", "later", "never"]);
    let flag = prop_oneof![
        5 => system.prop_map(SearchFlag::System),
        2 => keyword.prop_map(|name| SearchFlag::Keyword(Keyword::new(&name).unwrap())),
        1 => Just(SearchFlag::Recent),
    ];
    let flag = (flag, any::<bool>()).prop_map(|(flag, set)| SearchKey::Flag(FlagKey { flag, set }));
    let near =
        |values: Vec<u64>| (prop::sample::select(values), 0..3u64).prop_map(|(value, more)| value + more - 1);
    let sizes = near(TOLD.iter().map(Told::size).collect());
    let modseqs = near(world.rows.iter().map(|row| row.modseq).collect());
    let now = NOW.as_second();
    let ages = near(
        TOLD.iter()
            .map(|told| (now - told.received.parse::<Timestamp>().unwrap().as_second()).max(1) as u64 + 1)
            .collect(),
    );
    let names = select(&["Bcc", "cc", "From", "subject", "To", "X-Above", "X-None"]);
    let needles = select(&["", "ann", "BOB", "carl", "red", "Blue", "example"]);
    let words = select(&["ann", "RED", "blue", "green", "no", "-id", "2020", "above", "never", "e"]);
    let email: Vec<String> = world.rows.iter().map(|row| format!("M{}", row.body)).collect();
    let thread: Vec<String> = (2..=TOLD.len() as u32).map(|uid| world.thread(uid)).collect();
    prop_oneof![
        1 => Just(SearchKey::All),
        1 => Just(SearchKey::SaveDateSupported),
        2 => sets().prop_map(SearchKey::Numbers),
        2 => sets().prop_map(SearchKey::Uid),
        4 => flag,
        4 => dates.prop_map(|(of, comparison, day)| SearchKey::Date(of, comparison, day)),
        1 => saved.prop_map(|(comparison, day)| SearchKey::Date(DateOf::Saved, comparison, day)),
        1 => (any::<bool>(), ages).prop_map(|(older, age)| SearchKey::Within { older, seconds: age as u32 }),
        1 => sizes.clone().prop_map(SearchKey::Larger),
        1 => sizes.prop_map(SearchKey::Smaller),
        2 => (names, needles).prop_map(|(name, needle)| SearchKey::Header { name, needle }),
        1 => words.clone().prop_map(SearchKey::Body),
        1 => words.prop_map(SearchKey::Text),
        1 => modseqs.prop_map(SearchKey::ModSeq),
        1 => prop::sample::select(email).prop_map(SearchKey::EmailId),
        1 => prop::sample::select(thread).prop_map(SearchKey::ThreadId),
    ]
    .boxed()
}

fn keys(world: &World) -> impl Strategy<Value = SearchKey> {
    simple(world).prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(not),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| or(one, other)),
            prop::collection::vec(inner, 1..4).prop_map(SearchKey::And),
        ]
    })
}

#[test]
fn any_key_names_what_a_naive_search_finds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::told());
    let check = |key: SearchKey| {
        prop_assert_eq!(runtime.block_on(world.answer(&key)), world.naive(&key));
        Ok(())
    };
    // Failures are not kept in a file: a key's ids are of this run.
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&keys(&world), check).unwrap();
}
