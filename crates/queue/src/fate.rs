//! Recipients that nobody attempted and that share the fate of an attempt, or of a search for their destination.
//!
//! There may be a hundred thousand of them: they are settled in slices, one transaction each, one slice of the whole queue
//! at a time, and while new mail comes it has most of the machine ([`Shared::give_way`]).

use crate::attempt::load;
use crate::conclude::{Settled, Verdict, conclude_all};
use crate::schedule::Key;
use crate::shared::{Loaded, Shared};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Recipients of a slice, and those of its last message: a transaction of a few milliseconds, which every 250 may have to
/// wait for.
const SLICE: usize = 100;
/// What each is worth in waiting while new mail comes: a hundred thousand take a minute, and a few hundredths of the machine.
const PAUSE_EACH: Duration = Duration::from_micros(500);

/// What an attempt said that concerns everybody who waits for the destination.
pub(crate) struct Said {
    pub(crate) host: String,
    pub(crate) reply: String,
    pub(crate) theirs: bool,
}

impl Said {
    /// Found out on this machine.
    pub(crate) fn here(reply: String) -> Self {
        Self { host: String::new(), reply, theirs: false }
    }
}

/// Settles recipients as if they had been attempted. When the queue stops, those who are left stay as they are on disk.
pub(crate) async fn share_fate(shared: &Shared, mut keys: Vec<Key>, said: &Said, permanent: bool) {
    let verdict = if permanent { Verdict::Failed } else { Verdict::Deferred };
    keys.sort_unstable();
    let mut rest = &keys[..];
    while !rest.is_empty() {
        let (slice, others) = rest.split_at(slice_of(rest));
        rest = others;
        let _turn = shared.fates.lock().await;
        if *shared.stopping.borrow() {
            return;
        }
        let before = shared.taken.load(Ordering::Relaxed);
        settle(shared, slice, said, &verdict).await;
        shared.give_way(before, PAUSE_EACH * u32::try_from(slice.len()).unwrap_or(u32::MAX)).await;
    }
}

/// How many of the sorted keys are settled together: whole messages.
fn slice_of(keys: &[Key]) -> usize {
    let Some(last) = keys.get(SLICE - 1) else { return keys.len() };
    SLICE + keys[SLICE..].iter().take_while(|key| key.message == last.message).count()
}

async fn settle(shared: &Shared, slice: &[Key], said: &Said, verdict: &Verdict) {
    let messages = slice.chunk_by(|a, b| a.message == b.message);
    let wanted = messages.filter_map(|together| {
        Some((together.first()?.message, together.iter().map(|key| key.position).collect::<Vec<u32>>()))
    });
    let mut concluded = Vec::new();
    for Loaded { message, recipients } in load(shared, wanted.collect()).await {
        let settled = recipients.into_iter().map(|recipient| Settled {
            host: if said.host.is_empty() { recipient.address.host().to_string() } else { said.host.clone() },
            theirs: said.theirs,
            ..Settled::here(recipient, verdict.clone(), &said.reply)
        });
        concluded.push((message, settled.collect()));
    }
    conclude_all(shared, concluded).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Id;

    #[test]
    fn a_slice_is_of_whole_messages() {
        let keys = |counts: &[u32]| -> Vec<Key> {
            let message = |(number, count): (usize, &u32)| {
                let message = Id::from_stored(number as i64);
                (0..*count).map(move |position| Key { message, position })
            };
            counts.iter().enumerate().flat_map(message).collect()
        };
        assert_eq!(slice_of(&[]), 0);
        assert_eq!(slice_of(&keys(&[7])), 7);
        assert_eq!(slice_of(&keys(&[99, 1, 5])), 100);
        assert_eq!(slice_of(&keys(&[99, 30, 5])), 129);
        assert_eq!(slice_of(&keys(&[1_000, 1])), 1_000);
    }
}
