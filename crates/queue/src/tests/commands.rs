//! What administrators do.

use super::world::{MINUTE, World, later, taken};
use crate::{Done, Filter};
use std::time::Duration;
use transport::Outcome;

fn to(part: &str) -> Filter {
    Filter { recipient: Some(part.into()), ..Filter::default() }
}

const ONE: Done = Done { changed: 1, busy: 0 };

#[tokio::test]
async fn hold_release_retry_bounce_and_drop() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "", &["a@far.example", "b@far.example", "c@near.example"]).await;

    assert_eq!(world.queue.hold(to("a@"), "root").await.unwrap(), ONE);
    assert_eq!(world.queue.hold(to("a@"), "root").await.unwrap().changed, 0, "held already");
    world.pass(10 * MINUTE).await;
    assert!(!world.carried()[2..].iter().any(|line| line.contains("a@far.example")));

    assert_eq!(world.queue.drop(to("b@"), "root").await.unwrap(), ONE);
    assert_eq!(world.queue.bounce(to("c@"), "token 1").await.unwrap(), ONE);
    assert_eq!(world.waiting(), 1);
    let inbox = world.inbox("me").await;
    assert_eq!(inbox.len(), 1, "of the bounced one, not of the dropped one");
    assert!(inbox[0].contains("Final-Recipient: rfc822; c@near.example"));

    let world = world.restart().await;
    world.network.says(taken);
    world.pass(10 * MINUTE).await;
    assert_eq!(world.waiting(), 1, "held still");
    assert_eq!(world.queue.retry(to("a@"), "root").await.unwrap().changed, 0, "held ones are released");
    assert_eq!(world.queue.release(to("a@"), "root").await.unwrap(), ONE);
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
    let filter = Filter { messages: vec![id], ..Filter::default() };
    assert_eq!(world.queue.retry(filter, "root").await.unwrap(), ONE);
    world.quiet().await;
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn the_list_is_read_page_by_page() {
    let world = World::new().await;
    world.network.says(later);
    world.send("me@example.org", "", &["a@far.example", "b@far.example"]).await;
    world.send("<>", "", &["c@near.example"]).await;
    let names = |page: &crate::Page| page.items.iter().map(|i| i.recipient.clone()).collect::<Vec<_>>();
    let first = world.queue.list(Filter::default(), None, 2).await.unwrap();
    assert_eq!(names(&first), ["a@far.example", "b@far.example"]);
    let second = world.queue.list(Filter::default(), first.next, 2).await.unwrap();
    assert_eq!((names(&second), second.next), (vec!["c@near.example".to_owned()], None));
    for (filter, expected) in [
        (Filter { sender: Some("<>".into()), ..Filter::default() }, 1),
        (Filter { sender: Some("ME@".into()), ..Filter::default() }, 2),
        (Filter { domain: Some("far.example".parse().unwrap()), ..Filter::default() }, 2),
        (Filter { held: Some(true), ..Filter::default() }, 0),
        (to("B@far"), 1),
    ] {
        let found = world.queue.list(filter.clone(), None, 10).await.unwrap().items.len();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn the_summary_groups_by_destination_and_by_what_was_said() {
    let world = World::new().await;
    world.network.says(|to| match to.ends_with("far.example") {
        true => (Outcome::Deferred { slow: false }, "450 4.2.0 <you@far.example> wait 300 seconds"),
        false => later(to),
    });
    for _ in 0..3 {
        world.send("me@example.org", "", &["a@far.example", "b@far.example"]).await;
    }
    world.send("me@example.org", "", &["a@near.example"]).await;
    let summary = world.queue.summary().await.unwrap();
    assert_eq!((summary.count.messages, summary.count.recipients, summary.attempting), (4, 7, 0));
    let lines: Vec<_> =
        summary.destinations.iter().map(|d| (d.destination.as_str(), d.recipients, d.deferred)).collect();
    assert_eq!(lines, [("mx.far.example", 6, 6), ("mx.near.example", 1, 1)]);
    let lines: Vec<String> =
        summary.replies.iter().map(|r| format!("{} by {}: {}", r.messages, r.provider, r.reply)).collect();
    assert_eq!(
        lines,
        ["3 by far.example: 450 4.2.0 … wait … seconds", "1 by near.example: 451 4.7.1 come back later"]
    );
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
