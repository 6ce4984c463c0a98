//! What the server says.

use super::client::take_line;
use super::machine::{Awaited, Envelope, MAX_LINE, Machine, Mode, Nature, Sync};
use super::transcript::MAX_RECIPIENTS;
use crate::Time;
use crate::stream::Side;

impl Machine {
    pub(super) fn read_server(&mut self, time: Time) {
        while self.nature != Nature::Other {
            let Some(line) = take_line(&mut self.server) else {
                if self.server.len() > MAX_LINE {
                    self.server.clear();
                    self.server_resync = true;
                }
                return;
            };
            let reply = ReplyLine::parse(&line);
            if std::mem::take(&mut self.server_resync) && reply.is_none() {
                continue;
            }
            self.entries.line(Side::Server, time, String::from_utf8_lossy(&line).into_owned());
            match reply {
                Some(reply) if reply.is_last => self.reply(time, &reply),
                Some(_) => {}
                None if self.nature == Nature::Unknown => self.nature = Nature::Other,
                None => {}
            }
        }
    }

    /// A whole reply has come.
    fn reply(&mut self, time: Time, reply: &ReplyLine<'_>) {
        let positive = reply.code / 100 == 2;
        let awaited = self.awaiting.pop_front();
        match (awaited, reply.code) {
            (_, 354) => self.go_ahead(time),
            (Some(awaited), 334) => {
                if !matches!(awaited, Awaited::Sync(Sync::Auth)) {
                    self.awaiting.push_front(awaited);
                }
                self.awaiting.push_front(Awaited::Sync(Sync::Auth));
                self.challenge(time);
            }
            (None, 334) => self.challenge(time),
            (Some(Awaited::Sync(Sync::StartTls)), 220) => self.start_tls(time),
            (Some(Awaited::Sync(_)), _) => self.decided(time),
            (Some(Awaited::Mail(from)), _) if positive => {
                self.envelope = Envelope { from: Some(from), ..Envelope::default() };
            }
            (Some(Awaited::Rcpt(to)), _) if positive => {
                if self.envelope.to.len() < MAX_RECIPIENTS {
                    self.envelope.to.push(to);
                } else {
                    self.envelope.more += 1;
                }
            }
            (Some(Awaited::Message(number)), _) => self.replied(number, reply),
            (Some(Awaited::Reset), _) if positive => self.envelope = Envelope::default(),
            (None, _) => self.unexpected(time, reply),
            _ => {}
        }
    }

    /// The message may come.
    fn go_ahead(&mut self, time: Time) {
        if matches!(self.mode, Mode::Waiting(_) | Mode::Command | Mode::Resync) {
            self.tell_unknown(time);
            self.begin_content(time);
        }
    }

    /// A line of the SASL exchange is due.
    fn challenge(&mut self, time: Time) {
        if matches!(self.mode, Mode::Waiting(_) | Mode::Command | Mode::Resync) {
            self.mode = Mode::Response;
            self.read_client(time);
        }
    }

    /// The command that the client waited behind was refused, or is done.
    fn decided(&mut self, time: Time) {
        if matches!(self.mode, Mode::Waiting(_) | Mode::Response) {
            self.mode = Mode::Command;
            self.read_client(time);
        }
    }

    /// A reply to something that is not in the capture. None comes while a message is being sent, so that is over.
    fn unexpected(&mut self, time: Time, reply: &ReplyLine<'_>) {
        match self.mode {
            Mode::Waiting(_) => self.decided(time),
            Mode::Content(_) => {
                let number = self.messages.current.as_ref().map(|message| message.number);
                self.finish_message(time, false);
                self.replied(number.unwrap_or_default(), reply);
                self.mode = Mode::Resync;
            }
            _ => {}
        }
    }

    /// This is the reply to a message.
    fn replied(&mut self, number: u64, reply: &ReplyLine<'_>) {
        let message = self.messages.list.iter_mut().rev().find(|message| message.number == number);
        if let Some(message) = message {
            let text = format!("{} {}", reply.code, String::from_utf8_lossy(reply.text));
            message.reply = Some(text.trim_end().to_owned());
        }
    }
}

/// `code [ SP / "-" text ]` (RFC 5321 §4.2).
struct ReplyLine<'a> {
    code: u16,
    is_last: bool,
    text: &'a [u8],
}

impl<'a> ReplyLine<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_first_chunk::<3>()?;
        let code = std::str::from_utf8(digits).ok()?.parse().ok().filter(|code| (200..600).contains(code))?;
        match rest.split_first() {
            None => Some(Self { code, is_last: true, text: rest }),
            Some((b' ', text)) => Some(Self { code, is_last: true, text }),
            Some((b'-', text)) => Some(Self { code, is_last: false, text }),
            Some((b'0'..=b'9', _)) => None,
            Some(_) => Some(Self { code, is_last: true, text: rest }),
        }
    }
}
