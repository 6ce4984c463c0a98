//! A message comes: its octets, its faults, its end.

use super::body::{BareNewline, BodyDecoder, Decoded, Framing};
use super::config::{Limits, Protocol};
use super::event::{Abort, Closed, Event};
use super::session::Session;
use super::state::{Message, Question, State, Transaction};
use crate::command::Bdat;
use crate::reply::Reply;
use bytes::BytesMut;

/// Most octets that are read only to be thrown away, so that the peer gets a reply; one that sends more is
/// cut off.
const MAX_DISCARDED: u64 = 1 << 30;

impl Session {
    pub(super) fn begin_data(&mut self, transaction: Transaction) {
        let message = self.message(transaction, Framing::Dot);
        self.state = State::Data(message);
    }

    pub(super) fn begin_bdat(&mut self, transaction: Transaction, bdat: Bdat) {
        let message = self.message(transaction, Framing::Counted);
        self.begin_chunk(message, bdat);
    }

    fn message(&mut self, transaction: Transaction, framing: Framing) -> Message {
        let binary = Message::is_binary(&transaction);
        let bare = if binary { BareNewline::Keep } else { self.config.bare_newline };
        self.clock.begin_message(self.config.limits.rate);
        Message { transaction, decoder: BodyDecoder::new(framing, bare), read: 0, wanting: false }
    }

    pub(super) fn begin_chunk(&mut self, message: Message, bdat: Bdat) {
        self.clock.begin_message(self.config.limits.rate);
        self.state = State::Chunk { message, left: bdat.size, last: bdat.last };
    }

    pub(super) fn skip(&mut self, left: u64, reply: Option<Reply>, then: Box<State>) {
        self.clock.begin_message(self.config.limits.rate);
        self.state = State::Skip { left, reply, then };
        if left > MAX_DISCARDED {
            self.too_much();
        }
    }

    fn too_much(&mut self) {
        self.close(&Abort::TooLarge.reply(), Closed::Limit);
    }

    /// Takes what has come; whether that changed anything.
    pub(super) fn receive(&mut self) -> bool {
        let waits = match &self.state {
            State::Chunk { left, .. } | State::Skip { left, .. } => *left > 0,
            _ => true,
        };
        if waits && self.input.is_empty() {
            return false;
        }
        match self.take_state() {
            State::Data(message) => self.receive_data(message),
            State::Chunk { message, left, last } => self.receive_chunk(message, left, last),
            State::Skip { left, reply, then } => self.receive_unwanted(left, reply, then),
            other => self.state = other,
        }
        true
    }

    fn receive_data(&mut self, mut message: Message) {
        let before = self.input.len();
        let decoded = message.decoder.decode(&mut self.input);
        message.read += (before - self.input.len()) as u64;
        let end = decoded.end;
        if !self.pass_on(&mut message, decoded) {
            return;
        }
        if end { self.end_of_message(message) } else { self.state = State::Data(message) }
    }

    fn receive_chunk(&mut self, mut message: Message, left: u64, last: bool) {
        let mut piece = self.take_input(left);
        let left = left - piece.len() as u64;
        message.read += piece.len() as u64;
        let decoded = message.decoder.decode(&mut piece);
        if !self.pass_on(&mut message, decoded) {
            return;
        }
        if left > 0 {
            self.state = State::Chunk { message, left, last };
        } else if last {
            let rest = message.decoder.finish();
            if self.pass_on(&mut message, rest) {
                self.end_of_message(message);
            }
        } else if let Some(fault) = self.fault(&message) {
            self.clock.end_message();
            self.events.push_back(Event::Aborted(fault));
            self.state = State::Ready(message.transaction.hello);
            self.refuse(&fault.reply());
        } else {
            self.clock.end_message();
            self.say(&Reply::new(250, (2, 0, 0), format!("{} octets so far", message.read)));
            self.state = State::BetweenChunks(message);
        }
    }

    fn receive_unwanted(&mut self, left: u64, reply: Option<Reply>, then: Box<State>) {
        let left = left - self.take_input(left).len() as u64;
        if left > 0 {
            self.state = State::Skip { left, reply, then };
            return;
        }
        self.clock.end_message();
        self.state = *then;
        if let Some(reply) = reply {
            self.refuse_follower(&reply);
        }
    }

    fn take_input(&mut self, most: u64) -> BytesMut {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.input.split_to(most.min(self.input.len()))
    }

    /// Hands what was decoded to the driver, unless the message is found wanting. `false`: the session is over.
    fn pass_on(&mut self, message: &mut Message, decoded: Decoded) -> bool {
        message.wanting = message.wanting || self.fault(message).is_some();
        let limit = self.config.limits.message_size;
        if message.wanting && message.read > limit.saturating_add(MAX_DISCARDED) {
            self.too_much();
            return false;
        }
        if !message.wanting {
            let parts = [decoded.head, decoded.tail].into_iter().filter(|part| !part.is_empty());
            self.events.extend(parts.map(Event::Body));
        }
        true
    }

    /// Of several faults the same one is named however the message was cut on its way, so it is asked for
    /// again at the end.
    fn fault(&self, message: &Message) -> Option<Abort> {
        message.found_wanting(&self.config.limits, self.config.bare_newline)
    }

    fn end_of_message(&mut self, message: Message) {
        self.clock.end_message();
        let Some(fault) = self.fault(&message) else {
            let facts = message.decoder.facts();
            return self.ask(Question::EndOfMessage(message.transaction), Event::EndOfMessage(facts));
        };
        self.events.push_back(Event::Aborted(fault));
        self.state = State::Ready(message.transaction.hello);
        for _ in 1..self.final_replies(message.transaction.recipients) {
            self.say(&fault.reply());
        }
        self.refuse(&fault.reply());
    }

    /// RFC 2033 §4.2: LMTP answers for each recipient.
    pub(super) fn final_replies(&self, recipients: usize) -> usize {
        if self.config.protocol == Protocol::Lmtp { recipients } else { 1 }
    }
}

impl Message {
    fn found_wanting(&self, limits: &Limits, bare: BareNewline) -> Option<Abort> {
        let facts = self.decoder.facts();
        let binary = Self::is_binary(&self.transaction);
        if limits.message_size > 0 && facts.octets > limits.message_size {
            Some(Abort::TooLarge)
        } else if facts.has_bare_newline && bare == BareNewline::Reject && !binary {
            Some(Abort::BareNewline)
        } else if limits.text_line.is_some_and(|limit| facts.longest_line + 2 > limit) {
            Some(Abort::LongLine)
        } else {
            None
        }
    }
}
