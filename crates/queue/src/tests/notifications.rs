//! Who hears what (RFC 3461, RFC 3464).

use super::world::{DAY, HOUR, MINUTE, World, later, never, taken};
use transport::Outcome;

#[tokio::test]
async fn a_failure_is_told_at_once_to_a_sender_here_in_his_language() {
    let world = World::new().await;
    world.network.says(never);
    let to = ["a@far.example ORCPT=rfc822;first@far.example", "b@far.example"];
    let id = world.send("me@example.org", "ENVID=letter-1", &to).await;
    let inbox = world.inbox("me").await;
    assert_eq!(inbox.len(), 1, "one for both");
    for expected in [
        "Return-Path: <>\r\n",
        "To: me@example.org\r\n",
        "report-type=delivery-status",
        "Content-Language: de, en",
        "Original-Envelope-Id: letter-1",
        "Reporting-MTA: dns; mail.example.org",
        "Original-Recipient: rfc822; first@far.example",
        "Final-Recipient: rfc822; a@far.example",
        "Final-Recipient: rfc822; b@far.example",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.far.example",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user",
        "Content-Type: message/rfc822",
        "hello\r\n",
    ] {
        assert!(inbox[0].contains(expected), "{expected} is not in\n{}", inbox[0]);
    }
    assert_eq!(world.events(id), ["Failed a@far.example b@far.example", "failure to me@example.org"]);
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn a_failure_is_sent_to_a_sender_elsewhere() {
    let world = World::new().await;
    world.network.says(|to| if to == "a@far.example" { never(to) } else { taken(to) });
    world.send("you@near.example", "RET=HDRS", &["a@far.example"]).await;
    assert_eq!(world.carried()[1..], ["near.example: <> → you@near.example"]);
    let body = world.network.log.lock().unwrap()[1].0.message.body.in_memory().cloned().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("text/rfc822-headers") && !body.contains("hello"));
    assert_eq!(world.waiting(), 0);
}

/// The notifications that a message with this NOTIFY brings when each of these happens.
async fn check(notify: &str, expected: [&str; 4]) {
    let relayed: fn(&str) -> (Outcome, &'static str) = taken;
    let passed_on = |_: &str| (Outcome::Delivered { dsn: true, deliver_by: false }, "250 2.0.0 ok");
    for ((say, hours), expected) in
        [(relayed, 0), (passed_on, 0), (never, 0), (later as _, 7)].into_iter().zip(expected)
    {
        let world = World::new().await;
        world.network.says(say);
        let id = world.send("me@example.org", "", &[&format!("a@far.example{notify}")]).await;
        world.pass_by_steps(hours * HOUR, HOUR).await;
        let told = world.events(id).into_iter().find(|event| event.ends_with(" to me@example.org"));
        let told = told.map(|event| event.split(' ').next().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(told, expected, "{notify:?}");
        assert_eq!(world.inbox("me").await.len(), usize::from(!expected.is_empty()), "{notify:?}");
    }
}

#[tokio::test]
async fn notify_decides_who_hears_of_what() {
    //                             relayed    with DSN  failed     late
    check("", ["", "", "failure", "delay"]).await;
    check(" NOTIFY=NEVER", ["", "", "", ""]).await;
    check(" NOTIFY=SUCCESS", ["success", "", "", ""]).await;
    check(" NOTIFY=FAILURE", ["", "", "failure", ""]).await;
    check(" NOTIFY=DELAY", ["", "", "", "delay"]).await;
    check(" NOTIFY=SUCCESS,FAILURE,DELAY", ["success", "", "failure", "delay"]).await;
}

#[tokio::test]
async fn nobody_hears_of_a_delay_when_there_is_no_delay_notice() {
    let world = World::new().await;
    world.network.says(later);
    let mut settings = world.queue.shared.rules().settings.clone();
    settings.backoff.delay_notice = u64::MAX;
    world.queue.reload(settings);
    let id = world.send("me@example.org", "", &["a@far.example"]).await;
    world.pass_by_steps(7 * HOUR, HOUR).await;
    let events = world.events(id);
    assert!(!events.is_empty() && events.iter().all(|event| event == "Deferred a@far.example"), "{events:?}");
}

#[tokio::test]
async fn success_here_is_told_to_who_asked() {
    let world = World::new().await;
    world.send("boss@example.org", "", &["me@example.org NOTIFY=SUCCESS"]).await;
    assert!(world.inbox("boss").await[0].contains("Action: delivered"));
    world.send("boss@example.org", "", &["list@example.org NOTIFY=SUCCESS"]).await;
    assert!(world.inbox("boss").await[1].contains("Action: expanded"));
    assert_eq!(world.inbox("me").await.len(), 2);
}

#[tokio::test]
async fn a_late_message_is_told_once_and_given_up_after_five_days() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("boss@example.org", "", &["a@far.example"]).await;
    world.pass_by_steps(3 * HOUR, HOUR).await;
    assert_eq!(world.inbox("boss").await.len(), 0);
    world.pass_by_steps(21 * HOUR, HOUR).await;
    let inbox = world.inbox("boss").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("Action: delayed") && inbox[0].contains("Will-Retry-Until:"));
    world.pass_by_steps(4 * DAY - HOUR, HOUR).await;
    assert_eq!(world.waiting(), 1);
    world.pass_by_steps(6 * HOUR, HOUR).await;
    let inbox = world.inbox("boss").await;
    assert_eq!((world.waiting(), inbox.len()), (0, 2));
    assert!(inbox[1].contains("Action: failed") && inbox[1].contains("Status: 4.7.1"));
    let attempts = world.events(id).iter().filter(|event| event.starts_with("Deferred")).count();
    assert!((30..40).contains(&attempts), "{attempts} attempts");
}

#[tokio::test]
async fn what_has_no_sender_is_given_up_after_two_days_and_told_to_the_postmaster() {
    let world = World::new().await;
    world.network.says(later);
    let id = world.send("<>", "", &["a@far.example"]).await;
    world.pass_by_steps(DAY, HOUR).await;
    assert_eq!((world.waiting(), world.inbox("boss").await.len()), (1, 0), "no delay notice either");
    world.pass_by_steps(DAY + 5 * HOUR, HOUR).await;
    assert_eq!(world.waiting(), 0);
    assert!(world.inbox("boss").await[0].contains("Final-Recipient: rfc822; a@far.example"));
    assert_eq!(world.events(id).iter().filter(|e| e.contains("to postmaster@example.org")).count(), 1);
}

#[tokio::test]
async fn a_bounce_of_a_bounce_goes_to_the_postmaster_and_no_further() {
    let world = World::new().await;
    world.network.says(never);
    world.send("nobody@near.example", "", &["a@far.example"]).await;
    let boss = world.inbox("boss").await;
    assert_eq!((boss.len(), world.waiting()), (1, 0));
    assert!(boss[0].contains("Final-Recipient: rfc822; nobody@near.example"));

    // The postmaster reads his mail elsewhere, and not even he can be reached: it is kept.
    let out = vec!["gone@far.example".parse().unwrap()];
    world.store.add_alias("postmaster@example.org".parse().unwrap(), out).await.unwrap();
    world.send("nobody@near.example", "", &["a@far.example"]).await;
    assert_eq!(world.inbox("boss").await.len(), 1);
    assert_eq!(world.store.queue_count().unwrap().held, 1);
}

/// The notification that a message with these parameters brings when a server with or without these extensions takes it.
async fn relayed(parameters: &str, notify: &str, deliver_by: bool, dsn: bool) -> String {
    let world = World::new().await;
    world.network.says(match (deliver_by, dsn) {
        (true, true) => |_| (Outcome::Delivered { dsn: true, deliver_by: true }, "250 2.0.0 ok"),
        (true, false) => |_| (Outcome::Delivered { dsn: false, deliver_by: true }, "250 2.0.0 ok"),
        (false, true) => |_| (Outcome::Delivered { dsn: true, deliver_by: false }, "250 2.0.0 ok"),
        (false, false) => taken,
    });
    world.send("boss@example.org", parameters, &[&format!("a@far.example{notify}")]).await;
    world.inbox("boss").await.pop().unwrap_or_default()
}

/// RFC 2852 §4.1.4.
#[tokio::test]
async fn relays_are_told_of_when_the_time_is_not_passed_on_or_a_trace_is_wanted() {
    for (parameters, notify, deliver_by, dsn, expected) in [
        ("BY=600;N", "", false, false, true),
        ("BY=600;N", "", false, true, true),
        ("BY=600;N", " NOTIFY=FAILURE", false, false, true),
        ("BY=600;N", " NOTIFY=NEVER", false, false, false),
        ("BY=600;N", "", true, true, false),
        ("BY=-600;N", "", false, false, false),
        ("BY=600;R", "", true, true, false),
        ("BY=600;RT", "", true, true, true),
        ("BY=-600;NT", "", true, false, true),
        ("BY=600;NT", " NOTIFY=NEVER", true, true, false),
    ] {
        let report = relayed(parameters, notify, deliver_by, dsn).await;
        assert_eq!(!report.is_empty(), expected, "{parameters}{notify}: {report}");
        if expected {
            assert!(report.contains("Action: relayed") && report.contains("Deliver-By-Date: "), "{report}");
            assert_eq!(report.contains("further notifications"), dsn, "{report}");
        }
    }
}

/// RFC 2852 §4.1.3.
#[tokio::test]
async fn what_must_be_returned_when_it_is_late_goes_back_at_that_time() {
    let world = World::new().await;
    world.network.says(later);
    world.send("boss@example.org", "BY=3600;R", &["a@far.example", "b@far.example NOTIFY=NEVER"]).await;
    world.pass(59 * MINUTE).await;
    assert_eq!((world.waiting(), world.inbox("boss").await.len()), (2, 0));
    world.pass(2 * MINUTE).await;
    let inbox = world.inbox("boss").await;
    assert_eq!((world.waiting(), inbox.len()), (0, 1));
    let report = inbox[0].split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in ["Action: failed", "Status: 5.4.7", "Deliver-By-Date: ", "451 4.7.1 come back later"] {
        assert!(report.contains(expected), "{expected} is not in {report}");
    }
}

/// RFC 2852 §4.1.3.
#[tokio::test]
async fn a_delay_is_told_at_the_time_that_the_sender_gave() {
    let world = World::new().await;
    world.network.says(later);
    world.send("boss@example.org", "BY=1800;N", &["a@far.example"]).await;
    world.pass_by_steps(29 * MINUTE, MINUTE).await;
    assert_eq!(world.inbox("boss").await.len(), 0);
    world.pass(MINUTE).await;
    world.pass_by_steps(12 * HOUR, HOUR).await;
    let inbox = world.inbox("boss").await;
    assert_eq!((world.waiting(), inbox.len()), (1, 1));
    assert!(inbox[0].contains("Action: delayed") && inbox[0].contains("Status: 4.4.7"), "{}", inbox[0]);
}

/// RFC 8689 §5, RFC 6710 §4.6.
#[tokio::test]
async fn a_notification_is_as_protected_and_as_urgent_as_its_message() {
    let world = World::new().await;
    world.network.says(|to| if to == "a@far.example" { never(to) } else { taken(to) });
    world.send("you@near.example", "RET=FULL REQUIRETLS MT-PRIORITY=4", &["a@far.example"]).await;
    let log = world.network.log.lock().unwrap();
    let notice = &log[1].0.message;
    assert_eq!(notice.parameters, "REQUIRETLS MT-PRIORITY=4");
    let body = String::from_utf8(notice.body.in_memory().unwrap().to_vec()).unwrap();
    assert!(body.contains("text/rfc822-headers") && !body.contains("hello"), "{body}");
}

/// RFC 4865 §5.1.2: and its lifetime begins when it is released.
#[tokio::test]
async fn a_message_kept_back_is_tried_as_long_as_any_other() {
    let world = World::new().await;
    world.network.says(later);
    world.send("boss@example.org", "HOLDFOR=864000", &["a@far.example"]).await;
    world.pass(10 * DAY - HOUR).await;
    assert_eq!(world.carried().len(), 0);
    world.pass(HOUR).await;
    assert_eq!((world.carried().len(), world.waiting()), (1, 1));
    world.pass_by_steps(5 * DAY + 6 * HOUR, HOUR).await;
    let inbox = world.inbox("boss").await;
    assert_eq!((world.waiting(), inbox.len()), (0, 2));
    assert!(inbox.iter().all(|report| report.contains("Future-Release-Request: for;864000")));
}

/// RFC 3464 §2.3.5, §2.3.6: nobody is quoted who said nothing.
#[tokio::test]
async fn what_we_found_out_ourselves_is_not_put_into_a_servers_mouth() {
    let world = World::new().await;
    world.network.says(|_| (Outcome::Failed, "550 5.4.4 no such host"));
    world.send("boss@example.org", "", &["a@far.example"]).await;
    let report = world.inbox("boss").await.remove(0);
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        report.contains("Diagnostic-Code: x-waypost; mx.far.example: 550 5.4.4 no such host"),
        "{report}"
    );
    assert!(!report.contains("Remote-MTA") && report.contains("This server found:"), "{report}");
}
