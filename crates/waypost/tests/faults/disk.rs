//! What a disk may have after a power cut: what was synced, and of the rest anything.
//!
//! A file's data and size are safe once a sync of that file, begun after the write, has succeeded; its name only
//! once its folder was synced. Of what was not, each piece of 512 or 4096 octets may be there or not, in any order; the
//! file may have grown without them, by zeros or by what lay on the disk before. Each name made, moved or
//! removed may be so on the disk or not, independently of the others; only changes of one name keep their order. After a
//! sync that failed, nothing that it was to make safe is made safe by a later one: each piece is there or lost for good.
//! docs/reliability.md compares this with ext4 and others.

use crate::random::Random;
use crate::record::{Call, Record};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};

type Node = usize;
const ROOT: Node = 0;

#[derive(Debug)]
pub(crate) struct Disk<'a> {
    record: &'a Record,
    nodes: Vec<Object>,
    open: HashMap<i32, Node>,
    /// Syncs under way: of what, and what came before them.
    syncs: HashMap<i32, VecDeque<(Node, usize)>>,
}

#[derive(Debug)]
enum Object {
    File { safe: Vec<u8>, pending: Vec<(usize, Change)> },
    Folder { names: BTreeMap<String, Node>, safe: BTreeMap<String, Node>, pending: Vec<(usize, Naming)> },
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Range<usize>),
    Truncate(u64),
}

/// A change of a folder: these names go, and then this one comes.
#[derive(Debug, Clone)]
struct Naming {
    gone: Option<String>,
    come: Option<(String, Node)>,
}

impl Object {
    fn folder() -> Self {
        Self::Folder { names: BTreeMap::new(), safe: BTreeMap::new(), pending: Vec::new() }
    }
}

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Luck {
    /// All of it: what the running system saw.
    All,
    /// As the seed has it.
    Seed(u64),
}

impl<'a> Disk<'a> {
    /// The disk after the first `until` calls of the record.
    pub(crate) fn after(record: &'a Record, until: usize, luck: Luck) -> Self {
        let mut disk =
            Self { record, nodes: vec![Object::folder()], open: HashMap::new(), syncs: HashMap::new() };
        let mut random = if let Luck::Seed(seed) = luck { Some(Random::new(!seed)) } else { None };
        for (number, call) in record.calls[..until].iter().enumerate() {
            disk.apply(number, call, random.as_mut());
        }
        disk
    }

    fn apply(&mut self, number: usize, call: &Call, random: Option<&mut Random>) {
        match call {
            Call::Process => {
                self.open.clear();
                self.syncs.clear();
            }
            Call::Open { fd, path, new, truncate } => {
                let node = if *new {
                    self.create(number, path, Object::File { safe: Vec::new(), pending: Vec::new() })
                } else {
                    self.find(path)
                };
                self.open.insert(*fd, node);
                if *truncate {
                    self.change(number, node, Change::Truncate(0));
                }
            }
            Call::Copy { fd, of } => {
                self.open.insert(*fd, self.open[of]);
            }
            Call::Close(fd) => {
                self.open.remove(fd);
            }
            Call::Write { fd, offset, data } => {
                self.change(number, self.open[fd], Change::Write(*offset, data.clone()));
            }
            Call::Truncate(fd, size) => self.change(number, self.open[fd], Change::Truncate(*size)),
            Call::SyncBegin(fd) => {
                let node = self.open[fd];
                self.syncs.entry(*fd).or_default().push_back((node, number));
            }
            // Two syncs of one file at once: the one that began first promises less, so it is taken to end first.
            Call::SyncEnd { fd, failed } => {
                let Some((node, begun)) = self.syncs.get_mut(fd).and_then(VecDeque::pop_front) else {
                    return;
                };
                match (failed, random) {
                    (false, _) => self.settle(node, begun, |_| true),
                    (true, Some(random)) => self.lose(node, begun, random),
                    (true, None) => {}
                }
            }
            Call::Rename(from, to) => {
                let node = self.find(from);
                if from.parent() == to.parent() {
                    let naming = Naming { gone: Some(name(from)), come: Some((name(to), node)) };
                    self.rename(number, from, naming);
                } else {
                    self.rename(number, to, Naming { gone: None, come: Some((name(to), node)) });
                    self.rename(number, from, Naming { gone: Some(name(from)), come: None });
                }
            }
            Call::Link(from, to) => {
                let node = self.find(from);
                self.rename(number, to, Naming { gone: None, come: Some((name(to), node)) });
            }
            Call::Remove(path) => self.rename(number, path, Naming { gone: Some(name(path)), come: None }),
            Call::MakeFolder(path) => {
                self.create(number, path, Object::folder());
            }
            Call::Mark(..) => {}
        }
    }

    fn find(&self, path: &Path) -> Node {
        path.iter().fold(ROOT, |node, part| match &self.nodes[node] {
            Object::Folder { names, .. } => *names
                .get(part.to_str().unwrap())
                .unwrap_or_else(|| panic!("no {} in the record", path.display())),
            Object::File { .. } => panic!("{} is in a file", path.display()),
        })
    }

    fn create(&mut self, number: usize, path: &Path, object: Object) -> Node {
        self.nodes.push(object);
        let node = self.nodes.len() - 1;
        self.rename(number, path, Naming { gone: None, come: Some((name(path), node)) });
        node
    }

    /// A change of the folder that `path` is in.
    fn rename(&mut self, number: usize, path: &Path, naming: Naming) {
        let folder = self.find(path.parent().unwrap());
        let Object::Folder { names, pending, .. } = &mut self.nodes[folder] else { panic!("not a folder") };
        naming.apply(names);
        pending.push((number, naming));
    }

    fn change(&mut self, number: usize, node: Node, change: Change) {
        let Object::File { pending, .. } = &mut self.nodes[node] else { panic!("a write to a folder") };
        pending.push((number, change));
    }

    /// What came before `begun` is safe.
    fn settle(&mut self, node: Node, begun: usize, keep: impl Fn(&Change) -> bool) {
        let record = self.record;
        match &mut self.nodes[node] {
            Object::File { safe, pending } => {
                let settled = pending.partition_point(|(number, _)| *number < begun);
                for (_, change) in pending.drain(..settled).filter(|(_, change)| keep(change)) {
                    change.apply(safe, record);
                }
            }
            Object::Folder { safe, pending, .. } => {
                let settled = pending.partition_point(|(number, _)| *number < begun);
                pending.drain(..settled).for_each(|(_, naming)| naming.apply(safe));
            }
        }
    }

    /// A sync failed: what it was to make safe is there or not, and no later sync changes that.
    fn lose(&mut self, node: Node, begun: usize, random: &mut Random) {
        let record = self.record;
        if let Object::File { safe, pending } = &mut self.nodes[node] {
            let lost = pending.partition_point(|(number, _)| *number < begun);
            let lost: Vec<_> = pending.drain(..lost).collect();
            survive(safe, &lost, record, random);
        }
    }

    /// Makes the folder `target` what the disk has.
    pub(crate) fn build(mut self, target: &Path, luck: Luck) {
        let mut random = if let Luck::Seed(seed) = luck { Some(Random::new(seed)) } else { None };
        for object in &mut self.nodes {
            match (object, &mut random) {
                (Object::File { safe, pending }, Some(random)) => survive(safe, pending, self.record, random),
                (Object::File { safe, pending }, None) => {
                    pending.iter().for_each(|(_, change)| change.apply(safe, self.record));
                }
                (Object::Folder { safe, pending, .. }, Some(random)) => survive_names(safe, pending, random),
                (Object::Folder { names, safe, .. }, None) => safe.clone_from(names),
            }
        }
        self.write(ROOT, target);
    }

    fn write(&self, node: Node, target: &Path) {
        match &self.nodes[node] {
            Object::File { safe, .. } => std::fs::write(target, safe).unwrap(),
            Object::Folder { safe, .. } => {
                std::fs::create_dir_all(target).unwrap();
                safe.iter().for_each(|(name, node)| self.write(*node, &target.join(name)));
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, node)) = &self.come {
            names.insert(name.clone(), *node);
        }
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.gone.iter().chain(self.come.iter().map(|(name, _)| name))
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>, record: &Record) {
        match self {
            Self::Write(offset, data) => put(content, *offset as usize, record.data(data)),
            Self::Truncate(size) => content.resize(*size as usize, 0),
        }
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Brings into `content` what survives of changes that were not synced.
fn survive(content: &mut Vec<u8>, pending: &[(usize, Change)], record: &Record, random: &mut Random) {
    // Nothing and everything are what most often happens; between them lies what is seldom thought of.
    let kept = [0, 100, 5, 50, 95][random.below(5)];
    let sector = [512, 4096][random.below(2)];
    let stale = [0, 30][random.below(2)];
    let in_order = random.chance(30);
    let until = if in_order { random.below(pending.len() + 1) } else { pending.len() };
    for (place, (_, change)) in pending.iter().enumerate() {
        let share = if in_order { if place < until { 100 } else { 0 } } else { kept };
        match change {
            Change::Truncate(size) if random.chance(share) => content.resize(*size as usize, 0),
            Change::Truncate(_) => {}
            Change::Write(offset, data) => {
                for (at, piece) in sectors(*offset as usize, record.data(data), sector) {
                    if random.chance(share) {
                        put(content, at, piece);
                    } else if at >= content.len() && random.chance(stale) {
                        // The file has grown, but what it shows there is what the disk had before.
                        let mut old = vec![0; piece.len()];
                        if random.chance(50) {
                            random.fill(&mut old);
                        }
                        put(content, at, &old);
                    }
                }
            }
        }
    }
}

/// The pieces of a write that a disk writes each as a whole.
fn sectors(offset: usize, mut data: &[u8], sector: usize) -> Vec<(usize, &[u8])> {
    let (mut at, mut pieces) = (offset, Vec::new());
    while !data.is_empty() {
        let (piece, rest) = data.split_at(data.len().min(sector - at % sector));
        pieces.push((at, piece));
        at += piece.len();
        data = rest;
    }
    pieces
}

fn survive_names(safe: &mut BTreeMap<String, Node>, pending: &[(usize, Naming)], random: &mut Random) {
    let kept = [0, 100, 50, 90][random.below(4)];
    // What did not happen to a name is followed by nothing that needs it to have happened.
    let mut stuck: HashSet<&String> = HashSet::new();
    for (_, naming) in pending {
        if random.chance(kept) && !naming.names().any(|name| stuck.contains(name)) {
            naming.apply(safe);
        } else {
            stuck.extend(naming.names());
        }
    }
}

/// Every file below `folder` with its content, for the comparison of a record with what the run left.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    use std::os::unix::fs::FileTypeExt as _;
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if !kind.is_socket() {
                let name = entry.path().strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}
