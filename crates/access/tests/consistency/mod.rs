//! What the consistency test is made of: steps, clients that remember what they were told, and the comparison with the store.

pub(crate) mod link;
pub(crate) mod picture;
pub(crate) mod player;
pub(crate) mod response;
pub(crate) mod seen;
pub(crate) mod step;
pub(crate) mod truth;

use crate::common::World;
use access::imap::Port;
use access::pop3;
use player::{KINDS, Player, Subjects};
use std::sync::Arc;
use step::Step;
use truth::Scene;

/// One step after the other.
pub(crate) async fn in_turn(steps: &[Step]) {
    let (scene, mut players) = start().await;
    for step in steps {
        match step {
            Step::Client(client, act) => {
                let player = &mut players[*client];
                if player.end_idle().await {
                    scene.compare(player, true);
                }
                scene.check_gone(player);
                player.allowed = Some(scene.allowed(player));
                let told = player.act(act).await;
                scene.check_gone(player);
                if let Some(expunges) = told {
                    scene.compare(player, expunges);
                }
            }
            other => by_others(&scene.world, other).await,
        }
        for player in &mut players {
            scene.wait_until_told(player).await;
        }
    }
    end(&scene, &mut players).await;
}

/// Each client in its own time.
pub(crate) async fn at_once(steps: &[Step]) {
    let (scene, players) = start().await;
    let scene = Arc::new(scene);
    let mut tasks = Vec::new();
    for mut player in players {
        let own = |step: &Step| match step {
            Step::Client(client, act) if *client == player.number => Some(act.clone()),
            _ => None,
        };
        let acts: Vec<_> = steps.iter().filter_map(own).collect();
        tasks.push(tokio::spawn(async move {
            for act in acts {
                player.act(&act).await;
            }
            player
        }));
    }
    for step in steps {
        by_others(&scene.world, step).await;
    }
    let mut players = Vec::new();
    for task in tasks {
        match task.await {
            Ok(player) => players.push(player),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    end(&scene, &mut players).await;
}

async fn start() -> (Scene, Vec<Player>) {
    let world = World::new().await;
    let you = world.add_account("you").await;
    let place = world.listen_imap(Port::Imap);
    let subjects = Subjects::default();
    world.deliver("Subject: first\r\n\r\nx\r\n").await;
    world.deliver("Subject: second\r\n\r\nx\r\n").await;
    let scene = Scene { world, you };
    share_inbox(&scene).await;
    let mut players = Vec::new();
    for number in 0..KINDS.len() {
        players.push(Player::log_in(number, &place, subjects.clone()).await);
    }
    (scene, players)
}

/// The other account may do everything with messages there.
async fn share_inbox(scene: &Scene) {
    let inbox = scene.world.store.inbox(scene.world.account).unwrap().id;
    scene.world.store.set_acl(inbox, "you@example.org", "lrswite").await.unwrap();
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
async fn end(scene: &Scene, players: &mut [Player]) {
    share_inbox(scene).await;
    for player in players {
        player.allowed = None;
        player.finish().await;
        scene.check_gone(player);
        scene.wait_until_told(player).await;
        scene.compare(player, true);
        if let Some(picture) = &player.picture {
            let whole =
                picture.messages.iter().all(|message| message.uid.is_some() && message.flags.is_some());
            assert!(whole, "client {} does not know all: {picture:?}", player.number);
        }
    }
}
