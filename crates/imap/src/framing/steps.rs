//! How the buffer is cut, step by step.

use super::head::{Head, WINDOW};
use super::{Frame, Framer, Line, MAX_LITERAL_MINUS, Message, State};
use crate::parse::append::{self, Next};
use crate::parse::{Problem, Refused};
use bytes::Buf;
use memchr::memchr;

// Why we are lost.
const TOO_MUCH: &str = "too much follows a refused command";
const BARE_LF: &str = "a literal's size stands before an LF without CR";
const NO_NUMBER: &str = "a literal's size is not a number that we can count to";

/// Whether there is more to do with what is in the buffer.
pub(super) enum Step {
    Again,
    Wait,
    Out(Frame),
}

/// Text up to an LF, in the buffer.
pub(super) struct Text {
    /// Behind the LF.
    pub(super) end: usize,
    pub(super) crlf: bool,
}

impl Framer {
    /// The text that follows `framed`, once its end has come. An error when it is longer than a line may be.
    pub(super) fn find_text(&mut self) -> Result<Option<Text>, Problem> {
        let found = memchr(b'\n', self.buffer.get(self.scanned..).unwrap_or_default());
        let end = found.map_or(self.buffer.len(), |at| self.scanned + at + 1);
        if self.text + (end - self.framed) > self.limits.line {
            return Err(Problem::LineTooLong);
        }
        if found.is_none() {
            self.scanned = end;
            return Ok(None);
        }
        let crlf = self.buffer[self.framed..end].ends_with(b"\r\n");
        Ok(Some(Text { end, crlf }))
    }

    pub(super) fn poll_text(&mut self) -> Step {
        let text = match self.find_text() {
            Ok(Some(text)) => text,
            Ok(None) => return Step::Wait,
            Err(problem) => return self.refuse_text(problem),
        };
        let line = &self.buffer[self.framed..text.end - 1];
        if !text.crlf {
            // Where there might be a literal there might be commands in it.
            let lost = Head::at_end(line).is_some();
            let refused = self.refused(Problem::BareLf);
            self.buffer.advance(text.end);
            self.reset();
            self.appending = None;
            return if lost { self.lose(BARE_LF) } else { Step::Out(refused) };
        }
        match Head::at_end(&line[..line.len() - 1]) {
            Some(head) => self.begin_literal(&text, &head),
            None => self.finish_command(text.end),
        }
    }

    fn begin_literal(&mut self, text: &Text, head: &Head) -> Step {
        let before = &self.buffer[..text.end - 2 - head.length];
        let next = match &self.appending {
            Some(appending) => appending.next(before),
            None => append::next(before, self.context),
        };
        match next {
            Ok(Next::Text) => self.begin_text_literal(text, head),
            Ok(Next::Message { appending, flags, date, utf8 }) => {
                if !head.synchronizing && !self.fits_unsynchronized(head) {
                    return self.refuse_literal(text, head, Problem::LiteralNotSynchronized);
                }
                let Some(size) = head.size.filter(|_| !utf8 || head.binary) else {
                    return self.refuse_literal(text, head, Problem::LiteralMisplaced);
                };
                let message = crate::command::AppendMessage { flags, date, size, binary: head.binary, utf8 };
                let (tag, target) = (appending.tag.clone(), appending.target.clone());
                self.buffer.advance(text.end);
                self.reset();
                self.appending = Some(appending);
                self.state = State::Offered { size, synchronizing: head.synchronizing };
                Step::Out(Frame::Message(Message { tag, target, message, synchronizing: head.synchronizing }))
            }
            Err(problem) => self.refuse_literal(text, head, problem),
        }
    }

    /// A literal that is held, as part of the line.
    fn begin_text_literal(&mut self, text: &Text, head: &Head) -> Step {
        let room = self.limits.literal_octets - self.literal_octets;
        let size = head.size.and_then(|size| usize::try_from(size).ok());
        let before = &self.buffer[..text.end - 2 - head.length];
        if let Err(problem) = crate::parse::check_literal(before, size, head.binary, &self.context) {
            return self.refuse_literal(text, head, problem);
        }
        let problem = match size.filter(|size| *size <= room) {
            None => Problem::LiteralTooLong(self.limits.literal_octets),
            Some(_) if self.literals == self.limits.literals => {
                Problem::TooMany { what: "literals in a command", limit: self.limits.literals }
            }
            Some(_) if !head.synchronizing && !self.fits_unsynchronized(head) => {
                Problem::LiteralNotSynchronized
            }
            Some(size) => {
                self.text += text.end - self.framed;
                self.literals += 1;
                self.literal_octets += size;
                self.state = State::Literal(text.end + size);
                return if head.synchronizing { Step::Out(Frame::Continue) } else { Step::Again };
            }
        };
        self.refuse_literal(text, head, problem)
    }

    fn fits_unsynchronized(&self, head: &Head) -> bool {
        self.limits.literal_plus || head.size.is_some_and(|size| size <= MAX_LITERAL_MINUS)
    }

    fn finish_command(&mut self, end: usize) -> Step {
        let octets = self.buffer.split_to(end).freeze();
        let line = octets.slice(..end - 2);
        let appending = self.appending.take();
        self.reset();
        Step::Out(match appending {
            None => Frame::Line(Line(line)),
            Some(appending) => match appending.end(&line) {
                Ok(()) => Frame::Appended { tag: appending.tag, target: appending.target },
                Err(problem) => Frame::Refused(appending.refused(problem)),
            },
        })
    }

    pub(super) fn poll_message(&mut self, left: u64) -> Step {
        if left == 0 {
            self.state = State::Text;
            return Step::Out(Frame::MessageEnd);
        }
        if self.buffer.is_empty() {
            return Step::Wait;
        }
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.state = State::Message(left - take as u64);
        Step::Out(Frame::MessageData(self.buffer.split_to(take).freeze()))
    }

    /// Refuses the command whose text is at fault, and looks for its end from that text on.
    pub(super) fn refuse_text(&mut self, problem: Problem) -> Step {
        let refused = self.refused(problem);
        self.buffer.advance(self.framed);
        self.refuse(refused, Some(0));
        Step::Again
    }

    fn refuse_literal(&mut self, text: &Text, head: &Head, problem: Problem) -> Step {
        let refused = self.refused(problem);
        self.buffer.advance(text.end);
        match (head.synchronizing, head.size) {
            (true, _) => self.refuse(refused, None),
            (false, Some(size)) => self.refuse(refused, Some(size)),
            (false, None) => return self.lose(NO_NUMBER),
        }
        Step::Again
    }

    fn refused(&self, problem: Problem) -> Frame {
        Frame::Refused(match &self.appending {
            Some(appending) => appending.refused(problem),
            None => Refused::of(&self.buffer, problem),
        })
    }

    /// `then` is said when the command is past. `None`: it is already, the client waits. Otherwise a literal of so
    /// many octets comes, and then text.
    pub(super) fn refuse(&mut self, then: Frame, literal: Option<u64>) {
        self.reset();
        self.appending = None;
        let (literal, skipped, done) = (literal.unwrap_or(0), literal.unwrap_or(0), literal.is_none());
        self.state = State::Skip { literal, skipped, done, then: Box::new(then) };
    }

    pub(super) fn poll_skip(&mut self) -> Step {
        let limit = self.limits.skipped;
        let State::Skip { literal, skipped, done, .. } = &mut self.state else { return Step::Wait };
        if *skipped > limit {
            return self.lose(TOO_MUCH);
        }
        if *literal > 0 {
            let take = usize::try_from(*literal).unwrap_or(usize::MAX).min(self.buffer.len());
            self.buffer.advance(take);
            *literal -= take as u64;
            if *literal > 0 {
                return Step::Wait;
            }
        }
        if !*done {
            let found = memchr(b'\n', &self.buffer);
            let end = found.map_or(self.buffer.len(), |at| at + 1);
            if *skipped + end as u64 > limit {
                return self.lose(TOO_MUCH);
            }
            let Some(at) = found else {
                // The head of a literal may have begun.
                let gone = self.buffer.len().saturating_sub(WINDOW + 1);
                self.buffer.advance(gone);
                *skipped += gone as u64;
                return Step::Wait;
            };
            let line = &self.buffer[..at];
            let (crlf, head) =
                (line.ends_with(b"\r"), Head::at_end(line.strip_suffix(b"\r").unwrap_or(line)));
            *skipped += end as u64;
            self.buffer.advance(end);
            match head {
                Some(_) if !crlf => return self.lose(BARE_LF),
                Some(Head { synchronizing: false, size: Some(size), .. }) => {
                    *literal = size;
                    *skipped = skipped.saturating_add(size);
                    return Step::Again;
                }
                Some(Head { synchronizing: false, size: None, .. }) => return self.lose(NO_NUMBER),
                _ => {}
            }
        }
        self.reset();
        match std::mem::replace(&mut self.state, State::Text) {
            State::Skip { then, .. } => Step::Out(*then),
            _ => Step::Again,
        }
    }

    fn lose(&mut self, why: &'static str) -> Step {
        self.reset();
        self.buffer = bytes::BytesMut::new();
        self.appending = None;
        self.state = State::Lost;
        Step::Out(Frame::Lost(why))
    }

    /// Ready for text at the buffer's beginning. What it is the beginning of is the caller's to say.
    pub(super) fn reset(&mut self) {
        (self.framed, self.scanned, self.text, self.literals, self.literal_octets) = (0, 0, 0, 0, 0);
        if self.buffer.is_empty() {
            // A connection that waits holds no memory.
            self.buffer = bytes::BytesMut::new();
        }
    }
}
