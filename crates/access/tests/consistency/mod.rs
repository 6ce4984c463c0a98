//! What the consistency test is made of: steps, a client that remembers what it was told, and the comparison with the store.

pub(crate) mod picture;
pub(crate) mod player;
pub(crate) mod response;
pub(crate) mod step;

use crate::common::World;
use access::imap::Port;
use access::pop3;
use picture::Flags;
use player::{Player, Subjects};
use std::collections::BTreeMap;
use std::sync::Arc;
use step::{CLIENTS, FOLDERS, Step};
use store::mailbox::{Summary, flag};

/// One step after the other.
pub(crate) async fn in_turn(steps: &[Step]) {
    let (world, mut players) = start().await;
    for step in steps {
        match step {
            Step::Client(client, act) => {
                let player = &mut players[*client];
                if player.end_idle().await {
                    compare(&world, player, true);
                }
                if let Some(expunges) = player.act(act).await {
                    compare(&world, player, expunges);
                }
            }
            other => by_others(&world, other).await,
        }
    }
    end(&world, &mut players).await;
}

/// Each client in its own time.
pub(crate) async fn at_once(steps: &[Step]) {
    let (world, players) = start().await;
    let world = Arc::new(world);
    let mut tasks = Vec::new();
    for mut player in players {
        let own = |step: &Step| match step {
            Step::Client(client, act) if *client == player.kind => Some(act.clone()),
            _ => None,
        };
        let acts: Vec<_> = steps.iter().filter_map(own).collect();
        tasks.push(tokio::spawn(async move {
            player.alone = false;
            for act in acts {
                player.act(&act).await;
            }
            player
        }));
    }
    for step in steps {
        by_others(&world, step).await;
    }
    let mut players = Vec::new();
    for task in tasks {
        match task.await {
            Ok(player) => players.push(player),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    end(&world, &mut players).await;
}

async fn start() -> (World, Vec<Player>) {
    let world = World::new().await;
    let place = world.listen_imap(Port::Imap);
    let subjects = Subjects::default();
    world.deliver("Subject: first\r\n\r\nx\r\n").await;
    world.deliver("Subject: second\r\n\r\nx\r\n").await;
    let mut players = Vec::new();
    for kind in 0..CLIENTS {
        players.push(Player::log_in(kind, &place, subjects.clone()).await);
    }
    (world, players)
}

async fn by_others(world: &World, step: &Step) {
    match step {
        Step::Client(..) => {}
        Step::Deliver => world.deliver(&format!("Subject: {}\r\n\r\nx\r\n", player::fresh_subject())).await,
        Step::Pop3(place) => {
            let mut client = crate::common::Client::call(&world.listen(pop3::Port::Pop3)).await;
            client.line().await;
            client.log_in().await;
            client.send("STAT\r\n").await;
            let stat = client.line().await;
            let count: usize = stat.split(' ').nth(1).unwrap().parse().unwrap();
            if count > 0 {
                client.send(&format!("DELE {}\r\n", usize::from(*place) % count + 1)).await;
                client.line().await;
            }
            client.talk("C: QUIT\nS: …\nS: =").await;
        }
        Step::Undelete => {
            let removed = world.store.expunged(world.account, None, 1_000).unwrap();
            let removed = removed.into_iter().map(|one| one.id).collect();
            world.store.undelete(world.account, removed).await.unwrap();
        }
    }
}

/// Everything is over: each client asks once more, and knows all.
async fn end(world: &World, players: &mut [Player]) {
    for player in players {
        player.alone = true;
        player.finish().await;
        compare(world, player, true);
        if let Some(picture) = &player.picture {
            let whole =
                picture.messages.iter().all(|message| message.uid.is_some() && message.flags.is_some());
            assert!(whole, "client {} does not know all: {picture:?}", player.kind);
        }
    }
}

/// What a client knows, beside what is there.
fn compare(world: &World, player: &mut Player, expunges: bool) {
    let Some(picture) = &player.picture else { return };
    let folder = world.store.mailbox_named(world.account, FOLDERS[picture.folder]).unwrap().unwrap();
    let rows = world.store.messages(folder.id, 0, 10_000).unwrap();
    let rows: BTreeMap<u32, Summary> = rows.into_iter().map(|row| (row.uid, row)).collect();
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
        assert_eq!(*known, flags_of(row), "flags of UID {uid} as client {} knows them", player.kind);
        assert!(
            message.modseq <= row.modseq,
            "MODSEQ of UID {uid} is {} and not {}",
            row.modseq,
            message.modseq
        );
    }
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
    system.chain(row.keywords.iter().map(str::to_owned)).collect()
}
