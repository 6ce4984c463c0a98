//! A Maildir as a source. A message is named by what is unique in its file's name, which stays when its flags change.

use super::packed;
use super::source::{Composer, Count, Folder, Gone, Head, Item, Known, Out, PIECE, Source, blocking, hash};
use crate::exit::Failure;
use imap::name::decode_utf7;
use mailfile::maildir::{self, Entry, Found, Keywords};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A Maildir and its folders.
pub(super) struct Maildir {
    root: PathBuf,
    found: Vec<Found>,
    subscriptions: Vec<Vec<String>>,
}

impl Maildir {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, found: Vec::new(), subscriptions: Vec::new() }
    }
}

impl Source for Maildir {
    async fn folders(&mut self) -> Result<Vec<Folder>, Failure> {
        let root = self.root.clone();
        let (found, subscriptions) =
            blocking(move || Ok((maildir::folders(&root).map_err(failure)?, maildir::subscriptions(&root))))
                .await?;
        self.subscriptions = subscriptions.iter().map(|levels| decoded(levels)).collect();
        self.found = found;
        let folder = |found: &Found| {
            let levels = decoded(&found.levels);
            let subscribed = self.subscriptions.contains(&levels);
            Folder { levels, role: None, subscribed, source: format!("maildir:{}", found.path.display()) }
        };
        Ok(self.found.iter().map(folder).collect())
    }

    fn subscriptions(&self) -> Vec<Vec<String>> {
        self.subscriptions.clone()
    }

    async fn read(&mut self, folder: usize, known: Known, out: Option<Out>) -> Result<Count, Failure> {
        let Some(found) = self.found.get(folder) else { return Ok(Count::default()) };
        let path = found.path.clone();
        blocking(move || Reading::new(path, known, out)?.run()).await
    }
}

/// Names are in modified UTF-7; those of newer servers in UTF-8.
fn decoded(levels: &[String]) -> Vec<String> {
    levels.iter().map(|level| decode_utf7(level).into_owned()).collect()
}

fn failure(error: mailfile::Error) -> Failure {
    Failure::no(error.to_string())
}

/// A folder that is read, on a thread of its own.
struct Reading {
    path: PathBuf,
    entries: Vec<Entry>,
    keywords: Keywords,
    known: Known,
    out: Option<Out>,
}

impl Reading {
    fn new(path: PathBuf, known: Known, out: Option<Out>) -> Result<Self, Failure> {
        let (entries, keywords) = (maildir::entries(&path).map_err(failure)?, Keywords::read(&path));
        Ok(Self { path, entries, keywords, known, out })
    }

    fn run(self) -> Result<Count, Failure> {
        let mut count = Count { messages: self.entries.len() as u64, ..Count::default() };
        if let Some(out) = &self.out {
            let fresh = self.entries.iter().filter(|entry| !self.known.contains_key(&hash(entry.unique())));
            let _ = out.blocking_send(Item::Expected(fresh.count() as u64));
        }
        for entry in &self.entries {
            let key = hash(entry.unique());
            let known = self.known.contains_key(&key);
            count.known += u64::from(known);
            let Some(out) = &self.out else { continue };
            let given = match known {
                true => {
                    let flags = Some(entry.flags(&self.keywords));
                    out.blocking_send(Item::Known { key, flags }).map_err(|_| Gone)
                }
                false => self.give(entry, key, out),
            };
            if given.is_err() {
                break;
            }
        }
        Ok(count)
    }

    fn give(&self, entry: &Entry, key: Vec<u8>, out: &Out) -> Result<(), Gone> {
        let label = entry.path(&self.path).display().to_string();
        match self.compose(entry, key, &label, out) {
            Ok(done) => done,
            Err(error) => {
                let failed = Item::Failed { label, why: error.to_string() };
                out.blocking_send(failed).map_err(|_| Gone)
            }
        }
    }

    fn compose(
        &self,
        entry: &Entry,
        key: Vec<u8>,
        label: &str,
        out: &Out,
    ) -> std::io::Result<Result<(), Gone>> {
        let (entry, file) = open(&self.path, entry)?;
        let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let received = i64::try_from(modified.as_millis()).unwrap_or_default();
        let head = Head { key, label: label.to_owned(), flags: entry.flags(&self.keywords), received };
        let mut message = packed::open(file)?;
        let mut composer = Composer::new(out, head);
        let mut buffer = vec![0; PIECE];
        loop {
            match message.read(&mut buffer)? {
                0 => return Ok(composer.finish()),
                count => {
                    if let Err(gone) = composer.write(&buffer[..count]) {
                        return Ok(Err(gone));
                    }
                }
            }
        }
    }
}

/// The message's file, also when another program has just given it another name.
fn open(folder: &Path, entry: &Entry) -> std::io::Result<(Entry, File)> {
    match File::open(entry.path(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let again = maildir::find_again(folder, entry).map_err(std::io::Error::other)?.ok_or(error)?;
            File::open(again.path(folder)).map(|file| (again, file))
        }
        opened => opened.map(|file| (entry.clone(), file)),
    }
}
