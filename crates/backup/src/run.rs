//! Making a back-up.
//!
//! Folders are read from where the last snapshot left them, and bodies that are not stored yet, until so little changes meanwhile that
//! one transaction has the rest: then that is a moment, and the snapshot is of it.

use crate::BackupError;
use crate::name::Name;
use crate::repository::Repository;
use crate::snapshot::{Folder, PART, Snapshot, uids_of};
use crate::source::Source;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use store::Id;
use store::backup::{Absent, Changes, Cut, Facts, Known, Messages, Named, Table, Value};
use store::mailbox::UidRuns;

/// How often what changed is read before it is said that too much does. Each time there is less to read than the time before,
/// unless mail changes faster than it is read.
const MAX_ROUNDS: usize = 100;
/// Problems that are told one by one.
const MAX_TOLD: usize = 1_000;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// The snapshot's moment, in milliseconds since 1970.
    pub at: i64,
    pub accounts: u64,
    pub folders: u64,
    pub messages: u64,
    pub queued: u64,
    /// Bodies that were stored now.
    pub new_bodies: u64,
    /// Octets that the folder of back-ups grew by.
    pub written: u64,
    /// Messages left out because they were removed for good while they were read.
    pub removed_meanwhile: u64,
    /// Bodies that could not be read, with whose they are; their messages are not in the snapshot.
    pub damaged: Vec<String>,
}

/// How far a run is: messages read, and how many there are to read at most.
pub trait Progress {
    fn at(&self, read: u64, of: u64);
}

impl<F: Fn(u64, u64)> Progress for F {
    fn at(&self, read: u64, of: u64) {
        self(read, of);
    }
}

/// Makes a back-up; when it returns, the snapshot is durable.
///
/// # Errors
/// [`BackupError::Temporary`] when mail changes faster than it can be read.
pub async fn run(
    source: &impl Source,
    facts: &Facts,
    repository: &mut Repository,
    progress: &impl Progress,
) -> Result<RunReport, BackupError> {
    let mailboxes = match repository.snapshots()?.good.pop() {
        // Rows of another schema are not compared with: they are read again, the bodies not.
        Some(last) if last.schema == facts.schema => whole_folders(repository, last),
        _ => BTreeMap::new(),
    };
    let mut run =
        Run { source, repository, mailboxes, report: RunReport::default(), read: 0, of: 0, progress };
    let imports = run.import_notes().await?;
    for _ in 0..MAX_ROUNDS {
        let known = run.mailboxes.iter().map(|(id, folder)| (*id, folder.modseq)).collect();
        match source.cut(known).await? {
            Cut::Behind { folders, messages } => {
                run.of = run.read + messages;
                for folder in folders {
                    run.read_folder(folder).await?;
                }
            }
            Cut::Complete { at, tables, folders, changes } => {
                for (id, changes) in changes {
                    let modseq = changes.modseq;
                    run.take(id, changes).await?;
                    run.mailboxes.entry(id).or_default().modseq = modseq;
                }
                let there: HashSet<Id> = folders.iter().map(|(id, _)| *id).collect();
                run.mailboxes.retain(|id, _| there.contains(id));
                return run.finish(facts, at, tables, imports).await;
            }
        }
    }
    Err(BackupError::Temporary("mail changes faster than it can be read: try again later".to_owned()))
}

/// The folders of a snapshot that need not be read again. Where a file has been lost, those of which a part is missing are.
fn whole_folders(repository: &Repository, last: Snapshot) -> BTreeMap<Id, Folder> {
    let (there, mut folders) = (repository.pack_names(), last.mailboxes);
    if last.packs.iter().any(|name| !there.contains(name)) {
        folders.retain(|_, folder| folder.parts.values().all(|name| is_whole(repository, *name)));
    }
    folders
}

fn is_whole(repository: &Repository, part: Name) -> bool {
    let part: Result<Messages, BackupError> = repository.get_rows(part);
    part.is_ok_and(|part| part.bodies().all(|(_, (body, _))| repository.has(Name::body(body))))
}

struct Run<'a, S, P> {
    source: &'a S,
    repository: &'a mut Repository,
    mailboxes: BTreeMap<Id, Folder>,
    report: RunReport,
    read: u64,
    of: u64,
    progress: &'a P,
}

impl<S: Source, P: Progress> Run<'_, S, P> {
    /// Reads what changed of a folder. What changes while it is read is read in the next round.
    async fn read_folder(&mut self, folder: Known) -> Result<(), BackupError> {
        let (mut after, mut modseq) = (0, None);
        loop {
            let changes = self.source.changes(folder, after).await?;
            modseq.get_or_insert(changes.modseq);
            let next = changes.next;
            self.take(folder.0, changes).await?;
            match next {
                Some(last) => after = last,
                None => break,
            }
        }
        self.mailboxes.entry(folder.0).or_default().modseq = modseq.unwrap_or(0);
        Ok(())
    }

    /// Stores changed messages of a folder, their bodies first.
    async fn take(&mut self, id: Id, changes: Changes) -> Result<(), BackupError> {
        let Changes { mut messages, gone, .. } = changes;
        self.read += messages.len() as u64;
        self.take_bodies(id, &mut messages).await?;
        let gone = UidRuns::from_ranges(gone.into_iter().map(|(first, last)| first..=last));
        let mut fresh = messages.split(PART);
        let folder = self.mailboxes.entry(id).or_default();
        for number in folder.parts.keys().filter(|number| touches(&gone, **number)) {
            fresh.entry(*number).or_default();
        }
        for (number, newer) in fresh {
            let mut part: Messages = match folder.parts.get(&number) {
                Some(name) => self.repository.get_rows(*name)?,
                None => Messages::default(),
            };
            part.retain(|uid, _| !gone.contains(uid));
            part.merge(newer);
            if part.is_empty() {
                folder.parts.remove(&number);
            } else {
                folder.parts.insert(number, self.repository.put_rows(&part)?);
            }
        }
        self.progress.at(self.read, self.of.max(self.read));
        Ok(())
    }

    /// Stores the bodies that are not stored yet. Messages whose bodies cannot be had are taken away.
    async fn take_bodies(&mut self, id: Id, messages: &mut Messages) -> Result<(), BackupError> {
        let wanted: BTreeMap<Id, u64> = messages.bodies().map(|(_, named)| named).collect();
        let lost = self.fetch(wanted).await?;
        if lost.is_empty() {
            return Ok(());
        }
        for (uid, (body, _)) in messages.bodies() {
            match lost.get(&body) {
                Some(Absent::Removed) => self.report.removed_meanwhile += 1,
                Some(Absent::Damaged(text)) if self.report.damaged.len() < MAX_TOLD => {
                    self.report.damaged.push(format!("message {uid} of folder {id}: {text}"));
                }
                _ => {}
            }
        }
        messages.retain(|_, body| !lost.contains_key(&body));
        Ok(())
    }

    /// Stores bodies; returns those that could not be had.
    async fn fetch(&mut self, wanted: BTreeMap<Id, u64>) -> Result<BTreeMap<Id, Absent>, BackupError> {
        let wanted: Vec<Named> =
            wanted.into_iter().filter(|(id, _)| !self.repository.has(Name::body(*id))).collect();
        let (mut left, mut lost) = (wanted.as_slice(), BTreeMap::new());
        while !left.is_empty() {
            let fetched = self.source.bodies(left).await?;
            let (now, later) = left.split_at(fetched.len().clamp(1, left.len()));
            for ((id, size), body) in now.iter().zip(fetched) {
                match body {
                    Ok(octets) if octets.len() as u64 == *size => {
                        self.repository.put(Name::body(*id), &octets)?;
                        self.report.new_bodies += 1;
                    }
                    Ok(octets) => {
                        let text = format!("body {id} has {} octets, not {size}", octets.len());
                        lost.insert(*id, Absent::Damaged(text));
                    }
                    Err(absent) => drop(lost.insert(*id, absent)),
                }
            }
            left = later;
        }
        Ok(lost)
    }

    /// Read before the moment, rows of imports are of messages that are in it or were removed.
    async fn import_notes(&mut self) -> Result<Vec<Name>, BackupError> {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let table = self.source.import_notes(after).await?;
            let Some(last) = table.rows.last() else { return Ok(names) };
            let place = |name| table.column(name).and_then(|place| last.get(place));
            let source = place("source").and_then(Value::integer).map(Id::from_stored);
            let key = place("key").and_then(Value::octets);
            let broken = || BackupError::Other("notes of imports are not as they should be".to_owned());
            after = Some(source.zip(key).ok_or_else(broken)?);
            names.push(self.repository.put_rows(&table)?);
        }
    }

    /// Stores the tables of the moment and what the queue has, and writes the snapshot.
    async fn finish(
        mut self,
        facts: &Facts,
        at: i64,
        mut tables: Vec<Table>,
        imports: Vec<Name>,
    ) -> Result<RunReport, BackupError> {
        self.take_queue(&mut tables).await?;
        let mut names = imports;
        for table in &tables {
            names.push(self.repository.put_rows(table)?);
        }
        self.repository.seal()?;
        let rows = |name: &str| tables.iter().find(|table| table.name == name);
        let count = |name| rows(name).map_or(0, |table| table.rows.len() as u64);
        let sum = |column| {
            let numbers = rows("mailbox").into_iter().flat_map(|table| table.integers([column]));
            numbers.map(|[number]| number.unsigned_abs()).sum()
        };
        let snapshot = Snapshot {
            at,
            schema: facts.schema,
            installation: facts.installation,
            accounts: count("account"),
            folders: count("mailbox"),
            messages: sum("messages"),
            octets: sum("octets"),
            queued: count("queued"),
            packs: self.repository.pack_names(),
            tables: names,
            mailboxes: self.mailboxes,
        };
        snapshot.write(self.repository.folder())?;
        let written = self.repository.written();
        let Snapshot { accounts, folders, messages, queued, .. } = snapshot;
        Ok(RunReport { at, accounts, folders, messages, queued, written, ..self.report })
    }

    /// What left the queue while this read it is not in the snapshot: it has been dealt with.
    async fn take_queue(&mut self, tables: &mut [Table]) -> Result<(), BackupError> {
        let Some(queued) = tables.iter_mut().find(|table| table.name == "queued") else { return Ok(()) };
        let bodies = queued.integers(["body", "body_size"]);
        let wanted = bodies.map(|[id, size]| (Id::from_stored(id), size.unsigned_abs())).collect();
        let lost = self.fetch(wanted).await?;
        for (body, absent) in &lost {
            if let Absent::Damaged(text) = absent {
                self.report.damaged.push(format!("a message of the queue, body {body}: {text}"));
            }
        }
        queued.retain("body", |body| !lost.contains_key(&Id::from_stored(body)));
        let there: HashSet<i64> = queued.integers(["id"]).map(|[id]| id).collect();
        if let Some(recipients) = tables.iter_mut().find(|table| table.name == "recipient") {
            recipients.retain("message", |message| there.contains(&message));
        }
        Ok(())
    }
}

/// Whether UIDs of a part are among these.
fn touches(uids: &UidRuns, number: u32) -> bool {
    let (first, last) = uids_of(number);
    uids.ranges().any(|run| *run.start() <= last && *run.end() >= first)
}
