//! Segments come in any order, twice, or not at all.

#[allow(unreachable_pub, reason = "a module that several tests share")]
mod support;

use capture::dialogue::Ending;
use capture::stream::Side;
use capture::{Decoder, Settings};
use proptest::prelude::*;
use support::*;

fn told(frames: &[Frame]) -> Told {
    decode(Settings::default(), &file(frames))
}

fn check_whole(name: &str, frames: &[Frame]) {
    let told = told(frames);
    assert_eq!(text(told.only()), TOLD, "{name}");
    assert_eq!(told.messages[&(1, 1)], MESSAGE, "{name}");
    assert_eq!(told.only().missing, [0, 0], "{name}");
}

#[test]
fn sequence_numbers_wrap_around() {
    for numbers in [[u32::MAX - 30, u32::MAX - 10], [u32::MAX, u32::MAX - 1], [0x7fff_ffff, 0x8000_0000]] {
        let talk = Conversation::with_numbers("192.0.2.1:40000", "192.0.2.25:25", numbers).mss(7);
        let talk =
            script(TRANSACTION).into_iter().fold(talk, |talk, (side, octets)| talk.says(side, &octets));
        check_whole(&format!("{numbers:?}"), &talk.close().frames);
    }
}

#[test]
fn overlapping_segments_say_the_same() {
    let mut frames = Vec::new();
    for frame in conversation(TRANSACTION).frames {
        // Again from its middle, before and after, with a little of what follows in between.
        let half = frame.payload.len() / 2;
        let tail = Frame {
            sequence: frame.sequence.wrapping_add(half as u32),
            payload: frame.payload[half..].to_vec(),
            fin: false,
            syn: false,
            ..frame.clone()
        };
        if half > 0 {
            frames.push(tail.clone());
        }
        frames.push(frame);
        if half > 0 {
            frames.push(tail);
        }
    }
    check_whole("overlap", &frames);
}

#[test]
fn a_capture_without_handshake_or_end_is_read() {
    let frames = conversation(TRANSACTION).frames;
    check_whole("no handshake", &frames[3..]);
    check_whole("no end", &frames[..frames.len() - 3]);
    let whole = told(&frames);
    assert_eq!(whole.only().ending, Ending::Closed);
    assert_eq!(told(&frames[..frames.len() - 3]).only().ending, Ending::Open);
    let reset = script(TRANSACTION)
        .into_iter()
        .fold(Conversation::smtp(), |talk, (side, octets)| talk.says(side, &octets))
        .reset(Side::Server);
    assert_eq!(told(&reset.frames).only().ending, Ending::Reset);
    check_whole("reset", &reset.frames);
}

#[test]
fn a_capture_that_begins_in_the_middle_takes_up_the_thread() {
    let frames = conversation(TRANSACTION).frames;
    // 3 handshake, 220, EHLO, 250; then MAIL, RCPT, RCPT, DATA in one; the replies; the message; its reply.
    for (from, expected) in [
        (6, TOLD.split_at(TOLD.find("C: MAIL").unwrap()).1.to_owned()),
        (
            8,
            "-- about 54 octets of the client's, in the middle of something, are not shown\n\
             S: 250 2.0.0 queued as 1\nC: QUIT\nS: 221 2.0.0 bye\n"
                .to_owned(),
        ),
        (10, "C: QUIT\nS: 221 2.0.0 bye\n".to_owned()),
    ] {
        let told = told(&frames[from..]);
        let text = text(told.only());
        assert!(!text.contains("C: MAIL FROM:<not@"), "{text}");
        if from != 8 {
            assert_eq!(text, expected, "from {from}");
        }
    }
}

#[test]
fn secrets_in_the_middle_are_not_shown() {
    let frames = conversation(
        "
        S: 220 mx
        C: EHLO c
        S: 250 AUTH LOGIN
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: bWU=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 in
        C: QUIT
        S: 221 bye
        ",
    )
    .frames;
    for from in 0..frames.len() {
        for lost in from..frames.len() {
            let mut some = frames.clone();
            some.remove(lost);
            let told = told(&some[from.min(some.len())..]);
            for dialogue in &told.dialogues {
                let text = text(dialogue);
                assert!(
                    !text.contains("c2VjcmV0") && !text.contains("bWU="),
                    "from {from} without {lost}:\n{text}"
                );
            }
        }
    }
}

#[test]
fn what_is_lost_is_said() {
    let frames = conversation(TRANSACTION).frames;
    for (lost, whose) in [(5, "server"), (6, "client"), (8, "client"), (9, "server")] {
        let mut some = frames.clone();
        let gone = some.remove(lost);
        let told = told(&some);
        let dialogue = told.only();
        let text = text(dialogue);
        let expected = format!("-- {} octets of the {whose}'s missing\n", gone.payload.len());
        assert!(text.contains(&expected), "without {lost}:\n{text}");
        let missing = dialogue.missing[usize::from(gone.is_from_server())];
        assert_eq!(missing as usize, gone.payload.len(), "without {lost}:\n{text}");
        assert!(
            text.contains("C: QUIT\n") && text.ends_with("S: 221 2.0.0 bye\n"),
            "without {lost}:\n{text}"
        );
    }
}

#[test]
fn a_message_with_a_hole_is_not_complete() {
    let mut talk = Conversation::smtp().mss(100);
    for (side, octets) in script(TRANSACTION) {
        let octets = match octets.starts_with(b"Subject") {
            true => [b"Subject: long\r\n\r\n".as_slice(), &b"line\r\n".repeat(100), b".\r\n"].concat(),
            false => octets,
        };
        talk = talk.says(side, &octets);
    }
    let mut frames = talk.close().frames;
    let lost = frames.iter().position(|frame| frame.payload.starts_with(b"Subject")).unwrap() + 2;
    frames.remove(lost);
    let told = told(&frames);
    let message = &told.only().messages[0];
    assert_eq!((message.missing, message.complete), (100, false));
    assert_eq!(message.octets + message.missing, 617);
    assert_eq!(message.reply.as_deref(), Some("250 2.0.0 queued as 1"));
    assert!(text(told.only()).contains("-- message 1 is not complete in this capture\n"));
}

#[test]
fn the_same_ports_again_are_another_dialogue() {
    let first = conversation(TRANSACTION);
    let mut frames = first.frames.clone();
    let again = Conversation::with_numbers("192.0.2.1:40000", "192.0.2.25:25", [900_000_000, 77]);
    let again = again.server("220 hello\r\n").client("QUIT\r\n").server("221 bye\r\n").close();
    frames.extend(again.frames.iter().cloned());
    // What comes late of the first is of no other.
    frames.push(first.frames[4].clone());
    let told = told(&frames);
    assert_eq!(told.dialogues.len(), 2);
    assert_eq!(text(&told.dialogues[0]), TOLD);
    assert_eq!(text(&told.dialogues[1]), "S: 220 hello\nC: QUIT\nS: 221 bye\n");
}

#[test]
fn filters_choose_by_port_and_network() {
    let mut frames = conversation(TRANSACTION).frames;
    let other = Conversation::new("198.51.100.7:1234", "192.0.2.25:2500").server("hello\r\n").close();
    frames.extend(other.frames);
    let ends = |settings: Settings| -> Vec<String> {
        let told = decode(settings, &file(&frames));
        told.dialogues.iter().map(|dialogue| dialogue.client.to_string()).collect()
    };
    let networks =
        |network: &str| Settings { networks: vec![network.parse().unwrap()], ..Settings::default() };
    assert_eq!(ends(Settings::default()), ["192.0.2.1:40000"]);
    assert_eq!(ends(Settings { ports: vec![2500], ..Settings::default() }), ["198.51.100.7:1234"]);
    assert_eq!(ends(networks("192.0.2.1/32")), ["192.0.2.1:40000"]);
    assert!(ends(networks("203.0.113.0/24")).is_empty());
}

#[test]
fn other_protocols_are_left_alone() {
    for (greeting, command) in [
        ("220 FTP", "USER me"),
        ("+OK POP3", "USER me"),
        ("* OK IMAP", "a LOGIN b c"),
        ("", "GET / HTTP/1.1"),
    ] {
        let talk = Conversation::new("192.0.2.1:40000", "192.0.2.25:2121");
        let talk = talk.server(format!("{greeting}\r\n")).client(format!("{command}\r\n")).close();
        assert!(told(&talk.frames).dialogues.is_empty(), "{greeting}");
    }
    // SMTP on a strange port is known by its words.
    let mut talk = Conversation::new("192.0.2.1:40000", "192.0.2.25:26");
    for (side, octets) in script(TRANSACTION) {
        talk = talk.says(side, &octets);
    }
    check_whole("port 26", &talk.close().frames);
}

#[test]
fn silent_connections_are_given_up_and_said() {
    let mut frames = Conversation::smtp().server("220 hello\r\n").frames;
    let mut late = Conversation::new("192.0.2.9:1", "192.0.2.25:25").frames;
    for frame in &mut late {
        frame.time += 3600 * 1_000_000_000;
    }
    for _ in 0..1024 {
        frames.extend(late.iter().cloned());
    }
    let mut decoder = Decoder::new(Settings::default());
    decoder.push(&file(&frames)).unwrap();
    let mut told = Told::default();
    told.take(&mut decoder);
    assert_eq!(told.only().ending, Ending::Evicted);
    assert_eq!(decoder.summary().evicted, 1);
}

proptest! {
    /// In any order, with any segments twice, the dialogue is the same.
    #[test]
    fn order_and_repetition_make_no_difference(
        keys in prop::collection::vec((any::<u64>(), 0..3_usize), 400),
        mss in 3..200_usize,
        numbers: [u32; 2],
    ) {
        let talk = Conversation::with_numbers("192.0.2.1:40000", "192.0.2.25:25", numbers).mss(mss);
        let talk = script(TRANSACTION).into_iter().fold(talk, |talk, (side, octets)| talk.says(side, &octets));
        let mut frames: Vec<(u64, Frame)> = Vec::new();
        for (frame, (key, more)) in talk.close().frames.into_iter().zip(keys.iter().cycle()) {
            for copy in 0..=*more {
                frames.push((key.wrapping_mul(2 * copy as u64 + 1), frame.clone()));
            }
        }
        frames.sort_by_key(|(key, _)| *key);
        let frames: Vec<Frame> = frames.into_iter().map(|(_, frame)| frame).collect();
        let told = told(&frames);
        prop_assert_eq!(text(told.only()), TOLD);
        prop_assert_eq!(&told.messages[&(1, 1)], MESSAGE);
    }

    /// Whatever is lost, nothing panics and what is told is counted.
    #[test]
    fn any_loss_is_survived(lost in prop::collection::vec(any::<bool>(), 60), mss in 3..200_usize) {
        let talk = script(TRANSACTION)
            .into_iter()
            .fold(Conversation::smtp().mss(mss), |talk, (side, octets)| talk.says(side, &octets))
            .close();
        let kept = talk.frames.iter().zip(lost.iter().cycle()).filter(|(_, lost)| !**lost);
        let frames: Vec<Frame> = kept.map(|(frame, _)| frame.clone()).collect();
        let told = told(&frames);
        prop_assert!(told.dialogues.len() <= 1);
        let sent: usize = talk.frames.iter().map(|frame| frame.payload.len()).sum();
        for dialogue in &told.dialogues {
            let counted: u64 = dialogue.octets.iter().chain(&dialogue.missing).sum();
            prop_assert!(counted <= sent as u64);
        }
    }

    #[test]
    fn garbage_never_panics(
        octets in prop::collection::vec(any::<u8>(), 0..2000),
        link in prop::sample::select(vec![0_u16, 1, 101, 108, 113, 276]),
        at: prop::sample::Index,
        ng: bool,
    ) {
        let order = Order::Little;
        let mut file = match ng {
            true => [section_header(order), interface(order, link, None)].concat(),
            false => pcap(order, 1000, link, &[]),
        };
        let packet = Captured { time: BEGAN, data: octets.clone() };
        file.extend(match ng {
            true => enhanced(order, 0, 1000, &packet),
            false => pcap(order, 1000, link, &[packet]).split_off(24),
        });
        // A whole capture with these octets in its middle.
        let talk = conversation(TRANSACTION);
        let whole = support::file(&talk.frames);
        let (before, after) = whole.split_at(at.index(whole.len()));
        for file in [file, [before, &octets, after].concat()] {
            let mut decoder = Decoder::new(Settings::default());
            let _ = decoder.push(&file);
            decoder.finish();
            while decoder.poll_event().is_some() {}
        }
    }
}
