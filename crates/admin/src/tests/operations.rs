//! What each operation does to the data.

use super::*;
use crate::trail::{Fate, Subject};
use crate::{alias, mail, queue, system, trail};
use directory::Directory;
use std::sync::Arc;
use std::time::Instant;
use store::directory::{RelayRecipients, RelayTarget};
use store::queue::RecipientChange;

fn text<T: std::fmt::Debug>(result: Result<T, AdminError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn domains_come_with_a_key_and_go_with_their_accounts_only_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let domain: address::Domain = "example.org".parse().unwrap();
    let view = root(&operations, domain::Show { domain: domain.clone() }).await.unwrap();
    assert_eq!(
        (view.kind.as_str(), view.accounts, view.dkim_selectors),
        ("local", 1, vec!["w1".to_owned(), "w2".to_owned()])
    );
    let again = root(&operations, local("example.org")).await;
    assert!(matches!(again, Err(AdminError::Exists(_))), "{again:?}");

    let key = domain::AddKey { domain: domain.clone(), kind: domain::KeyKind::Ed25519 };
    assert_eq!(root(&operations, key).await.unwrap().selector, "w3");
    let add_alias =
        alias::Add { alias: address("info@example.org"), targets: vec![address("me@example.org")] };
    root(&operations, add_alias).await.unwrap();
    let other = domain::Add { kind: DomainKind::Alias { of: domain.clone() }, ..local("example.net") };
    root(&operations, other).await.unwrap();

    let remove = |name: &str, with_accounts| domain::Remove { domain: name.parse().unwrap(), with_accounts };
    let refused = text(root(&operations, remove("example.org", true)).await);
    assert_eq!(refused, "example.net is another name for example.org; remove that one first");
    root(&operations, remove("example.net", false)).await.unwrap();
    assert!(text(root(&operations, remove("example.org", false)).await).contains("2 accounts and aliases"));
    root(&operations, remove("example.org", true)).await.unwrap();
    assert_eq!(root(&operations, domain::List {}).await.unwrap(), []);
}

#[tokio::test]
async fn a_relay_domain_keeps_to_its_own_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let operations = open(folder.path());
    let to = RelayTarget::Url("smtp://mail.branch.example".into());
    let kind = DomainKind::Relay { to, recipients: RelayRecipients::Listed };
    let add = |recipient: &str| domain::Add {
        kind: kind.clone(),
        recipients: vec![address(recipient)],
        ..local("branch.example")
    };
    assert!(text(root(&operations, add("a@other.example")).await).contains("no address of branch.example"));
    let view = root(&operations, add("A@branch.example")).await.unwrap();
    assert_eq!(view.relay_to.as_deref(), Some("smtp://mail.branch.example"));
    assert_eq!(view.dkim_selectors, Vec::<String>::new());
    assert!(operations.store().has_relay_recipient(&view.domain, "a").unwrap());
    let catch_all = domain::Setting::CatchAll(Some(address("me@example.org")));
    let refused = root(&operations, domain::Set { domain: view.domain, setting: catch_all }).await;
    assert!(text(refused).contains("neither catch-all nor quota"));
}

#[tokio::test]
async fn the_records_to_publish_name_this_host_and_the_stored_key() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let services = [("pop3s", 995), ("submissions", 465), ("smtp", 25)];
    let services = services.map(|(name, port)| domain::Service { name: name.into(), port }).to_vec();
    let ask = domain::Records {
        domain: "example.org".parse().unwrap(),
        hostname: "mail.example.org".parse().unwrap(),
        services,
    };
    let records = root(&operations, ask).await.unwrap();
    let lines: Vec<String> = records
        .iter()
        .map(|r| {
            let shown = if r.value.contains("ed25519") { 23 } else { 40 };
            format!("{} {:?} {}", r.name, r.kind, r.value.chars().take(shown).collect::<String>())
        })
        .collect();
    assert_eq!(
        lines,
        [
            "example.org Mx 10 mail.example.org.",
            "example.org Txt \"v=spf1 mx ~all\"",
            "mail.example.org Txt \"v=spf1 a -all\"",
            "w1._domainkey.example.org Txt \"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BA",
            "w2._domainkey.example.org Txt \"v=DKIM1; k=ed25519; p=",
            "_dmarc.example.org Txt \"v=DMARC1; p=quarantine; rua=mailto:post",
            "_smtp._tls.example.org Txt \"v=TLSRPTv1; rua=mailto:postmaster@examp",
            "_submissions._tcp.example.org Srv 0 1 465 mail.example.org.",
            "_pop3s._tcp.example.org Srv 40 1 995 mail.example.org.",
        ]
    );
}

#[tokio::test]
async fn passwords_set_here_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let directory =
        Directory::open(operations.store().clone(), "mail.example.org".parse().unwrap()).await.unwrap();
    let log_in = async |password: &str| {
        let password = Secret::new(password.to_owned());
        directory.log_in("me@example.org", &password).await.unwrap().is_some()
    };
    let me = address("me@example.org");
    let set = |password| account::SetPassword { address: me.clone(), password };
    root(&operations, set(chosen("correct horse"))).await.unwrap();
    assert!(log_in("correct horse").await && !log_in("correct house").await);

    let app = account::AddAppPassword { address: me.clone(), name: "phone".into() };
    let made = root(&operations, app.clone()).await.unwrap();
    assert!(log_in(made.password.reveal()).await && log_in("correct horse").await);
    assert!(text(root(&operations, app).await).contains("already exists"));
    let list = account::ListAppPasswords { address: me.clone() };
    assert_eq!(root(&operations, list).await.unwrap()[0].name, "phone");
    let remove = account::RemoveAppPassword { address: me.clone(), name: "phone".into() };
    root(&operations, remove.clone()).await.unwrap();
    assert!(!log_in(made.password.reveal()).await);
    assert!(matches!(root(&operations, remove).await, Err(AdminError::NotFound(_))));

    // From another system; `openssl passwd -6 -salt saltstring "Hello world!"`.
    let hash = "{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    root(&operations, set(account::Password::Hash(Secret::new(hash.into())))).await.unwrap();
    assert!(log_in("Hello world!").await && !log_in("correct horse").await);
    let unknown = account::Password::Hash(Secret::new("{MD5}abc".into()));
    assert!(matches!(root(&operations, set(unknown)).await, Err(AdminError::Refused(_))));

    let disable = account::Set { address: me.clone(), setting: account::Setting::Disabled(true) };
    assert!(root(&operations, disable).await.unwrap().disabled);
    assert!(!log_in("Hello world!").await);
}

#[tokio::test]
async fn a_certificate_stands_for_one_account_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    root(&operations, person("you@example.org")).await.unwrap();
    let (me, you) = (address("me@example.org"), address("you@example.org"));
    let directory =
        Directory::open(operations.store().clone(), "mail.example.org".parse().unwrap()).await.unwrap();
    let digits = "0123456789abcdef".repeat(4);
    let pairs: Vec<&str> = (0..32).map(|i| &digits[2 * i..2 * i + 2]).collect();
    let printed = format!("sha256 Fingerprint={}\n", pairs.join(":").to_uppercase());
    let add = |address: &Address, text: &str| account::AddCertificate {
        address: address.clone(),
        fingerprint: text.parse().unwrap(),
    };
    let list = |address: &Address| account::ListCertificates { address: address.clone() };
    let stands_for = || directory.account_of_certificate(&digits, []).unwrap();

    root(&operations, add(&me, &printed)).await.unwrap();
    assert_eq!(root(&operations, list(&me)).await.unwrap()[0].fingerprint.to_string(), digits);
    assert_eq!(stands_for(), Some(me.to_string()));
    assert!(text(root(&operations, add(&me, &digits)).await).contains("already exists"));
    assert!(text(root(&operations, add(&you, &digits)).await).contains("stands for another account"));
    // What is theirs is theirs to change, and no more.
    let strange = operations.call(&Actor::Account(you.clone()), add(&me, &digits)).await;
    assert!(matches!(strange, Err(AdminError::Denied(_))), "{strange:?}");

    let remove = account::RemoveCertificate { address: me.clone(), fingerprint: digits.parse().unwrap() };
    operations.call(&Actor::Account(me.clone()), remove.clone()).await.unwrap();
    assert_eq!(stands_for(), None);
    assert!(matches!(root(&operations, remove).await, Err(AdminError::NotFound(_))));
    root(&operations, add(&you, &digits)).await.unwrap();
    assert_eq!((root(&operations, list(&me)).await.unwrap().len(), stands_for()), (0, Some(you.to_string())));
}

#[test]
fn a_fingerprint_is_64_digits() {
    for wrong in ["", "00", "sha1 Fingerprint=00", &"0".repeat(63), &"g".repeat(64), &"00".repeat(33)] {
        let error = wrong.parse::<account::Fingerprint>().unwrap_err().to_string();
        assert!(error.contains("is no SHA-256 fingerprint"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let nobody = address("nobody@example.org");
    let show = root(&operations, account::Show { address: nobody.clone() }).await;
    assert_eq!(
        text(show),
        "there is no account nobody@example.org; `waypost account list` shows those there are"
    );
    let show = root(&operations, alias::Show { alias: nobody.clone() }).await;
    assert_eq!(
        text(show),
        "there is no alias nobody@example.org; `waypost alias list` shows those there are"
    );
    let add = root(&operations, person("me@elsewhere.example")).await;
    assert!(text(add).contains("add it with `waypost domain add elsewhere.example`"));
    let stop = root(&operations, system::Stop {}).await;
    assert_eq!(text(stop), "no server is running; start it with `waypost serve`");
}

#[tokio::test]
async fn an_alias_loses_targets_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let (info, targets) = (address("info@example.org"), ["me@example.org", "you@example.net"].map(address));
    let add = alias::Add { alias: info.clone(), targets: targets.to_vec() };
    assert_eq!(root(&operations, add).await.unwrap().targets, targets);
    let remove = |targets: &[Address]| alias::Remove { alias: info.clone(), targets: targets.to_vec() };
    let stranger = root(&operations, remove(&[targets[1].clone(), address("x@example.org")])).await;
    assert!(matches!(stranger, Err(AdminError::NotFound(_))));
    root(&operations, remove(&targets[1..])).await.unwrap();
    let list = root(&operations, alias::List { domain: None }).await.unwrap();
    assert_eq!(list, [alias::AliasView { alias: info.clone(), targets: vec![targets[0].clone()] }]);
    assert_eq!(
        root(&operations, account::Show { address: targets[0].clone() }).await.unwrap().aliases,
        vec![info.clone()]
    );
    root(&operations, remove(&[])).await.unwrap();
    assert_eq!(root(&operations, alias::List { domain: None }).await.unwrap(), []);
}

#[tokio::test]
async fn a_person_does_what_is_theirs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    root(&operations, person("you@example.org")).await.unwrap();
    let actor = Actor::Account(address("me@example.org"));
    let set =
        |whose: &str| account::SetPassword { address: address(whose), password: chosen("a new password") };
    operations.call(&actor, set("me@example.org")).await.unwrap();
    let folders = |whose: &str| mail::Folders { account: address(whose) };
    assert_eq!(operations.call(&actor, folders("me@example.org")).await.unwrap().len(), 6);
    for denied in [
        operations.call(&actor, set("you@example.org")).await.err(),
        operations.call(&actor, folders("you@example.org")).await.err(),
        operations.call(&actor, domain::List {}).await.err(),
        operations.call(&actor, queue::Summarize {}).await.err(),
        operations.call(&actor, system::Stop {}).await.err(),
    ] {
        assert_eq!(denied, Some(AdminError::Denied("account me@example.org may not do that".into())));
    }
}

#[tokio::test]
async fn mail_is_listed_newest_first_read_in_pieces_and_searched() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    for number in 1..=5 {
        deliver(&operations, format!("Subject: =?utf-8?Q?No=2E_{number}?=\r\n\r\ntext\r\n").as_bytes()).await;
    }
    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789abcdef".repeat(40_000)].concat();
    deliver(&operations, &large).await;
    let me = address("me@example.org");
    let inbox = operations.store().mailboxes(operations.store().accounts(None).unwrap()[0].id).unwrap()[0].id;
    operations.store().remove_messages(inbox, vec![3, 4]).await.unwrap();

    let list = |before, limit| mail::List { account: me.clone(), folder: "inbox".into(), before, limit };
    let subjects = async |before, limit| {
        let page = root(&operations, list(before, limit)).await.unwrap();
        page.into_iter().map(|one| format!("{} {}", one.uid, one.subject)).collect::<Vec<_>>()
    };
    assert_eq!(subjects(None, 2).await, ["6 large", "5 No. 5"]);
    assert_eq!(subjects(Some(5), 2).await, ["2 No. 2", "1 No. 1"]);
    assert_eq!(subjects(Some(1), 2).await, Vec::<String>::new());

    let (mut whole, mut next) = (Vec::new(), Some(0));
    while let Some(offset) = next {
        let raw = mail::Raw { account: me.clone(), folder: "INBOX".into(), uid: 6, offset };
        let piece = root(&operations, raw).await.unwrap();
        whole.extend(data_encoding::BASE64.decode(piece.data.as_bytes()).unwrap());
        next = piece.next;
    }
    let prefix = b"Return-Path: <you@example.net>\r\nReceived: from x by y\r\n";
    assert_eq!(whole, [prefix, large.as_slice()].concat());

    let search = |words: &[&str]| mail::Search {
        account: me.clone(),
        folder: "INBOX".into(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    let found = root(&operations, search(&["NO. 2", "Text"])).await.unwrap();
    assert_eq!(found.iter().map(|one| one.uid).collect::<Vec<_>>(), [2]);
    assert_eq!(root(&operations, search(&["No. 2", "elsewhere"])).await.unwrap(), []);
    let missing = root(&operations, mail::List { folder: "Nowhere".into(), ..list(None, 1) }).await;
    assert_eq!(text(missing), "there is no folder \"Nowhere\" of me@example.org");
}

#[tokio::test]
async fn removed_mail_is_listed_and_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    for number in 1..=3 {
        deliver(&operations, format!("Subject: No {number}\r\n\r\ntext\r\n").as_bytes()).await;
    }
    let account = address("me@example.org");
    let inbox = operations.store().inbox(operations.store().accounts(None).unwrap()[0].id).unwrap().id;
    operations.store().remove_messages(inbox, vec![1, 3]).await.unwrap();
    let removed = |folder: Option<&str>, after| mail::Removed {
        account: account.clone(),
        folder: folder.map(str::to_owned),
        after,
        limit: 1,
    };
    let first = root(&operations, removed(Some("INBOX"), None)).await.unwrap();
    let second = root(&operations, removed(None, Some(first[0].id))).await.unwrap();
    assert_eq!([&*first[0].subject, &*second[0].subject], ["No 1", "No 3"]);
    assert_eq!(second[0].folder, "INBOX");
    assert_eq!(root(&operations, removed(Some("INBOX"), Some(second[0].id))).await.unwrap(), []);
    assert_eq!(root(&operations, removed(Some("Archive"), None)).await.unwrap(), []);

    let back = || mail::Undelete { account: account.clone(), messages: vec![first[0].id] };
    assert_eq!(root(&operations, back()).await.unwrap(), 1);
    assert_eq!(root(&operations, back()).await.unwrap(), 0);
    let list = mail::List { account: account.clone(), folder: "INBOX".into(), before: None, limit: 9 };
    let there: Vec<String> =
        root(&operations, list).await.unwrap().into_iter().map(|one| one.subject).collect();
    assert_eq!(there, ["No 1", "No 2"]);
    let stranger = Actor::Account(address("you@example.org"));
    assert!(operations.call(&stranger, back()).await.is_err());
}

fn everything(action: Action) -> queue::Change {
    queue::Change { action, ids: None, filter: queue::Filter::default() }
}

#[tokio::test]
async fn without_a_server_the_queue_is_changed_in_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let first = enqueue(&operations, &["a@far.example", "b@near.example"]).await;
    let second = enqueue(&operations, &["c@far.example"]).await;
    let far = queue::Filter { domain: Some("far.example".parse().unwrap()), ..queue::Filter::default() };
    let states = || async {
        let list =
            root(&operations, queue::List { filter: queue::Filter::default(), limit: None }).await.unwrap();
        let all = list.into_iter().flat_map(|entry| entry.recipients);
        all.map(|r| format!("{} {:?}", r.address.local(), r.state)).collect::<Vec<_>>()
    };
    let change = queue::Change { filter: far.clone(), ..everything(Action::Hold) };
    let changed = root(&operations, change).await.unwrap();
    assert_eq!((changed.messages, changed.recipients), (2, 2));
    assert_eq!(states().await, ["a Held", "b Active", "c Held"]);
    // Trying again does not release.
    let changed = root(&operations, everything(Action::Retry)).await.unwrap();
    assert_eq!((changed.messages, changed.recipients), (1, 1));
    let changed =
        root(&operations, queue::Change { ids: Some(vec![second]), ..everything(Action::Release) }).await;
    assert_eq!(changed.unwrap().recipients, 1);
    assert_eq!(states().await, ["a Held", "b Active", "c Active"]);

    let bounce = root(&operations, everything(Action::Bounce)).await;
    assert!(bounce.unwrap_err().is_temporary());
    root(&operations, queue::Change { ids: Some(vec![first]), ..everything(Action::Drop) }).await.unwrap();
    assert_eq!(states().await, ["c Active"]);
    let gone =
        root(&operations, queue::Change { ids: Some(vec![second, first]), ..everything(Action::Drop) }).await;
    assert!(text(gone).contains(&format!("`waypost trail {first}`")));
    assert_eq!(states().await, ["c Active"], "all or none");
}

#[tokio::test]
async fn filters_let_through_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    enqueue(&operations, &["a@far.example", "b@near.example"]).await;
    let check = async |filter: queue::Filter, expected: &[&str]| {
        let list = root(&operations, queue::List { filter: filter.clone(), limit: None }).await.unwrap();
        let found: Vec<String> =
            list.into_iter().flat_map(|e| e.recipients).map(|r| r.address.local().to_string()).collect();
        assert_eq!(found, expected, "{filter:?}");
    };
    let none = queue::Filter::default;
    check(none(), &["a", "b"]).await;
    check(queue::Filter { sender: Some(address("YOU@example.net")), ..none() }, &["a", "b"]).await;
    check(queue::Filter { sender: Some(address("me@example.net")), ..none() }, &[]).await;
    check(queue::Filter { recipient: Some(address("B@near.example")), ..none() }, &["b"]).await;
    check(queue::Filter { state: Some(queue::State::Active), ..none() }, &["a", "b"]).await;
    check(queue::Filter { state: Some(queue::State::Deferred), ..none() }, &[]).await;
    check(queue::Filter { older_than_seconds: Some(3600), ..none() }, &[]).await;
    check(queue::Filter { older_than_seconds: Some(u64::MAX), ..none() }, &[]).await;
}

#[tokio::test]
async fn a_running_queue_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = installed(folder.path()).await.store().clone();
    let heard = Arc::new(Heard::default());
    let queue: Arc<dyn crate::Queue> = heard.clone();
    let operations = Operations::in_server(store, queue, server(Arc::default()));
    let id = enqueue(&operations, &["a@far.example", "b@near.example"]).await;
    let near = queue::Filter { domain: Some("near.example".parse().unwrap()), ..queue::Filter::default() };
    let bounce = queue::Change { filter: near, ..everything(Action::Bounce) };
    assert_eq!(root(&operations, bounce).await.unwrap().recipients, 1);
    assert_eq!(*heard.0.lock().unwrap(), [(Action::Bounce, id, vec![1], "root".to_owned())]);
}

pub(super) fn server(stopped: Arc<Mutex<bool>>) -> crate::Server {
    crate::Server {
        started: Instant::now(),
        connections: Arc::new(|| 7),
        tasks: Arc::new(|| 9),
        reload: Arc::new(|| Err("certificate.pem is gone".into())),
        stop: Arc::new(move || *stopped.lock().unwrap() = true),
    }
}

#[tokio::test]
async fn the_summary_has_a_line_for_each_destination_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    for session in ["d2e1a72fcca58-7b1", "d2e1a72fcca58-8c2"] {
        let id = enqueue(&operations, &["a@far.example", "b@far.example", "c@near.example"]).await;
        let last = format!("421 4.7.28 slow down {session}");
        let fate = store::queue::Fate::Deferred { due: 9, delay_told: false, last };
        let change = |position| RecipientChange { message: id, position, fate: fate.clone() };
        operations.store().record(vec![change(0), change(1)], Vec::new()).await.unwrap();
    }
    // Two domains, one provider: one trouble.
    for (domain, host) in [("one.example", "mx1"), ("two.example", "mx2")] {
        let id = enqueue(&operations, &[&format!("a@{domain}")]).await;
        let last = format!("{host}.google.com [192.0.2.1]:25: 421 4.7.28 unusual rate x1-2345y.7");
        let fate = store::queue::Fate::Deferred { due: 9, delay_told: false, last };
        let change = RecipientChange { message: id, position: 0, fate };
        operations.store().record(vec![change], Vec::new()).await.unwrap();
    }
    let lines = root(&operations, queue::Summarize {}).await.unwrap();
    let lines: Vec<String> = lines
        .iter()
        .map(|l| format!("{} {:?} {} {} {:?}", l.destination, l.state, l.messages, l.recipients, l.reason))
        .collect();
    assert_eq!(
        lines,
        [
            "far.example Deferred 2 4 Some(\"421 4.7.28 slow down …\")",
            "Gmail Deferred 2 2 Some(\"421 4.7.28 unusual rate …\")",
            "near.example Active 2 2 None",
        ]
    );
}

#[tokio::test]
async fn the_trail_tells_how_it_stands_with_each_recipient() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let delivered = deliver(&operations, b"Subject: x\r\n\r\ny\r\n").await;
    let waiting = enqueue(&operations, &["a@far.example", "b@far.example"]).await;
    let ids = Some(vec![waiting]);
    let recipient = Some(address("b@far.example"));
    let filter = queue::Filter { recipient, ..queue::Filter::default() };
    root(&operations, queue::Change { action: Action::Drop, ids, filter }).await.unwrap();

    let find = |subject| trail::Find { subject, since: None, limit: 50 };
    let fates = async |subject: Subject| {
        let journeys = root(&operations, find(subject)).await.unwrap();
        let fated = journeys.into_iter().map(|journey| {
            let fates = journey.recipients.iter().map(|r| format!("{} {:?}", r.recipient, r.fate));
            (journey.id, fates.collect::<Vec<_>>().join(", "))
        });
        fated.collect::<Vec<_>>()
    };
    let first = (delivered, "me@example.org Delivered".to_owned());
    let second = (waiting, "a@far.example Waiting, b@far.example Dropped".to_owned());
    assert_eq!(fates(Subject::Message(waiting)).await, vec![second.clone()]);
    assert_eq!(fates(Subject::Address(address("ME@example.org"))).await, vec![first.clone()]);
    assert_eq!(fates(Subject::Domain("far.example".parse().unwrap())).await, vec![second.clone()]);
    assert_eq!(fates(Subject::Name("1@example.net".into())).await, [second.clone(), first.clone()]);
    assert_eq!(fates(Subject::Name("<2@example.net>".into())).await, []);
    assert_eq!(fates(Subject::Name("s1".into())).await.len(), 2);
    let session = Id::generate();
    let origin = Origin { session: session.to_string(), ..Origin::default() };
    let (from, recipients) = ("you@example.net".to_owned(), vec!["me@example.org".to_owned()]);
    let refused =
        Event::Refused { origin, from, recipients, reply: "550 5.7.1 no".into(), verdicts: Vec::new() };
    let third = Id::generate();
    operations.store().tell(Entry::now(third, refused));
    let third = (third, "me@example.org Refused".to_owned());
    assert_eq!(fates(Subject::Message(session)).await, std::slice::from_ref(&third), "a session's id");
    assert_eq!(fates(Subject::All).await, [third, second, first]);
    assert_eq!(fates(Subject::Message(Id::generate())).await, []);
    let late = trail::Find { since: Some(i64::MAX), ..find(Subject::All) };
    assert_eq!(root(&operations, late).await.unwrap().len(), 0);

    assert_eq!(
        Fate::Waiting,
        root(&operations, find(Subject::Message(waiting))).await.unwrap()[0].recipients[0].fate
    );
    let dropped = root(&operations, find(Subject::Message(waiting))).await.unwrap();
    assert_eq!(dropped[0].recipients[1].detail.as_deref(), Some("drop by root"));
}

#[tokio::test]
async fn a_server_tells_how_it_is_and_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let stopped = Arc::new(Mutex::new(false));
    let store = open(folder.path()).store().clone();
    let operations = Operations::in_server(store, Arc::new(Heard::default()), server(stopped.clone()));
    let status = root(&operations, system::Status {}).await.unwrap();
    assert_eq!((status.connections, status.tasks), (Some(7), Some(9)));
    assert!(status.running && status.disk_size >= status.disk_free);
    assert_eq!(text(root(&operations, system::Reload {}).await), "certificate.pem is gone");
    assert!(root(&operations, system::CheckStore {}).await.unwrap().ok);
    root(&operations, system::Stop {}).await.unwrap();
    assert!(*stopped.lock().unwrap());
}

#[tokio::test]
async fn an_address_is_followed_to_those_who_get_its_mail() {
    use crate::recipient::{Resolve, Resolved, Target};
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let targets = vec![address("me@example.org"), address("friend@far.example")];
    root(&operations, alias::Add { alias: address("info@example.org"), targets }).await.unwrap();
    let me = Target::Account(address("me@example.org"));
    for (from, expected) in [
        ("me+list@example.org", Resolved::Here(vec![me.clone()])),
        ("info@example.org", Resolved::Here(vec![Target::Address(address("friend@far.example")), me])),
        ("nobody@example.org", Resolved::Unknown),
        ("you@far.example", Resolved::Elsewhere),
        ("you@[192.0.2.1]", Resolved::Elsewhere),
    ] {
        let resolved = root(&operations, Resolve { address: address(from) }).await.unwrap();
        assert_eq!(resolved, expected, "{from}");
    }
}
