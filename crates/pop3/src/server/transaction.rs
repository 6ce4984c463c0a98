//! The TRANSACTION state (RFC 1939 §5 and §7).

use super::command::{Command, Number};
use super::context::Context;
use super::decision::{Event, Part, Refusal};
use super::state::State;
use crate::Message;
use crate::multiline::Encoder;

/// The open maildrop. Deletions are marks here, nothing more, until QUIT.
#[derive(Debug)]
pub(super) struct Maildrop {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    deleted: bool,
}

/// The second column of LIST or of UIDL.
#[derive(Clone, Copy, Debug)]
enum Column {
    Octets,
    UniqueId,
}

impl Maildrop {
    pub(super) fn open(messages: Vec<Message>, context: &mut Context) -> State {
        let entries = messages.into_iter().map(|message| Entry { message, deleted: false }).collect();
        let maildrop = Self { entries };
        let summary = maildrop.summary();
        context.ok(summary);
        State::Transaction(maildrop)
    }

    pub(super) fn command(mut self, command: Command, context: &mut Context) -> State {
        match command {
            Command::Capa => {
                let lines = context.config.capabilities(true);
                context.multi_line("capability list follows", &lines);
            }
            Command::Stat => {
                let (count, octets) = self.totals();
                context.ok(format_args!("{count} {octets}"));
            }
            Command::List(None) => {
                let summary = self.summary();
                context.ok(summary);
                return State::Listing(Listing { maildrop: self, column: Column::Octets, next: 0 });
            }
            Command::Uidl(None) => {
                context.ok("unique-id listing follows");
                return State::Listing(Listing { maildrop: self, column: Column::UniqueId, next: 0 });
            }
            Command::List(Some(number)) => self.list_one(number, Column::Octets, context),
            Command::Uidl(Some(number)) => self.list_one(number, Column::UniqueId, context),
            Command::Fetch(number, part) => return self.fetch(number, part, context),
            Command::Dele(number) => self.delete(number, context),
            Command::Noop => context.ok("still here"),
            Command::Rset => {
                self.entries.iter_mut().for_each(|entry| entry.deleted = false);
                let summary = self.summary();
                context.ok(summary);
            }
            Command::Quit => return self.commit(context),
            Command::Stls
            | Command::Utf8
            | Command::User(_)
            | Command::Pass(_)
            | Command::Auth { .. }
            | Command::Apop => return context.bad("you are already logged in", State::Transaction(self)),
        }
        State::Transaction(self)
    }

    fn kept(&self) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter(|entry| !entry.deleted).map(|entry| &entry.message)
    }

    fn totals(&self) -> (usize, u64) {
        self.kept().fold((0, 0), |(count, sum), message| (count + 1, message.octets.saturating_add(sum)))
    }

    fn summary(&self) -> String {
        let (count, octets) = self.totals();
        let s = if count == 1 { "" } else { "s" };
        format!("{count} message{s} ({octets} octets)")
    }

    /// The index of a message that is there and not marked as deleted.
    fn find(&self, number: Number) -> Result<usize, String> {
        let index = usize::try_from(number.0).ok().and_then(|number| number.checked_sub(1));
        match index.and_then(|index| Some((index, self.entries.get(index)?))) {
            Some((index, entry)) if !entry.deleted => Ok(index),
            Some(_) => Err(format!("message {} is deleted", number.0)),
            None => Err(format!("no such message, the maildrop has {}", self.entries.len())),
        }
    }

    fn row(&self, index: usize, column: Column) -> Option<String> {
        let message = &self.entries.get(index).filter(|entry| !entry.deleted)?.message;
        Some(match column {
            Column::Octets => format!("{} {}", index + 1, message.octets),
            Column::UniqueId => format!("{} {}", index + 1, message.unique_id.as_str()),
        })
    }

    fn list_one(&self, number: Number, column: Column, context: &mut Context) {
        match self.find(number).map(|index| self.row(index, column)) {
            Ok(row) => context.ok(row.unwrap_or_default()),
            Err(text) => context.err(None, text),
        }
    }

    fn delete(&mut self, number: Number, context: &mut Context) {
        match self.find(number) {
            Ok(index) => {
                self.entries.get_mut(index).into_iter().for_each(|entry| entry.deleted = true);
                context.ok(format_args!("message {} deleted", number.0));
            }
            Err(text) => context.err(None, text),
        }
    }

    fn fetch(self, number: Number, part: Part, context: &mut Context) -> State {
        let index = match self.find(number) {
            Ok(index) => index,
            Err(text) => {
                context.err(None, text);
                return State::Transaction(self);
            }
        };
        let utf8 = context.utf8;
        let sending = Sending::new(self, index, part);
        context.ask(Event::Fetch { index, part, utf8 }, State::Fetching(sending))
    }

    fn commit(self, context: &mut Context) -> State {
        let marked = self.entries.iter().enumerate().filter(|(_, entry)| entry.deleted);
        let deleted = marked.map(|(index, _)| index).collect();
        context.ask(Event::Commit { deleted }, State::Committing)
    }
}

/// LIST or UIDL on its way. It is written as the client reads, so that a long one is never held whole.
#[derive(Debug)]
pub(super) struct Listing {
    maildrop: Maildrop,
    column: Column,
    next: usize,
}

impl Listing {
    pub(super) fn step(mut self, context: &mut Context) -> State {
        while context.has_room() {
            if self.next >= self.maildrop.entries.len() {
                context.put_line(".");
                return State::Transaction(self.maildrop);
            }
            if let Some(row) = self.maildrop.row(self.next, self.column) {
                context.put_line(&row);
            }
            self.next += 1;
        }
        State::Listing(self)
    }
}

/// RETR or TOP: a message on its way.
#[derive(Debug)]
pub(super) struct Sending {
    maildrop: Maildrop,
    index: usize,
    part: Part,
    encoder: Encoder,
}

impl Sending {
    fn new(maildrop: Maildrop, index: usize, part: Part) -> Self {
        let encoder = match part {
            Part::Whole => Encoder::whole(),
            Part::Top(lines) => Encoder::top(lines),
        };
        Self { maildrop, index, part, encoder }
    }

    pub(super) fn begin(self, context: &mut Context) -> State {
        match (self.part, self.maildrop.entries.get(self.index)) {
            (Part::Whole, Some(entry)) => context.ok(format_args!("{} octets", entry.message.octets)),
            _ => context.ok("top of message follows"),
        }
        State::Sending(self)
    }

    pub(super) fn refuse(self, refusal: Refusal, context: &mut Context) -> State {
        context.refuse(refusal);
        State::Transaction(self.maildrop)
    }

    pub(super) fn push(mut self, piece: &[u8], context: &mut Context) -> State {
        self.encoder.push(piece, &mut context.output);
        if self.encoder.is_done() { self.finish(context) } else { State::Sending(self) }
    }

    pub(super) fn finish(mut self, context: &mut Context) -> State {
        self.encoder.finish(&mut context.output);
        State::Transaction(self.maildrop)
    }
}
