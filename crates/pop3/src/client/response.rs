//! Reading responses: the status line, and the text of multi-line ones.

use bytes::BytesMut;
use data_encoding::BASE64;

use super::command::Asked;
use super::{Capabilities, Event, Phase, Reading, Reason, Session};
use crate::line::{Line, Lines};
use crate::multiline::Decoder;
use crate::{MAX_SASL, ResponseCode};

/// Longest line but those of messages: a SASL challenge with its `+ ` and CRLF. Others are at most 512 octets (RFC
/// 2449 §4), and a server that exceeds that is forgiven.
pub(super) const MAX_LINE: usize = MAX_SASL + 4;

/// Longest unique-id taken, although RFC 1939 §7 says 70.
const MAX_ID: usize = 1024;

/// The rest of a multi-line response.
#[derive(Debug)]
pub(super) enum Text {
    Capabilities(Capabilities),
    Sizes,
    UniqueIds,
    Message(Decoder),
}

/// What reading on in a multi-line response gave.
pub(super) enum Step {
    Starved,
    Event(Event),
    /// A line of CAPA was taken in.
    Nothing,
    End,
    Wrong(String),
}

impl Text {
    pub(super) fn read(&mut self, lines: &mut Lines) -> Step {
        if let Self::Message(decoder) = self {
            return message(decoder, lines);
        }
        let line = match lines.next(MAX_LINE) {
            Some(Line::Text(line)) => line,
            Some(_) => return Step::Wrong("a line that is too long or ends with LF alone".into()),
            None => return Step::Starved,
        };
        if &line[..] == b"." {
            return Step::End;
        }
        let line = printable(line.strip_prefix(b".").unwrap_or(&line));
        let event = match self {
            Self::Capabilities(capabilities) => {
                capabilities.push(line);
                return Step::Nothing;
            }
            Self::Sizes => size(&line),
            Self::UniqueIds => unique_id(&line),
            Self::Message(_) => None,
        };
        event.map_or(Step::Wrong(line), Step::Event)
    }
}

fn message(decoder: &mut Decoder, lines: &mut Lines) -> Step {
    let mut out = BytesMut::new();
    if !decoder.is_done() {
        decoder.pull(lines.buffer(), &mut out);
    }
    match (out.is_empty(), decoder.is_done()) {
        // The end is reported by the next step.
        (false, _) => Step::Event(Event::Data(out.freeze())),
        (true, true) => Step::End,
        (true, false) => Step::Starved,
    }
}

/// `number SP octets`, perhaps with more behind it (RFC 1939 §5, LIST).
fn size(text: &str) -> Option<Event> {
    let (number, octets) = pair(text)?;
    Some(Event::Size { number, octets })
}

fn pair(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// `number SP unique-id`.
fn unique_id(text: &str) -> Option<Event> {
    let (number, id) = text.trim().split_once(' ')?;
    let id = id.trim();
    let fits = !id.is_empty() && id.len() <= MAX_ID && !id.contains(' ');
    Some(Event::UniqueId { number: number.parse().ok()?, unique_id: fits.then(|| id.to_owned())? })
}

/// A server's words, safe to show on a terminal.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The status indicator and what follows it.
enum Status {
    Ok(String),
    Err(String),
    Challenge(Vec<u8>),
    /// `+ ` with something that is not base64.
    BadChallenge,
}

fn status(line: &[u8]) -> Option<Status> {
    if let Some(rest) = line.strip_prefix(b"+OK") {
        return after_status(rest).map(Status::Ok);
    }
    if let Some(rest) = line.strip_prefix(b"-ERR") {
        return after_status(rest).map(Status::Err);
    }
    // Some servers leave out the space of an empty challenge.
    let rest = if line == b"+" { b"" } else { line.strip_prefix(b"+ ")? };
    Some(BASE64.decode(rest).map_or(Status::BadChallenge, Status::Challenge))
}

fn after_status(rest: &[u8]) -> Option<String> {
    match rest.split_first() {
        None => Some(String::new()),
        Some((b' ', text)) => Some(printable(text)),
        Some(_) => None,
    }
}

impl Session {
    /// What a step of a multi-line response means; whether to go on.
    pub(super) fn text(&mut self, step: Step) -> bool {
        match step {
            Step::Starved => return false,
            Step::Nothing => {}
            Step::Event(event) => self.events.push_back(event),
            Step::Wrong(line) => self.close(Reason::NotPop3(shorten(line))),
            Step::End => {
                let text = std::mem::replace(&mut self.reading, Reading::Status);
                self.events.push_back(match text {
                    Reading::Text(Text::Capabilities(capabilities)) => {
                        self.pipelining = capabilities.has("PIPELINING");
                        Event::Capabilities(capabilities)
                    }
                    _ => Event::End,
                });
            }
        }
        true
    }

    /// Takes a status line.
    pub(super) fn status(&mut self, line: &[u8]) {
        let Some(status) = status(line) else {
            return self.close(Reason::NotPop3(shorten(printable(line))));
        };
        let greeting = matches!(self.reading, Reading::Greeting);
        match (status, self.asked.pop_front()) {
            (Status::Ok(text), None) if greeting => {
                self.reading = Reading::Status;
                self.events.push_back(Event::Greeting(text));
            }
            (Status::Err(text), None) => {
                // Unasked: the server is going.
                self.refused(&text);
                self.close(if greeting { Reason::Unwelcome } else { Reason::Ended });
            }
            (Status::Ok(text), Some(asked)) => self.accepted(asked, text),
            (Status::Err(text), Some(asked)) => {
                self.refused(&text);
                if let Asked::Quit = asked {
                    self.close(Reason::QuitRefused);
                }
            }
            (Status::Challenge(challenge), Some(Asked::Auth { held_back })) => {
                self.challenged(challenge, held_back);
            }
            (Status::BadChallenge, Some(asked @ Asked::Auth { .. })) => {
                // RFC 5034 §4: cancel.
                self.asked.push_front(asked);
                self.put_line(b"*");
            }
            _ => self.close(Reason::NotPop3(shorten(printable(line)))),
        }
    }

    fn refused(&mut self, text: &str) {
        let (code, text) = ResponseCode::split(text);
        self.events.push_back(Event::Refused { code, text: text.to_owned() });
    }

    fn challenged(&mut self, challenge: Vec<u8>, held_back: Option<address::Secret<String>>) {
        self.asked.push_front(Asked::Auth { held_back: None });
        match held_back {
            Some(initial) if challenge.is_empty() => self.put_line(initial.reveal().as_bytes()),
            _ => {
                self.reading = Reading::Challenged;
                self.events.push_back(Event::Challenge(challenge));
            }
        }
    }

    /// `+OK`.
    fn accepted(&mut self, asked: Asked, text: String) {
        let row = |event: Option<Event>, text: String| match event {
            Some(event) => vec![event, Event::End],
            None => vec![Event::Closed(Reason::NotPop3(shorten(text)))],
        };
        let events = match asked {
            Asked::Simple => vec![Event::Done(text)],
            Asked::Pass | Asked::Auth { .. } => {
                self.phase = Phase::Transaction;
                vec![Event::LoggedIn(text)]
            }
            Asked::Stls => {
                // Whatever came along with the answer was not protected (RFC 2595 §4).
                self.lines.clear();
                self.reading = Reading::StartingTls;
                vec![Event::StartTls]
            }
            Asked::Stat => match pair(&text) {
                Some((count, octets)) => vec![Event::Stat { count, octets }],
                None => row(None, text),
            },
            Asked::Size => row(size(&text), text),
            Asked::UniqueId => row(unique_id(&text), text),
            Asked::Capa => return self.reading = Reading::Text(Text::Capabilities(Capabilities::default())),
            Asked::Sizes => return self.reading = Reading::Text(Text::Sizes),
            Asked::UniqueIds => return self.reading = Reading::Text(Text::UniqueIds),
            Asked::Message => return self.reading = Reading::Text(Text::Message(Decoder::new())),
            Asked::Quit => vec![Event::Closed(Reason::Quit)],
        };
        if let Some(Event::Closed(_)) = events.last() {
            self.reading = Reading::Closed;
        }
        self.events.extend(events);
    }
}

/// Enough of a line to tell what the server is.
fn shorten(line: String) -> String {
    line.chars().take(200).collect()
}
