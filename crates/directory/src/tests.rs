//! What addresses mean, and who may log in.

use crate::{Directory, Resolution, Target, Verifier, generate_app_password};
use address::{Address, LocalPart, ReversePath, Secret};
use store::directory::{
    AccountRecord, CredentialKind, CredentialRecord, DomainKind, DomainRecord, RelayRecipients, RelayTarget,
};
use store::{Id, Options, Store};

struct World {
    directory: Directory,
    _folder: tempfile::TempDir,
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let directory = Directory::open(store, "mail.example.org".parse().unwrap()).await.unwrap();
        Self { directory, _folder: folder }
    }

    async fn domain(&self, name: &str, kind: DomainKind, catch_all: Option<&str>) {
        let name = name.parse().unwrap();
        let record =
            DomainRecord { name, kind, catch_all: catch_all.map(address), language: None, quota: None };
        let known = vec![LocalPart::from_value("known").unwrap()];
        self.directory.store().add_domain(record, known).await.unwrap();
    }

    async fn account(&self, text: &str, password: &str, disabled: bool) -> Id {
        let record = AccountRecord { quota: Some(1000), disabled, ..AccountRecord::new(address(text)) };
        let id = record.id;
        let verifier = Verifier::of_password(&Secret::new(password.into()), false).unwrap();
        self.directory.store().add_account(record, Some(verifier.to_storage())).await.unwrap();
        id
    }

    async fn alias(&self, alias: &str, targets: &[&str]) {
        let targets = targets.iter().map(|t| address(t)).collect();
        self.directory.store().add_alias(address(alias), targets).await.unwrap();
    }

    /// `me@example.org`, or `=` and the kind of answer.
    fn check(&self, input: &str, expected: &str) {
        let shown = match self.directory.resolve(&address(input)).unwrap() {
            Resolution::Here(targets) => {
                let show = |target: &Target| match target {
                    Target::Account { account, detail: None } => account.address.to_string(),
                    Target::Account { account, detail: Some(detail) } => {
                        format!("{}/{detail}", account.address)
                    }
                    Target::Address(address) => format!("→{address}"),
                };
                targets.iter().map(show).collect::<Vec<_>>().join(" ")
            }
            Resolution::Relay(relay) => format!("=relay {:?} verify {}", relay.to, relay.verify),
            other => format!("={other:?}"),
        };
        assert_eq!(shown, expected, "{input}");
    }

    async fn logs_in(&self, name: &str, password: &str) -> bool {
        self.directory.log_in(name, &Secret::new(password.into())).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn addresses_lead_to_mailboxes() {
    let world = World::new().await;
    world.domain("example.org", DomainKind::Local, None).await;
    world.domain("example.net", DomainKind::Alias { of: "example.org".parse().unwrap() }, None).await;
    world.domain("all.example", DomainKind::Local, Some("me@example.org")).await;
    world.account("me@example.org", "x", false).await;
    world.account("gone@example.org", "x", true).await;
    world.check("Me@Example.ORG", "me@example.org");
    world.check("me@example.net", "me@example.org");
    world.check("me+lists@example.org", "me@example.org/lists");
    world.check("nobody@example.org", "=Unknown");
    world.check("nobody+me@example.org", "=Unknown");
    world.check("gone@example.org", "=Disabled");
    world.check("me@elsewhere.example", "=Elsewhere");
    world.check("me@[127.0.0.1]", "=Elsewhere");
    world.check("anything@all.example", "me@example.org");
    world.check("postmaster@example.org", "me@example.org");
    world.check("ABUSE@example.net", "me@example.org");
}

/// Notifications come from the host and send people to its postmaster, whether or not it is a domain here.
#[tokio::test]
async fn the_host_itself_has_offices_alone() {
    let world = World::new().await;
    world.check("postmaster@mail.example.org", "=Elsewhere");
    world.domain("example.org", DomainKind::Local, None).await;
    world.account("me@example.org", "x", false).await;
    for office in ["Postmaster", "abuse", "MAILER-DAEMON"] {
        world.check(&format!("{office}@Mail.Example.Org"), "me@example.org");
        world.check(&format!("{office}@example.org"), "me@example.org");
    }
    world.check("root@mail.example.org", "me@example.org");
    world.check("root@example.org", "=Unknown");
    world.check("me@mail.example.org", "=Elsewhere");
    world.check("postmaster@other.example.org", "=Elsewhere");
    world.domain("mail.example.org", DomainKind::Local, None).await;
    world.account("you@mail.example.org", "x", false).await;
    world.check("postmaster@mail.example.org", "you@mail.example.org");

    world.directory.clone().set_host("mx.example.net".parse().unwrap());
    world.check("postmaster@mx.example.net", "me@example.org");
}

#[tokio::test]
async fn capturing_leaves_nothing_to_anybody_else() {
    let mut world = World::new().await;
    world.domain("localhost", DomainKind::Local, None).await;
    world.account("dev@localhost", "x", false).await;
    world.directory = world.directory.clone().capturing(address("dev@localhost"));
    for to in ["anybody@elsewhere.example", "nobody@localhost", "dev@localhost", "a@[127.0.0.1]"] {
        world.check(to, "dev@localhost");
    }
}

#[tokio::test]
async fn aliases_are_followed_but_not_for_ever() {
    let world = World::new().await;
    world.domain("example.org", DomainKind::Local, None).await;
    world.account("me@example.org", "x", false).await;
    world.account("you@example.org", "x", false).await;
    world.alias("all@example.org", &["me@example.org", "team@example.org", "out@elsewhere.example"]).await;
    world.alias("team@example.org", &["you@example.org", "all@example.org", "me@example.org"]).await;
    world.alias("loop@example.org", &["loop2@example.org"]).await;
    world.alias("loop2@example.org", &["loop@example.org"]).await;
    world.alias("postmaster@example.org", &["you@example.org"]).await;
    world.check("all@example.org", "me@example.org →out@elsewhere.example you@example.org");
    world.check("loop@example.org", "=Unknown");
    world.check("postmaster@example.org", "you@example.org");
}

#[tokio::test]
async fn relay_domains_take_known_recipients_only() {
    let world = World::new().await;
    let relay = |recipients| DomainKind::Relay { to: RelayTarget::Mx, recipients };
    world.domain("listed.example", relay(RelayRecipients::Listed), None).await;
    world.domain("verified.example", relay(RelayRecipients::Verify), None).await;
    world.check("Known@listed.example", "=relay Mx verify false");
    world.check("other@listed.example", "=Unknown");
    world.check("other@verified.example", "=relay Mx verify true");
}

#[tokio::test]
async fn unqualified_names_are_somebody_at_home() {
    let world = World::new().await;
    let local = |name: &str| LocalPart::from_value(name).unwrap();
    assert!(world.directory.resolve_unqualified(&local("root")).unwrap().is_none());
    world.domain("aaa.example", DomainKind::Local, None).await;
    world.domain("example.org", DomainKind::Local, None).await;
    world.account("me@example.org", "x", false).await;
    world.account("you@example.org", "x", false).await;
    for (name, at) in [("you", "you@example.org"), ("root", "postmaster@example.org")] {
        let (found, _) = world.directory.resolve_unqualified(&local(name)).unwrap().unwrap();
        assert_eq!(found.to_string(), at);
    }
}

#[tokio::test]
async fn accounts_send_as_themselves_and_as_their_aliases() {
    let world = World::new().await;
    world.domain("example.org", DomainKind::Local, None).await;
    let id = world.account("me@example.org", "x", false).await;
    world.account("you@example.org", "x", false).await;
    world.alias("team@example.org", &["you@example.org", "me@example.org"]).await;
    let me = world.directory.store().account_by_id(id).unwrap().unwrap();
    for (text, expected) in [
        ("me@example.org", true),
        ("me+x@example.org", true),
        ("team@example.org", true),
        ("you@example.org", false),
        ("me@elsewhere.example", false),
    ] {
        assert_eq!(world.directory.may_send_as(&me, &address(text)).unwrap(), expected, "{text}");
    }
    assert!(!world.directory.is_over_quota(&me, 1000).unwrap());
    assert!(world.directory.is_over_quota(&me, 1001).unwrap());
}

#[tokio::test]
async fn passwords_open_the_account_they_belong_to() {
    let world = World::new().await;
    world.domain("example.org", DomainKind::Local, None).await;
    let id = world.account("me@example.org", "right horse", false).await;
    world.account("gone@example.org", "right horse", true).await;
    for _ in 0..2 {
        assert!(world.logs_in("me@example.org", "right horse").await);
        assert!(world.logs_in("ME", "right horse").await);
        assert!(!world.logs_in("me@example.org", "wrong horse").await);
        assert!(!world.logs_in("nobody@example.org", "right horse").await);
        assert!(!world.logs_in("gone@example.org", "right horse").await);
    }
    let app = generate_app_password().unwrap();
    let verifier = Verifier::of_app_password(&app).unwrap().to_storage();
    let (kind, label) = (CredentialKind::App, "phone".to_owned());
    let record = CredentialRecord { id: Id::generate(), account: id, kind, label: label.clone(), verifier };
    world.directory.store().add_credential(record).await.unwrap();
    assert!(world.logs_in("me@example.org", app.reveal()).await);
    assert!(world.logs_in("me@example.org", &app.reveal().to_uppercase()).await);
    world.directory.store().remove_credential(id, kind, label).await.unwrap();
    assert!(!world.logs_in("me@example.org", app.reveal()).await);
    // A new password ends the old one at once, although it was remembered.
    let verifier = Verifier::of_password(&Secret::new("new".into()), false).unwrap().to_storage();
    let kind = CredentialKind::Password;
    let record = CredentialRecord { id: Id::generate(), account: id, kind, label: String::new(), verifier };
    world.directory.store().add_credential(record).await.unwrap();
    assert!(!world.logs_in("me@example.org", "right horse").await);
    assert!(world.logs_in("me@example.org", "new").await);
}

#[test]
fn hashes_of_other_systems_verify() {
    let check = |hash: &str, right: bool| {
        let verifier = Verifier::of_crypt(hash).unwrap();
        assert_eq!(verifier.matches(&Secret::new("Hello world!".into())), right, "{hash}");
    };
    // As the C library's crypt() makes them.
    let sha256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
    let sha512 = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    let bcrypt = "$2b$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK";
    check(sha256, true);
    check(bcrypt, true);
    check(&format!("{{BLF-CRYPT}}{}", bcrypt.replace("yeG8", "yeG9")), false);
    check(&format!("{{SHA512-CRYPT}}{sha512}"), true);
    check(&sha512.replace("svn8", "svn9"), false);
    assert!(Verifier::of_crypt("{MD5}abc").is_err());
    assert!(Verifier::of_crypt("").is_err());
}

#[tokio::test]
async fn strangers_are_rewritten_and_come_back() {
    let world = World::new().await;
    let relay = DomainKind::Relay { to: RelayTarget::Mx, recipients: RelayRecipients::Verify };
    world.domain("example.org", DomainKind::Local, Some("all@example.org")).await;
    world.domain("relay.example", relay, None).await;
    world.account("all@example.org", "x", false).await;
    let onward = |sender: &str, recipient: &str, to: &str| {
        let sender = if sender.is_empty() { ReversePath::Null } else { sender.parse().unwrap() };
        let onward = world.directory.onward(&sender, &address(recipient), &address(to)).unwrap();
        (
            onward.reverse_path.address().map(Address::to_string).unwrap_or_default(),
            onward.unchanged.is_some(),
        )
    };
    let (out, far) = ("out@example.org", "you@far.example");
    let (rewritten, _) = onward("joe@near.example", out, far);
    assert!(
        rewritten.starts_with("SRS0=") && rewritten.ends_with("=near.example=joe@example.org"),
        "{rewritten}"
    );
    world.check(&rewritten, "=Returned(<joe@near.example>)");
    world.check(&rewritten.to_lowercase(), "=Returned(<joe@near.example>)");
    // Of another domain of ours it is not taken for anything, and a forgery is a name like any other.
    world.check(&rewritten.replace("@example.org", "@relay.example"), "=relay Mx verify true");
    world.check(&rewritten.replace("=joe", "=ann"), "all@example.org");
    // The host's offices pass on too, by the home domain.
    assert!(onward("joe@near.example", "root@mail.example.org", far).0.ends_with("=joe@example.org"));
    for (sender, to) in [
        ("", far),
        ("me@example.org", far),
        ("joe@near.example", "x@relay.example"),
        ("x@relay.example", far),
    ] {
        assert_eq!(onward(sender, out, to), (sender.to_owned(), false), "{sender} {to}");
    }
    assert_eq!(onward("joe@[192.0.2.1]", out, far), ("joe@[192.0.2.1]".to_owned(), true));
    // The key is kept.
    let again =
        Directory::open(world.directory.store().clone(), "mail.example.org".parse().unwrap()).await.unwrap();
    assert_eq!(
        again.resolve(&address(&rewritten)).unwrap(),
        Resolution::Returned(address("joe@near.example"))
    );
}
