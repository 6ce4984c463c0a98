//! What a client, or a driver, cannot make the server do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Driver, open_config};
use imap::command::Command;
use imap::response::{ContentName, Data, Status};
use imap::server::{
    Config, Decision, Event, INPUT_HARD_LIMIT, INPUT_LIMIT, MAX_COMMANDS_BEFORE_LOGIN, MAX_ERRORS,
    MAX_MESSAGES, OUTPUT_LIMIT, Session,
};
use std::time::Instant;

fn logged_in() -> Driver {
    let mut driver = Driver::new(open_config());
    driver.input(b"l LOGIN mrose secret\r\n");
    driver.sent.clear();
    driver
}

fn sent(driver: &mut Driver) -> String {
    String::from_utf8(std::mem::take(&mut driver.sent)).unwrap()
}

/// 10,000 of them are to be held.
#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 1024, "{}", size_of::<Session>());
}

/// One command of each kind; with whether it may come before login, after it, and with a mailbox selected.
#[test]
fn each_command_has_its_states() {
    const BEFORE: [bool; 3] = [true, false, false];
    const AFTER: [bool; 3] = [false, true, true];
    const SELECTED: [bool; 3] = [false, false, true];
    let groups: [([bool; 3], &[&str]); 4] = [
        ([true; 3], &["CAPABILITY", "NOOP", "ID NIL"]),
        (BEFORE, &["STARTTLS", "LOGIN a b", "AUTHENTICATE PLAIN ="]),
        (
            AFTER,
            &[
                "ENABLE CONDSTORE",
                "SELECT a",
                "EXAMINE a",
                "CREATE a",
                "DELETE a",
                "RENAME a b",
                "SUBSCRIBE a",
                "UNSUBSCRIBE a",
                "LIST \"\" *",
                "LSUB \"\" *",
                "NAMESPACE",
                "STATUS a (MESSAGES)",
                "IDLE\r\nDONE",
                "APPEND a {1+}\r\nm",
                "GETQUOTA \"\"",
                "GETQUOTAROOT a",
                "SETQUOTA \"\" (STORAGE 5)",
                "GETMETADATA \"\" /shared/comment",
                "SETMETADATA a (/private/comment NIL)",
                "NOTIFY NONE",
                "COMPRESS DEFLATE",
                "SETACL a b lr",
                "DELETEACL a b",
                "GETACL a",
                "LISTRIGHTS a b",
                "MYRIGHTS a",
                "UNAUTHENTICATE",
            ],
        ),
        (
            SELECTED,
            &[
                "CLOSE",
                "UNSELECT",
                "CHECK",
                "EXPUNGE",
                "UID EXPUNGE 1",
                "SEARCH ALL",
                "SORT (DATE) UTF-8 ALL",
                "THREAD REFERENCES UTF-8 ALL",
                "FETCH 1 UID",
                "UID FETCH 1 UID",
                "STORE 1 FLAGS ()",
                "COPY 1 a",
                "UID MOVE 1 a",
                "REPLACE 1 a {1+}\r\nm",
            ],
        ),
    ];
    for (allowed, commands) in groups {
        for command in commands {
            for (state, allowed) in
                ["not authenticated", "authenticated", "selected"].into_iter().zip(allowed)
            {
                check_state(state, command, allowed);
            }
        }
    }
}

fn check_state(state: &str, command: &str, allowed: bool) {
    let mut driver = Driver::new(open_config());
    if state != "not authenticated" {
        driver.input(b"l LOGIN mrose secret\r\n");
    }
    if state == "selected" {
        driver.input(b"s SELECT INBOX\r\n");
    }
    driver.drain();
    driver.sent.clear();
    driver.log.clear();
    driver.input(format!("x {command}\r\n").as_bytes());
    let name = command.trim_start_matches("UID ").split(' ').next().unwrap();
    let name = name.trim_end_matches("\r\nDONE");
    let refusal = format!("x BAD {name} is not allowed in the {state} state: ");
    let sent = sent(&mut driver);
    let refused = sent.lines().any(|line| line.starts_with(&refusal));
    assert_eq!(refused, !allowed, "{command} in the {state} state: {sent}");
    // DONE, if IDLE did not begin, is no command.
    assert!(allowed || driver.log.is_empty(), "{command} in the {state} state: {:?}", driver.log);
}

/// Feeds it for as long as it listens.
fn flood(mut driver: Driver, octets: &[u8]) -> Driver {
    let mut fed = 0_usize;
    while driver.session.wants_input() {
        driver.input(octets);
        fed += octets.len();
        assert!(fed < 1 << 30, "it listens for ever");
    }
    driver
}

#[test]
fn an_endless_line_ends_the_session() {
    for driver in [Driver::new(open_config()), logged_in()] {
        let mut driver = flood(driver, &[b'x'; 16 * 1024]);
        assert!(sent(&mut driver).contains("* BYE "));
        assert_eq!(driver.log, ["closed OutOfStep"]);
    }
}

#[test]
fn an_endless_line_in_idle_ends_the_session() {
    let mut driver = logged_in();
    driver.input(b"a IDLE\r\n");
    driver.log.clear();
    let driver = flood(driver, &[b'x'; 16 * 1024]);
    assert_eq!(driver.log, ["closed OutOfStep"]);
}

#[test]
fn a_literal_that_is_too_long_is_refused_before_it_is_sent() {
    for size in ["5000", "99999999999", "9999999999999999999999999999"] {
        let mut driver = Driver::new(open_config());
        driver.drain();
        driver.sent.clear();
        driver.input(format!("a LOGIN {{{size}}}\r\n").as_bytes());
        assert!(sent(&mut driver).starts_with("a BAD "), "{size}");
        driver.input(b"b NOOP\r\n");
        assert_eq!(sent(&mut driver), "b OK NOOP completed\r\n");
    }
}

#[test]
fn a_literal_that_is_too_long_and_comes_ends_the_session() {
    for size in ["99999999999", "9999999999999999999999999999"] {
        let mut driver = Driver::new(open_config());
        driver.input(format!("a LOGIN {{{size}+}}\r\n").as_bytes());
        assert!(sent(&mut driver).contains("* BYE "), "{size}");
        assert_eq!(driver.log, ["closed OutOfStep"], "{size}");
    }
}

#[test]
fn a_command_of_many_literals_is_refused() {
    let mut driver = logged_in();
    driver.input(b"a SEARCH");
    for _ in 0..200 {
        driver.input(b" TEXT {1+}\r\nx");
    }
    driver.input(b"\r\nb NOOP\r\n");
    let sent = sent(&mut driver);
    assert!(sent.starts_with("a NO [LIMIT] ") || sent.starts_with("a BAD "), "{sent}");
    assert!(sent.ends_with("b OK Noop completed\r\n"), "{sent}");
}

#[test]
fn a_thousand_errors_are_not_answered() {
    for mut driver in [Driver::new(open_config()), logged_in()] {
        driver.drain();
        driver.sent.clear();
        for _ in 0..1_000 {
            driver.input(b"a FROBNICATE\r\n");
        }
        let sent = sent(&mut driver);
        assert_eq!(sent.matches("a BAD ").count(), MAX_ERRORS as usize);
        assert!(sent.ends_with("* BYE too many errors\r\n"));
        assert_eq!(driver.log, ["closed TooManyErrors"]);
    }
}

/// They are counted in a row: a connection of three weeks may have its share.
#[test]
fn errors_are_forgotten_by_a_client_that_does_well() {
    let mut driver = logged_in();
    for _ in 0..1_000 {
        driver.input(b"a FROBNICATE\r\nb NOOP\r\n");
    }
    assert!(driver.log.is_empty());
}

#[test]
fn commands_before_login_are_counted() {
    let mut driver = Driver::new(open_config());
    driver.drain();
    driver.sent.clear();
    for _ in 0..1_000 {
        driver.input(b"a NOOP\r\n");
    }
    let sent = sent(&mut driver);
    assert_eq!(sent.matches("a OK ").count(), MAX_COMMANDS_BEFORE_LOGIN as usize);
    assert_eq!(driver.log, ["closed TooManyCommands"]);
}

#[test]
fn input_waits_while_a_command_is_carried_out() {
    let mut driver = logged_in();
    driver.session.handle_input(driver.now, b"a NOOP\r\n");
    let command = driver.session.poll_event();
    assert!(matches!(command, Some(Event::Command(Command::Noop))), "{command:?}");
    assert_eq!(driver.session.poll_timeout(), None);
    let mut held = 0;
    while driver.session.wants_input() {
        driver.session.handle_input(driver.now, &[b'x'; 4096]);
        held += 4096;
    }
    assert!((INPUT_LIMIT..=INPUT_LIMIT + 4096).contains(&held), "{held}");
    assert!(driver.session.poll_event().is_none());
    driver.session.handle_input(driver.now, &vec![b'x'; INPUT_HARD_LIMIT]);
    driver.drain();
    assert_eq!(driver.log, ["closed TooMuchInput"]);
}

#[test]
fn answers_wait_for_a_client_that_does_not_read() {
    let mut driver = logged_in();
    let capability = b"a CAPABILITY\r\n".repeat(2_000);
    driver.session.handle_input(driver.now, &capability);
    assert!(driver.session.is_output_full());
    driver.drain();
    assert!(driver.largest_transmit < OUTPUT_LIMIT + 2_000, "{}", driver.largest_transmit);
    assert_eq!(sent(&mut driver).matches("a OK ").count(), 2_000);
}

#[test]
fn a_message_is_read_as_fast_as_it_is_taken() {
    let mut driver = logged_in();
    driver.session.handle_input(driver.now, b"a APPEND INBOX {10}\r\n");
    assert!(matches!(driver.session.poll_event(), Some(Event::Message { .. })));
    driver.session.answer(driver.now, Decision::Take);
    assert!(driver.session.wants_input());
    driver.session.handle_input(driver.now, b"abc");
    assert!(!driver.session.wants_input());
    assert_eq!(driver.session.poll_timeout(), None);
    let data = driver.session.poll_event();
    assert!(matches!(&data, Some(Event::MessageData(bytes)) if bytes == "abc"), "{data:?}");
    assert!(driver.session.wants_input());
}

#[test]
fn messages_of_one_command_are_counted() {
    let mut driver = logged_in();
    driver.input(b"a APPEND INBOX");
    for _ in 0..=MAX_MESSAGES {
        driver.input(b" {1+}\r\nm");
    }
    driver.input(b"\r\n");
    assert_eq!(sent(&mut driver), "a NO [LIMIT] more than 1000 messages at once\r\n");
    assert_eq!(driver.log.last().unwrap(), "aborted");
}

/// Only what comes in one piece with STARTTLS can be told from what comes under TLS.
#[test]
fn plain_text_behind_starttls_ends_the_session() {
    let mut driver = Driver::new(Config::new("mx.example"));
    driver.input(b"a STARTTLS\r\nb LOGIN mrose secret\r\n");
    assert!(
        sent(&mut driver).ends_with("* BYE nothing may follow STARTTLS or COMPRESS before its answer\r\n")
    );
    assert_eq!(driver.log, ["closed InputBehind"]);

    let mut driver = Driver::new(Config::new("mx.example"));
    driver.session.handle_input(driver.now, b"a STARTTLS\r\n");
    assert!(!driver.session.wants_input());
    driver.session.handle_input(driver.now, b"b LOGIN mrose secret\r\n");
    driver.drain();
    assert!(sent(&mut driver).ends_with("a OK begin TLS negotiation\r\n"));
    assert_eq!(driver.log, ["closed InputBehind"]);
}

#[test]
fn uncompressed_text_behind_compress_ends_the_session() {
    let mut driver = logged_in();
    driver.input(b"a COMPRESS DEFLATE\r\nb NOOP\r\n");
    assert_eq!(driver.log, ["closed InputBehind"]);

    let mut driver = logged_in();
    driver.session.handle_input(driver.now, b"a COMPRESS DEFLATE\r\n");
    assert!(matches!(driver.session.poll_event(), Some(Event::Command(Command::CompressDeflate))));
    assert!(!driver.session.wants_input());
    driver.session.handle_input(driver.now, b"b NOOP\r\n");
    driver.drain();
    assert_eq!(driver.log, ["closed InputBehind"]);
}

/// Inside a response the last word would be read as part of a message.
#[test]
fn nothing_is_said_in_the_middle_of_a_literal() {
    for close in [
        (|driver| driver.session.abort()) as fn(&mut Driver),
        |driver| driver.session.bye(Status::ok("the server stops")),
        |driver| driver.session.finish(Instant::now(), Status::ok("done")),
        |driver| driver.session.data(&Data::Exists(1)),
        |driver| driver.session.fetch_octets(b"too many of them"),
        |driver| driver.session.end_fetch(),
    ] {
        let mut driver = logged_in();
        driver.input(b"s SELECT INBOX\r\n");
        driver.session.handle_input(driver.now, b"a FETCH 1 RFC822\r\n");
        assert!(driver.session.poll_event().is_some());
        driver.session.begin_fetch(1);
        driver.session.fetch_literal(&ContentName::Rfc822, 10, false);
        driver.session.fetch_octets(b"abc");
        close(&mut driver);
        driver.drain();
        assert!(sent(&mut driver).ends_with("* 1 FETCH (RFC822 {10}\r\nabc"));
        assert!(
            matches!(driver.log.as_slice(), [reason] if reason.starts_with("closed ")),
            "{:?}",
            driver.log
        );
    }
}

#[test]
fn an_answer_that_does_not_fit_ends_the_session() {
    for misfit in
        [(|driver| driver.session.answer(Instant::now(), Decision::Take)) as fn(&mut Driver), |driver| {
            driver.session.finish(Instant::now(), Status::ok("what?"))
        }]
    {
        let mut driver = logged_in();
        misfit(&mut driver);
        driver.drain();
        assert_eq!(sent(&mut driver), "* BYE trouble on the server; tell its administrator\r\n");
        assert_eq!(driver.log, ["closed WrongAnswer"]);
    }
}

#[test]
fn the_servers_last_word() {
    let mut driver = logged_in();
    driver.session.bye(Status::ok("the server stops"));
    driver.drain();
    assert_eq!(sent(&mut driver), "* BYE the server stops\r\n");
    assert_eq!(driver.log, ["closed Bye"]);
}

#[test]
fn progress_names_the_command() {
    let mut driver = logged_in();
    driver.session.handle_input(driver.now, b"A1 NOOP\r\n");
    assert!(driver.session.poll_event().is_some());
    driver.session.progress(Some(5), Some(10));
    driver.session.finish(driver.now, Status::ok("done"));
    driver.drain();
    assert_eq!(sent(&mut driver), "* OK [INPROGRESS (\"A1\" 5 10)] still at it\r\nA1 OK done\r\n");
}
