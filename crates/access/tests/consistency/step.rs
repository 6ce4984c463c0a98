//! What clients and others do.

use proptest::prelude::*;

pub(crate) const CLIENTS: usize = 4;
pub(crate) const FOLDERS: [&str; 2] = ["INBOX", "Archive"];
pub(crate) const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work", "blue"];

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

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Select { folder: usize, read_only: bool },
    Close,
    Unselect,
    Noop,
    Idle,
    Fetch { which: Which, subject: bool, marks: bool },
    Store { which: Which, change: Change, flags: Vec<usize>, silent: bool, unchanged: bool },
    Search { uid: bool, deleted: bool },
    Append { folder: usize, flags: Vec<usize> },
    Copy { which: Which, to: usize },
    Move { which: Which, to: usize },
    Expunge,
    UidExpunge { which: Which },
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
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
        20 => (0..CLIENTS, act()).prop_map(|(client, act)| Step::Client(client, act)),
        2 => Just(Step::Deliver),
        1 => any::<u8>().prop_map(Step::Pop3),
        1 => Just(Step::Undelete),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let folder = || prop_oneof![3 => Just(0usize), 1 => Just(1)];
    let which =
        || (any::<bool>(), any::<u8>(), 0u8..4).prop_map(|(uid, from, more)| Which { uid, from, more });
    let flags = || prop::collection::vec(0..FLAGS.len(), 1..3);
    let change = prop_oneof![3 => Just(Change::Add), 2 => Just(Change::Remove), 1 => Just(Change::Replace)];
    let store = (which(), change, flags(), any::<bool>(), any::<bool>());
    prop_oneof![
        3 => (folder(), prop::bool::weighted(0.1)).prop_map(|(folder, read_only)| Act::Select { folder, read_only }),
        1 => prop_oneof![Just(Act::Close), Just(Act::Unselect)],
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
        2 => (any::<bool>(), any::<bool>()).prop_map(|(uid, deleted)| Act::Search { uid, deleted }),
        4 => (folder(), flags()).prop_map(|(folder, flags)| Act::Append { folder, flags }),
        2 => (which(), folder()).prop_map(|(which, to)| Act::Copy { which, to }),
        2 => (which(), folder()).prop_map(|(which, to)| Act::Move { which, to }),
        3 => Just(Act::Expunge),
        2 => which().prop_map(|which| Act::UidExpunge { which }),
    ]
}
