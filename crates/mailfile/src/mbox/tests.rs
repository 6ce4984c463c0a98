use super::*;
use crate::Flags;
use proptest::prelude::*;

/// Each message as `sender date flags|text`, with what was skipped at the end.
fn read(file: &[u8]) -> Vec<(Head, Vec<u8>)> {
    let mut reader = Reader::new(file);
    let mut all: Vec<(Head, Vec<u8>)> = Vec::new();
    let mut open = false;
    while let Some(event) = reader.next().unwrap() {
        match event {
            Event::Begin(head) => {
                assert!(!std::mem::replace(&mut open, true), "a message began in another");
                all.push((head, Vec::new()));
            }
            Event::Data(piece) => all.last_mut().unwrap().1.extend(piece),
            Event::End => assert!(std::mem::replace(&mut open, false)),
        }
    }
    assert!(!open, "the last message has no end");
    assert_eq!(reader.position(), file.len() as u64);
    all
}

fn texts(file: &str) -> Vec<String> {
    read(file.as_bytes()).into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect()
}

const FROM: &str = "From a@b.c Sat Nov 21 19:30:00 2026\n";

#[test]
fn messages_are_told_apart() {
    for (file, expected) in [
        (format!("{FROM}S: 1\n\nx\n\n{FROM}S: 2\n\ny\n"), vec!["S: 1\n\nx\n", "S: 2\n\ny\n"]),
        // Text that looks like a beginning: in no empty line's wake, or without a date.
        (
            format!("{FROM}S: 1\n\nx\n{FROM}\nFrom here\n"),
            vec!["S: 1\n\nx\nFrom a@b.c Sat Nov 21 19:30:00 2026\n\nFrom here\n"],
        ),
        // Quoted text, once and twice, and what is no quote.
        (
            format!("{FROM}S: 1\n\n>From x\n>>From y\n> From z\n>Frome\n"),
            vec!["S: 1\n\nFrom x\n>From y\n> From z\n>Frome\n"],
        ),
        // Empty lines: only the last is not the message's.
        (format!("{FROM}S: 1\n\n\nx\n\n\n\n{FROM}S: 2\n\n\n"), vec!["S: 1\n\n\nx\n\n\n", "S: 2\n\n"]),
        // No text, no empty line between, no line end at the end, nothing at all.
        (format!("{FROM}S: 1\n\n{FROM}S: 2"), vec!["S: 1\n\n", "S: 2"]),
        (format!("{FROM}\n{FROM}"), vec!["\n", ""]),
        (format!("\n\n{FROM}S: 1\n\nx"), vec!["S: 1\n\nx"]),
        (String::new(), vec![]),
        ("From somebody, some day\nS: 1\n\nx\n".to_owned(), vec!["S: 1\n\nx\n"]),
        // Line ends of the network.
        (
            format!("{FROM}S: 1\n\nx\n\n{FROM}S: 2\n\ny\n").replace('\n', "\r\n"),
            vec!["S: 1\r\n\r\nx\r\n", "S: 2\r\n\r\ny\r\n"],
        ),
    ] {
        assert_eq!(texts(&file), expected, "{file:?}");
    }
}

#[test]
fn what_is_no_mbox_is_refused() {
    for file in ["Subject: x\n\n", "\n>From a\n", "\u{0}\u{1}"] {
        let error = Reader::new(file.as_bytes()).next().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{file:?}");
    }
}

#[test]
fn the_state_is_read_and_left_out() {
    let file = format!(
        "{FROM}Status: RO\nSubject: x\nX-Status: AFT\nX-Keywords: work\n $Junk\nX-UID: 7\nContent-Length: 99\n\n\
         Status: text\n\n"
    );
    let (head, text) = read(file.as_bytes()).remove(0);
    assert_eq!(text, b"Subject: x\n\nStatus: text\n");
    assert_eq!(head.header, b"Subject: x\n\n");
    let keywords = vec!["work".to_owned()];
    assert_eq!(
        head.flags,
        Flags { seen: true, answered: true, flagged: true, draft: true, deleted: false, keywords }
    );
    let file = format!("{FROM}X-Mozilla-Status: 1007\nX-Mozilla-Keys: $label1\n\n");
    let (head, _) = read(file.as_bytes()).remove(0);
    let keywords = ["$Forwarded", "$label1"].map(str::to_owned).into();
    assert_eq!(head.flags, Flags { seen: true, answered: true, flagged: true, keywords, ..Flags::default() });
}

#[test]
fn what_programs_hide_is_passed_over() {
    let file = format!(
        "{FROM}Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nnotes\n\n\
         {FROM}X-Mozilla-Status: 0009\nSubject: gone\n\ngone\n\n{FROM}Subject: here\n\nhere\n"
    );
    assert_eq!(texts(&file), ["Subject: here\n\nhere\n"]);
    let mut reader = Reader::new(file.as_bytes());
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.skipped(), 2);
}

#[test]
fn a_long_line_comes_in_pieces_and_a_long_header_is_bounded() {
    let long = format!("{}>From \n", "x".repeat(65_536 - 7));
    let file = format!("{FROM}S: 1\n\n{long}{}From x\n", "y".repeat(65_536));
    assert_eq!(texts(&file), [&file[FROM.len()..]]);
    // The rest of a long line is no line: nothing is unquoted in it, no message begins in it, and it is not empty.
    let long = "z".repeat(65_536);
    let file = format!("{FROM}S: 1\n\n{long}>From x\n{long}\n{FROM}\n{long}{FROM}");
    assert_eq!(texts(&file), [&file[FROM.len()..]]);
    let file = format!("{FROM}{}", "X: y\n".repeat(MAX_HEADER / 4));
    assert_eq!(texts(&file), [&file[FROM.len()..]]);
}

fn written(messages: &[(&str, Flags)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (text, flags) in messages {
        writer.begin("a@b.c", 1_795_289_400_000, flags).unwrap();
        // However it is cut.
        text.as_bytes().chunks(3).for_each(|piece| writer.write(piece).unwrap());
        writer.end().unwrap();
    }
    writer.into_inner()
}

#[test]
fn a_message_s_own_fields_of_state_are_not_written() {
    let text = "Status: RO\nX-Keywords: a\n b\nSubject: x\n\nStatus: RO\n";
    let file = String::from_utf8(written(&[(text, Flags::default())])).unwrap();
    assert_eq!(file, format!("{FROM}Subject: x\nStatus: O\n\nStatus: RO\n\n"));
}

#[test]
fn the_fields_of_state_stand_behind_the_others() {
    let seen = Flags { seen: true, ..Flags::default() };
    for (text, expected) in [
        ("Subject: x\n\ntext\n", "Subject: x\nStatus: RO\n\ntext\n\n"),
        // Before a line that continues none, they would take it along.
        (" x\nSubject: x\n\n", " x\nSubject: x\nStatus: RO\n\n\n"),
        // No empty line ends the header; there is no header; there is nothing.
        ("Subject: x\n", "Subject: x\nStatus: RO\n\n"),
        ("Subject: x", "Subject: x\nStatus: RO\n\n"),
        ("\ntext\n", "Status: RO\n\ntext\n\n"),
        ("", "Status: RO\n\n"),
    ] {
        let file = String::from_utf8(written(&[(text, seen.clone())])).unwrap();
        assert_eq!(file, format!("{FROM}{expected}"), "{text:?}");
        assert!(read(file.as_bytes())[0].0.flags.seen, "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        messages in prop::collection::vec((
            prop::collection::vec(
                prop::sample::select(vec!["", "x", "From x", ">From x", FROM.trim_end(), "Status: R", " y", "\r"]),
                0..6,
            ),
            any::<[bool; 5]>(),
            prop::sample::subsequence(vec!["$Forwarded", "work", "a"], 0..3),
        ), 0..4),
    ) {
        let messages: Vec<(String, Flags)> = messages.into_iter().map(|(lines, marks, words)| {
            let [seen, answered, flagged, deleted, draft] = marks;
            let keywords = words.into_iter().map(str::to_owned).collect();
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            (format!("Subject: x\n\n{text}"), Flags { seen, answered, flagged, deleted, draft, keywords })
        }).collect();
        let given: Vec<(&str, Flags)> = messages.iter().map(|(text, flags)| (text.as_str(), flags.clone())).collect();
        let read = read(&written(&given));
        prop_assert_eq!(read.len(), messages.len());
        for ((head, text), (wanted, flags)) in read.into_iter().zip(messages) {
            prop_assert_eq!(String::from_utf8(text).unwrap(), wanted);
            prop_assert_eq!(head.flags, flags);
            prop_assert_eq!((head.sender.as_str(), head.date), ("a@b.c", Some(1_795_289_400_000)));
        }
    }

    #[test]
    fn nothing_breaks_the_reader(
        lines in prop::collection::vec(prop::sample::select(vec![FROM, "\n", "\r\n", ">From x\n", "a: b\n", " c\n", "z"]), 0..12),
    ) {
        read(format!("{FROM}{}", lines.concat()).as_bytes());
    }
}
