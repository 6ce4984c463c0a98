//! TLS opened with a key log, after STARTTLS and from the first octet.

#[allow(unreachable_pub, reason = "a module that several tests share")]
mod support;

#[path = "support/tls.rs"]
#[allow(unreachable_pub, reason = "it stands beside that module")]
mod tls;

use capture::stream::Side;
use capture::{KeyLog, Settings};
use support::*;
use tls::{SUITES, Session};

const BEFORE: &str = "
    S: 220 mx.example ESMTP
    C: EHLO client.example
    S: 250-mx.example
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 go on
";

fn before(port: u16) -> Conversation {
    let talk = Conversation::new("192.0.2.1:40000", &format!("192.0.2.25:{port}"));
    let turns = if port == 465 { Vec::new() } else { script(BEFORE) };
    turns.into_iter().fold(talk, |talk, (side, octets)| talk.says(side, &octets))
}

/// After STARTTLS there is no greeting.
fn inside(implicit: bool) -> Vec<(Side, Vec<u8>)> {
    let mut turns = script(TRANSACTION);
    if !implicit {
        turns.remove(0);
    }
    turns
}

fn told_inside(implicit: bool) -> &'static str {
    let greeting = "S: 220 mx.example ESMTP\n";
    if implicit { TOLD } else { TOLD.trim_start_matches(greeting) }
}

fn keyed(keys: &str) -> Settings {
    let mut log = KeyLog::default();
    log.add(keys.as_bytes());
    Settings { keys: log, ..Settings::default() }
}

#[test]
fn every_suite_is_opened() {
    for (version, suite) in SUITES {
        for port in [25, 465] {
            let session = Session::new(before(port), suite);
            let session = inside(port == 465)
                .into_iter()
                .fold(session, |session, (side, octets)| session.says(side, &octets));
            let (talk, keys) = session.close();
            let told = decode(keyed(&keys), &file(&talk.frames));
            let dialogue = told.only();
            let text = text(dialogue);
            let name = suite.replace("TLS13_", "TLS_");
            let note = format!("-- {version} {name} for mx.example, opened with the key log\n");
            assert!(text.contains(&note), "{suite}:\n{text}");
            assert!(text.ends_with(told_inside(port == 465)), "{suite} {port}:\n{text}");
            assert_eq!(told.messages[&(1, 1)], MESSAGE, "{suite}");
            let summary = dialogue.tls.as_ref().unwrap();
            assert_eq!((summary.version.as_deref(), summary.decrypted), (Some(version), true));
        }
    }
}

#[test]
fn keys_are_updated_and_secrets_stay_hidden() {
    let session = Session::new(before(587), SUITES[1].1).update_keys();
    let session = session.says(Side::Client, b"AUTH PLAIN AGEAYg==\r\n").update_keys().update_keys();
    let (talk, keys) = session.says(Side::Server, b"235 2.7.0 in\r\n").close();
    let told = decode(keyed(&keys), &file(&talk.frames));
    let text = text(told.only());
    assert!(text.ends_with("C: AUTH PLAIN [hidden: 8 octets]\nS: 235 2.7.0 in\n"), "{text}");
}

#[test]
fn without_its_secrets_it_is_noted_and_counted() {
    for (suite, keys, why) in [
        (SUITES[0].1, "", "no key log was given"),
        (SUITES[3].1, "", "no key log was given"),
        (SUITES[0].1, "CLIENT_RANDOM 00 00", "no key log was given"),
    ] {
        let session = Session::new(before(25), suite);
        let (talk, _) = session.says(Side::Client, b"EHLO again\r\n").close();
        let told = decode(keyed(keys), &file(&talk.frames));
        let text = text(told.only());
        assert!(text.contains("C: STARTTLS\nS: 220 go on\n-- TLS begins here (STARTTLS)\n"), "{text}");
        assert!(text.contains(&format!("not opened: {why}\n")), "{text}");
        assert!(text.contains("-- encrypted: ") && !text.contains("again"), "{text}");
        assert!(!told.only().tls.as_ref().unwrap().decrypted);
    }
    // The secrets of another session, and half of this one's.
    let (_, other) = Session::new(before(25), SUITES[0].1).close();
    let (talk, keys) = Session::new(before(25), SUITES[0].1).close();
    let half: String =
        keys.lines().filter(|line| !line.starts_with("SERVER_T")).map(|line| format!("{line}\n")).collect();
    for (keys, why) in [
        (other, "the key log has no secrets of this session"),
        (half, "the key log lacks secrets of this session"),
    ] {
        let told = decode(keyed(&keys), &file(&talk.frames));
        assert!(text(told.only()).contains(&format!("not opened: {why}\n")), "{}", text(told.only()));
    }
}

#[test]
fn secrets_within_the_file_are_used() {
    let (talk, keys) = Session::new(before(25), SUITES[2].1).says(Side::Client, b"EHLO again\r\n").close();
    let order = Order::Big;
    let body = [&order.u32(0x544c_534b)[..], &order.u32(keys.len() as u32), keys.as_bytes()].concat();
    let mut file = section_header(order);
    file.extend(interface(order, RAW.0, None));
    file.extend(block(order, 10, &body));
    file.extend(captured(&talk.frames, RAW).iter().flat_map(|packet| enhanced(order, 0, 1000, packet)));
    let told = decode(Settings::default(), &file);
    assert!(text(told.only()).contains("C: EHLO again\n"));
}

#[test]
fn a_lost_record_loses_no_more_than_itself() {
    for suite in [SUITES[0].1, SUITES[3].1, SUITES[5].1] {
        let mut session = Session::new(before(25), suite);
        for number in 0..8 {
            session = session.says(Side::Client, format!("NOOP {number}\r\n").as_bytes());
            session = session.says(Side::Server, format!("250 {number}\r\n").as_bytes());
        }
        let (talk, keys) = session.close();
        let carries: Vec<usize> = (0..talk.frames.len())
            .filter(|at| talk.frames[*at].payload.first() == Some(&23) && talk.frames[*at].payload.len() < 60)
            .collect();
        // The last of the client's, before its close_notify, and one in the middle.
        for lost in [carries[carries.len() - 8], carries[carries.len() - 9]] {
            let mut frames = talk.frames.clone();
            frames.remove(lost);
            let told = decode(keyed(&keys), &file(&frames));
            let text = text(told.only());
            assert!(text.contains("missing\n"), "{suite}:\n{text}");
            assert!(text.contains("C: NOOP 7\n") && text.contains("S: 250 7\n"), "{suite}:\n{text}");
        }
    }
}

#[test]
fn order_makes_no_difference_to_tls() {
    let session = Session::new(before(25).mss(50), SUITES[1].1);
    let session =
        inside(false).into_iter().fold(session, |session, (side, octets)| session.says(side, &octets));
    let (talk, keys) = session.close();
    let whole = text(decode(keyed(&keys), &file(&talk.frames)).only());
    assert!(whole.ends_with(told_inside(false)), "{whole}");
    let mut frames = talk.frames;
    for step in [7, 13, 101] {
        // Any order will do: multiples of a number without a common divisor.
        let length = frames.len();
        if length.is_multiple_of(step) {
            continue;
        }
        frames = (0..length).map(|at| frames[at * step % length].clone()).collect();
        assert_eq!(text(decode(keyed(&keys), &file(&frames)).only()), whole, "{step}");
    }
}
