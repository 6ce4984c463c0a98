//! The REFERENCES algorithm, by the steps of RFC 5256 §3 (BASE.6.4.THREAD).

use super::{Age, MAX_DEPTH, MAX_REFERENCES, ThreadInput};
use crate::response::ThreadNode;
use crate::sort::casemap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Ancestors that are looked at to find out whether a link would make a loop. A link that needs more is not made: only
/// messages out of their order in a conversation of so many, or made to be expensive, ask for it.
const MAX_ANCESTORS: usize = 1_000;

/// REFERENCES: messages under those that they refer to, and then threads of the same subject together.
pub fn references(messages: &[ThreadInput]) -> Vec<ThreadNode> {
    let mut messages: Vec<&ThreadInput> = messages.iter().collect();
    messages.sort_unstable_by_key(|message| message.number);
    let links = Links::of(&messages);
    let mut forest = links.prune(messages);
    forest.merge_subjects();
    forest.limit_depth();
    forest.into_nodes()
}

/// Steps 1 and 2: who is whose parent. The messages come first, the dummies after them.
struct Links {
    parents: Vec<Option<usize>>,
    /// How many have it as parent: none, and no loop can go through it.
    children: Vec<u32>,
}

impl Links {
    fn of(messages: &[&ThreadInput]) -> Self {
        let mut ids: HashMap<&str, usize> = HashMap::with_capacity(messages.len() * 2);
        for (index, message) in messages.iter().enumerate() {
            // Of several with one id the first has it, the others have one of their own.
            if let Some(id) = &message.message_id {
                ids.entry(id).or_insert(index);
            }
        }
        let mut links = Self { parents: vec![None; messages.len()], children: vec![0; messages.len()] };
        for (index, message) in messages.iter().enumerate() {
            let nearest = message.references.len().saturating_sub(MAX_REFERENCES);
            let mut last = None;
            for id in message.references.iter().skip(nearest) {
                let referred = *ids.entry(id).or_insert_with(|| links.dummy());
                if let Some(parent) = last
                    && links.parents.get(referred) == Some(&None)
                {
                    links.link(parent, referred);
                }
                last = Some(referred);
            }
            links.unlink(index);
            if let Some(parent) = last {
                links.link(parent, index);
            }
        }
        links
    }

    fn dummy(&mut self) -> usize {
        self.parents.push(None);
        self.children.push(0);
        self.parents.len() - 1
    }

    /// To a child without parent, unless that would make a loop.
    fn link(&mut self, parent: usize, child: usize) {
        if parent != child && (self.children[child] == 0 || !self.may_descend(parent, child)) {
            self.parents[child] = Some(parent);
            self.children[parent] += 1;
        }
    }

    fn unlink(&mut self, child: usize) {
        if let Some(parent) = self.parents[child].take() {
            self.children[parent] -= 1;
        }
    }

    /// Whether the node is below the ancestor, or so deep that it is not known.
    fn may_descend(&self, node: usize, ancestor: usize) -> bool {
        let mut above = self.parents[node];
        for _ in 0..MAX_ANCESTORS {
            match above {
                None => return false,
                Some(above) if above == ancestor => return true,
                Some(next) => above = self.parents[next],
            }
        }
        true
    }

    /// Step 3: without the dummies, but for those at the top that hold several messages together.
    fn prune(mut self, messages: Vec<&ThreadInput>) -> Forest<'_> {
        let real = messages.len();
        for node in 0..self.parents.len() {
            self.skip_dummies(node, real);
        }
        let mut children = vec![Vec::new(); self.parents.len()];
        let mut roots = Vec::new();
        for node in 0..real {
            match self.parents[node] {
                Some(parent) => children[parent].push(node),
                None => roots.push(node),
            }
        }
        for (dummy, below) in children.iter_mut().enumerate().skip(real) {
            match below.as_slice() {
                [] => {}
                [_] => roots.append(below),
                _ => roots.push(dummy),
            }
        }
        Forest { messages, children, roots }
    }

    /// Makes the nearest ancestor that is a message, or else the topmost dummy, the parent: of the node and of all between.
    fn skip_dummies(&mut self, node: usize, real: usize) {
        let mut top = node;
        while let Some(parent) = self.parents[top] {
            top = parent;
            if top < real {
                break;
            }
        }
        let mut below = node;
        while let Some(parent) = self.parents[below]
            && below != top
        {
            self.parents[below] = Some(top);
            below = parent;
        }
    }
}

/// Threads under the root. An index past the messages is a dummy's.
struct Forest<'a> {
    messages: Vec<&'a ThreadInput>,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'a> Forest<'a> {
    /// A message itself; of a dummy the first child, which is a message: steps 4 to 6 sort and compare by it.
    fn shown(&self, node: usize) -> Option<&'a ThreadInput> {
        let age = |child: &usize| self.messages.get(*child).map(|message| message.age());
        match self.messages.get(node) {
            Some(message) => Some(message),
            None => self.children[node]
                .iter()
                .min_by_key(|child| age(child))
                .and_then(|&first| self.messages.get(first))
                .copied(),
        }
    }

    fn is_dummy(&self, node: usize) -> bool {
        node >= self.messages.len()
    }

    fn is_reply(&self, node: usize) -> bool {
        self.messages.get(node).is_some_and(|message| message.is_reply)
    }

    fn age(&self, node: usize) -> Option<Age> {
        self.shown(node).map(ThreadInput::age)
    }

    /// Steps 4 and 5.
    fn merge_subjects(&mut self) {
        let mut roots: Vec<(Option<Age>, usize)> =
            self.roots.iter().map(|&root| (self.age(root), root)).collect();
        roots.sort_unstable();
        let subjects: Vec<(String, usize)> = roots
            .into_iter()
            .map(|(_, root)| {
                (self.shown(root).map_or_else(String::new, |message| casemap(&message.subject)), root)
            })
            .collect();
        let mut table = self.subject_table(&subjects);
        self.roots.clear();
        for (subject, current) in &subjects {
            match table.get_mut(subject.as_str()) {
                // Empty subjects are not in it.
                None => self.roots.push(*current),
                Some(first) if first == current => {}
                Some(first) => *first = self.merge(*first, *current),
            }
        }
        self.roots.extend(table.into_values());
    }

    /// Step 5.B: to which root the others of a subject will go.
    fn subject_table<'s>(&self, subjects: &'s [(String, usize)]) -> HashMap<&'s str, usize> {
        let mut table: HashMap<&str, usize> = HashMap::with_capacity(subjects.len());
        for (subject, current) in subjects.iter().filter(|(subject, _)| !subject.is_empty()) {
            match table.entry(subject) {
                Entry::Vacant(entry) => {
                    entry.insert(*current);
                }
                Entry::Occupied(mut entry) => {
                    let first = *entry.get();
                    let better = self.is_dummy(*current) || self.is_reply(first) && !self.is_reply(*current);
                    if !self.is_dummy(first) && better {
                        entry.insert(*current);
                    }
                }
            }
        }
        table
    }

    /// Step 5.C, of one: returns the root that both are under.
    fn merge(&mut self, first: usize, current: usize) -> usize {
        match (self.is_dummy(first), self.is_dummy(current)) {
            (true, true) => {
                let moved = std::mem::take(&mut self.children[current]);
                self.children[first].extend(moved);
                first
            }
            (true, false) => {
                self.children[first].push(current);
                first
            }
            _ if self.is_reply(current) && !self.is_reply(first) => {
                self.children[first].push(current);
                first
            }
            _ => {
                self.children.push(vec![first, current]);
                self.children.len() - 1
            }
        }
    }

    /// What is deeper than [`MAX_DEPTH`] becomes a sibling of what is not.
    fn limit_depth(&mut self) {
        let mut deep: Vec<(usize, usize)> = self.roots.iter().map(|root| (*root, 1)).collect();
        while let Some((node, depth)) = deep.pop() {
            if depth + 1 < MAX_DEPTH {
                deep.extend(self.children[node].iter().map(|child| (*child, depth + 1)));
                continue;
            }
            // Its children are the deepest that may be.
            let mut below = std::mem::take(&mut self.children[node]);
            let mut at = 0;
            while let Some(child) = below.get(at) {
                let deeper = std::mem::take(&mut self.children[*child]);
                below.extend(deeper);
                at += 1;
            }
            self.children[node] = below;
        }
    }

    /// Step 6. Dummies are at the top only, so that it does not matter which siblings are sorted first.
    fn into_nodes(mut self) -> Vec<ThreadNode> {
        let mut roots: Vec<(Option<Age>, usize)> =
            self.roots.iter().map(|&root| (self.age(root), root)).collect();
        roots.sort_unstable();
        let mut children = std::mem::take(&mut self.children);
        for siblings in &mut children {
            siblings.sort_unstable_by_key(|child| self.messages.get(*child).map(|message| message.age()));
        }
        // Parents before their children, so that from the end on a node's children are made before it.
        let mut order: Vec<(usize, Option<usize>)> = Vec::with_capacity(self.messages.len());
        let mut ahead: Vec<(usize, Option<usize>)> =
            roots.iter().rev().map(|(_, root)| (*root, None)).collect();
        while let Some((node, parent)) = ahead.pop() {
            let at = order.len();
            order.push((node, parent));
            ahead.extend(children[node].iter().rev().map(|child| (*child, Some(at))));
        }
        let mut made: Vec<Vec<ThreadNode>> = vec![Vec::new(); order.len()];
        let mut threads = Vec::with_capacity(roots.len());
        for (at, (node, parent)) in order.iter().enumerate().rev() {
            let mut children = std::mem::take(&mut made[at]);
            children.reverse();
            let node =
                ThreadNode { number: self.messages.get(*node).map(|message| message.number), children };
            match parent {
                Some(parent) => made[*parent].push(node),
                None => threads.push(node),
            }
        }
        threads.reverse();
        threads
    }
}
