//! `smtp::client` where octets, not lines, matter: large bodies, giving up in the middle, and arbitrary input.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use smtp::client::{Config, Ended, Event, Fate, Outcome, Session, Stage, Transaction};
use smtp::command::{HelloName, Mail, Rcpt};
use std::time::{Duration, Instant};

const PIECE: usize = 64 * 1024;

/// A session whose transaction for one recipient has begun, and the instant it lives at.
fn sending(offer: &str, length: u64) -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::new(Config::new(HelloName::new("client.example").unwrap()), now);
    session.handle_input(now, format!("220 mx\r\n250-mx\r\n{offer}").as_bytes());
    while session.poll_event().is_some() {}
    let mail = Mail { from: "a@b.example".parse().unwrap(), parameters: Default::default() };
    let rcpt = Rcpt { to: "c@d.example".parse().unwrap(), parameters: Default::default() };
    session.send(now, Transaction { mail, recipients: vec![rcpt], length }).unwrap();
    taken(&mut session);
    (session, now)
}

fn taken(session: &mut Session) -> Vec<u8> {
    std::iter::from_fn(|| session.poll_transmit()).flatten().collect()
}

fn outcome(session: &mut Session) -> Option<Outcome> {
    std::iter::from_fn(|| session.poll_event()).find_map(|event| match event {
        Event::Outcome(outcome) => Some(outcome),
        _ => None,
    })
}

#[test]
fn a_large_body_is_asked_for_piece_by_piece_as_it_leaves() {
    let length = 10 * PIECE as u64 + 1;
    let (mut session, now) = sending("250 PIPELINING\r\n", length);
    session.handle_input(now, b"250 a\r\n250 b\r\n354 c\r\n");
    let (mut left, mut sent) = (length, 0);
    while left > 0 {
        assert_eq!(session.poll_event(), Some(Event::WantBody { remaining: left }));
        assert_eq!(session.poll_event(), None, "asked once");
        let piece = vec![b'x'; PIECE.min(usize::try_from(left).unwrap())];
        session.provide_body(now, &piece).unwrap();
        left -= piece.len() as u64;
        if piece.len() == PIECE {
            assert_eq!(session.poll_event(), None, "no more before the last piece has left");
        }
        sent += taken(&mut session).len();
    }
    assert_eq!(sent as u64, length + b"\r\n.\r\n".len() as u64);
    session.handle_input(now, b"250 d\r\n");
    assert!(matches!(outcome(&mut session).unwrap().recipients[0].fate, Fate::Accepted(_)));
}

#[test]
fn a_large_body_by_bdat_waits_for_rcpt_then_stops_at_a_refusal() {
    let (mut session, now) = sending("250-PIPELINING\r\n250 CHUNKING\r\n", 100 * PIECE as u64);
    assert_eq!(session.poll_event(), None, "too large to be sent for nobody");
    session.handle_input(now, b"250 a\r\n250 b\r\n");
    let mut wire = Vec::new();
    let mut pieces = 0;
    while let Some(Event::WantBody { .. }) = session.poll_event() {
        session.provide_body(now, &vec![b'x'; PIECE]).unwrap();
        wire.extend(taken(&mut session));
        pieces += 1;
    }
    assert_eq!(pieces, 8, "four chunks without an answer");
    assert!(wire.starts_with(b"BDAT 131072\r\nxxx"));
    session.handle_input(now, b"552 5.3.4 too big\r\n503 a\r\n503 b\r\n");
    assert_eq!(session.poll_event(), None, "the last chunk is not answered yet");
    session.handle_input(now, b"503 c\r\n");
    let fate = outcome(&mut session).unwrap().recipients.remove(0).fate;
    assert!(matches!(fate, Fate::Refused { at: Stage::Body, reply } if reply.code() == 552));
    assert!(session.is_ready());
}

#[test]
fn a_chunk_ends_with_a_line_however_pieces_are_cut() {
    let (mut session, now) = sending("250-PIPELINING\r\n250 CHUNKING\r\n", 4);
    for piece in [b"a\r" as &[u8], b"\n", b"b"] {
        assert!(matches!(session.poll_event(), Some(Event::WantBody { .. })));
        session.provide_body(now, piece).unwrap();
    }
    assert_eq!(taken(&mut session), b"BDAT 6 LAST\r\na\r\nb\r\n");
}

#[test]
fn giving_up_in_the_middle_never_ends_the_data() {
    let (mut session, now) = sending("250 PIPELINING\r\n", 10);
    session.handle_input(now, b"250 a\r\n250 b\r\n354 c\r\n");
    while !matches!(session.poll_event(), Some(Event::WantBody { .. })) {}
    session.provide_body(now, b"half\r\n").unwrap();
    session.abort();
    assert_eq!(taken(&mut session), b"");
    let outcome = outcome(&mut session).unwrap();
    assert_eq!(
        (outcome.ended, &outcome.recipients[0].fate),
        (Some(Ended::Aborted), &Fate::Broken { at: Stage::Body })
    );
    session.abort();
    assert_eq!(session.poll_event(), Some(Event::Ended(Ended::Aborted)));
    assert_eq!(session.poll_event(), None, "the end comes once");
}

#[test]
fn an_end_that_never_left_is_no_end() {
    let (mut session, now) = sending("250 PIPELINING\r\n", 1);
    session.handle_input(now, b"250 a\r\n250 b\r\n354 c\r\n");
    while !matches!(session.poll_event(), Some(Event::WantBody { .. })) {}
    session.provide_body(now, b"x").unwrap();
    session.handle_closed(now);
    assert_eq!(outcome(&mut session).unwrap().recipients[0].fate, Fate::Broken { at: Stage::Body });
}

#[test]
fn a_refusal_in_the_middle_of_the_lines_is_kept_and_ends_the_session() {
    let (mut session, now) = sending("250 PIPELINING\r\n", 10);
    session.handle_input(now, b"250 a\r\n250 b\r\n354 c\r\n552 5.3.4 too big\r\n");
    let outcome = outcome(&mut session).unwrap();
    assert!(
        matches!(&outcome.recipients[0].fate, Fate::Refused { at: Stage::Body, reply } if reply.code() == 552)
    );
    assert!(matches!(outcome.ended, Some(Ended::Refused { at: Stage::Body, .. })));
}

#[test]
fn each_phase_has_its_time() {
    let (mut session, now) = sending("250 PIPELINING\r\n", 10);
    let minutes = |session: &Session| session.poll_timeout().map(|at| (at - now).as_secs() / 60);
    assert_eq!(minutes(&session), Some(5), "MAIL");
    session.handle_input(now, b"250 a\r\n250 b");
    assert_eq!(minutes(&session), Some(5), "RCPT");
    session.handle_input(now, b"\r\n");
    assert_eq!(minutes(&session), Some(2), "DATA");
    session.handle_input(now, b"354 c\r\n");
    assert_eq!(minutes(&session), Some(3), "a block");
    while !matches!(session.poll_event(), Some(Event::WantBody { .. })) {}
    session.provide_body(now, b"0123456789").unwrap();
    assert_eq!(minutes(&session), Some(10), "the end");
    // Half a reply does not wind the clock.
    session.handle_input(now + Duration::from_secs(500), b"250-slow\r\n");
    assert_eq!(minutes(&session), Some(10));
    session.handle_input(now + Duration::from_secs(501), b"250 done\r\n");
    assert_eq!(session.poll_timeout(), None, "the driver's turn");
}

#[test]
fn more_in_the_same_block_as_the_reply_to_starttls_is_an_attack() {
    let now = Instant::now();
    let mut session = Session::new(Config::new(HelloName::new("client.example").unwrap()), now);
    session.handle_input(now, b"220 mx\r\n250-mx\r\n250 STARTTLS\r\n");
    session.starttls(now).unwrap();
    session.handle_input(now, b"220 go\r\n250-");
    let last = std::iter::from_fn(|| session.poll_event()).last();
    assert_eq!(last, Some(Event::Ended(Ended::PlaintextAfterStartTls)));
}

proptest! {
    /// A server that says anything at all, in any pieces: no panic, one end at most, no lone dot inside the
    /// body, and no recipient accepted without a positive reply.
    #[test]
    fn any_server_is_survived(
        replies in proptest::collection::vec("(2[25][0-9]|354|4[25][0-9]|5[05][0-9]|421|452)[ -][a-zA-Z .]{0,12}\r\n|[ -~]{0,12}\n", 0..14),
        body in "[.a\r\n]{1,60}",
        offer in prop_oneof![Just("250 X\r\n"), Just("250 PIPELINING\r\n"), Just("250 CHUNKING\r\n"),
            Just("250-CHUNKING\r\n250 PIPELINING\r\n")],
    ) {
        let (mut session, now) = sending(offer, body.len() as u64);
        let mut ends = 0;
        let mut wire = Vec::new();
        let inputs = replies.iter().map(|reply| Some(reply.as_bytes())).chain([None]);
        for input in inputs {
            loop {
                while let Some(event) = session.poll_event() {
                    match event {
                        Event::WantBody { .. } => session.provide_body(now, body.as_bytes()).unwrap(),
                        Event::Outcome(outcome) => for recipient in &outcome.recipients {
                            if let Fate::Accepted(reply) = &recipient.fate {
                                prop_assert!(reply.is_positive());
                                prop_assert!(recipient.rcpt.as_ref().is_some_and(smtp::Reply::is_positive));
                            }
                        },
                        Event::Ended(_) => ends += 1,
                        _ => {}
                    }
                }
                let sent = taken(&mut session);
                if sent.is_empty() {
                    break;
                }
                wire.extend(sent);
            }
            match input {
                Some(bytes) => session.handle_input(now, bytes),
                None => session.handle_closed(now),
            }
        }
        ends += std::iter::from_fn(|| session.poll_event()).filter(|e| matches!(e, Event::Ended(_))).count();
        prop_assert_eq!(ends, 1);
        let text = String::from_utf8(wire).unwrap();
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        if let Some((_, data)) = text.split_once("DATA\r\n") {
            prop_assert!(data.split("\r\n").filter(|line| *line == ".").count() <= 1);
        }
    }
}
