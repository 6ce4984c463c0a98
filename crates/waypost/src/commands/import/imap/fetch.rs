//! The messages of an open folder, a few at a time: what is noted of them first, then their octets, which are passed on as
//! they come.

use super::{Left, key};
use crate::client::imap::{Connection, said};
use crate::commands::import::source::{Content, Item, MAX_WHOLE, Message, Out, PIECES_AHEAD, Piece};
use crate::exit::Failure;
use bytes::{Bytes, BytesMut};
use imap::client::{Command, Event};
use imap::fetch::FetchItem;
use imap::response::{Data, FetchData};
use imap::section::Section;
use imap::{Flag, SeqNumber, SequenceSet};
use mailfile::Flags;
use std::collections::HashMap;
use tokio::sync::mpsc;

/// Messages asked for at once.
const MAX_MESSAGES: usize = 100;
/// Their octets, by what the server says.
const MAX_OCTETS: u64 = 8 << 20;

pub(super) struct Fetching<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) out: &'a Out,
}

/// What is noted of a message.
#[derive(Debug, Clone, Default)]
struct Noted {
    flags: Flags,
    received: i64,
}

/// Messages by UID, and the UIDs of sequence numbers.
#[derive(Debug, Default)]
struct Batch {
    noted: HashMap<u32, Noted>,
    uids: HashMap<u32, u32>,
}

/// A message whose octets come.
struct Coming {
    uid: u32,
    held: BytesMut,
    size: u64,
    pieces: Option<mpsc::Sender<Piece>>,
}

impl Fetching<'_> {
    /// Gives messages until none is left, or nobody takes them any more.
    pub(super) async fn run(mut self, left: &mut Left) -> Result<(), Failure> {
        let mut alone = 0;
        while !left.is_empty() && !self.out.is_closed() {
            let most = if alone > 0 { 1 } else { MAX_MESSAGES };
            let wanted = batch(left, most);
            let batch = self.note(&wanted).await?;
            let refused = self.fetch(batch, left).await?;
            match refused {
                // One of them cannot be had: each by itself.
                Some(_) if wanted.len() > 1 => alone = wanted.len(),
                refused => {
                    alone = alone.saturating_sub(1);
                    let why = refused.unwrap_or_else(|| "the server did not send it".to_owned());
                    self.give_up(&wanted, left, &why).await;
                }
            }
        }
        Ok(())
    }

    /// Those that were asked for and did not come: removed meanwhile, or not to be had.
    async fn give_up(&self, wanted: &[u32], left: &mut Left, why: &str) {
        for uid in wanted {
            if take_out(left, *uid) {
                let failed = Item::Failed { label: format!("UID {uid}"), why: why.to_owned() };
                let _ = self.out.send(failed).await;
            }
        }
    }

    async fn note(&mut self, wanted: &[u32]) -> Result<Batch, Failure> {
        let items = vec![FetchItem::Uid, FetchItem::Flags, FetchItem::InternalDate];
        let fetch = Command::Fetch { uids: set(wanted), items, changed_since: None };
        let mut batch = Batch::default();
        for event in self.connection.done(fetch).await? {
            let Event::Data(Data::Fetch { number, items }) = event else { continue };
            if let Some(uid) = uid_of(&items) {
                batch.uids.insert(number, uid);
                batch.noted.entry(uid).or_default().take(items);
            }
        }
        Ok(batch)
    }

    /// Why the server refused, if it did.
    async fn fetch(&mut self, batch: Batch, left: &mut Left) -> Result<Option<String>, Failure> {
        if batch.noted.is_empty() {
            return Ok(None);
        }
        let mut wanted: Vec<u32> = batch.noted.keys().copied().collect();
        wanted.sort_unstable();
        let whole = FetchItem::Section { section: Section::default(), partial: None, peek: true };
        let fetch =
            Command::Fetch { uids: set(&wanted), items: vec![FetchItem::Uid, whole], changed_since: None };
        self.connection.send(fetch)?;
        let mut coming: Option<Coming> = None;
        loop {
            match self.connection.next().await {
                Event::Section { number, before, size, .. } => {
                    let uid =
                        uid_of(&before).or_else(|| batch.uids.get(&number).copied()).unwrap_or_default();
                    coming = Some(self.begin(uid, size, &batch).await);
                }
                Event::Octets(octets) => {
                    if let Some(one) = &mut coming {
                        one.take(octets).await;
                    }
                }
                Event::SectionEnd => {
                    if let Some(one) = coming.take() {
                        self.end(one, &batch, left).await;
                    }
                }
                // One that was no literal: short, or empty.
                Event::Data(Data::Fetch { number, items }) => {
                    let uid = uid_of(&items).or_else(|| batch.uids.get(&number).copied()).unwrap_or_default();
                    for item in items {
                        if let FetchData::Content { value: Some(held), .. } = item {
                            let (size, held) = (held.len() as u64, held.as_ref().into());
                            self.end(Coming { uid, held, size, pieces: None }, &batch, left).await;
                        }
                    }
                }
                Event::Done(_) => return Ok(None),
                Event::Refused(status) => return Ok(Some(crate::output::printable(&status.text))),
                event @ Event::Closed(_) => return Err(said("a message", &event)),
                _ => {}
            }
        }
    }

    async fn begin(&self, uid: u32, size: u64, batch: &Batch) -> Coming {
        let mut coming = Coming { uid, held: BytesMut::new(), size, pieces: None };
        if size > MAX_WHOLE as u64
            && let Some(noted) = batch.noted.get(&uid)
        {
            let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
            self.give(uid, noted, Content::Pieces(receiver)).await;
            coming.pieces = Some(sender);
        }
        coming
    }

    async fn end(&self, mut one: Coming, batch: &Batch, left: &mut Left) {
        let Some(noted) = batch.noted.get(&one.uid) else { return };
        let held = one.held.split().freeze();
        match one.pieces.take() {
            None if held.len() as u64 == one.size => self.give(one.uid, noted, Content::Whole(held)).await,
            None => return,
            Some(pieces) => {
                let _ = pieces.send(Piece::Data(held)).await;
                let _ = pieces.send(Piece::End).await;
            }
        }
        take_out(left, one.uid);
    }

    async fn give(&self, uid: u32, noted: &Noted, content: Content) {
        let Noted { flags, received } = noted.clone();
        let message =
            Message { key: key(uid).to_vec(), label: format!("UID {uid}"), flags, received, content };
        // Whoever takes no more has a reason, and says it.
        let _ = self.out.send(Item::Message(message)).await;
    }
}

impl Coming {
    async fn take(&mut self, octets: Bytes) {
        self.held.extend_from_slice(&octets);
        if let Some(pieces) = &self.pieces
            && self.held.len() >= crate::commands::import::source::PIECE
        {
            let _ = pieces.send(Piece::Data(self.held.split().freeze())).await;
        }
    }
}

impl Noted {
    fn take(&mut self, items: Vec<FetchData>) {
        for item in items {
            match item {
                FetchData::Flags { flags, .. } => self.flags = own_flags(&flags),
                FetchData::InternalDate(date) => self.received = date.timestamp().as_millisecond(),
                _ => {}
            }
        }
    }
}

/// Whether it was among those asked for, which are the first.
fn take_out(left: &mut Left, uid: u32) -> bool {
    let place = left.iter().take(MAX_MESSAGES).position(|(other, _)| *other == uid);
    place.is_some_and(|place| left.remove(place).is_some())
}

/// The next messages, bounded in number and octets; at least one.
fn batch(left: &Left, most: usize) -> Vec<u32> {
    let mut octets = 0;
    let fits = |(_, size): &&(u32, u64)| {
        let first = octets == 0;
        octets += size + 1;
        first || octets <= MAX_OCTETS
    };
    left.iter().take(most).take_while(fits).map(|(uid, _)| *uid).collect()
}

/// Rising UIDs, as ranges where they follow each other.
fn set(uids: &[u32]) -> SequenceSet {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &uid in uids {
        match ranges.last_mut() {
            Some(range) if range.1 + 1 == uid => range.1 = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let number = SeqNumber::Number;
    SequenceSet::Numbers(ranges.into_iter().map(|(first, last)| (number(first), number(last))).collect())
}

fn uid_of(items: &[FetchData]) -> Option<u32> {
    items.iter().find_map(|item| if let FetchData::Uid(uid) = item { Some(*uid) } else { None })
}

pub(super) fn own_flags(flags: &[Flag]) -> Flags {
    let mut own = Flags::default();
    for flag in flags {
        match flag {
            Flag::Seen => own.seen = true,
            Flag::Answered => own.answered = true,
            Flag::Flagged => own.flagged = true,
            Flag::Deleted => own.deleted = true,
            Flag::Draft => own.draft = true,
            Flag::Keyword(keyword) => own.add_keyword(keyword.as_str()),
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_taken_out_once_and_only_from_what_was_asked_for() {
        let mut left: Left = (1..=2 * MAX_MESSAGES as u32).map(|uid| (uid, 10)).collect();
        for (uid, expected) in [
            (1, true),
            (50, true),
            (50, false),
            (MAX_MESSAGES as u32 + 2, true),
            (150, false),
            (7_000, false),
        ] {
            assert_eq!(take_out(&mut left, uid), expected, "{uid}");
        }
        assert_eq!(left.len(), 2 * MAX_MESSAGES - 3);
        assert_eq!(batch(&left, 3), [2, 3, 4]);
    }
}
