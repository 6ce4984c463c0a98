use super::*;
use crate::Encoder;
use crate::response::Data;
use proptest::prelude::*;

/// `id < reference reference: subject`, without what is not there; numbered from 1, an hour apart. `+` before a subject
/// makes it a reply.
fn messages(lines: &[&str]) -> Vec<ThreadInput> {
    let message = |(index, line): (usize, &&str)| {
        let (head, subject) = line.split_once(':').unwrap_or((line, ""));
        let (id, references) = head.split_once('<').unwrap_or((head, ""));
        let id = id.trim();
        ThreadInput {
            number: index as u32 + 1,
            message_id: (!id.is_empty()).then(|| id.to_owned()),
            references: references.split_whitespace().map(str::to_owned).collect(),
            subject: subject.trim_start_matches(['+', ' ']).to_owned(),
            is_reply: subject.contains('+'),
            date: Timestamp::from_second(index as i64 * 3600).unwrap(),
        }
    };
    lines.iter().enumerate().map(message).collect()
}

fn written(threads: Vec<ThreadNode>) -> String {
    let mut out = bytes::BytesMut::new();
    Encoder::new(&mut out, crate::Enabled::default()).data(&Data::Thread(threads));
    String::from_utf8_lossy(&out).trim_start_matches("* THREAD").trim().to_owned()
}

fn check(lines: &[&str], expected: &str) {
    assert_eq!(written(references(&messages(lines))), expected, "{lines:?}");
}

#[test]
fn messages_go_under_those_that_they_refer_to() {
    check(&["a", "b < a", "c < a b", "d < a", "e"], "(1 (2 3)(4))(5)");
    // In whatever order they come.
    check(&["c < a b", "b < a", "a"], "(3 2 1)");
    check(&[], "");
    // The parent is the last reference, though the list was cut short.
    check(&["a", "b < a", "c < a b", "d < a c"], "(1 2 3 4)");
    // What a message says itself is more than what others say about it.
    check(&["a", "x", "c < a b", "b < x"], "(1)(2 4 3)");
    // Without an id, or with that of another.
    check(&["", " < a", "a", "a: twice", "b < a"], "(1)(3 (2)(5))(4)");
}

#[test]
fn what_is_missing_holds_its_children_together() {
    check(&["b < a", "c < a"], "((1)(2))");
    check(&["b < a"], "(1)");
    check(&["a", "c < a b", "d < a b"], "(1 (2)(3))");
    check(&["x < a b c", "y < a b d"], "((1)(2))");
    check(&["x < a b c d"], "(1)");
}

#[test]
fn loops_are_not_made() {
    check(&["a < a"], "(1)");
    check(&["a < b", "b < a"], "(2 1)");
    check(&["a < c", "b < a", "c < b"], "(3 1 2)");
    check(&["a < b a b a", "b < a b a b"], "(1)(2)");
}

#[test]
fn threads_of_a_subject_are_merged() {
    // A reply goes under the message.
    check(&["a: lunch", "b: + LUNCH", "c: dinner"], "(1 2)(3)");
    check(&["b: + lunch", "a: lunch"], "(2 1)");
    // Two that are the same stand side by side.
    check(&["a: lunch", "b: lunch"], "((1)(2))");
    check(&["a: +lunch", "b: +lunch", "c: +lunch"], "((1)(2)(3))");
    // Into and among those whose parent is missing.
    check(&["b < x: +lunch", "c < x: +lunch", "a: lunch"], "((1)(2)(3))");
    check(&["b < x: +lunch", "c < x: +lunch", "d < y: lunch", "e < y"], "((1)(2)(3)(4))");
    // Nothing is not a subject.
    check(&["a:", "b:", "c:+"], "(1)(2)(3)");
    // Only the tops of threads are compared.
    check(&["a: one", "b < a: two", "c: two"], "(1 2)(3)");
}

#[test]
fn siblings_are_in_the_order_of_their_dates() {
    let mut list = messages(&["a", "b < a", "c < a", "d < x", "e < x"]);
    list[1].date = Timestamp::from_second(1_000_000).unwrap();
    // The thread without top is as old as the first in it.
    list[4].date = Timestamp::from_second(-1).unwrap();
    assert_eq!(written(references(&list)), "((5)(4))(1 (3)(2))");
}

#[test]
fn by_subject_all_are_under_the_first() {
    let list = messages(&["a: b", "b: a", "c: B", "d: b", "e: c", "f: A"]);
    assert_eq!(written(ordered_subject(&list)), "(1 (3)(4))(2 6)(5)");
    assert_eq!(written(ordered_subject(&[])), "");
}

#[test]
fn a_conversation_may_be_as_long_as_a_folder() {
    let long = 100_000;
    let mut list: Vec<ThreadInput> = (0..long)
        .map(|index: u32| ThreadInput {
            number: index + 1,
            message_id: Some(index.to_string()),
            references: index.checked_sub(1).map(|before| before.to_string()).into_iter().collect(),
            subject: String::new(),
            is_reply: false,
            date: Timestamp::from_second(i64::from(index)).unwrap(),
        })
        .collect();
    let threads = references(&list);
    assert_eq!(threads.len(), 1);
    assert_eq!(numbers(&threads).len(), long as usize);
    assert_eq!(depth(&threads), MAX_DEPTH);
    // The last one first, and all with the references of all before.
    list.iter_mut().for_each(|message| message.number = long - message.number + 1);
    assert_eq!(numbers(&references(&list)).len(), long as usize);
}

fn numbers(threads: &[ThreadNode]) -> Vec<u32> {
    let (mut all, mut ahead) = (Vec::new(), vec![threads]);
    while let Some(threads) = ahead.pop() {
        all.extend(threads.iter().filter_map(|thread| thread.number));
        ahead.extend(threads.iter().map(|thread| thread.children.as_slice()));
    }
    all.sort_unstable();
    all
}

fn depth(threads: &[ThreadNode]) -> usize {
    threads.iter().map(|thread| 1 + depth(&thread.children)).max().unwrap_or(0)
}

fn message() -> impl Strategy<Value = ThreadInput> {
    let id = || (0..12_u32).prop_map(|id| id.to_string());
    (prop::option::of(id()), prop::collection::vec(id(), 0..5), 0..4_usize, any::<bool>(), 0..5_i64).prop_map(
        |(message_id, references, subject, is_reply, date)| ThreadInput {
            number: 0,
            message_id,
            references,
            subject: "x".repeat(subject),
            is_reply,
            date: Timestamp::from_second(date).unwrap(),
        },
    )
}

proptest! {
    #[test]
    fn every_message_is_in_one_thread(mut list in prop::collection::vec(message(), 0..25), offset in 0..1000_u32) {
        for (index, message) in list.iter_mut().enumerate() {
            message.number = index as u32 + 1 + offset;
        }
        let all: Vec<u32> = list.iter().map(|message| message.number).collect();
        let threads = references(&list);
        prop_assert_eq!(&numbers(&threads), &all);
        // A missing parent stands at the top only, and holds two at least.
        fn missing(threads: &[ThreadNode]) -> bool {
            threads.iter().any(|thread| thread.number.is_none() || missing(&thread.children))
        }
        for thread in &threads {
            prop_assert!(!missing(&thread.children));
            prop_assert!(thread.number.is_some() || thread.children.len() > 1);
        }
        let by_subject = ordered_subject(&list);
        prop_assert_eq!(&numbers(&by_subject), &all);
        prop_assert!(depth(&by_subject) <= 2);
        // The order in which they are given does not matter.
        list.reverse();
        prop_assert_eq!(references(&list), threads);
        prop_assert_eq!(ordered_subject(&list), by_subject);
    }
}
