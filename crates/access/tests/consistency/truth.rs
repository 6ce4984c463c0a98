//! What is there, beside what a client knows.

use super::picture::{Flags, Picture};
use super::player::{Kind, Player, Searched};
use super::seen::Counts;
use super::step::{FOLDERS, KEYS};
use crate::common::World;
use std::collections::{BTreeMap, BTreeSet};
use store::Id;
use store::mailbox::{Mailbox, Summary, flag};

/// The server and its two accounts.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) you: Id,
}

/// What a client may do now, in letters of RFC 4314.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    /// By place in [`FOLDERS`]; `None`: there is no such folder.
    folders: [Option<String>; FOLDERS.len()],
    /// In the folder that is open.
    here: String,
}

impl Allowed {
    pub(crate) fn is_there(&self, folder: usize) -> bool {
        self.folders[folder].is_some()
    }

    pub(crate) fn may(&self, folder: usize, right: char) -> bool {
        self.folders[folder].as_ref().is_some_and(|rights| rights.contains(right))
    }

    pub(crate) fn opened(&mut self, folder: usize) {
        self.here = self.folders[folder].clone().unwrap_or_default();
    }

    pub(crate) fn may_any_here(&self, rights: &str) -> bool {
        rights.chars().any(|right| self.here.contains(right))
    }
}

impl Scene {
    fn mailboxes(&self) -> Vec<Mailbox> {
        self.world.store.mailboxes(self.world.account).unwrap()
    }

    /// The owner's folder of this UIDVALIDITY, which no two have.
    pub(crate) fn folder(&self, uidvalidity: u32) -> Option<Mailbox> {
        self.mailboxes().into_iter().find(|mailbox| mailbox.uidvalidity == uidvalidity)
    }

    fn rights(&self, kind: &Kind, mailbox: &Mailbox) -> String {
        if kind.owns() {
            return "lrswipkxtea".to_owned();
        }
        let acl = self.world.store.acl(mailbox.id).unwrap();
        acl.into_iter()
            .find(|(name, _)| name == "you@example.org")
            .map_or(String::new(), |(_, rights)| rights)
    }

    pub(crate) fn allowed(&self, player: &Player) -> Allowed {
        let mailboxes = self.mailboxes();
        let rights = |mailbox: &Mailbox| self.rights(player.kind(), mailbox);
        let named = |name| mailboxes.iter().find(|mailbox| mailbox.name == name);
        let open = player.picture.as_ref().map(|picture| picture.uidvalidity);
        let open = mailboxes.iter().find(|mailbox| Some(mailbox.uidvalidity) == open);
        Allowed {
            folders: FOLDERS.map(|name| named(name).map(rights)),
            here: open.map(rights).unwrap_or_default(),
        }
    }

    /// The folders that a client can list, by the names that it has for them, with its rights.
    fn listed(&self, kind: &Kind) -> BTreeMap<String, (Mailbox, String)> {
        let with_rights = |mailbox: Mailbox| (self.rights(kind, &mailbox), mailbox);
        let all = self.mailboxes().into_iter().map(with_rights);
        let mut listed: BTreeMap<_, _> = match kind.owns() {
            true => all.map(|(rights, mailbox)| (mailbox.name.clone(), (mailbox, rights))).collect(),
            false => {
                let shared = all.filter(|(rights, _)| rights.contains('l'));
                let name = |mailbox: &Mailbox| format!("Shared/me@example.org/{}", mailbox.name);
                shared.map(|(rights, mailbox)| (name(&mailbox), (mailbox, rights))).collect()
            }
        };
        if !kind.owns() {
            let own = self.world.store.mailboxes(self.you).unwrap();
            listed.extend(own.into_iter().map(|mailbox| (mailbox.name.clone(), (mailbox, "lr".to_owned()))));
        }
        listed
    }

    fn rows(&self, mailbox: Id) -> BTreeMap<u32, Summary> {
        let rows = self.world.store.messages(mailbox, 0, 10_000).unwrap();
        rows.into_iter().map(|row| (row.uid, row)).collect()
    }

    /// What a client knows of the folder that it has open must be so.
    pub(crate) fn compare(&self, player: &mut Player, expunges: bool) {
        let searched = player.searched.take();
        let Some(picture) = &player.picture else { return };
        let folder = self.folder(picture.uidvalidity);
        let folder =
            folder.unwrap_or_else(|| panic!("client {} was not told that its folder is gone", player.number));
        let rows = self.rows(folder.id);
        if let Some(searched) = searched {
            check_search(&searched, &rows);
        }
        if expunges {
            player.numbered = rows.keys().copied().collect();
        } else {
            let last = player.numbered.last().copied().unwrap_or(0);
            player.numbered.extend(rows.range(last + 1..).map(|(uid, _)| *uid));
        }
        let numbered = &player.numbered;
        assert_eq!(picture.messages.len(), numbered.len(), "{picture:?} should number {numbered:?}");
        for (message, uid) in picture.messages.iter().zip(numbered) {
            assert!(message.uid.is_none_or(|known| known == *uid), "{picture:?} should number {numbered:?}");
            let (Some(known), Some(row)) = (&message.flags, rows.get(uid)) else { continue };
            assert_eq!(*known, flags_of(row), "flags of UID {uid} as client {} knows them", player.number);
            let (told, there) = (message.modseq, row.modseq);
            assert!(told <= there, "MODSEQ of UID {uid} is {there} and not {told}");
        }
    }

    /// Who asked for it is told of everything unasked: waits until that is so.
    pub(crate) async fn wait_until_told(&self, player: &mut Player) {
        while player.kind().notify && !self.knows_all(player) {
            if player.hear_unasked().await.is_err() {
                player.begin_again().await;
                self.check_gone(player);
            }
        }
        if player.kind().notify {
            self.compare(player, true);
        }
    }

    fn knows_all(&self, player: &Player) -> bool {
        let listed = self.listed(player.kind());
        let open = player.picture.as_ref().map(|picture| picture.uidvalidity);
        let right = |(name, counts): (&String, &Counts)| {
            let Some((mailbox, rights)) = listed.get(name) else { return false };
            let there = [mailbox.messages, mailbox.uidnext.into(), mailbox.unseen];
            Some(mailbox.uidvalidity) == open || rights.contains('r') && *counts == there
        };
        player.seen.names.iter().eq(listed.keys())
            && player.seen.counts.iter().all(right)
            && player.picture.as_ref().is_none_or(|picture| self.is_right(picture))
    }

    fn is_right(&self, picture: &Picture) -> bool {
        let Some(folder) = self.folder(picture.uidvalidity) else { return false };
        let rows = self.rows(folder.id);
        picture.messages.len() == rows.len()
            && picture.messages.iter().zip(&rows).all(|(message, (uid, row))| {
                message.uid.is_none_or(|known| known == *uid)
                    && message.flags.as_ref().is_none_or(|known| *known == flags_of(row))
            })
    }

    /// A client that was told that its folder is no more was told the truth.
    pub(crate) fn check_gone(&self, player: &mut Player) {
        if let Some(uidvalidity) = player.gone.take() {
            let folder = self.folder(uidvalidity);
            assert!(folder.is_none(), "client {} was put out of {folder:?}", player.number);
        }
    }
}

/// What was searched by number is named as the client numbered; what has gone is not found, told or not.
fn check_search(searched: &Searched, rows: &BTreeMap<u32, Summary>) {
    let Searched { key, uid, found, numbered } = searched;
    let (name, condition) = KEYS[*key];
    let is_meant = |row: &Summary| condition.is_none_or(|(flag, set)| flags_of(row).contains(flag) == set);
    let meant = numbered.iter().enumerate().filter(|(_, uid)| rows.get(uid).is_some_and(is_meant));
    let meant: Vec<u32> = meant.map(|(place, named)| if *uid { *named } else { place as u32 + 1 }).collect();
    assert_eq!(*found, meant, "{name} among {numbered:?}");
}

fn flags_of(row: &Summary) -> Flags {
    let system = [
        (flag::SEEN, "\\Seen"),
        (flag::ANSWERED, "\\Answered"),
        (flag::FLAGGED, "\\Flagged"),
        (flag::DELETED, "\\Deleted"),
        (flag::DRAFT, "\\Draft"),
    ];
    let system = system.iter().filter(|(bit, _)| row.flags & bit != 0).map(|(_, name)| (*name).to_owned());
    system.chain(row.keywords.iter().map(str::to_owned)).collect::<BTreeSet<_>>()
}
