//! Reading everything back.

use crate::BackupError;
use crate::name::Name;
use crate::pack::Pack;
use crate::repository::Repository;
use crate::run::Progress;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use store::Id;
use store::backup::{Messages, Table, Value};

/// Problems that are told; those that follow are counted.
const MAX_TOLD: usize = 1_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    pub ok: bool,
    pub snapshots: u64,
    /// Bodies and rows.
    pub objects: u64,
    /// Of all packs.
    pub octets: u64,
    /// What is damaged, and whose message that is.
    pub damaged: Vec<String>,
    /// How many more problems there are.
    pub more: u64,
}

impl VerifyReport {
    fn tell(&mut self, problem: String) {
        if self.damaged.len() < MAX_TOLD {
            self.damaged.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Reads every object and holds it against its checksum, and sees whether all is there that the snapshots name.
pub fn verify(repository: &Repository, progress: &impl Progress) -> Result<VerifyReport, BackupError> {
    let mut report = VerifyReport::default();
    repository.damaged().iter().for_each(|what| report.tell(format!("{what} is damaged")));
    let broken = read_packs(repository, &mut report, progress)?;
    let snapshots = repository.snapshots()?;
    snapshots.damaged.iter().for_each(|what| report.tell(format!("{what} is damaged")));
    report.snapshots = snapshots.good.len() as u64;
    let mut walk = Walk { repository, broken, seen: HashSet::new(), report };
    // The newest first: what is damaged is told with the newest name that it has.
    snapshots.good.iter().rev().for_each(|snapshot| walk.snapshot(snapshot));
    let mut report = walk.report;
    report.ok = report.damaged.is_empty();
    Ok(report)
}

/// Returns what cannot be read.
fn read_packs(
    repository: &Repository,
    report: &mut VerifyReport,
    progress: &impl Progress,
) -> Result<HashSet<Name>, BackupError> {
    let packs: Vec<Pack> =
        repository.packs().iter().map(|path| Pack::open(path)).collect::<Result<_, _>>()?;
    let lengths: Vec<u64> = packs.iter().map(Pack::length).collect::<Result<_, _>>()?;
    report.octets = lengths.iter().sum();
    let (mut broken, mut before) = (HashSet::new(), 0);
    for (number, (pack, length)) in packs.iter().zip(lengths).enumerate() {
        for (name, begin) in pack.index()? {
            match pack.read(name, begin) {
                Ok(_) => report.objects += 1,
                Err(BackupError::Damaged(what)) => {
                    report.tell(format!("{what} is damaged"));
                    if repository.is_at(name, number, begin) {
                        broken.insert(name);
                    }
                }
                Err(error) => return Err(error),
            }
            progress.at(before + begin, report.octets);
        }
        before += length;
    }
    Ok(broken)
}

struct Walk<'a> {
    repository: &'a Repository,
    broken: HashSet<Name>,
    seen: HashSet<Name>,
    report: VerifyReport,
}

impl Walk<'_> {
    fn has(&self, name: Name) -> bool {
        self.repository.has(name) && !self.broken.contains(&name)
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        let mut tables = Vec::new();
        for name in &snapshot.tables {
            match self.repository.get_rows::<Table>(*name) {
                Ok(table) => tables.push(table),
                Err(_) if self.seen.insert(*name) => self.report.tell(format!(
                    "the snapshot of {} cannot be restored: {name} is missing or damaged",
                    snapshot.time()
                )),
                Err(_) => {}
            }
        }
        let names = folder_names(&tables);
        for (id, folder) in &snapshot.mailboxes {
            let name = names.get(id).map_or_else(|| id.to_string(), Clone::clone);
            for (number, part) in &folder.parts {
                if self.seen.insert(*part) {
                    self.part(&name, *number, *part);
                }
            }
        }
        for [body] in tables.iter().filter(|table| table.name == "queued").flat_map(|t| t.integers(["body"]))
        {
            let body = Name::body(Id::from_stored(body));
            if !self.has(body) && self.seen.insert(body) {
                self.report.tell(format!("a message of the queue has lost its {body}"));
            }
        }
    }

    fn part(&mut self, folder: &str, number: u32, part: Name) {
        let Ok(messages) = self.repository.get_rows::<Messages>(part) else {
            let (first, last) = crate::snapshot::uids_of(number);
            let text = format!("{folder}: the rows of messages {first} to {last} are missing or damaged");
            return self.report.tell(text);
        };
        for (uid, (body, _)) in messages.bodies() {
            let body = Name::body(body);
            if !self.has(body) {
                self.report.tell(format!("{folder}: message {uid} has lost its {body}"));
            }
        }
    }
}

/// `you@example.org, folder INBOX`, of each folder.
fn folder_names(tables: &[Table]) -> HashMap<Id, String> {
    let table = |name: &str| tables.iter().find(|table| table.name == name);
    let text = |table: &Table, row: &[Value], column: &str| {
        let place = table.column(column)?;
        Some(row.get(place)?.text()?.to_owned())
    };
    let number = |table: &Table, row: &[Value], column: &str| row.get(table.column(column)?)?.integer();
    let (Some(accounts), Some(folders)) = (table("account"), table("mailbox")) else { return HashMap::new() };
    let address = |row: &Vec<Value>| {
        let (local, domain) = (text(accounts, row, "local")?, text(accounts, row, "domain")?);
        Some((number(accounts, row, "id")?, format!("{local}@{domain}")))
    };
    let addresses: HashMap<i64, String> = accounts.rows.iter().filter_map(address).collect();
    let name = |row: &Vec<Value>| {
        let owner = addresses.get(&number(folders, row, "account")?)?;
        let name = text(folders, row, "name")?;
        Some((Id::from_stored(number(folders, row, "id")?), format!("{owner}, folder {name}")))
    };
    folders.rows.iter().filter_map(name).collect()
}
