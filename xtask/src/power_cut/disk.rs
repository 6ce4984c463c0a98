//! What a disk may have after a power cut: what was synced, and of the rest anything.
//!
//! A file's data and size are safe once a sync of that file, begun after the write, has succeeded; its name only
//! once its folder was synced. Of what was not, each piece of 512 or 4096 octets may be there or not, in any order; the
//! file may have grown without them, by zeros or by what lay on the disk before. Each name made, moved or
//! removed may be so on the disk or not, independently of the others; only changes of one name keep their order. After a
//! sync that failed, nothing that it was to make safe is made safe by a later one: each piece is there or lost for good.
//! docs/reliability.md compares this with what file systems do.

use super::luck::{Damage, Luck, put, survive, survive_names};
use super::record::{Call, Record};
use crate::Error;
use crate::random::Random;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::path::Path;

/// A place in the list of files and folders.
pub(super) type Node = usize;
const ROOT: Node = 0;

#[derive(Debug)]
pub(super) struct Disk<'a> {
    record: &'a Record,
    nodes: Vec<Object>,
    open: HashMap<i32, Node>,
    /// Syncs under way: of what, and what came before them.
    syncs: HashMap<i32, VecDeque<(Node, usize)>>,
    damage: Damage,
}

#[derive(Debug)]
enum Object {
    File { safe: Vec<u8>, pending: Vec<(usize, Change)> },
    Folder { names: BTreeMap<String, Node>, safe: BTreeMap<String, Node>, pending: Vec<(usize, Naming)> },
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(usize, Range<usize>),
    Truncate(usize),
}

/// A change of a folder: this name goes, and then this one comes.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    gone: Option<String>,
    come: Option<(String, Node)>,
}

impl Object {
    fn folder() -> Self {
        Self::Folder { names: BTreeMap::new(), safe: BTreeMap::new(), pending: Vec::new() }
    }

    fn file(safe: Vec<u8>) -> Self {
        Self::File { safe, pending: Vec::new() }
    }
}

/// What a disk has safe before a record begins.
#[derive(Debug)]
pub(super) struct Held(Vec<Object>);

impl Held {
    /// All that is in `folder`.
    pub(super) fn read(folder: &Path) -> std::io::Result<Self> {
        let mut held = Self(vec![Object::folder()]);
        held.take_in(ROOT, folder)?;
        Ok(held)
    }

    fn take_in(&mut self, node: Node, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let child = self.0.len();
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => {
                    self.0.push(Object::folder());
                    self.take_in(child, &entry.path())?;
                }
                (_, true) => self.0.push(Object::file(std::fs::read(entry.path())?)),
                // A socket of a server that was killed.
                _ => continue,
            }
            if let Some(Object::Folder { names, safe, .. }) = self.0.get_mut(node) {
                let name = entry.file_name().to_string_lossy().into_owned();
                names.insert(name.clone(), child);
                safe.insert(name, child);
            }
        }
        Ok(())
    }
}

impl<'a> Disk<'a> {
    /// An empty disk; nothing of the record has happened.
    pub(super) fn new(record: &'a Record) -> Self {
        Self::holding(Held(vec![Object::folder()]), record)
    }

    pub(super) fn holding(held: Held, record: &'a Record) -> Self {
        Self { record, nodes: held.0, open: HashMap::new(), syncs: HashMap::new(), damage: Damage::default() }
    }

    /// The first `until` calls of the record happen.
    pub(super) fn play(mut self, until: usize, luck: Luck) -> Result<Self, Error> {
        let record = self.record;
        // Another stream than that of the cut.
        let mut random = luck.random().map(|random| random.branch(1));
        for (number, call) in record.calls.iter().take(until).enumerate() {
            let applied = self.apply(number, call, random.as_mut());
            applied.ok_or_else(|| Error::Record(format!("call {number} does not fit: {call:?}")))?;
        }
        Ok(self)
    }

    /// `None` when the record cannot be so: a call passed beside the shim.
    fn apply(&mut self, number: usize, call: &Call, random: Option<&mut Random>) -> Option<()> {
        match call {
            Call::Process => {
                self.open.clear();
                self.syncs.clear();
            }
            Call::Open { fd, path, new, truncate } => {
                let node = if *new {
                    self.create(number, path, Object::file(Vec::new()))?
                } else {
                    self.find(path)?
                };
                self.open.insert(*fd, node);
                if *truncate {
                    self.change(number, *fd, Change::Truncate(0))?;
                }
            }
            Call::Copy { fd, of } => {
                self.open.insert(*fd, *self.open.get(of)?);
            }
            Call::Close(fd) => {
                self.open.remove(fd);
            }
            Call::Write { fd, offset, data } => {
                self.change(number, *fd, Change::Write(usize::try_from(*offset).ok()?, data.clone()))?;
            }
            Call::Truncate(fd, size) => {
                self.change(number, *fd, Change::Truncate(usize::try_from(*size).ok()?))?;
            }
            Call::SyncBegin(fd) => {
                let node = *self.open.get(fd)?;
                self.syncs.entry(*fd).or_default().push_back((node, number));
            }
            Call::SyncEnd { fd, failed } => self.sync_ended(*fd, *failed, random),
            Call::Rename(..) | Call::Link(..) | Call::Remove(_) | Call::MakeFolder(_) => {
                self.apply_name(number, call)?;
            }
            Call::Mark(..) => {}
        }
        Some(())
    }

    /// Two syncs of one file at once: the one that began first promises less, so it is taken to end first.
    fn sync_ended(&mut self, fd: i32, failed: bool, random: Option<&mut Random>) {
        let Some((node, begun)) = self.syncs.get_mut(&fd).and_then(VecDeque::pop_front) else { return };
        match (failed, random) {
            (false, _) => self.settle(node, begun),
            (true, Some(random)) => self.lose(node, begun, random),
            (true, None) => {}
        }
    }

    fn apply_name(&mut self, number: usize, call: &Call) -> Option<()> {
        match call {
            Call::Rename(from, to) => {
                let node = self.find(from)?;
                if from.parent() == to.parent() {
                    let naming = Naming { gone: Some(name(from)?), come: Some((name(to)?, node)) };
                    return self.rename(number, from, naming);
                }
                self.rename(number, to, Naming { gone: None, come: Some((name(to)?, node)) })?;
                self.rename(number, from, Naming { gone: Some(name(from)?), come: None })
            }
            Call::Link(from, to) => {
                let node = self.find(from)?;
                self.rename(number, to, Naming { gone: None, come: Some((name(to)?, node)) })
            }
            Call::Remove(path) => self.rename(number, path, Naming { gone: Some(name(path)?), come: None }),
            Call::MakeFolder(path) => self.create(number, path, Object::folder()).map(|_| ()),
            _ => None,
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        path.iter().try_fold(ROOT, |node, part| match self.nodes.get(node)? {
            Object::Folder { names, .. } => names.get(part.to_str()?).copied(),
            Object::File { .. } => None,
        })
    }

    fn create(&mut self, number: usize, path: &Path, object: Object) -> Option<Node> {
        self.nodes.push(object);
        let node = self.nodes.len() - 1;
        self.rename(number, path, Naming { gone: None, come: Some((name(path)?, node)) })?;
        Some(node)
    }

    /// A change of the folder that `path` is in.
    fn rename(&mut self, number: usize, path: &Path, naming: Naming) -> Option<()> {
        let folder = self.find(path.parent()?)?;
        let Object::Folder { names, pending, .. } = self.nodes.get_mut(folder)? else { return None };
        naming.apply(names);
        pending.push((number, naming));
        Some(())
    }

    fn change(&mut self, number: usize, fd: i32, change: Change) -> Option<()> {
        let Object::File { pending, .. } = self.nodes.get_mut(*self.open.get(&fd)?)? else { return None };
        pending.push((number, change));
        Some(())
    }

    /// What came before `begun` is safe.
    fn settle(&mut self, node: Node, begun: usize) {
        let record = self.record;
        match self.nodes.get_mut(node) {
            Some(Object::File { safe, pending }) => {
                let settled = pending.partition_point(|(number, _)| *number < begun);
                pending.drain(..settled).for_each(|(_, change)| change.apply(safe, record));
            }
            Some(Object::Folder { safe, pending, .. }) => {
                let settled = pending.partition_point(|(number, _)| *number < begun);
                pending.drain(..settled).for_each(|(_, naming)| naming.apply(safe));
            }
            None => {}
        }
    }

    /// A sync failed: what it was to make safe is there or not, and no later sync changes that.
    fn lose(&mut self, node: Node, begun: usize, random: &mut Random) {
        let record = self.record;
        if let Some(Object::File { safe, pending }) = self.nodes.get_mut(node) {
            let lost = pending.partition_point(|(number, _)| *number < begun);
            let lost: Vec<_> = pending.drain(..lost).collect();
            self.damage += survive(safe, &lost, record, random);
        }
    }

    /// The power goes. Makes the folder `target` what the disk has.
    pub(super) fn build(mut self, target: &Path, luck: Luck) -> std::io::Result<Damage> {
        let (record, mut random) = (self.record, luck.random());
        for object in &mut self.nodes {
            match (object, &mut random) {
                (Object::File { safe, pending }, Some(random)) => {
                    self.damage += survive(safe, pending, record, random);
                }
                (Object::File { safe, pending }, None) => {
                    pending.iter().for_each(|(_, change)| change.apply(safe, record));
                }
                (Object::Folder { safe, pending, .. }, Some(random)) => {
                    self.damage += survive_names(safe, pending, random);
                }
                (Object::Folder { names, safe, .. }, None) => safe.clone_from(names),
            }
        }
        self.write(ROOT, target)?;
        Ok(self.damage)
    }

    fn write(&self, node: Node, target: &Path) -> std::io::Result<()> {
        match self.nodes.get(node) {
            Some(Object::File { safe, .. }) => std::fs::write(target, safe),
            Some(Object::Folder { safe, .. }) => {
                std::fs::create_dir_all(target)?;
                safe.iter().try_for_each(|(name, node)| self.write(*node, &target.join(name)))
            }
            None => Ok(()),
        }
    }
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

impl Naming {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, node)) = &self.come {
            names.insert(name.clone(), *node);
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.gone.iter().chain(self.come.iter().map(|(name, _)| name))
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>, record: &Record) {
        match self {
            Self::Write(offset, data) => put(content, *offset, record.data(data)),
            Self::Truncate(size) => content.resize(*size, 0),
        }
    }
}
