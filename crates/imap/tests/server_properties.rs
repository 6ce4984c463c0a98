//! What holds for every client of the server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Driver, open_config};
use imap::server::{Config, OUTPUT_LIMIT};
use proptest::prelude::*;

/// What is sent, and the events, but for how messages were cut.
fn run(config: Config, input: &[u8], cuts: &[usize]) -> (String, Vec<String>) {
    let mut driver = Driver::new(config);
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
    assert!(driver.largest_transmit < 2 * OUTPUT_LIMIT);
    assert_eq!(driver.log.iter().filter(|event| event.starts_with("closed ")).count(), 1, "{:?}", driver.log);
    (String::from_utf8_lossy(&driver.sent).into_owned(), driver.log)
}

fn command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "a LOGIN mrose secret",
        "a LOGIN {5}\r\nmrose {6}\r\nsecret",
        "a LOGIN {5+}\r\nmrose {9000}",
        "a AUTHENTICATE PLAIN",
        "AG1yb3NlAHNlY3JldA==",
        "a AUTHENTICATE WHO",
        "bWU=",
        "*",
        "a CAPABILITY",
        "a NOOP",
        "a ENABLE CONDSTORE QRESYNC IMAP4rev2 UTF8=ACCEPT",
        "a SELECT INBOX",
        "a SELECT {5+}\r\nINBOX (CONDSTORE)",
        "a CLOSE",
        "a FETCH 1:* (FLAGS BODY[])",
        "a FETCH 1:* (MODSEQ) (CHANGEDSINCE 5)",
        "a SEARCH TEXT {3+}\r\na\0b",
        "a UID SEARCH MODSEQ 5",
        "a IDLE",
        "DONE",
        "a APPEND INBOX {5+}\r\nab\r\nc",
        "a APPEND INBOX {5}\r\nab\r\nc {2}\r\nxy",
        "a APPEND INBOX ~{5+}\r\na\0b\r\n (\\Seen) {0+}\r\n",
        "a APPEND INBOX {3+}\r\na\0b {4+}\r\nabcd",
        "a APPEND INBOX UTF8 (~{2+}\r\nhi)",
        "a APPEND INBOX {999999}",
        "a APPEND INBOX {90+}\r\nNOOP",
        "a REPLACE 1 INBOX {2+}\r\nhi",
        "a UNAUTHENTICATE",
        "a ID NIL",
        "",
        "a",
        "a LOGOUT",
    ]);
    prop_oneof![
        20 => known.prop_map(|text| format!("{text}\r\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        2 => "[a-z]{1,3} [A-Z]{3,6} [ -~]{0,20}\r\n".prop_map(String::into_bytes),
        1 => "[a-z]{1,3} LOGIN [{}0-9+~ ]{0,8}\r\n".prop_map(String::into_bytes),
        1 => Just(b"a NOOP\n".to_vec()),
        1 => Just(vec![b'x'; 70_000]),
    ]
}

proptest! {
    #[test]
    fn output_does_not_depend_on_how_input_arrives(
        commands in prop::collection::vec(command(), 0..30),
        login in any::<bool>(),
        cuts in prop::collection::vec(1_usize..40, 1..10),
    ) {
        let mut input = if login { b"l LOGIN mrose secret\r\n".to_vec() } else { vec![] };
        input.extend(commands.concat());
        // A limit of its own, so that a message is refused for its size.
        let config = || Config { append_limit: Some(10_000), ..open_config() };
        prop_assert_eq!(run(config(), &input, &[usize::MAX]), run(config(), &input, &cuts));
    }

    #[test]
    fn no_input_panics_the_server(
        input in prop::collection::vec(any::<u8>(), 0..2000),
        login in any::<bool>(),
        cut in 1_usize..100,
    ) {
        let mut whole = if login { b"l LOGIN mrose secret\r\n".to_vec() } else { vec![] };
        whole.extend(input);
        run(open_config(), &whole, &[cut]);
    }
}
