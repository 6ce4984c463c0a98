//! A person goes on typing.
//!
//! Lines are sent as they come, but never ahead of the server: the next one waits for the answer to the last, unless
//! that was a line of a message. So a file of commands on standard input does what it would do typed by hand.

use super::report::Tls;
use crate::client::{Client, Error, Settings, Transcript};
use crate::exit::Failure;
use crate::output;
use smtp::client::Ended;
use std::io::BufRead as _;
use tokio::sync::mpsc;

/// Longest line taken from the person, in octets; a line of text may have 998 (RFC 5321 §4.5.3.1.6).
const MAX_LINE: usize = 64 * 1024;
/// Lines read ahead.
const AHEAD: usize = 16;

/// What the server expects next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Command,
    /// Lines up to a lone dot.
    Message,
    /// The rest of a BDAT chunk, in octets (RFC 3030 §2).
    Chunk(usize),
    /// A response to a SASL challenge: a secret.
    Response,
}

/// What a person types, and where it goes.
pub(super) struct Typing<'a> {
    settings: &'a Settings,
    transcript: &'a Transcript,
    expects: Expects,
}

impl<'a> Typing<'a> {
    /// `after_data`: 354 was the server's last word.
    pub(super) fn new(settings: &'a Settings, transcript: &'a Transcript, after_data: bool) -> Self {
        let expects = if after_data { Expects::Message } else { Expects::Command };
        Self { settings, transcript, expects }
    }

    /// Passes on lines until standard input ends or the server closes the connection.
    pub(super) async fn run(mut self, mut client: Client, tls: &mut Option<Tls>) -> Result<(), Failure> {
        let mut typed = lines();
        loop {
            // The server may have something to say unasked: a time-out, a shut-down.
            let line = tokio::select! {
                line = typed.recv() => line,
                said = client.next_reply() => match said {
                    Ok(_) => continue,
                    Err(ended) => return over(&ended),
                },
            };
            let Some(line) = line else { break };
            match self.pass_on(client, &line?).await? {
                Some(then) => client = then,
                None => return Ok(()),
            }
            *tls = client.tls().map(Into::into);
        }
        if self.expects == Expects::Command {
            client.quit().await;
        }
        Ok(())
    }

    /// Nothing once the session is over.
    async fn pass_on(&mut self, mut client: Client, line: &str) -> Result<Option<Client>, Failure> {
        let is = |verb| self.expects == Expects::Command && line.trim().eq_ignore_ascii_case(verb);
        // What is encrypted already is the server's to refuse.
        if is("STARTTLS") && client.tls().is_none() {
            return match self.settings.type_starttls(client).await {
                Ok(client) => Ok(Some(client)),
                Err(Error::Ended(ended)) => over(&ended).map(|()| None),
                Err(error) => Err(error.into()),
            };
        }
        if self.expects == Expects::Response {
            self.transcript.hide_next();
        }
        let is_last = is("QUIT");
        client.raw_line(line).map_err(Error::from)?;
        self.expects = after(self.expects, line);
        if !matches!(self.expects, Expects::Message | Expects::Chunk(1..)) {
            match client.next_reply().await {
                Ok(reply) => self.expects = answered(reply.code()),
                Err(ended) => return over(&ended).map(|()| None),
            }
        }
        Ok((!is_last).then_some(client))
    }
}

/// What the server expects after this line, unless its answer says otherwise.
fn after(expects: Expects, line: &str) -> Expects {
    match expects {
        Expects::Message if line == "." => Expects::Command,
        Expects::Message => Expects::Message,
        Expects::Chunk(left) => Expects::Chunk(left.saturating_sub(line.len() + 2)),
        Expects::Command => {
            let mut words = line.split_ascii_whitespace();
            let is_chunk = words.next().is_some_and(|verb| verb.eq_ignore_ascii_case("BDAT"));
            let size = words.next().and_then(|size| size.parse().ok());
            size.filter(|_| is_chunk).map_or(Expects::Command, Expects::Chunk)
        }
        Expects::Response => Expects::Command,
    }
}

fn answered(code: u16) -> Expects {
    match code {
        354 => Expects::Message,
        334 => Expects::Response,
        _ => Expects::Command,
    }
}

/// The server has closed the connection. That is news, but for a person who watches it no failure.
fn over(ended: &Ended) -> Result<(), Failure> {
    output::warn(&ended.to_string());
    Ok(())
}

/// Lines of standard input. The thread that reads them ends with the program.
fn lines() -> mpsc::Receiver<Result<String, Failure>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let line = match read_line(&mut input) {
                Ok(None) => return,
                Ok(Some(line)) => Ok(line),
                Err(failure) => Err(failure),
            };
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn read_line(input: &mut impl std::io::BufRead) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let mut bounded = std::io::Read::take(input, MAX_LINE as u64 + 1);
    let read = bounded.read_until(b'\n', &mut line);
    read.map_err(|error| Failure::no(format!("cannot read standard input: {error}")))?;
    if line.len() > MAX_LINE {
        return Err(Failure::usage(format!("a line of more than {MAX_LINE} octets")));
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = String::from_utf8_lossy(text).replace('\r', " ");
    Ok((!line.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_from_what_was_said() {
        assert_eq!(after(Expects::Command, "MAIL FROM:<>"), Expects::Command);
        assert_eq!(answered(354), Expects::Message);
        assert_eq!(after(Expects::Message, "QUIT"), Expects::Message);
        assert_eq!(after(Expects::Message, ".."), Expects::Message);
        assert_eq!(after(Expects::Message, "."), Expects::Command);
        assert_eq!(after(Expects::Command, "bdat 12 LAST"), Expects::Chunk(12));
        assert_eq!(after(Expects::Chunk(12), "12345"), Expects::Chunk(5));
        assert_eq!(after(Expects::Chunk(5), "123"), Expects::Chunk(0));
        assert_eq!(after(Expects::Command, "BDAT 0 LAST"), Expects::Chunk(0));
        assert_eq!(answered(334), Expects::Response);
        assert_eq!(after(Expects::Response, "AGRldgBkZXY="), Expects::Command);
    }

    #[test]
    fn lines_lose_their_ends_and_are_bounded() {
        let mut input: &[u8] = b"EHLO a\r\nNOOP\n\nQUIT";
        let mut read = || read_line(&mut input).ok().flatten();
        assert_eq!(read().as_deref(), Some("EHLO a"));
        assert_eq!(read().as_deref(), Some("NOOP"));
        assert_eq!(read().as_deref(), Some(""));
        assert_eq!(read().as_deref(), Some("QUIT"));
        assert_eq!(read(), None);
        assert!(read_line(&mut "x".repeat(MAX_LINE + 1).as_bytes()).is_err());
    }
}
