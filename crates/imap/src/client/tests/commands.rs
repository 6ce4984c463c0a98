//! What the client writes is what this crate's server reads.

use crate::client::Command;
use crate::client::write::{Literals, Writer};
use crate::fetch::{FetchItem, FetchModifiers};
use crate::framing::Line;
use crate::parse::{Context, parse};
use crate::search::{Comparison, DateOf, FlagKey, Search, SearchFlag, SearchKey, SearchReturn};
use crate::section::{Partial, Section, SectionText};
use crate::{Flag, Keyword, SeqNumber, SequenceSet, command};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn read(command: &Command) -> command::Command {
    let parts = command.write(Writer::new("w1", Literals::Synchronizing, false), true).unwrap();
    let octets: Vec<u8> = parts.into_iter().flatten().collect();
    let octets = octets.strip_suffix(b"\r\n").unwrap();
    match parse(&Line::new(octets.to_vec()), &Context::default()) {
        Ok((_, command)) => command,
        Err(refused) => panic!("{refused:?}: {}", String::from_utf8_lossy(octets)),
    }
}

fn set() -> impl Strategy<Value = SequenceSet> {
    let number = || prop_oneof![3 => (1..99_u32).prop_map(SeqNumber::Number), 1 => Just(SeqNumber::Last)];
    vec((number(), number()), 1..4).prop_map(SequenceSet::Numbers)
}

fn key() -> impl Strategy<Value = SearchKey> {
    let needle = || prop_oneof!["[a-z (){}\"\\\\]{0,9}", "[äöü\r\n]{1,4}"];
    let date = (1..28_i8, 1..13_i8, 1970..2100_i16)
        .prop_map(|(day, month, year)| jiff::civil::date(year, month, day));
    let of = prop::sample::select(vec![DateOf::Internal, DateOf::Sent, DateOf::Saved]);
    let when = prop::sample::select(vec![Comparison::Before, Comparison::On, Comparison::Since]);
    let flag = prop_oneof![
        (0..5_usize).prop_map(|index| SearchFlag::System(Flag::SYSTEM[index].clone())),
        "[a-z]{1,5}".prop_map(|word| SearchFlag::Keyword(Keyword::new(&word).unwrap())),
        Just(SearchFlag::Recent),
    ];
    let leaf = prop_oneof![
        Just(SearchKey::All),
        set().prop_map(SearchKey::Numbers),
        set().prop_map(SearchKey::Uid),
        (flag, any::<bool>()).prop_map(|(flag, set)| SearchKey::Flag(FlagKey { flag, set })),
        (of, when, date).prop_map(|(of, when, day)| SearchKey::Date(of, when, day)),
        (any::<bool>(), 1..u32::MAX).prop_map(|(older, seconds)| SearchKey::Within { older, seconds }),
        any::<u32>().prop_map(|size| SearchKey::Larger(size.into())),
        any::<u32>().prop_map(|size| SearchKey::Smaller(size.into())),
        ("[A-Za-z-]{1,9}", needle()).prop_map(|(name, needle)| SearchKey::Header { name, needle }),
        needle().prop_map(SearchKey::Body),
        needle().prop_map(SearchKey::Text),
        any::<u32>().prop_map(|modseq| SearchKey::ModSeq(modseq.into())),
        "[a-z]{1,5}".prop_map(SearchKey::EmailId),
        "[a-z]{1,5}".prop_map(SearchKey::ThreadId),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone()).prop_map(|both| SearchKey::Or(Box::new(both))),
            vec(inner, 2..4).prop_map(SearchKey::And),
        ]
    })
}

fn item() -> impl Strategy<Value = FetchItem> {
    let path = || vec(1..9_u32, 1..4);
    let partial = || of((0..9_u64, 1..9_u64).prop_map(|(offset, length)| Partial { offset, length }));
    let fields = (vec("[A-Za-z-]{1,8}", 1..3), any::<bool>())
        .prop_map(|(names, not)| SectionText::HeaderFields { names, not });
    let text =
        prop_oneof![Just(SectionText::Header), Just(SectionText::Text), Just(SectionText::Mime), fields];
    let section = prop_oneof![
        (path(), of(text)).prop_map(|(path, text)| Section { path, text }),
        Just(Section::default()),
    ];
    prop_oneof![
        prop::sample::select(vec![
            FetchItem::Uid,
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Envelope,
            FetchItem::BodyStructure,
            FetchItem::Body,
            FetchItem::Rfc822Size,
            FetchItem::Rfc822,
            FetchItem::Rfc822Header,
            FetchItem::Rfc822Text,
            FetchItem::ModSeq,
            FetchItem::SaveDate,
            FetchItem::EmailId,
            FetchItem::ThreadId,
            FetchItem::Preview { lazy: true },
            FetchItem::Preview { lazy: false },
        ]),
        (section, partial(), any::<bool>()).prop_map(|(section, partial, peek)| FetchItem::Section {
            section,
            partial,
            peek
        }),
        (path(), partial(), any::<bool>()).prop_map(|(path, partial, peek)| FetchItem::Binary {
            path,
            partial,
            peek
        }),
        path().prop_map(FetchItem::BinarySize),
    ]
}

proptest! {
    #[test]
    fn searches(key in key(), extended: bool) {
        let read = read(&Command::Search { key: key.clone(), extended });
        let command::Command::Search(Search { uid: true, returns, key: found }) = read else { panic!("{read:?}") };
        prop_assert_eq!(returns, extended.then(|| SearchReturn { all: true, ..SearchReturn::default() }));
        prop_assert_eq!(found, key);
    }

    #[test]
    fn fetches(uids in set(), items in vec(item(), 1..5), changed_since in of(1..99_u64)) {
        let read = read(&Command::Fetch { uids: uids.clone(), items: items.clone(), changed_since });
        let command::Command::Fetch { uid: true, set, items: found, modifiers } = read else { panic!("{read:?}") };
        prop_assert_eq!(modifiers, FetchModifiers { changed_since, ..FetchModifiers::default() });
        prop_assert_eq!((set, found), (uids, items));
    }
}
