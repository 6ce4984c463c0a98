//! What clients and others do.

use proptest::prelude::*;

/// The folders of `me@example.org` that clients work in. The first two stay; the others are made, renamed and removed.
pub(crate) const FOLDERS: [&str; 4] = ["INBOX", "Archive", "Work", "Old"];
pub(crate) const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work", "blue"];
/// What is searched for: its name, and the flag that a message has to have, or not to have.
pub(crate) const KEYS: [(&str, Option<(&str, bool)>); 5] = [
    ("ALL", None),
    ("DELETED", Some(("\\Deleted", true))),
    ("UNSEEN", Some(("\\Seen", false))),
    ("KEYWORD $Work", Some(("$Work", true))),
    ("UNKEYWORD blue", Some(("blue", false))),
];
/// What the other account is allowed to do with a folder.
pub(crate) const RIGHTS: [&str; 7] = ["", "l", "lr", "lrs", "lrsi", "lrswit", "lrswitex"];

/// Which messages: places among those that the client knows, taken modulo their count, named by number or by UID.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which {
    pub(crate) uid: bool,
    pub(crate) from: u8,
    pub(crate) more: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
    Replace,
}

/// Folders are places in [`FOLDERS`].
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Select {
        folder: usize,
        read_only: bool,
    },
    Close,
    Unselect,
    Noop,
    Idle,
    Fetch {
        which: Which,
        subject: bool,
        marks: bool,
    },
    Store {
        which: Which,
        change: Change,
        flags: Vec<usize>,
        silent: bool,
        unchanged: bool,
    },
    /// Of [`KEYS`].
    Search {
        uid: bool,
        key: usize,
    },
    Append {
        folder: usize,
        flags: Vec<usize>,
    },
    Copy {
        which: Which,
        to: usize,
    },
    Move {
        which: Which,
        to: usize,
    },
    Expunge,
    UidExpunge {
        which: Which,
    },
    Create {
        folder: usize,
    },
    Delete {
        folder: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    /// Gives the other account these of [`RIGHTS`].
    Share {
        folder: usize,
        rights: usize,
    },
}

impl Act {
    /// Whether it is about messages of an open folder.
    pub(crate) fn needs_folder(&self) -> bool {
        use Act::{Close, Copy, Expunge, Fetch, Idle, Move, Search, Store, UidExpunge, Unselect};
        let with_numbers = matches!(self, Fetch { .. } | Store { .. } | Search { .. });
        let of_messages = matches!(self, Copy { .. } | Move { .. } | UidExpunge { .. } | Expunge);
        with_numbers || of_messages || matches!(self, Close | Unselect | Idle)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// One of the [`KINDS`](super::player::KINDS) does something.
    Client(usize, Act),
    /// By SMTP, to INBOX.
    Deliver,
    /// A POP3 session removes the message at this place.
    Pop3(u8),
    /// The administrator brings back all that was removed.
    Undelete,
}

pub(crate) fn steps(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..=longest)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (0..super::player::KINDS.len(), act()).prop_map(|(client, act)| Step::Client(client, act)),
        2 => Just(Step::Deliver),
        1 => any::<u8>().prop_map(Step::Pop3),
        1 => Just(Step::Undelete),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![12 => with_messages(), 3 => with_folders()]
}

fn folder() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)]
}

fn with_messages() -> impl Strategy<Value = Act> {
    let which =
        || (any::<bool>(), any::<u8>(), 0u8..4).prop_map(|(uid, from, more)| Which { uid, from, more });
    let flags = || prop::collection::vec(0..FLAGS.len(), 1..3);
    let change = prop_oneof![3 => Just(Change::Add), 2 => Just(Change::Remove), 1 => Just(Change::Replace)];
    let store = (which(), change, flags(), any::<bool>(), any::<bool>());
    prop_oneof![
        3 => Just(Act::Noop),
        3 => Just(Act::Idle),
        5 => (which(), any::<bool>(), any::<bool>())
            .prop_map(|(which, subject, marks)| Act::Fetch { which, subject, marks }),
        6 => store.prop_map(|(which, change, flags, silent, unchanged)| {
            Act::Store { which, change, flags, silent, unchanged }
        }),
        3 => (which(), Just(vec![2])).prop_map(|(which, flags)| {
            Act::Store { which, change: Change::Add, flags, silent: true, unchanged: false }
        }),
        3 => (any::<bool>(), 0..KEYS.len()).prop_map(|(uid, key)| Act::Search { uid, key }),
        4 => (folder(), flags()).prop_map(|(folder, flags)| Act::Append { folder, flags }),
        2 => (which(), folder()).prop_map(|(which, to)| Act::Copy { which, to }),
        2 => (which(), folder()).prop_map(|(which, to)| Act::Move { which, to }),
        3 => Just(Act::Expunge),
        2 => which().prop_map(|which| Act::UidExpunge { which }),
    ]
}

fn with_folders() -> impl Strategy<Value = Act> {
    let changing = || 2..FOLDERS.len();
    prop_oneof![
        6 => (folder(), prop::bool::weighted(0.1)).prop_map(|(folder, read_only)| Act::Select { folder, read_only }),
        2 => prop_oneof![Just(Act::Close), Just(Act::Unselect)],
        3 => changing().prop_map(|folder| Act::Create { folder }),
        1 => changing().prop_map(|folder| Act::Delete { folder }),
        2 => (changing(), changing()).prop_map(|(from, to)| Act::Rename { from, to }),
        3 => (folder(), 0..RIGHTS.len()).prop_map(|(folder, rights)| Act::Share { folder, rights }),
    ]
}
