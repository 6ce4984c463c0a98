//! The file of many accounts: `server,user,password,account` a line, a value in quotes where it has a comma in it or begins
//! with a quote, and quotes in it doubled then.

use crate::client::imap::Server;
use crate::exit::Failure;
use crate::output;
use address::{Address, Secret};
use std::io::Read as _;
use std::path::Path;

/// Octets of a file.
const MAX_FILE: u64 = 64 << 20;
/// What the first line may say.
const HEAD: [&str; 4] = ["server", "user", "password", "account"];

/// One account.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) server: Server,
    pub(super) user: String,
    pub(super) password: Secret<String>,
    pub(super) account: Address,
}

pub(super) fn read(path: &Path) -> Result<Vec<Row>, Failure> {
    let failure = |error: std::io::Error| Failure::no(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE).read_to_string(&mut text).map_err(failure)?;
    } else {
        let file = std::fs::File::open(path).map_err(failure)?;
        if is_open_to_others(&file) {
            output::warn(&format!(
                "{} has passwords in it, and others can read it: chmod 600",
                path.display()
            ));
        }
        file.take(MAX_FILE).read_to_string(&mut text).map_err(failure)?;
    }
    parse(&text).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))
}

fn is_open_to_others(file: &std::fs::File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Empty lines, and those that begin with `#`, say nothing. Never quotes a line: there is a password in it.
fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: &str| format!("line {number}: {why}");
        let values = values(line).ok_or_else(|| at("a quoted value does not end"))?;
        let [server, user, password, account] = <[String; 4]>::try_from(values)
            .map_err(|_| at("there must be four values: server,user,password,account"))?;
        if rows.is_empty() && [&server, &user, &password, &account] == HEAD {
            continue;
        }
        rows.push(Row {
            server: server.parse().map_err(|error: String| at(&error))?,
            user,
            password: Secret::new(password),
            account: account.parse().map_err(|error: address::AddressError| at(&error.to_string()))?,
        });
    }
    Ok(rows)
}

/// `None`: a quote is not closed.
fn values(line: &str) -> Option<Vec<String>> {
    let mut values = vec![String::new()];
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        let empty = values.last().is_none_or(String::is_empty);
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut values, '"');
            }
            '"' if quoted => quoted = false,
            '"' if empty => quoted = true,
            ',' if !quoted => values.push(String::new()),
            other => push(&mut values, other),
        }
    }
    (!quoted).then_some(values)
}

fn push(values: &mut [String], char: char) {
    if let Some(last) = values.last_mut() {
        last.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        let text = "\u{feff}server,user,password,account\r\n\n# old ones\nimaps://a.example,ann,\"x,\"\"y\",ann@example.org\n\
                    b.example:143,bob,se\"cret,bob@example.org\n";
        let rows = parse(text).unwrap();
        let shown: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {} {}", row.server.peer, row.user, row.password.reveal(), row.account))
            .collect();
        assert_eq!(
            shown,
            ["a.example:993 ann x,\"y ann@example.org", "b.example:143 bob se\"cret bob@example.org"]
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, why) in [
            ("a.example,ann,geheim", "line 1: there must be four"),
            ("\na.example,ann,\"geheim,ann@example.org", "line 2: a quoted value"),
            ("pop3://a.example,ann,geheim,ann@example.org", "line 1: "),
            ("a.example,ann,geheim,ann@", "line 1: "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(why) && !error.contains("geheim"), "{error}");
        }
    }
}
