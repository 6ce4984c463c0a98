//! Flags and keywords (RFC 9051 §6.4.6).

use super::{Keywords, Summary, UidRuns, part_after, sqlite};
use crate::committer::Writer;
use crate::{Id, Store, StoreError};
use std::sync::Arc;

/// What STORE does to messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagChange {
    pub mode: FlagMode,
    /// Bits of [`super::flag`].
    pub flags: u32,
    pub keywords: Keywords,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagMode {
    Add,
    Remove,
    Replace,
    /// The same, but flags that are not among these stay as they are.
    ReplaceAmong(FlagMask),
}

/// Some of the flags: those that somebody may set in a folder (RFC 4314 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagMask {
    /// Bits of [`super::flag`].
    pub flags: u32,
    /// All keywords, or none.
    pub keywords: bool,
}

impl FlagMask {
    pub const ALL: Self = Self { flags: u32::MAX, keywords: true };

    /// Takes away from a message what is not among these.
    pub(super) fn apply(self, message: &mut Summary) {
        message.flags &= self.flags;
        if !self.keywords {
            message.keywords = Keywords::default();
        }
    }
}

impl FlagChange {
    /// Sets flags that may be set already.
    pub fn add(flags: u32) -> Self {
        Self { mode: FlagMode::Add, flags, keywords: Keywords::default() }
    }

    /// What a message has afterwards.
    pub(super) fn apply(&self, flags: u32, keywords: &Keywords) -> (u32, Keywords) {
        match self.mode {
            FlagMode::Add => (flags | self.flags, keywords.with(&self.keywords)),
            FlagMode::Remove => (flags & !self.flags, keywords.without(&self.keywords)),
            FlagMode::Replace => (self.flags, self.keywords.clone()),
            FlagMode::ReplaceAmong(mask) => {
                let kept = if mask.keywords { &self.keywords } else { keywords };
                (flags & !mask.flags | self.flags & mask.flags, kept.clone())
            }
        }
    }
}

/// What STORE did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagsSet {
    /// Messages that have other flags than before.
    pub changed: UidRuns,
    /// Messages left alone because they had changed since (MODIFIED, RFC 7162 §3.1.3).
    pub modified: UidRuns,
    /// What the changed messages have now, one of these a slice, rising.
    pub modseqs: Vec<u64>,
}

impl Store {
    /// Changes flags, slice by slice; messages that have gone are passed over. With `unchanged_since`, those that
    /// changed after that modification sequence are left alone. On an error some may be changed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such folder; [`StoreError::Limit`] for too many keywords and
    /// [`StoreError::Refused`] for what cannot be one, before anything is changed.
    pub async fn set_flags(
        &self,
        mailbox: Id,
        uids: impl Into<UidRuns>,
        change: FlagChange,
        unchanged_since: Option<u64>,
    ) -> Result<FlagsSet, StoreError> {
        change.keywords.check()?;
        let asked = Arc::new((uids.into(), change));
        let (mut done, mut after) = (FlagsSet::default(), 0);
        loop {
            let asked = Arc::clone(&asked);
            let work = move |w: &Writer<'_>| {
                sqlite::flags::set(w, mailbox, &asked.0, &asked.1, unchanged_since, after)
            };
            let (slice, next) = self.inner.committer.write_part(part_after(after), work).await?;
            done.changed = done.changed.union(&slice.changed);
            done.modified = done.modified.union(&slice.modified);
            done.modseqs.extend(slice.modseqs);
            match next {
                Some(last) => after = last,
                None => return Ok(done),
            }
        }
    }
}
