//! What holds for every input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Driver, open_config};
use pop3::client::{self, Event};
use pop3::server::{self, OUTPUT_LIMIT};
use proptest::prelude::*;

fn run(config: server::Config, input: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<String>) {
    let mail = vec![b"A: 1\r\n\r\nx\r\n".to_vec(), b".\n".to_vec()];
    let mut driver = Driver::new(config, mail);
    driver.drain();
    let mut rest = input;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at((*cut).clamp(1, rest.len()));
        driver.input(piece);
        rest = tail;
    }
    driver.session.handle_end();
    driver.drain();
    (driver.sent, driver.log)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER mrose",
        "PASS secret",
        "AUTH PLAIN",
        "AG1yb3NlAHNlY3JldA==",
        "AUTH WHO",
        "bWU=",
        "*",
        "CAPA",
        "UTF8",
        "STAT",
        "LIST",
        "LIST 1",
        "UIDL",
        "UIDL 2",
        "RETR 1",
        "RETR 2",
        "TOP 1 0",
        "DELE 1",
        "RSET",
        "NOOP",
        "QUIT",
        "",
    ]);
    prop_oneof![
        8 => known.prop_map(|text| format!("{text}\r\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => "[A-Z]{3,4} [0-9 ]{0,3}\r\n".prop_map(String::into_bytes),
        1 => Just(b"NOOP\n".to_vec()),
    ]
}

proptest! {
    #[test]
    fn output_does_not_depend_on_how_input_arrives(
        lines in prop::collection::vec(line(), 0..30),
        login in any::<bool>(),
        cuts in prop::collection::vec(1_usize..40, 1..10),
    ) {
        let mut input = if login { b"USER mrose\r\nPASS secret\r\n".to_vec() } else { vec![] };
        input.extend(lines.concat());
        // STLS is the one command for which what follows it at once is a fault.
        let config = || server::Config { stls: false, ..open_config() };
        prop_assert_eq!(run(config(), &input, &[usize::MAX]), run(config(), &input, &cuts));
    }

    #[test]
    fn no_input_panics_the_server(input in prop::collection::vec(any::<u8>(), 0..2000), cut in 1_usize..100) {
        run(server::Config::new("mx.example"), &input, &[cut]);
    }

    #[test]
    fn no_input_panics_the_client(
        lines in prop::collection::vec(prop_oneof![
            Just(b"+OK\r\n".to_vec()), Just(b"+OK 1 2\r\n".to_vec()), Just(b"1 2\r\n".to_vec()), Just(b".\r\n".to_vec()),
            Just(b"-ERR [AUTH] no\r\n".to_vec()), Just(b"+ \r\n".to_vec()), prop::collection::vec(any::<u8>(), 0..50),
        ], 0..40),
        pick in prop::collection::vec(0_usize..8, 40),
    ) {
        use client::Command;
        let now = std::time::Instant::now();
        let mut client = client::Session::new(client::Config { tls: true, ..Default::default() }, now);
        for (line, pick) in lines.iter().zip(pick) {
            client.handle_input(now, line);
            while client.poll_event().is_some() {}
            let command = match pick {
                0 => Command::Capa,
                1 => Command::List(None),
                2 => Command::Uidl(Some(1)),
                3 => Command::Retr(1),
                4 => Command::User("a".into()),
                5 => Command::Pass(address::Secret::new("b".into())),
                6 => Command::Auth { mechanism: "PLAIN".into(), initial: None },
                _ => Command::Stat,
            };
            let _ = client.command(now, command);
            while client.poll_transmit().is_some() {}
        }
    }

    #[test]
    fn a_message_arrives_as_it_was_sent(
        lines in prop::collection::vec(prop_oneof![
            Just(b".".to_vec()), Just(vec![]), Just(b"..".to_vec()),
            prop::collection::vec(any::<u8>().prop_filter("no CR or LF", |b| !matches!(b, b'\r' | b'\n')), 0..20),
        ], 0..20),
        piece in 1_usize..30,
        cut in 1_usize..30,
    ) {
        let message: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
        prop_assert_eq!(fetch(message.clone(), piece, cut), (message.len() as u64, message));
    }

    #[test]
    fn the_size_announced_is_the_size_sent(
        message in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..60),
        piece in 1_usize..30,
    ) {
        let (octets, got) = fetch(message, piece, 7);
        prop_assert_eq!(octets, got.len() as u64);
    }
}

/// Sends a message through both machines: the size that LIST says, and the octets that arrive.
fn fetch(message: Vec<u8>, piece: usize, cut: usize) -> (u64, Vec<u8>) {
    let mut driver = Driver::new(open_config(), vec![message]);
    driver.piece = piece;
    driver.input(b"UTF8\r\nUSER mrose\r\nPASS secret\r\n");
    let now = driver.now;
    let mut client = client::Session::new(client::Config { tls: true, ..Default::default() }, now);
    let commands = [
        client::Command::Noop,
        client::Command::User("a".into()),
        client::Command::Pass(address::Secret::new("b".into())),
    ];
    // The client is told about its own login; then the server's answer to RETR is what it reads.
    for command in commands {
        let _ = client.command(now, command);
        while client.poll_transmit().is_some() {}
        client.handle_input(now, b"+OK\r\n");
        while client.poll_event().is_some() {}
    }
    driver.sent.clear();
    let octets = driver.list()[0].octets;
    client.command(now, client::Command::Retr(1)).unwrap();
    while let Some(bytes) = client.poll_transmit() {
        driver.input(&bytes);
    }
    let (mut got, mut ended) = (Vec::new(), false);
    for bytes in driver.sent.chunks(cut) {
        client.handle_input(now, bytes);
        while let Some(event) = client.poll_event() {
            match event {
                Event::Data(data) => got.extend_from_slice(&data),
                Event::End => ended = true,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(ended);
    (octets, got)
}

#[test]
fn large_answers_are_never_held_whole() {
    let mut driver = Driver::new(open_config(), vec![b"x\r\n".to_vec(); 50_000]);
    driver.input(b"USER mrose\r\nPASS secret\r\nLIST\r\n");
    assert!(driver.sent.len() > 3 * OUTPUT_LIMIT);
    let mut driver = Driver::new(open_config(), vec![b".\n".repeat(1_000_000)]);
    driver.piece = 16 * 1024;
    driver.input(b"USER mrose\r\nPASS secret\r\nRETR 1\r\nNOOP\r\n");
    assert!(driver.sent.ends_with(b"\r\n.\r\n+OK still here\r\n"));
    assert!(driver.largest_transmit < 2 * OUTPUT_LIMIT, "{}", driver.largest_transmit);
}

#[test]
fn a_client_that_sends_without_end_is_stopped() {
    let mut driver = Driver::new(open_config(), vec![b"x\r\n".to_vec()]);
    driver.session.handle_input(driver.now, b"USER mrose\r\nPASS secret\r\n");
    // Parked at the login, which nobody answers.
    while driver.session.wants_input() {
        driver.session.handle_input(driver.now, &[b'x'; 8 * 1024]);
    }
    for _ in 0..100 {
        driver.session.handle_input(driver.now, b"NOOP\r\n".repeat(1000).as_slice());
    }
    driver.drain();
    assert_eq!(driver.log, ["closed TooMuchInput"]);
}
