//! Where messages go, and when again.

use super::world::{DAY, HOUR, MINUTE, World, later, never, taken, terms};
use crate::{Action, DomainPattern, Hop, Matches, Place, Rule, RuleAction, SenderPattern};
use std::sync::Arc;
use transport::{NextHop, Outcome};

#[tokio::test]
async fn a_message_is_delivered_from_memory_in_one_transaction_a_destination() {
    let world = World::new().await;
    let id = world.send("me@example.org", "", &["a@far.example", "b@far.example", "c@near.example"]).await;
    let mut carried = world.carried();
    carried.sort();
    assert_eq!(
        carried,
        [
            "far.example: <me@example.org> → a@far.example b@far.example",
            "near.example: <me@example.org> → c@near.example"
        ]
    );
    assert_eq!(world.waiting(), 0);
    let mut events = world.events(id);
    events.sort();
    assert_eq!(events, ["Delivered a@far.example b@far.example", "Delivered c@near.example"]);
    let body = world.network.log.lock().unwrap()[0].0.message.body.in_memory().cloned();
    assert_eq!(body.unwrap(), "Subject: a letter\r\n\r\nhello\r\n");
}

#[tokio::test]
async fn what_is_deferred_comes_again_and_is_read_from_disk() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "", &["a@far.example"]).await;
    assert_eq!(world.waiting(), 1);
    world.pass(3 * MINUTE).await;
    assert_eq!(world.carried().len(), 1, "too early");
    world.network.says(taken);
    world.pass(3 * MINUTE).await;
    assert_eq!(world.carried().len(), 2);
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.events(id), ["Deferred a@far.example", "Delivered a@far.example"]);
    assert_eq!(world.network.log.lock().unwrap()[1].0.message.body.size(), 28);
}

#[tokio::test]
async fn only_those_who_are_not_served_yet_come_again() {
    let world = World::new().await;
    world.network.says(|to| match to {
        "a@far.example" => taken(to),
        "b@far.example" => later(to),
        _ => (Outcome::NotTried, ""),
    });
    world.accept("me@example.org", "", &["a@far.example", "b@far.example"]).await;
    world.quiet().await;
    world.network.says(taken);
    world.pass(10 * MINUTE).await;
    assert_eq!(world.carried()[1..], ["far.example: <me@example.org> → b@far.example"]);
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "", &["a@far.example", "b@near.example"]).await;
    let world = world.restart().await;
    world.quiet().await;
    assert_eq!(world.carried().len(), 2, "what is not due waits");
    world.network.says(taken);
    world.pass(10 * MINUTE).await;
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.events(id).len(), 4);
}

#[tokio::test]
async fn an_address_here_gets_its_copy_once() {
    let world = World::new().await;
    let id = world.send("a@far.example", "", &["me@example.org", "full@example.org"]).await;
    let inbox = world.inbox("me").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].starts_with(
        "Return-Path: <a@far.example>\r\nDelivered-To: me@example.org\r\nReceived: from x by y\r\nSubject:"
    ));
    assert_eq!(world.events(id), ["kept by me@example.org", "Deferred full@example.org"]);
    assert_eq!(world.waiting(), 1);
    assert_eq!(world.store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_has_room_alone_but_not_together_waits() {
    let world = World::new().await;
    // Two copies and a notification for one mailbox, with room for one more.
    let account = world.store.account(&"example.org".parse().unwrap(), "me").unwrap().unwrap();
    world.store.update_account(store::directory::AccountRecord { quota: Some(60), ..account }).await.unwrap();
    world
        .store
        .add_alias("other@example.org".parse().unwrap(), vec!["me@example.org".parse().unwrap()])
        .await
        .unwrap();
    let to = ["me@example.org NOTIFY=SUCCESS", "other@example.org", "list@example.org"];
    let id = world.send("me@example.org", "", &to).await;
    assert_eq!(world.inbox("me").await.len(), 1);
    let events = world.events(id);
    assert!(events.contains(&"kept by me@example.org".to_owned()), "{events:?}");
    assert!(events.contains(&"Deferred other@example.org list@example.org".to_owned()), "{events:?}");
    assert_eq!(world.carried(), Vec::<String>::new());
    assert_eq!(world.waiting(), 3);
    assert_eq!(world.store.check().unwrap(), Vec::<String>::new());
    // Of those on a list the others need not wait for room.
    world.pass(10 * MINUTE).await;
    assert_eq!(world.carried(), ["far.example: <me@example.org> → you@far.example"]);
    assert_eq!(world.inbox("me").await.len(), 1);
}

#[tokio::test]
async fn an_alias_leads_to_mailboxes_and_out() {
    let world = World::new().await;
    world.send("a@far.example", "", &["list@example.org NOTIFY=FAILURE"]).await;
    assert_eq!(world.inbox("me").await.len(), 1);
    let [carried] = &world.carried()[..] else { panic!("{:?}", world.carried()) };
    assert!(
        carried.starts_with("far.example: <SRS0=")
            && carried.ends_with("=far.example=a@example.org> → you@far.example")
    );
    let log = world.network.log.lock().unwrap();
    let (errand, _) = &log[0];
    assert_eq!(errand.recipients[0].parameters, "NOTIFY=FAILURE ORCPT=rfc822;list@example.org");
    assert!(errand.message.trace.starts_with(b"Delivered-To: list@example.org\r\nReceived:"));
}

#[tokio::test]
async fn what_cannot_be_passed_on_comes_back_to_the_stranger() {
    let world = World::new().await;
    world.network.says(|to| if to.starts_with("you@") { never(to) } else { taken(to) });
    world.send("a@near.example", "", &["out@example.org"]).await;
    let carried = world.carried();
    assert!(carried[0].starts_with("far.example: <SRS0="), "{carried:?}");
    // Our own notification goes to the rewritten sender, which is here, and from there on.
    assert_eq!(carried[1..], ["near.example: <> → a@near.example"]);
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn only_a_stranger_who_leaves_the_house_is_rewritten() {
    let world = World::new().await;
    world.send("me@example.org", "", &["out@example.org"]).await;
    world.send("<>", "", &["out@example.org"]).await;
    let literal = "joe@[192.0.2.1]";
    let id = world.send(literal, "", &["out@example.org"]).await;
    let to = |from: &str| format!("far.example: <{from}> → you@far.example");
    assert_eq!(world.carried(), [to("me@example.org"), to(""), to(literal)]);
    let events = world.events(id);
    assert!(
        events.iter().any(|event| event.contains("with its own sender") && event.contains("no domain")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_sender_of_any_length_is_rewritten_and_hears_of_what_failed() {
    let world = World::new().await;
    let sender = format!("bounces+1234567-{}@near.example", "x".repeat(48));
    let id = world.send(&sender, "", &["out@example.org"]).await;
    let carried = world.carried();
    let rewritten =
        carried[0].strip_prefix("far.example: <").and_then(|rest| rest.split_once('>')).unwrap().0;
    assert!(rewritten.starts_with("SRS0=") && rewritten.ends_with("@example.org"), "{carried:?}");
    assert!(rewritten.len() <= 64 + "@example.org".len());
    let events = world.events(id);
    assert!(!events.iter().any(|event| event.contains("its own sender")), "{events:?}");
    // The next host's notification, in another case and after a restart, goes home.
    let rewritten = rewritten.to_lowercase();
    let world = world.restart().await;
    let before = world.carried().len();
    world.send("<>", "", &[&rewritten]).await;
    assert_eq!(world.carried()[before..], [format!("near.example: <> → {sender}")]);
    assert_eq!(world.waiting(), 0);
    // Once it is too old, the address is nobody's.
    world.store.forget_senders(i64::MAX).await.unwrap();
    world.send("<>", "", &[&rewritten]).await;
    assert_eq!(world.carried().len(), before + 1);
}

#[tokio::test]
async fn relay_domains_go_to_their_own_hosts() {
    let world = World::new().await;
    world.send("a@far.example", "", &["x@relay.example", "x@backup.example"]).await;
    let mut carried = world.carried();
    carried.sort();
    assert_eq!(
        carried,
        [
            "better-than-us.backup.example: <a@far.example> → x@backup.example",
            "inside.example: <a@far.example> → x@relay.example"
        ]
    );
}

#[tokio::test]
async fn the_first_rule_that_matches_wins() {
    let domain = |text: &str| Matches::Recipient(DomainPattern::Exactly(text.parse().unwrap()));
    let host = "smart.example".parse().unwrap();
    let hop = Hop::To(NextHop::Smtp { host, port: 587, implicit_tls: false });
    let terms = Arc::new(terms());
    let world = World::with(vec![
        Rule { matches: domain("kept.example"), action: RuleAction::Hold },
        Rule { matches: domain("gone.example"), action: RuleAction::Discard },
        Rule {
            matches: Matches::Sender(SenderPattern::Address("ME@example.org".parse().unwrap())),
            action: RuleAction::Carry { hop, terms },
        },
    ])
    .await;
    let id = world.send("me@example.org", "", &["a@kept.example", "a@gone.example", "a@far.example"]).await;
    assert_eq!(world.carried(), ["smart.example: <me@example.org> → a@far.example"]);
    assert_eq!(world.store.queue_count().unwrap().held, 1);
    assert!(world.events(id).contains(&"note a@gone.example: discarded by a route".to_owned()));
    // What is released goes its way, and is not held again.
    let done = world.queue.change_recipients(Action::Release, id, &[0], "root").await.unwrap();
    assert_eq!((done.changed, done.busy), (1, 0));
    world.quiet().await;
    assert_eq!(world.carried()[1..], ["smart.example: <me@example.org> → a@kept.example"]);
}

#[tokio::test]
async fn routes_change_for_what_waits() {
    let world = World::new().await;
    world.network.says(later);
    world.send("a@far.example", "", &["x@new.example"]).await;
    let name = "new.example".parse().unwrap();
    let kind = store::directory::DomainKind::Alias { of: "example.org".parse().unwrap() };
    let domain = store::directory::DomainRecord { name, kind, catch_all: None, language: None, quota: None };
    world.directory_of().store().add_domain(domain, Vec::new()).await.unwrap();
    world
        .store
        .add_alias("x@example.org".parse().unwrap(), vec!["me@example.org".parse().unwrap()])
        .await
        .unwrap();
    world.pass(10 * MINUTE).await;
    assert_eq!(world.inbox("me").await.len(), 1, "its domain is ours by now");
}

#[tokio::test]
async fn a_message_is_released_when_its_sender_says() {
    let world = World::new().await;
    world.send("me@example.org", "HOLDFOR=7200", &["a@far.example"]).await;
    world.pass(HOUR).await;
    assert_eq!(world.carried().len(), 0);
    let world = world.restart().await;
    world.pass(HOUR + MINUTE).await;
    assert_eq!(world.carried().len(), 1);
    assert_eq!(world.network.log.lock().unwrap()[0].0.message.parameters, "", "the hold is over");
}

#[tokio::test]
async fn what_must_arrive_in_time_goes_back_after_it() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("me@example.org", "BY=3600;R", &["a@far.example"]).await;
    world.pass_by_steps(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.events(id).last().unwrap(), "failure to me@example.org");
    let log = world.network.log.lock().unwrap();
    assert_eq!(log[0].0.message.parameters, "BY=3600;R");
    assert_ne!(log[1].0.message.parameters, "BY=3600;R", "time has passed");
}

#[tokio::test]
async fn push_back_halves_what_a_destination_gets() {
    let world = World::new().await;
    world.network.says(|_| (Outcome::Deferred { slow: true }, "421 4.7.0 too many"));
    let window = || {
        let state = world.queue.shared.state();
        state.schedule.window_of(Place(2)).unwrap()
    };
    world.send("me@example.org", "", &["a@far.example"]).await;
    assert_eq!(window(), 2);
    world.network.says(taken);
    world.send("me@example.org", "", &["a@far.example"]).await;
    world.send("me@example.org", "", &["a@far.example"]).await;
    assert_eq!(window(), 3, "a clean round");
}

#[tokio::test]
async fn what_leads_nowhere_fails_or_waits() {
    let world = World::new().await;
    let id = world.send("me@example.org", "", &["a@null.example", "a@lame.example"]).await;
    let mut events = world.events(id);
    events.sort();
    assert_eq!(events, ["Deferred a@lame.example", "Failed a@null.example", "failure to me@example.org"]);
    world.pass_by_steps(6 * DAY, 4 * HOUR).await;
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.carried().len(), 0);
}

#[tokio::test]
async fn a_loop_ends() {
    let world = World::new().await;
    world.network.says(never);
    // The alias leads out, and the message came from there with our mark on it.
    let message = store::queue::NewMessage {
        id: store::Id::generate(),
        reverse_path: "boss@example.org".parse().unwrap(),
        parameters: String::new(),
        body: store::Body::from_bytes("Delivered-To: out@example.org\r\nSubject: round\r\n\r\n"),
        trace: bytes::Bytes::new(),
        origin: store::trail::Origin::default(),
        local: Vec::new(),
        remote: vec![store::queue::NewRecipient {
            address: "out@example.org".parse().unwrap(),
            parameters: String::new(),
            due: 0,
            held: false,
        }],
    };
    world.store.accept(message).await.unwrap();
    world.quiet().await;
    assert_eq!(world.carried().len(), 0);
    assert!(world.inbox("boss").await[0].contains("Status: 5.4.6"));
}

fn down(_: &str) -> (Outcome, &'static str) {
    (Outcome::Deferred { slow: true }, "451 4.4.1 connection refused")
}

#[tokio::test]
async fn all_who_wait_for_a_dead_destination_share_the_fate_of_few_attempts() {
    let world = World::new().await;
    world.network.says(down);
    let mut ids = Vec::new();
    for number in 0..250 {
        ids.push(world.accept("me@example.org", "", &[&format!("a{number}@far.example")]).await);
    }
    world.quiet().await;
    // Those that came while some attempt failed were told so together, each as if it had been tried.
    assert_eq!(world.waiting(), 250);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(world.events(*id), [format!("Deferred a{number}@far.example")]);
        let (_, recipients) = world.store.queued(*id).unwrap().unwrap();
        assert_eq!(recipients[0].attempts, 1);
        assert!(recipients[0].last.as_ref().unwrap().contains("connection refused"), "{recipients:?}");
        assert!(recipients[0].due as u64 > world.now());
    }
    // All of them are due at once after a restart, and a few attempts are enough to tell them all.
    let world = world.restart().await;
    let before = world.carried().len();
    world.pass(10 * MINUTE).await;
    let attempts = world.carried().len() - before;
    assert!(attempts < 50, "{attempts} attempts");
    for id in &ids {
        assert_eq!(world.events(*id).len(), 2);
    }
    // It is there again: nothing is stuck.
    world.network.says(taken);
    world.pass(HOUR).await;
    assert_eq!(world.waiting(), 0);
}
