//! What administrators do.

use super::world::{MINUTE, World, later, taken};
use crate::{Action, Done};
use std::time::Duration;
use store::Id;

/// Does it to the recipients of a message at these positions.
async fn change(world: &World, action: Action, id: Id, positions: &[u32], actor: &str) -> Done {
    world.queue.change_recipients(action, id, positions, actor).await.unwrap()
}

const ONE: Done = Done { changed: 1, busy: 0 };

#[tokio::test]
async fn hold_release_retry_bounce_and_drop() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "", &["a@far.example", "b@far.example", "c@near.example"]).await;

    assert_eq!(change(&world, Action::Hold, id, &[0], "root").await, ONE);
    assert_eq!(change(&world, Action::Hold, id, &[0], "root").await.changed, 0, "held already");
    world.pass(10 * MINUTE).await;
    assert!(!world.carried()[2..].iter().any(|line| line.contains("a@far.example")));

    assert_eq!(change(&world, Action::Drop, id, &[1], "root").await, ONE);
    assert_eq!(change(&world, Action::Bounce, id, &[2], "token 1").await, ONE);
    assert_eq!(world.waiting(), 1);
    let inbox = world.inbox("me").await;
    assert_eq!(inbox.len(), 1, "of the bounced one, not of the dropped one");
    assert!(inbox[0].contains("Final-Recipient: rfc822; c@near.example"));
    assert!(inbox[0].contains("An administrator of this mail server gave it up."), "{}", inbox[0]);

    let world = world.restart().await;
    world.network.says(taken);
    world.pass(10 * MINUTE).await;
    assert_eq!(world.waiting(), 1, "held still");
    assert_eq!(change(&world, Action::Retry, id, &[0], "root").await.changed, 0, "held ones are released");
    assert_eq!(change(&world, Action::Release, id, &[0], "root").await, ONE);
    world.quiet().await;
    assert_eq!(world.waiting(), 0);
    let commands: Vec<String> = world.events(id).into_iter().filter(|e| e.contains(" by ")).collect();
    assert_eq!(commands, ["hold by root", "drop by root", "bounce by token 1", "release by root"]);
}

#[tokio::test]
async fn retry_makes_it_due_at_once() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "", &["a@far.example"]).await;
    world.network.says(taken);
    assert_eq!(change(&world, Action::Retry, id, &[0], "root").await, ONE);
    world.quiet().await;
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn after_a_stop_nothing_is_taken_any_more() {
    let world = World::new().await;
    assert!(world.queue.stop(Duration::from_secs(5)).await);
    world.accept("me@example.org", "", &["a@far.example"]).await;
    assert_eq!((world.carried().len(), world.waiting()), (0, 1));
    let world = world.restart().await;
    world.quiet().await;
    assert_eq!((world.carried().len(), world.waiting()), (1, 0));
}
