//! What changes where mail came from is done here too, unless it was changed here.

use super::*;
use crate::mailbox::{Brought, Followed, MAX_FOLLOWED, Now, Since};

fn brought(key: &str, flags: u32, keywords: &str) -> Brought {
    Brought { key: key.as_bytes().to_vec(), copy: new_copy("text", flags, keywords) }
}

fn there(key: &str, flags: u32, keywords: &str) -> Since {
    Since { key: key.as_bytes().to_vec(), now: Now::There { flags, keywords: words(keywords) } }
}

fn gone(key: &str) -> Since {
    Since { key: key.as_bytes().to_vec(), now: Now::Gone }
}

impl World {
    /// `changed removed`.
    async fn follow(&self, messages: Vec<Since>) -> (u64, u64) {
        let Followed { changed, removed } =
            self.store.follow_import(self.account, "a", messages).await.unwrap();
        (changed, removed)
    }

    /// `uid flags keywords` of INBOX.
    fn marks(&self) -> Vec<(u32, u32, String)> {
        let all = self.store.messages(self.inbox, 0, 100).unwrap();
        all.into_iter().map(|one| (one.uid, one.flags, one.keywords.as_str().to_owned())).collect()
    }
}

fn marks(all: &[(u32, u32, &str)]) -> Vec<(u32, u32, String)> {
    all.iter().map(|(uid, flags, keywords)| (*uid, *flags, (*keywords).to_owned())).collect()
}

#[tokio::test]
async fn flags_follow_as_long_as_they_are_unchanged_here() {
    let world = World::new().await;
    let first = ["1", "2", "3"].map(|key| brought(key, 0, "work")).to_vec();
    world.store.import(world.inbox, "a", first).await.unwrap();
    let before = world.store.inbox(world.account).unwrap().modseq;
    assert_eq!(world.follow(["1", "2", "3"].map(|key| there(key, 0, "WORK")).to_vec()).await, (0, 0));
    assert_eq!(world.store.inbox(world.account).unwrap().modseq, before, "nothing has changed");

    world.store.set_flags(world.inbox, 2, FlagChange::add(flag::FLAGGED), None).await.unwrap();
    let read = ["1", "2", "3"].map(|key| there(key, flag::SEEN, "done")).to_vec();
    assert_eq!(world.follow(read.clone()).await, (2, 0));
    let expected = marks(&[(1, flag::SEEN, "done"), (2, flag::FLAGGED, "work"), (3, flag::SEEN, "done")]);
    assert_eq!(world.marks(), expected);
    assert_eq!(world.store.inbox(world.account).unwrap().unseen, 1);
    assert_eq!(world.follow(read).await, (0, 0), "it is done once");
    // Back and forth, and what is not of this source.
    let back = vec![there("1", 0, ""), there("9", flag::SEEN, "")];
    assert_eq!(world.follow(back).await, (1, 0));
    assert_eq!(world.marks()[0], marks(&[(1, 0, "")])[0]);
    let many = (0..=MAX_FOLLOWED).map(|key| there(&key.to_string(), 0, "")).collect();
    let refused = world.store.follow_import(world.account, "a", many).await.unwrap_err();
    assert!(matches!(refused, StoreError::Limit(_)), "{refused:?}");
}

#[tokio::test]
async fn what_has_gone_there_goes_here_unless_it_was_touched() {
    let world = World::new().await;
    let first = ["1", "2", "3", "4"].map(|key| brought(key, 0, "")).to_vec();
    world.store.import(world.inbox, "a", first).await.unwrap();
    let elsewhere = world.make("Elsewhere").await;
    world.store.move_messages(world.inbox, 2, elsewhere).await.unwrap();
    world.store.set_flags(world.inbox, 3, FlagChange::add(flag::SEEN), None).await.unwrap();
    assert_eq!(world.follow(["1", "2", "3"].map(gone).to_vec()).await, (0, 1));
    assert_eq!(world.marks(), marks(&[(3, flag::SEEN, ""), (4, 0, "")]));
    assert_eq!(world.list(elsewhere).len(), 1);
    // It has come back there.
    let again = ["1", "2", "3"].map(|key| brought(key, 0, "")).to_vec();
    assert_eq!(world.store.import(world.inbox, "a", again).await.unwrap(), [true, false, false]);
}

#[tokio::test]
async fn what_was_brought_before_flags_were_noted_is_left_alone() {
    let world = World::new().await;
    world.store.import(world.inbox, "a", vec![brought("1", 0, "")]).await.unwrap();
    let forget = |w: &crate::committer::Writer<'_>| {
        Ok(w.db.execute("UPDATE imported SET flags = NULL, keywords = NULL", [])?)
    };
    world.store.inner.committer.write(forget).await.unwrap();
    assert_eq!(world.follow(vec![there("1", flag::SEEN, "")]).await, (0, 0));
    assert_eq!(world.follow(vec![gone("1")]).await, (0, 0));
    assert_eq!(world.marks(), marks(&[(1, 0, "")]));
}
