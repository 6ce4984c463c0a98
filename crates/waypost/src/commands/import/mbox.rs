//! mbox files as a source. Messages in them have no names: one is named by its `From ` line's date and its header, and
//! by how many alike stand before it in its file.

use super::source::{Composer, Count, Folder, Gone, Head, Item, Known, Out, Source, blocking, hash};
use crate::exit::Failure;
use mailfile::mbox::{self, Event, Reader};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Directories in directories that are looked into.
const MAX_DEPTH: usize = 32;
/// Octets read at once.
const BUFFER: usize = 256 << 10;

/// Files, each a folder.
pub(super) struct Mbox {
    paths: Vec<PathBuf>,
    found: Vec<Found>,
    /// What the only file's folder is called, instead of its own name.
    only: bool,
}

struct Found {
    levels: Vec<String>,
    path: PathBuf,
}

impl Mbox {
    /// `named`: the folder was named, which an only file then becomes.
    pub(super) fn new(paths: Vec<PathBuf>, named: bool) -> Self {
        let only = named && matches!(&paths[..], [path] if path.is_file());
        Self { paths, found: Vec::new(), only }
    }
}

impl Source for Mbox {
    async fn folders(&mut self) -> Result<Vec<Folder>, Failure> {
        let (paths, only) = (self.paths.clone(), self.only);
        self.found = blocking(move || {
            let mut found = Vec::new();
            for path in &paths {
                look_at(path, Vec::new(), true, &mut found)?;
            }
            if only {
                found.iter_mut().for_each(|one: &mut Found| one.levels.clear());
            }
            found.sort_by(|a, b| a.levels.cmp(&b.levels));
            Ok(found)
        })
        .await?;
        let folder = |found: &Found| Folder {
            levels: found.levels.clone(),
            role: None,
            subscribed: false,
            source: format!("mbox:{}", found.path.display()),
        };
        Ok(self.found.iter().map(folder).collect())
    }

    async fn read(&mut self, folder: usize, known: Known, out: Option<Out>) -> Result<Count, Failure> {
        let Some(found) = self.found.get(folder) else { return Ok(Count::default()) };
        let path = found.path.clone();
        blocking(move || {
            read(&path, &known, out.as_ref())
                .map_err(|error| Failure::no(format!("cannot read {}: {error}", path.display())))
        })
        .await
    }
}

/// A file, or a directory of them. `named`: by the user, and not found in a directory.
fn look_at(path: &Path, mut levels: Vec<String>, named: bool, found: &mut Vec<Found>) -> Result<(), Failure> {
    let failure = |error: std::io::Error| Failure::no(format!("cannot read {}: {error}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_file() {
        if !named && !is_mbox(path).map_err(failure)? {
            return Ok(());
        }
        // Apple's: a directory Name.mbox with the file mbox in it.
        if name != "mbox" || levels.is_empty() {
            levels.push(stem(&name));
        }
        if let [only] = &levels[..]
            && ["inbox", "mbox"].iter().any(|inbox| only.eq_ignore_ascii_case(inbox))
        {
            levels.clear();
        }
        found.push(Found { levels, path: path.to_owned() });
        return Ok(());
    }
    if !named {
        levels.push(stem(&name));
    }
    if levels.len() > MAX_DEPTH {
        return Err(Failure::no(format!("{} is too deep", path.display())));
    }
    let entries =
        std::fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.map_err(failure)?;
    entries.sort();
    let hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    for entry in entries.iter().filter(|entry| !hidden(entry)) {
        look_at(entry, levels.clone(), false, found)?;
    }
    Ok(())
}

/// Without what programs put behind: `.mbox`, and Thunderbird's `.sbd` for what is in a folder.
fn stem(name: &str) -> String {
    let stem = [".mbox", ".mbx", ".sbd"].iter().find_map(|end| name.strip_suffix(end));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name).to_owned()
}

/// Programs keep indexes and settings beside their mail. An empty file is a folder without mail.
fn is_mbox(path: &Path) -> std::io::Result<bool> {
    let mut begins = Vec::new();
    File::open(path)?.take(5).read_to_end(&mut begins)?;
    Ok(begins == b"From ")
}

fn read(path: &Path, known: &Known, out: Option<&Out>) -> std::io::Result<Count> {
    let file = File::open(path)?;
    let modified = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = i64::try_from(modified.as_millis()).unwrap_or_default();
    let mut reader = Reader::new(BufReader::with_capacity(BUFFER, file));
    let (mut count, mut alike, mut composer) = (Count::default(), HashMap::new(), None);
    while let Some(event) = reader.next()? {
        let done = match event {
            Event::Begin(head) => {
                count.messages += 1;
                let key = key(&head, &mut alike);
                if known.contains_key(&key) {
                    count.known += 1;
                    let known = Item::Known { key, flags: Some(head.flags) };
                    out.map_or(Ok(()), |out| out.blocking_send(known).map_err(|_| Gone))
                } else if let Some(out) = out {
                    // How many there are is known at the end alone.
                    let _ = out.blocking_send(Item::Expected(1));
                    let label = format!("message {} of {}", count.messages, path.display());
                    let received = head.date.unwrap_or(modified);
                    composer = Some(Composer::new(out, Head { key, label, flags: head.flags, received }));
                    Ok(())
                } else {
                    Ok(())
                }
            }
            Event::Data(piece) => composer.as_mut().map_or(Ok(()), |composer| composer.write(&piece)),
            Event::End => composer.take().map_or(Ok(()), Composer::finish),
        };
        if let Err(Gone) = done {
            break;
        }
    }
    Ok(count)
}

/// Flags are no part of it: they change.
fn key(head: &mbox::Head, alike: &mut HashMap<Vec<u8>, u32>) -> Vec<u8> {
    let mut text = format!("{:?} {}\n", head.date, head.sender).into_bytes();
    text.extend_from_slice(&head.header);
    let first = hash(&text);
    let number = alike.entry(first.clone()).or_default();
    *number += 1;
    match *number {
        1 => first,
        number => hash(&[&first[..], &number.to_be_bytes()].concat()),
    }
}
