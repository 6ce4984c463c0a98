//! GETMETADATA, SETMETADATA (RFC 5464): notes about folders and about the account.
//!
//! `/private` entries are the user's own; `/shared` ones of a folder are seen by all who can read it. The server's `/shared` entries
//! are an administrator's, who has set none: they can be read, and there is nothing.

use super::connection::Driver;
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use super::user::{Found, User};
use super::watch::Own;
use imap::MailboxName;
use imap::command::GetMetadata;
use imap::response::{Code, Data, Status};
use store::StoreError;
use store::mailbox::{Annotation, MAX_ANNOTATION, MAX_ENTRY};

impl Driver {
    pub(super) async fn get_metadata(&mut self, get: GetMetadata) -> Outcome<Status> {
        let found = self.annotated(get.mailbox.as_ref(), Rights::READ).await?;
        let all = self.annotations(found.as_ref()).await?;
        let asked = |entry: &str| get.entries.iter().any(|root| within(entry, root, get.depth));
        let mut entries: Vec<(String, Option<bytes::Bytes>)> = Vec::new();
        let (mut too_long, mut skipped) = (None, Vec::new());
        for Annotation { entry, value, .. } in all.into_iter().filter(|found| asked(&found.entry)) {
            match get.max_size.is_some_and(|limit| value.len() as u64 > limit) {
                true => {
                    too_long = too_long.max(Some(value.len() as u64));
                    skipped.push(entry);
                }
                false => entries.push((entry, Some(value.into()))),
            }
        }
        // Entries asked for by name that are not there have no value.
        for name in &get.entries {
            let name = name.to_ascii_lowercase();
            let told = entries.iter().any(|(entry, _)| *entry == name) || skipped.contains(&name);
            if get.depth == Some(0) && !told {
                entries.push((name, None));
            }
        }
        if !entries.is_empty() {
            self.data(&Data::Metadata { mailbox: get.mailbox, entries });
        }
        let status = Status::ok("these are the notes");
        Ok(match too_long {
            Some(longest) => status.with(Code::MetadataLongEntries(longest)),
            None => status,
        })
    }

    pub(super) async fn set_metadata(
        &mut self,
        mailbox: Option<MailboxName>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Outcome<Status> {
        let found = self.annotated(mailbox.as_ref(), Rights::LOOKUP).await?;
        for (entry, value) in &entries {
            check(entry)?;
            if value.as_ref().is_some_and(|value| value.len() > MAX_ANNOTATION) {
                let most = Code::MetadataMaxSize(MAX_ANNOTATION as u64);
                return Err(Stop::no(most, format!("a note has at most {MAX_ANNOTATION} octets")));
            }
            let shared = !is_private(entry);
            match &found {
                None if shared => return Err(Stop::no(Code::NoPerm, "the administrator's entries stay")),
                Some(found) if shared => found.require(Rights::WRITE)?,
                _ => {}
            }
        }
        let user = self.user()?.clone();
        let mailbox = found.map(|found| found.mailbox.id);
        let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        self.data_store().set_metadata(user.id, mailbox, entries).await.map_err(|error| match error {
            // Sizes are checked above: it is their number.
            StoreError::Limit(text) => Stop::no(Code::MetadataTooMany, text),
            other => other.into(),
        })?;
        self.made(&Own::Noted(mailbox, &names));
        Ok(Status::ok("the notes are kept"))
    }

    async fn annotated(&self, mailbox: Option<&MailboxName>, needed: Rights) -> Outcome<Option<Found>> {
        match mailbox {
            Some(name) => Ok(Some(self.user()?.find_for(&self.context, name, needed).await?)),
            None => Ok(None),
        }
    }

    async fn annotations(&self, found: Option<&Found>) -> Outcome<Vec<Annotation>> {
        let (store, User { id, .. }) = (self.data_store(), self.user()?.clone());
        let mailbox = found.map(|found| found.mailbox.id);
        read(move || store.metadata(id, mailbox)).await
    }
}

fn is_private(entry: &str) -> bool {
    entry.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("/private/"))
}

/// RFC 5464 §3.2.
fn check(entry: &str) -> Outcome<()> {
    if entry.len() > MAX_ENTRY {
        return Err(Stop::no(Code::Limit, format!("an entry's name has at most {MAX_ENTRY} octets")));
    }
    let shared = entry.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("/shared/"));
    let formed =
        entry.is_ascii() && !entry.contains(['*', '%']) && !entry.contains("//") && !entry.ends_with('/');
    match (is_private(entry) || shared) && formed {
        true => Ok(()),
        false => Err(Stop::bad(format!("{entry:?} is no name of an entry: /private/… or /shared/…"))),
    }
}

/// Whether an entry is the one asked for, or so many levels below it (`None`: any number).
fn within(entry: &str, root: &str, depth: Option<u8>) -> bool {
    let root = root.to_ascii_lowercase();
    let Some(below) = entry.strip_prefix(root.trim_end_matches('/')) else { return false };
    match (below, depth) {
        ("", _) => true,
        (_, Some(0)) => false,
        (below, Some(1)) => below.starts_with('/') && !below[1..].contains('/'),
        (below, _) => below.starts_with('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_says_how_far_below_an_entry_is_looked() {
        let check =
            |entry, root, depth, expected| assert_eq!(within(entry, root, depth), expected, "{entry} {root}");
        check("/shared/comment", "/Shared/Comment", Some(0), true);
        check("/shared/comment/a", "/shared/comment", Some(0), false);
        check("/shared/comment/a", "/shared/comment", Some(1), true);
        check("/shared/comment/a/b", "/shared/comment", Some(1), false);
        check("/shared/comment/a/b", "/shared/comment", None, true);
        check("/shared/comments", "/shared/comment", None, false);
    }

    #[test]
    fn entries_are_private_or_shared() {
        assert!(check("/private/comment").is_ok() && check("/SHARED/vendor/x").is_ok());
        for refused in ["comment", "/other/x", "/private/", "/shared/a//b", "/shared/a*", "/private/ü"] {
            assert!(check(refused).is_err(), "{refused}");
        }
    }
}
