//! A folder as a client can know it from what it was told, and the rules that this has to keep.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Flags = BTreeSet<String>;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<Flags>,
    pub(crate) modseq: u64,
}

/// By sequence number, from 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    pub(crate) folder: usize,
    pub(crate) uidvalidity: u32,
    /// HIGHESTMODSEQ of the last SELECT.
    pub(crate) modseq: u64,
    pub(crate) messages: Vec<Message>,
}

/// What the command under way allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Numbers may change.
    pub(crate) expunges: bool,
    /// Each FETCH has a UID (RFC 9051 §6.4.9).
    pub(crate) uid: bool,
    /// The client has CONDSTORE: each FETCH with flags has a modification sequence.
    pub(crate) modseq: bool,
    pub(crate) qresync: bool,
}

/// What one FETCH said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fetched {
    pub(crate) number: usize,
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<Flags>,
    pub(crate) modseq: Option<u64>,
    pub(crate) subject: Option<String>,
    /// With the envelope, the structure, and all of its octets.
    pub(crate) is_whole: bool,
}

impl Picture {
    pub(crate) fn exists(&mut self, count: usize) {
        assert!(count >= self.messages.len(), "EXISTS {count} takes messages away without EXPUNGE: {self:?}");
        self.messages.resize(count, Message::default());
    }

    pub(crate) fn expunge(&mut self, number: usize, rules: Rules) {
        assert!(rules.expunges, "EXPUNGE {number} while numbers must stay");
        assert!(!rules.qresync, "EXPUNGE instead of VANISHED");
        assert!((1..=self.messages.len()).contains(&number), "EXPUNGE {number} of {}", self.messages.len());
        self.messages.remove(number - 1);
    }

    pub(crate) fn vanished(&mut self, uids: &[u32], rules: Rules) {
        assert!(rules.expunges, "VANISHED {uids:?} while numbers must stay");
        assert!(rules.qresync, "VANISHED instead of EXPUNGE");
        for uid in uids {
            let at = self.place(*uid).unwrap_or_else(|| panic!("VANISHED {uid} is not in {self:?}"));
            self.messages.remove(at);
        }
    }

    /// Where a message is, or where one that nothing but its number is known of can be it.
    fn place(&self, uid: u32) -> Option<usize> {
        let known = self.messages.iter().position(|message| message.uid == Some(uid));
        known.or_else(|| {
            let above = self.messages.iter().position(|message| message.uid.is_some_and(|known| known > uid));
            let below = above.unwrap_or(self.messages.len()).checked_sub(1)?;
            self.messages[below].uid.is_none().then_some(below)
        })
    }

    /// Those that it knows.
    pub(crate) fn uids(&self) -> impl Iterator<Item = u32> {
        self.messages.iter().filter_map(|message| message.uid)
    }

    /// Whether a message of this UID can be among them.
    pub(crate) fn can_have(&self, uid: u32) -> bool {
        self.place(uid).is_some()
    }

    pub(crate) fn fetched(&mut self, fetched: &Fetched, rules: Rules) {
        let Fetched { number, uid, flags, modseq, .. } = fetched;
        assert!(
            (1..=self.messages.len()).contains(number),
            "FETCH of {number} among {}",
            self.messages.len()
        );
        assert!(uid.is_some() || !rules.uid, "FETCH without UID: {fetched:?}");
        assert!(modseq.is_some() || flags.is_none() || !rules.modseq, "FETCH without MODSEQ: {fetched:?}");
        let message = &mut self.messages[number - 1];
        if let (Some(known), Some(uid)) = (message.uid, uid) {
            assert_eq!(known, *uid, "number {number} is another message than it was");
        }
        if let Some(modseq) = modseq {
            assert!(*modseq >= message.modseq, "MODSEQ of {uid:?} falls from {} to {modseq}", message.modseq);
            message.modseq = *modseq;
        }
        message.uid = uid.or(message.uid);
        message.flags = flags.clone().or_else(|| message.flags.take());
        let uids: Vec<u32> = self.messages.iter().filter_map(|message| message.uid).collect();
        assert!(uids.is_sorted_by(|a, b| a < b), "UIDs do not ascend: {uids:?}");
    }

    /// Messages by UID, for QRESYNC.
    pub(crate) fn by_uid(&self) -> BTreeMap<u32, Message> {
        self.messages.iter().filter_map(|message| Some((message.uid?, message.clone()))).collect()
    }
}
