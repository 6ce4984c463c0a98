//! What is noted about folders and accounts (RFC 5464).

use super::sqlite;
use crate::{Id, Store, StoreError};

/// Octets of a value, of those without a bound in the RFC (MAXSIZE).
pub const MAX_ANNOTATION: usize = 64 << 10;
/// Entries of a folder, or of an account without one, for each of: what all see, and what each user alone sees (TOOMANY).
pub const MAX_ANNOTATIONS: usize = 100;
/// Octets of an entry's name.
pub const MAX_ENTRY: usize = 255;

/// An entry and its value, any octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// In lower case, for example `/private/comment`.
    pub entry: String,
    pub value: Vec<u8>,
}

impl Store {
    /// What `account` sees noted about a folder, or, without one, about itself: `/private` entries are its own,
    /// `/shared` ones the folder's. By entry.
    pub fn metadata(&self, account: Id, mailbox: Option<Id>) -> Result<Vec<Annotation>, StoreError> {
        self.inner.main.with(|db| sqlite::metadata::list(db, account, mailbox))
    }

    /// Notes, or, with `None`, removes entries, all or none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an entry that is neither `/private/…` nor, of a folder, `/shared/…`;
    /// [`StoreError::Limit`]; [`StoreError::NotFound`] when there is no such folder.
    pub async fn set_metadata(
        &self,
        account: Id,
        mailbox: Option<Id>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let mut checked = Vec::with_capacity(entries.len());
        for (entry, value) in entries {
            let entry = entry.to_ascii_lowercase();
            check(&entry, value.as_deref(), mailbox.is_some())?;
            checked.push((entry, value));
        }
        self.inner.committer.write(move |w| sqlite::metadata::set(w, account, mailbox, &checked)).await
    }
}

fn check(entry: &str, value: Option<&[u8]>, of_folder: bool) -> Result<(), StoreError> {
    if entry.len() > MAX_ENTRY || value.is_some_and(|value| value.len() > MAX_ANNOTATION) {
        return Err(StoreError::Limit(format!(
            "an entry has at most {MAX_ENTRY} octets and its value {MAX_ANNOTATION}"
        )));
    }
    let shared = of_folder && entry.starts_with("/shared/");
    let empty = entry.split('/').skip(1).any(str::is_empty);
    if !(shared || entry.starts_with("/private/"))
        || empty
        || entry.bytes().any(|byte| !(0x20..0x7f).contains(&byte))
    {
        return Err(StoreError::Refused(format!("{entry:?} is not an entry that can be set")));
    }
    Ok(())
}
