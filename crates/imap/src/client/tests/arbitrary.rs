//! Every response that can be written is read as what it was.

use crate::client::{Read, Reader, Response};
use crate::command::StatusItem;
use crate::fetch::PartialRange;
use crate::response::{
    Code, ContentName, Data, Esearch, EsearchAll, FetchData, ListEntry, Namespace, QuotaResource, Status,
    StatusKind, StatusValue, ThreadNode,
};
use crate::section::{Section, SectionText};
use crate::set::Runs;
use crate::{Enabled, Encoder, Flag, MailboxName};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use jiff::tz::Offset;
use message::structure::{Address, Disposition, Envelope, Kind, Part};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::subsequence;
use std::sync::Arc;

fn atom() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9.=-]{0,8}"
}

/// Strings of all kinds that a response can carry.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z \"\\\\(){}]{0,12}", "[\\PC\r\n]{0,8}", Just("NIL".to_owned()), Just("{3}".to_owned())]
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![text().prop_map(String::into_bytes), vec(1..=255_u8, 0..12)]
}

fn mailbox() -> impl Strategy<Value = MailboxName> {
    "[a-zA-Z &/äöü台\"-]{1,10}".prop_map(|name| MailboxName::new(&name))
}

fn runs() -> impl Strategy<Value = Runs> {
    vec((1..100_u32, 0..9_u32), 1..5)
        .prop_map(|ranges| Runs::from_ranges(ranges.into_iter().map(|(first, more)| first..=first + more)))
}

fn flags() -> impl Strategy<Value = Vec<Flag>> {
    vec(
        prop_oneof![
            (0..5_usize).prop_map(|i| Flag::SYSTEM[i].clone()),
            atom().prop_map(|k| Flag::parse(&k).unwrap())
        ],
        0..4,
    )
}

fn code() -> impl Strategy<Value = Code> {
    let words = || vec(atom(), 1..4);
    prop_oneof![
        prop::sample::select(vec![
            Code::Alert,
            Code::ReadOnly,
            Code::UnknownCte,
            Code::MetadataTooMany,
            Code::UidNotSticky
        ]),
        (any::<u32>(), runs()).prop_map(|(uidvalidity, uids)| Code::AppendUid { uidvalidity, uids }),
        (any::<u32>(), runs(), runs()).prop_map(|(uidvalidity, from, to)| Code::CopyUid {
            uidvalidity,
            from,
            to
        }),
        vec(atom(), 0..3).prop_map(Code::BadCharset),
        words().prop_map(Code::BadEvent),
        words().prop_map(Code::Capability),
        words().prop_map(|mut words| Code::MailboxId(words.remove(0))),
        any::<u64>().prop_map(Code::HighestModSeq),
        (of(atom()), any::<u32>(), of(1..9_u32)).prop_map(|(tag, done, total)| Code::InProgress {
            tag,
            done: Some(done),
            total
        }),
        Just(Code::InProgress { tag: None, done: None, total: None }),
        any::<u64>().prop_map(Code::MetadataLongEntries),
        any::<u64>().prop_map(Code::MetadataMaxSize),
        runs().prop_map(Code::Modified),
        (flags(), any::<bool>()).prop_map(|(flags, any_keyword)| Code::PermanentFlags { flags, any_keyword }),
        any::<u32>().prop_map(Code::UidNext),
        any::<u32>().prop_map(Code::UidValidity),
        any::<u32>().prop_map(Code::Unseen),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    use StatusKind::{Bad, Bye, No, Ok, PreAuth};
    let kind = prop::sample::select(vec![Ok, No, Bad, PreAuth, Bye]);
    (kind, of(code()), "[a-z][ -~]{0,20}[a-z}]").prop_map(|(kind, code, text)| Status { kind, code, text })
}

fn list_entry() -> impl Strategy<Value = ListEntry> {
    let attributes = vec("\\\\[A-Z][a-z]{0,9}", 0..3);
    let delimiter = prop::sample::select(vec![None, Some('/'), Some('.'), Some('\\'), Some('"')]);
    (attributes, "[a-zA-Z &äöü台\"-]{0,10}", vec(atom(), 0..3), of("[a-z ä]{1,5}"), delimiter).prop_map(
        |(attributes, mailbox, child_info, old_name, delimiter)| ListEntry {
            attributes,
            mailbox,
            child_info,
            old_name,
            delimiter,
        },
    )
}

fn thread() -> impl Strategy<Value = ThreadNode> {
    let leaf = any::<u32>().prop_map(|number| ThreadNode { number: Some(number), children: Vec::new() });
    leaf.prop_recursive(5, 20, 4, |inner| {
        (any::<u32>(), vec(inner, 0..4))
            .prop_map(|(number, children)| ThreadNode { number: Some(number), children })
    })
}

/// At the top a parent may be missing.
fn threads() -> impl Strategy<Value = Vec<ThreadNode>> {
    let missing = vec(thread(), 2..4).prop_map(|children| ThreadNode { number: None, children });
    vec(prop_oneof![3 => thread(), 1 => missing], 0..4)
}

fn esearch() -> impl Strategy<Value = Esearch> {
    let all = || {
        let unsorted = subsequence((1..99).collect::<Vec<u32>>(), 2..9).prop_shuffle();
        let unsorted = unsorted.prop_filter("sorted", |numbers| !numbers.is_sorted());
        prop_oneof![runs().prop_map(EsearchAll::Set), unsorted.prop_map(EsearchAll::Ordered)]
    };
    let partial =
        (1..50_u32, 50..99_u32, any::<bool>(), of(all())).prop_map(|(from, to, from_end, found)| {
            (PartialRange { from, to, from_end }, found.unwrap_or_else(|| EsearchAll::Set(Runs::default())))
        });
    (of(atom()), any::<bool>(), of(any::<u32>()), of(any::<u32>()), of(all()), of(any::<u64>()), of(partial))
        .prop_map(|(tag, uid, min, count, all, modseq, partial)| Esearch {
            tag,
            uid,
            min,
            max: min,
            all,
            count,
            modseq,
            partial,
        })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (-30_000_000_000..200_000_000_000_i64).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let address = || {
        let part = || of(octets());
        (part(), part(), part(), part()).prop_map(|(name, adl, mailbox, host)| Address {
            name,
            adl,
            mailbox,
            host,
        })
    };
    let list = move || vec(address(), 0..3);
    (of(octets()), of(octets()), list(), list(), list(), of(octets())).prop_map(
        |(date, subject, from, to, bcc, message_id)| {
            let (sender, reply_to) = (from.clone(), to.clone());
            Envelope {
                date,
                subject,
                from,
                sender,
                reply_to,
                to,
                cc: Vec::new(),
                bcc,
                in_reply_to: message_id.clone(),
                message_id,
            }
        },
    )
}

/// With extension data when `extended`; where it is in a message is not in a response.
fn part(extended: bool) -> impl Strategy<Value = Part> {
    let parameters = || vec((octets(), octets()), 0..3);
    let disposition =
        of((octets(), parameters()).prop_map(|(kind, parameters)| Disposition { kind, parameters }));
    let extension = (of(octets()), disposition, vec(octets(), 0..3), of(octets()));
    let fields = (parameters(), of(octets()), of(octets()), octets(), any::<u32>(), any::<u32>(), extension);
    let bare = fields.prop_map(move |(parameters, id, description, encoding, size, lines, extension)| {
        let (md5, disposition, language, location) =
            if extended { extension } else { (None, None, Vec::new(), None) };
        let body = 0..u64::from(size);
        let (media_type, subtype, lines) = ("text".to_owned(), "x".to_owned(), u64::from(lines));
        let (header, kind) = (0..0, Kind::Leaf);
        Part {
            media_type,
            subtype,
            parameters,
            id,
            description,
            encoding,
            md5,
            disposition,
            language,
            location,
            header,
            body,
            lines,
            kind,
        }
    });
    let leaf = (bare, any::<bool>()).prop_map(|(part, text)| match text {
        true => part,
        false => Part { media_type: "image".into(), lines: 0, ..part },
    });
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            (inner.clone(), vec(inner.clone(), 1..4)).prop_map(move |(outer, parts)| Part {
                media_type: "multipart".into(),
                subtype: "mixed".into(),
                parameters: if extended { outer.parameters } else { Vec::new() },
                id: None,
                description: None,
                encoding: b"7bit".to_vec(),
                md5: None,
                body: 0..0,
                lines: 0,
                kind: Kind::Multipart(parts),
                ..outer
            }),
            (inner.clone(), envelope(), inner).prop_map(|(outer, envelope, inner)| Part {
                media_type: "message".into(),
                subtype: "rfc822".into(),
                kind: Kind::Message(Box::new(envelope), Box::new(inner)),
                ..outer
            }),
        ]
    })
}

fn content() -> impl Strategy<Value = FetchData> {
    let path = || vec(1..9_u32, 1..4);
    let fields = (vec("[A-Za-z-]{1,8}", 1..3), any::<bool>())
        .prop_map(|(names, not)| SectionText::HeaderFields { names, not });
    let text =
        prop_oneof![Just(SectionText::Header), Just(SectionText::Text), Just(SectionText::Mime), fields];
    let section = (path(), of(text)).prop_map(|(path, text)| Section { path, text });
    let section = prop_oneof![section, Just(Section::default())];
    let name = prop_oneof![
        (section, of(any::<u64>())).prop_map(|(section, offset)| ContentName::Section { section, offset }),
        (path(), of(any::<u64>())).prop_map(|(path, offset)| ContentName::Binary { path, offset }),
        prop::sample::select(vec![ContentName::Rfc822, ContentName::Rfc822Header, ContentName::Rfc822Text]),
    ];
    let value = of(vec(any::<u8>(), 0..20));
    (name, value).prop_map(|(name, mut value)| {
        // Only BINARY gives out NUL as it is.
        if !matches!(name, ContentName::Binary { .. }) {
            value.iter_mut().flatten().for_each(|octet| *octet = (*octet).max(1));
        }
        FetchData::Content { name, value: value.map(Bytes::from) }
    })
}

fn fetch_item() -> impl Strategy<Value = FetchData> {
    let zoned = (timestamp(), -1_200..1_200_i32).prop_map(|(at, minutes)| {
        FetchData::InternalDate(at.to_zoned(Offset::from_seconds(minutes * 60).unwrap().to_time_zone()))
    });
    let structure = |extended| {
        part(extended).prop_map(move |part| FetchData::Structure { part: Arc::new(part), extended })
    };
    prop_oneof![
        any::<u32>().prop_map(FetchData::Uid),
        (flags(), any::<bool>()).prop_map(|(flags, recent)| FetchData::Flags { flags, recent }),
        zoned,
        envelope().prop_map(|envelope| FetchData::Envelope(Arc::new(envelope))),
        structure(true),
        structure(false),
        content(),
        content(),
        (vec(1..9_u32, 0..3), any::<u64>()).prop_map(|(path, size)| FetchData::BinarySize { path, size }),
        any::<u64>().prop_map(FetchData::Rfc822Size),
        any::<u64>().prop_map(FetchData::ModSeq),
        of(timestamp()).prop_map(FetchData::SaveDate),
        atom().prop_map(FetchData::EmailId),
        of(atom()).prop_map(FetchData::ThreadId),
        of(text()).prop_map(FetchData::Preview),
    ]
}

fn fetch() -> impl Strategy<Value = Data> {
    (any::<u32>(), vec(fetch_item(), 1..5)).prop_map(|(number, items)| Data::Fetch { number, items })
}

fn mailbox_data() -> impl Strategy<Value = Data> {
    let value = prop_oneof![
        any::<u64>().prop_map(StatusValue::Number),
        Just(StatusValue::None),
        atom().prop_map(StatusValue::Id),
    ];
    let items = vec((0..11_usize, value), 0..4)
        .prop_map(|items| items.into_iter().map(|(item, value)| (StatusItem::ALL[item].0, value)).collect());
    let namespaces = || {
        vec(("[a-zä/]{0,6}", of(Just('/'))), 0..3).prop_map(|list| {
            list.into_iter().map(|(prefix, delimiter)| Namespace { prefix, delimiter }).collect::<Vec<_>>()
        })
    };
    let resources = vec((atom(), any::<u64>(), any::<u64>()), 0..3).prop_map(|list| {
        list.into_iter().map(|(name, usage, limit)| QuotaResource { name, usage, limit }).collect::<Vec<_>>()
    });
    let value = || of(vec(any::<u8>(), 0..9).prop_map(Bytes::from));
    let pairs = || vec((text(), text()), 0..3);
    prop_oneof![
        list_entry().prop_map(Data::List),
        list_entry().prop_map(Data::Lsub),
        (mailbox(), items).prop_map(|(mailbox, items)| Data::MailboxStatus { mailbox, items }),
        (namespaces(), namespaces(), namespaces())
            .prop_map(|(personal, other_users, shared)| Data::Namespace { personal, other_users, shared }),
        (text(), resources).prop_map(|(root, resources)| Data::Quota { root, resources }),
        (mailbox(), vec(text(), 0..3)).prop_map(|(mailbox, roots)| Data::QuotaRoot { mailbox, roots }),
        (of(mailbox()), vec((atom(), value()), 0..3))
            .prop_map(|(mailbox, entries)| Data::Metadata { mailbox, entries }),
        (of(mailbox()), vec(atom(), 0..3))
            .prop_map(|(mailbox, entries)| Data::MetadataChanged { mailbox, entries }),
        (mailbox(), pairs()).prop_map(|(mailbox, rights)| Data::Acl { mailbox, rights }),
        (mailbox(), text(), "[a-z]{0,4}", vec("[a-z]{1,4}", 0..3)).prop_map(
            |(mailbox, identifier, required, optional)| Data::ListRights {
                mailbox,
                identifier,
                required,
                optional
            }
        ),
        (mailbox(), "[a-z]{0,9}").prop_map(|(mailbox, rights)| Data::MyRights { mailbox, rights }),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    let numbers = || (vec(any::<u32>(), 1..6), of(any::<u64>()));
    prop_oneof![
        4 => status().prop_map(Data::Status),
        1 => vec(atom(), 0..4).prop_map(Data::Capability),
        1 => vec(atom(), 0..4).prop_map(Data::Enabled),
        1 => vec((text(), of(text())), 0..3).prop_map(Data::Id),
        1 => flags().prop_map(Data::Flags),
        1 => any::<u32>().prop_map(Data::Exists),
        1 => any::<u32>().prop_map(Data::Recent),
        1 => any::<u32>().prop_map(Data::Expunge),
        1 => (any::<bool>(), runs()).prop_map(|(earlier, uids)| Data::Vanished { earlier, uids }),
        1 => numbers().prop_map(|(numbers, modseq)| Data::Search { numbers, modseq }),
        1 => numbers().prop_map(|(numbers, modseq)| Data::Sort { numbers, modseq }),
        1 => Just(Data::Search { numbers: Vec::new(), modseq: None }),
        1 => esearch().prop_map(Data::Esearch),
        1 => threads().prop_map(Data::Thread),
        1 => mailbox_data(),
        1 => mailbox_data(),
        1 => fetch(),
        1 => fetch(),
    ]
}

/// What NUL becomes of, where a string cannot hold it.
fn without_nul(data: Data) -> Data {
    let Data::Fetch { number, mut items } = data else { return data };
    for item in &mut items {
        if let FetchData::Content { name, value: Some(value) } = item
            && !matches!(name, ContentName::Binary { .. })
        {
            *value = value.iter().copied().filter(|octet| *octet != 0).collect::<Vec<_>>().into();
        }
    }
    Data::Fetch { number, items }
}

fn enabled(utf8: bool) -> Enabled {
    Enabled { utf8, ..Enabled::default() }
}

fn written(data: &Data, utf8: bool) -> BytesMut {
    let mut out = BytesMut::new();
    Encoder::new(&mut out, enabled(utf8)).data(data);
    out
}

/// Reads what comes in pieces of this size.
fn read(octets: &[u8], piece: usize, reader: &mut Reader) -> Vec<Read> {
    let mut all = Vec::new();
    for piece in octets.chunks(piece) {
        reader.push(piece);
        while let Some(read) = reader.read().unwrap() {
            all.push(read);
        }
    }
    all
}

fn as_data(read: Read) -> Data {
    match read {
        Read::Response(Response::Data(data)) => data,
        Read::Response(Response::Listed { entry, lsub: false, .. }) => Data::List(entry),
        Read::Response(Response::Listed { entry, lsub: true, .. }) => Data::Lsub(entry),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(list in vec(data().prop_map(without_nul), 1..4), utf8: bool, piece in 1..50_usize) {
        let mut octets = Vec::new();
        list.iter().for_each(|data| octets.extend_from_slice(&written(data, utf8)));
        let mut reader = Reader::new(u64::MAX);
        reader.unicode = utf8;
        let read: Vec<Data> = read(&octets, piece, &mut reader).into_iter().map(as_data).collect();
        prop_assert_eq!(read, list, "{}", String::from_utf8_lossy(&octets));
    }

    /// The same with sections in pieces: nothing is lost or comes twice.
    #[test]
    fn sections_are_given_out_in_pieces(data in fetch().prop_map(without_nul), piece in 1..50_usize, from in 0..9_u64) {
        let octets = written(&data, false);
        let Data::Fetch { number, items } = &data else { unreachable!() };
        let mut reader = Reader::new(from);
        let mut found = Vec::new();
        let mut rest = Vec::new();
        for read in read(&octets, piece, &mut reader) {
            match read {
                Read::Section { number: of, before, name, size } => {
                    prop_assert_eq!(of, *number);
                    prop_assert!(before.iter().all(|item| items.contains(item)));
                    found.push((name, size, Vec::new()));
                }
                Read::Octets(octets) => found.last_mut().unwrap().2.extend_from_slice(&octets),
                Read::SectionEnd => {}
                Read::Response(Response::Data(Data::Fetch { items, .. })) => rest = items,
                other => panic!("{other:?}"),
            }
        }
        let streamed = |item: &&FetchData| {
            matches!(item, FetchData::Content { value: Some(value), .. } if value.len() as u64 >= from)
        };
        let expected: Vec<&FetchData> = items.iter().filter(|item| !streamed(item)).collect();
        prop_assert_eq!(rest.iter().collect::<Vec<_>>(), expected);
        let contents: Vec<FetchData> = found
            .into_iter()
            .map(|(name, size, value)| {
                assert_eq!(size, value.len() as u64);
                FetchData::Content { name, value: Some(value.into()) }
            })
            .collect();
        prop_assert_eq!(contents.iter().collect::<Vec<_>>(), items.iter().filter(streamed).collect::<Vec<_>>());
    }

    /// Whatever comes, in whatever pieces, is read alike and without panic.
    #[test]
    fn anything_is_survived(octets in vec(prop::sample::select(b"* 1FETCHOKNIL(){}[]\"\\~+-,:<>.\r\n\0\xffUIDBODY".to_vec()), 0..200), piece in 1..50_usize) {
        let all = |piece| {
            let mut reader = Reader::new(3);
            let mut all = Vec::new();
            for piece in octets.chunks(piece) {
                reader.push(piece);
                while let Ok(Some(read)) = reader.read() {
                    // Pieces of sections are as they come.
                    if !matches!(read, Read::Octets(_)) {
                        all.push(read);
                    }
                }
            }
            all
        };
        prop_assert_eq!(all(piece), all(octets.len().max(1)));
    }
}
