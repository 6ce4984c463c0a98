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
use std::cmp::Reverse;
use std::time::Duration;

/// Connections that break one after another without a message between, before it is given up.
const MAX_TRIES: u32 = 6;
/// Before the first new connection, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An account on a server.
pub(super) struct Imap {
    settings: Settings,
    user: String,
    password: Secret<String>,
    connection: Option<Connection>,
    /// Folders that were named, which are read whatever they are for.
    wanted: Vec<String>,
    listed: Vec<Listed>,
    /// UIDs and octets of the folder that was read last.
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

    /// All messages of the open folder, by UID: octets, and the flags of those that are known.
    async fn list_messages(&mut self, known: &Known) -> Result<Vec<(u32, u64, Option<Flags>)>, Failure> {
        let all = SequenceSet::Numbers(vec![(SeqNumber::Number(1), SeqNumber::Last)]);
        let items = vec![FetchItem::Uid, FetchItem::Rfc822Size, FetchItem::Flags];
        let fetch = Command::Fetch { uids: all, items, changed_since: None };
        let (answers, last) = self.connection().await?.ask(fetch).await?;
        if !matches!(last, Event::Done(_)) {
            return Err(said("to list messages", &last));
        }
        let mut listed: Vec<_> = answers.iter().filter_map(|event| message(event, known)).collect();
        // What a server says unasked of a message has no size.
        listed.sort_by_key(|(uid, size, _)| (*uid, Reverse(*size)));
        listed.dedup_by_key(|(uid, ..)| *uid);
        Ok(listed)
    }

    /// Reads a folder once, as far as the connection lasts. What was given is taken from `left`.
    async fn read_once(
        &mut self,
        folder: usize,
        known: &Known,
        left: &mut Option<Vec<(u32, u64)>>,
        out: Option<&Out>,
    ) -> Result<(), Failure> {
        self.examine(folder).await?;
        if left.is_none() {
            let listed = self.list_messages(known).await?;
            self.sizes = listed.iter().map(|(uid, size, _)| (*uid, *size)).collect();
            let fresh = self.sizes.iter().filter(|(uid, _)| !known.contains_key(&key(*uid)[..]));
            let fresh: Vec<(u32, u64)> = fresh.copied().collect();
            if let Some(out) = out {
                let _ = out.send(Item::Expected(fresh.len() as u64)).await;
                for (uid, _, flags) in listed.into_iter().filter(|one| known.contains_key(&key(one.0)[..])) {
                    let _ = out.send(Item::Known { key: key(uid).to_vec(), flags }).await;
                }
            }
            *left = Some(fresh);
        }
        let (Some(left), Some(out)) = (left.as_mut(), out) else { return Ok(()) };
        let connection = self.connection().await?;
        Fetching { connection, out }.run(left).await
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
        let (mut left, mut tries, mut pause) = (None::<Vec<(u32, u64)>>, 0, FIRST_PAUSE);
        loop {
            let before = left.as_ref().map(Vec::len);
            let failure = match self.read_once(folder, &known, &mut left, out.as_ref()).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            self.connection = None;
            if left.as_ref().map(Vec::len) != before {
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
        Ok(Count {
            messages: self.sizes.len() as u64,
            known: there as u64,
            octets: Some(self.sizes.iter().map(|(_, size)| size).sum()),
        })
    }

    fn sizes(&self) -> Option<Vec<(Vec<u8>, u64)>> {
        Some(self.sizes.iter().map(|(uid, size)| (key(*uid).to_vec(), *size)).collect())
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

/// UID and octets, and the flags of one that is known.
fn message(event: &Event, known: &Known) -> Option<(u32, u64, Option<Flags>)> {
    let Event::Data(Data::Fetch { items, .. }) = event else { return None };
    let (mut uid, mut size, mut flags) = (None, 0, None);
    for item in items {
        match item {
            FetchData::Uid(own) => uid = Some(*own),
            FetchData::Rfc822Size(octets) => size = *octets,
            FetchData::Flags { flags: all, .. } => flags = Some(own_flags(all)),
            _ => {}
        }
    }
    let uid = uid?;
    Some((uid, size, flags.filter(|_| known.contains_key(&key(uid)[..]))))
}
