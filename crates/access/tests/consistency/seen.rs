//! What a client that asked for it (RFC 5465) was told of the folders that it has not open.

use super::link::Told;
use super::player::Player;
use std::collections::{BTreeMap, BTreeSet};

/// MESSAGES, UIDNEXT and UNSEEN.
pub(crate) type Counts = [u64; 3];

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// All folders that it can list.
    pub(crate) names: BTreeSet<String>,
    /// Of those of which it was told.
    pub(crate) counts: BTreeMap<String, Counts>,
}

impl Seen {
    pub(crate) fn counts(&mut self, name: String, counts: Counts) {
        self.counts.insert(name, counts);
    }

    /// What was known of a folder of this name is of another, or not to be known any more.
    pub(crate) fn listed(&mut self, attributes: &[String], name: String, old: Option<&str>) {
        self.counts.remove(&name);
        if let Some(old) = old {
            self.counts.remove(old);
            self.names.remove(old);
        }
        match attributes.iter().any(|attribute| attribute == "\\NonExistent") {
            true => self.names.remove(&name),
            false => self.names.insert(name),
        };
    }

    pub(crate) fn made(&mut self, status: &str, name: String) {
        if status == "OK" {
            self.listed(&[], name, None);
        }
    }

    pub(crate) fn removed(&mut self, status: &str, name: &str) {
        if status == "OK" {
            self.counts.remove(name);
            self.names.remove(name);
        }
    }
}

impl Player {
    /// Everything in all folders, with the counts of each.
    pub(crate) async fn begin_to_watch(&mut self) -> Told<()> {
        self.seen = Seen::default();
        let of_messages = "MessageNew MessageExpunge FlagChange";
        let groups = format!(
            "(selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
             (personal ({of_messages} MailboxName)) (subtree Shared ({of_messages} MailboxName))"
        );
        self.ok(&format!("NOTIFY SET {groups}")).await?;
        self.ok("LIST \"\" *").await?;
        for name in self.seen.names.clone() {
            self.look_at(&name).await?;
        }
        Ok(())
    }

    /// After what it did itself, of which it is not told: the counts of the folders that it has not open.
    pub(crate) async fn look_again(&mut self) -> Told<()> {
        if self.kind().notify {
            for name in self.seen.counts.clone().into_keys() {
                self.look_at(&name).await?;
            }
        }
        Ok(())
    }

    async fn look_at(&mut self, name: &str) -> Told<()> {
        if self.any(&format!("STATUS {name} (MESSAGES UIDNEXT UNSEEN)")).await?.status != "OK" {
            self.seen.counts.remove(name);
        }
        Ok(())
    }
}
