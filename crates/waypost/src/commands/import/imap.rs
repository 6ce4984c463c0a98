//! An IMAP server as a source. A message is named by its UID, its folder by server, user, name and UIDVALIDITY; nothing
//! is changed there, and nothing marked as read. A connection that breaks is made again, and goes on where it was.

mod fetch;
mod folders;

use super::source::{Count, Folder, Item, Known, Out, Source};
use crate::client::imap::{Connection, Settings, said};
use crate::exit::{Exit, Failure};
use crate::output;
use address::Secret;
use fetch::{Fetching, own_flags};
use folders::Listed;
use imap::client::{Command, Event};
use imap::fetch::FetchItem;
use imap::response::{Code, Data, FetchData, Status};
use imap::{SeqNumber, SequenceSet};
use mailfile::Flags;
use std::collections::VecDeque;
use std::time::Duration;

/// Connections that break one after another without a message between, before it is given up.
const MAX_TRIES: u32 = 6;
/// Before the first new connection, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Messages of a folder: of each, UID and size are held.
const MAX_LISTED: usize = 4_000_000;

/// Messages that are still to be fetched, UID and octets, by UID: from the front.
type Left = VecDeque<(u32, u64)>;

/// An account on a server.
pub(super) struct Imap {
    settings: Settings,
    user: String,
    password: Secret<String>,
    connection: Option<Connection>,
    /// Folders that were named, which are read whatever they are for.
    wanted: Vec<String>,
    listed: Vec<Listed>,
    /// UIDs and octets of the folder that was read last, by UID.
    sizes: Vec<(u32, u64)>,
}

impl Imap {
    /// `wanted`: see [`super::How::renames`].
    pub(super) fn new(settings: Settings, user: &str, password: Secret<String>, wanted: Vec<String>) -> Self {
        Self {
            settings,
            user: user.to_owned(),
            password,
            connection: None,
            wanted,
            listed: Vec::new(),
            sizes: Vec::new(),
        }
    }

    async fn connection(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.settings, &self.user, &self.password).await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Opens a folder for reading.
    async fn examine(&mut self, folder: usize) -> Result<(), Failure> {
        let Some(listed) = self.listed.get(folder).cloned() else { return Ok(()) };
        let connection = self.connection().await?;
        let select = Command::Select { mailbox: listed.name.clone(), read_only: true, condstore: false };
        let (answers, last) = connection.ask(select).await?;
        if !matches!(last, Event::Done(_)) {
            return Err(said(&format!("to open {}", listed.shown), &last));
        }
        let validity = answers.iter().find_map(|event| match event {
            Event::Data(Data::Status(Status { code: Some(Code::UidValidity(validity)), .. })) => {
                Some(*validity)
            }
            _ => None,
        });
        if validity.is_some_and(|validity| validity != listed.uidvalidity) {
            return Err(Failure::no(format!("{} was made anew meanwhile: run this again", listed.shown)));
        }
        Ok(())
    }

    /// Notes all messages of the open folder as the server names them one by one, and gives those that are known with their
    /// flags.
    async fn list_messages(&mut self, known: &Known, out: Option<&Out>) -> Result<(), Failure> {
        let all = SequenceSet::Numbers(vec![(SeqNumber::Number(1), SeqNumber::Last)]);
        let items = vec![FetchItem::Uid, FetchItem::Rfc822Size, FetchItem::Flags];
        let connection = self.connection().await?;
        connection.send(Command::Fetch { uids: all, items, changed_since: None })?;
        let mut listed = Vec::new();
        loop {
            let event = match self.connection().await?.next().await {
                Event::Done(_) => break,
                event if event.ends_command() => return Err(said("to list messages", &event)),
                event => event,
            };
            let Some((uid, size, flags)) = message(&event) else { continue };
            if listed.len() >= MAX_LISTED {
                return Err(Failure::no("the server names more messages than there can be"));
            }
            listed.push((uid, size));
            if let Some(out) = out.filter(|_| known.contains_key(&key(uid)[..])) {
                let _ = out.send(Item::Known { key: key(uid).to_vec(), flags }).await;
            }
        }
        listed.sort_unstable_by_key(|(uid, _)| *uid);
        listed.dedup_by_key(|(uid, _)| *uid);
        self.sizes = listed;
        Ok(())
    }

    /// Reads a folder once, as far as the connection lasts. What was given is taken from `left`.
    async fn read_once(
        &mut self,
        folder: usize,
        known: &Known,
        left: &mut Option<Left>,
        out: Option<&Out>,
    ) -> Result<(), Failure> {
        self.examine(folder).await?;
        if left.is_none() {
            self.list_messages(known, out).await?;
            let fresh = self.sizes.iter().filter(|(uid, _)| !known.contains_key(&key(*uid)[..]));
            let fresh: Left = fresh.copied().collect();
            if let Some(out) = out {
                let _ = out.send(Item::Expected(fresh.len() as u64)).await;
            }
            *left = Some(fresh);
        }
        let (Some(left), Some(out)) = (left.as_mut(), out) else { return Ok(()) };
        let connection = self.connection().await?;
        Fetching { connection, out }.run(left).await
    }
}

impl Imap {
    /// Number and octets of what was listed.
    fn total(&self) -> (u64, u64) {
        (self.sizes.len() as u64, self.sizes.iter().map(|(_, size)| size).sum())
    }
}

impl Source for Imap {
    async fn folders(&mut self) -> Result<Vec<Folder>, Failure> {
        let wanted = self.wanted.clone();
        let listed = folders::list(self.connection().await?, &wanted).await?;
        let peer = &self.settings.server.peer;
        let folder = |one: &Listed| Folder {
            levels: one.levels.clone(),
            role: one.role.clone(),
            subscribed: one.subscribed,
            source: format!("imap:{}@{peer}:{}:{}", self.user, one.uidvalidity, one.shown),
        };
        let all = listed.iter().map(folder).collect();
        self.listed = listed;
        Ok(all)
    }

    async fn read(&mut self, folder: usize, known: Known, out: Option<Out>) -> Result<Count, Failure> {
        let (mut left, mut tries, mut pause) = (None::<Left>, 0, FIRST_PAUSE);
        loop {
            let before = left.as_ref().map(Left::len);
            let failure = match self.read_once(folder, &known, &mut left, out.as_ref()).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            self.connection = None;
            if left.as_ref().map(Left::len) != before {
                (tries, pause) = (0, FIRST_PAUSE);
            }
            tries += 1;
            if failure.exit != Exit::TryAgain || tries >= MAX_TRIES {
                return Err(failure);
            }
            output::warn(&format!("{failure}; going on in {} s", pause.as_secs()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let there = self.sizes.iter().filter(|(uid, _)| known.contains_key(&key(*uid)[..])).count();
        let (messages, octets) = self.total();
        Ok(Count { messages, known: there as u64, octets: Some(octets) })
    }

    fn totals(&self) -> Option<(u64, u64)> {
        Some(self.total())
    }

    fn has(&self, key: &[u8]) -> bool {
        let uid = key.try_into().map(u32::from_be_bytes);
        uid.is_ok_and(|uid| self.sizes.binary_search_by_key(&uid, |(uid, _)| *uid).is_ok())
    }

    async fn end(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.quit().await;
        }
    }
}

/// So that keys are in the order of UIDs.
fn key(uid: u32) -> [u8; 4] {
    uid.to_be_bytes()
}

/// UID, octets and flags. What a server says unasked of a message has no size, and is none of these.
fn message(event: &Event) -> Option<(u32, u64, Option<Flags>)> {
    let Event::Data(Data::Fetch { items, .. }) = event else { return None };
    let (mut uid, mut size, mut flags) = (None, None, None);
    for item in items {
        match item {
            FetchData::Uid(own) => uid = Some(*own),
            FetchData::Rfc822Size(octets) => size = Some(*octets),
            FetchData::Flags { flags: all, .. } => flags = Some(own_flags(all)),
            _ => {}
        }
    }
    Some((uid?, size?, flags))
}
