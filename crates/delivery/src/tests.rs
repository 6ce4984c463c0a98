//! What is done for whom.

use crate::{Action, Forward, Incoming, plan};
use address::{Address, ReversePath};
use directory::Directory;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::{Options, Store};

struct World {
    directory: Directory,
    _folder: tempfile::TempDir,
}

impl World {
    /// `me@` and `full@example.org`, and aliases that lead to them.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let name = "example.org".parse().unwrap();
        let domain =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(domain, Vec::new()).await.unwrap();
        for (address, quota, disabled) in
            [("me", None, false), ("full", Some(10), false), ("gone", None, true)]
        {
            let account = AccountRecord {
                quota,
                disabled,
                ..AccountRecord::new(at(&format!("{address}@example.org")))
            };
            store.add_account(account, None).await.unwrap();
        }
        for (alias, targets) in [
            ("both@example.org", &["me@example.org", "full@example.org"][..]),
            ("out@example.org", &["you@example.net"]),
            ("mixed@example.org", &["me@example.org", "you@example.net"]),
        ] {
            store.add_alias(at(alias), targets.iter().map(|t| at(t)).collect()).await.unwrap();
        }
        let directory = Directory::open(store, "mail.example.org".parse().unwrap()).await.unwrap();
        Self { directory, _folder: folder }
    }

    fn check(&self, recipient: &str, header: &str, expected: &str) {
        self.check_message(recipient, header, false, expected);
    }

    fn check_message(&self, recipient: &str, header: &str, put_aside: bool, expected: &str) {
        let reverse_path = "sender@example.net".parse().unwrap();
        let message =
            Incoming { reverse_path: &reverse_path, header: header.as_bytes(), size: 100, put_aside };
        let show = |action: &Action| match action {
            Action::Keep(copy) => format!("keep {} {}", copy.address, copy.mailbox),
            Action::Forward(Forward { address, sender, .. }) if sender.reverse_path == reverse_path => {
                format!("forward {address}")
            }
            Action::Forward(forward) => format!("forward {} rewritten", forward.address),
            Action::Refuse(reply) => {
                format!(
                    "refuse {} {}",
                    reply.code(),
                    reply.enhanced().map_or_else(String::new, |e| e.to_string())
                )
            }
        };
        let actions = plan(&self.directory, &at(recipient), &message).unwrap();
        assert_eq!(actions.iter().map(show).collect::<Vec<_>>().join(", "), expected, "{recipient}");
    }
}

fn at(text: &str) -> Address {
    text.parse().unwrap()
}

#[tokio::test]
async fn recipients_become_actions() {
    let world = World::new().await;
    let check = |recipient, expected| world.check(recipient, "", expected);
    check("me@example.org", "keep me@example.org INBOX");
    check("me+lists@example.org", "keep me@example.org INBOX");
    check("out@example.org", "forward you@example.net rewritten");
    check("mixed@example.org", "keep me@example.org INBOX, forward you@example.net rewritten");
    check("nobody@example.org", "refuse 550 5.1.1");
    check("gone@example.org", "refuse 550 5.2.1");
    check("me@elsewhere.example", "refuse 550 5.1.2");
}

#[tokio::test]
async fn what_was_put_aside_goes_to_the_folder_for_that() {
    let world = World::new().await;
    let keep = "keep me@example.org Junk";
    world.check_message("me@example.org", "", true, keep);
}

#[tokio::test]
async fn a_full_mailbox_waits_alone() {
    let world = World::new().await;
    world.check("full@example.org", "", "refuse 452 4.2.2");
    world.check("both@example.org", "", "keep me@example.org INBOX, forward full@example.org");
}

#[tokio::test]
async fn what_was_delivered_to_the_address_before_is_a_loop() {
    let world = World::new().await;
    world.check("out@example.org", "Delivered-To: OUT@example.org\r\n", "refuse 554 5.4.6");
    world.check("out@example.org", "Delivered-To: me@example.org\r\n", "forward you@example.net rewritten");
}

#[tokio::test]
async fn a_copy_says_who_it_came_from_and_for_whom_it_was() {
    let world = World::new().await;
    let reverse_path = "sender@example.net".parse().unwrap();
    let message = Incoming { reverse_path: &reverse_path, header: b"", size: 1, put_aside: false };
    let actions = plan(&world.directory, &at("Me+x@example.org"), &message).unwrap();
    let [Action::Keep(copy)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(copy.prefix, "Return-Path: <sender@example.net>\r\nDelivered-To: Me+x@example.org\r\n");
}

#[tokio::test]
async fn a_rewritten_sender_takes_notifications_only() {
    let world = World::new().await;
    let (stranger, null) = ("sender@far.example".parse().unwrap(), ReversePath::Null);
    let onward = world.directory.onward(&stranger, &at("out@example.org"), &at("you@example.net")).unwrap();
    let rewritten = onward.reverse_path.address().unwrap().clone();
    let plan = |reverse_path: &ReversePath| {
        let message = Incoming { reverse_path, header: b"", size: 1, put_aside: false };
        plan(&world.directory, &rewritten, &message).unwrap()
    };
    let [Action::Forward(forward)] = &plan(&null)[..] else { panic!("{:?}", plan(&null)) };
    assert_eq!((&forward.address, &forward.sender.reverse_path), (&at("sender@far.example"), &null));
    assert!(matches!(&plan(&stranger)[..], [Action::Refuse(reply)] if reply.code() == 550));
}
