//! A command line: what is read is written as one line that reads the same.

use smtp::command::{Command, Mode};

pub fn run(data: &[u8]) {
    for mode in [Mode::Ascii, Mode::Utf8] {
        match Command::parse(data, mode) {
            Ok(command) => check(&command, mode),
            Err(error) => assert!(error.reply().is_permanent(), "{error}"),
        }
    }
}

fn check(command: &Command, mode: Mode) {
    let line = command.encode();
    let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("{command:?} is written without CRLF"));
    assert!(!text.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "{command:?} is more than a line");
    let again =
        Command::parse(text, mode).unwrap_or_else(|error| panic!("{command:?} is not read again: {error}"));
    // A control character is written as a space, which at the edge of a text is not read again.
    let squeezed = |line: Vec<u8>| {
        line.split(|octet| *octet == b' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().concat()
    };
    assert_eq!(squeezed(again.encode().to_vec()), squeezed(line.to_vec()), "{command:?} reads differently");
}
