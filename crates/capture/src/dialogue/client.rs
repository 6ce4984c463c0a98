//! What the client says.

use super::Secrets;
use super::machine::{Awaited, MAX_LINE, Machine, Mode, Nature, Sync};
use super::transcript::{Protocol, Via, What};
use crate::Time;
use crate::stream::Side;
use bytes::BytesMut;
use smtp::command::{self, Command, CommandError, HelloVerb};

impl Machine {
    /// Reads as far as it can.
    pub(super) fn read_client(&mut self, time: Time) {
        while !self.client.is_empty() && self.nature != Nature::Other {
            let more = match &mut self.mode {
                Mode::Waiting(_) => false,
                Mode::Content(_) => self.read_content(time),
                Mode::Chunk { .. } => self.read_chunk(time),
                Mode::Command | Mode::Resync | Mode::Response => self.read_line(time),
            };
            if !more {
                return;
            }
        }
    }

    fn read_line(&mut self, time: Time) -> bool {
        if matches!(self.mode, Mode::Resync) {
            return self.resync(time);
        }
        let Some(line) = take_line(&mut self.client) else {
            if self.client.len() > MAX_LINE {
                self.unknown += self.client.split().len() as u64;
                self.mode = Mode::Resync;
            }
            return false;
        };
        match self.mode {
            Mode::Response => self.response(time, &line),
            _ => self.command(time, &line),
        }
        true
    }

    /// A line of a SASL exchange, which is never shown unless asked for.
    fn response(&mut self, time: Time, line: &[u8]) {
        let text = match line {
            b"*" => "*".to_owned(),
            _ => self.hidden(line),
        };
        self.entries.line(Side::Client, time, text);
        self.mode = Mode::Waiting(Sync::Auth);
    }

    /// Takes up the thread where all that has come is commands; else it may be content, or secrets.
    fn resync(&mut self, time: Time) -> bool {
        let mut checked = 0;
        while let Some(line) = next_line(self.client.get(checked..).unwrap_or_default()) {
            checked += line.whole;
            if !is_command(line.text) {
                self.unknown += self.client.split_to(checked).len() as u64;
                checked = 0;
            }
        }
        if self.client.len() > MAX_LINE {
            self.unknown += self.client.split().len() as u64;
        }
        // The last line decides too, so it is waited for.
        if checked == 0 || checked < self.client.len() {
            return false;
        }
        self.tell_unknown(time);
        self.mode = Mode::Command;
        true
    }

    pub(super) fn tell_unknown(&mut self, time: Time) {
        let unknown = std::mem::take(&mut self.unknown);
        if unknown > 0 {
            let text =
                format!("about {unknown} octets of the client's, in the middle of something, are not shown");
            self.entries.note(time, text);
        }
    }

    fn command(&mut self, time: Time, line: &[u8]) {
        let parsed = Command::parse(line, command::Mode::Utf8);
        if !self.is_smtp(line, parsed.as_ref().ok()) {
            return;
        }
        let text = match &parsed {
            Err(CommandError::Unknown(_)) if self.after_auth && !has_verb(line, "AUTH") => self.hidden(line),
            _ => {
                self.after_auth = has_verb(line, "AUTH");
                self.command_text(line)
            }
        };
        self.entries.line(Side::Client, time, text);
        self.mode = Mode::Command;
        let awaited = match parsed {
            Ok(Command::Hello(hello)) => {
                if hello.verb == HelloVerb::Lhlo {
                    self.protocol = Protocol::Lmtp;
                }
                Awaited::Reset
            }
            Ok(Command::Mail(mail)) => Awaited::Mail(bare(&mail.from.to_string())),
            Ok(Command::Rcpt(rcpt)) => Awaited::Rcpt(bare(&rcpt.to.to_string())),
            Ok(Command::Rset) => Awaited::Reset,
            Ok(Command::Data) => self.wait(Sync::Data),
            Ok(Command::StartTls) => self.wait(Sync::StartTls),
            Ok(Command::Bdat(chunk)) => return self.begin_chunk(time, chunk.size, chunk.last),
            Ok(Command::Auth(_)) => self.wait(Sync::Auth),
            // What another server may take for it: its responses are secret too.
            Err(_) if has_verb(line, "AUTH") => self.wait(Sync::Auth),
            Ok(_) | Err(_) if has_verb(line, "PROXY") => return,
            Ok(_) | Err(_) => Awaited::Other,
        };
        self.expect(awaited);
    }

    fn wait(&mut self, sync: Sync) -> Awaited {
        self.mode = Mode::Waiting(sync);
        Awaited::Sync(sync)
    }

    /// The first command decides whether this is SMTP. (FTP greets with 220 too.)
    fn is_smtp(&mut self, line: &[u8], command: Option<&Command>) -> bool {
        if self.nature == Nature::Unknown && !has_verb(line, "PROXY") {
            let telling = matches!(command, Some(Command::Hello(_) | Command::Mail(_) | Command::Rcpt(_)));
            self.nature = if telling { Nature::Smtp } else { Nature::Other };
        }
        self.nature != Nature::Other
    }

    /// The line as it is shown: what AUTH carries is hidden.
    fn command_text(&self, line: &[u8]) -> String {
        if !has_verb(line, "AUTH") {
            return String::from_utf8_lossy(line).into_owned();
        }
        let mut words = line.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty());
        let (verb, mechanism) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut text = format!("{} {}", String::from_utf8_lossy(verb), String::from_utf8_lossy(mechanism));
        let initial: Vec<&[u8]> = words.collect();
        if !initial.is_empty() {
            text.push(' ');
            text.push_str(&self.hidden(&initial.join(&b' ')));
        }
        text
    }

    fn hidden(&self, secret: &[u8]) -> String {
        match self.secrets {
            Secrets::Show => String::from_utf8_lossy(secret).into_owned(),
            Secrets::Hide => format!("[hidden: {} octets]", secret.len()),
        }
    }

    fn read_content(&mut self, time: Time) -> bool {
        let Mode::Content(decoder) = &mut self.mode else { return false };
        let decoded = decoder.decode(&mut self.client);
        let bare = decoded.end && decoder.facts().has_bare_newline;
        self.pass_content(decoded.head);
        self.pass_content(decoded.tail);
        if decoded.end {
            self.mode = Mode::Command;
            self.finish_message(time, true);
            if bare {
                self.entries.note(time, "it has line ends that are not CRLF; saved, they are");
            }
        }
        true
    }

    fn begin_chunk(&mut self, time: Time, size: u64, last: bool) {
        self.open_message(Via::Bdat);
        self.mode = Mode::Chunk { left: size, last };
        if let Some(message) = &self.messages.current {
            self.entries.add(time, What::Content { message: message.number, octets: size });
        }
        if size == 0 {
            self.end_chunk(time, last);
        }
    }

    fn read_chunk(&mut self, time: Time) -> bool {
        let Mode::Chunk { left, last } = &mut self.mode else { return false };
        let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.client.len());
        *left -= here as u64;
        let (done, last) = (*left == 0, *last);
        let octets = self.client.split_to(here).freeze();
        self.pass_content(octets);
        if done {
            self.end_chunk(time, last);
        }
        true
    }

    fn end_chunk(&mut self, time: Time, last: bool) {
        self.mode = Mode::Command;
        if last {
            self.finish_message(time, true);
        } else {
            self.expect(Awaited::Other);
        }
    }

    /// Octets of the client's are missing.
    pub(super) fn client_gap(&mut self, time: Time, octets: u64) {
        // What waited, or an unfinished line, is the middle of something now.
        self.unknown += self.client.split().len() as u64;
        match &mut self.mode {
            Mode::Content(_) => self.miss(octets),
            Mode::Chunk { left, .. } if octets < *left => {
                *left -= octets;
                self.miss(octets);
            }
            _ => {
                self.miss(octets);
                self.finish_message(time, false);
                self.awaiting.clear();
                self.mode = Mode::Resync;
            }
        }
    }

    fn miss(&mut self, octets: u64) {
        if let Some(message) = &mut self.messages.current {
            message.missing += octets;
        }
    }

    /// Whether the client's next line is a command beyond doubt.
    pub(super) fn client_says_command(&self) -> bool {
        next_line(&self.client).is_some_and(|line| is_command(line.text))
    }
}

fn is_command(line: &[u8]) -> bool {
    match Command::parse(line, command::Mode::Utf8) {
        // Their arguments may be anything: a line of a message that begins so is more likely.
        Ok(Command::Help(Some(_)) | Command::Vrfy { .. } | Command::Expn { .. } | Command::Etrn(_)) => false,
        Ok(_) => true,
        Err(_) => false,
    }
}

/// A path without its brackets.
fn bare(path: &str) -> String {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path).to_owned()
}

fn has_verb(line: &[u8], verb: &str) -> bool {
    let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
    line.get(..end).is_some_and(|word| word.eq_ignore_ascii_case(verb.as_bytes()))
}

/// A line at the beginning of a buffer.
struct Line<'a> {
    /// Without its end, CRLF or LF.
    text: &'a [u8],
    /// Octets with its end.
    whole: usize,
}

fn next_line(buffer: &[u8]) -> Option<Line<'_>> {
    let end = memchr::memchr(b'\n', buffer)?;
    let text = buffer.get(..end)?;
    Some(Line { text: text.strip_suffix(b"\r").unwrap_or(text), whole: end + 1 })
}

/// The next line without its end.
pub(super) fn take_line(buffer: &mut BytesMut) -> Option<BytesMut> {
    let (length, whole) = next_line(buffer).map(|line| (line.text.len(), line.whole))?;
    let mut line = buffer.split_to(whole);
    line.truncate(length);
    Some(line)
}
