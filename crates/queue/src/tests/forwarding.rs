//! What the next host of forwarded mail sees: seals, and whom the message is from.

use super::world::{MINUTE, World, later, never, taken};
use address::Domain;
use dns::{Fixed, Names};
use mailauth::dkim::{BodyHasher, Form, Signer, SigningKey, Verifier};
use mailauth::dmarc::{self, Identifier, Word};
use message::Header;
use std::sync::Arc;
use store::directory::{KeyStage, SigningKeyRecord};

const LETTER: &str = "From: Joe <joe@far.example>\r\nSubject: a letter\r\n\r\nhello\r\n";
const BY_SPF: &str = "dmarc=pass header.from=far.example policy.dmarc=reject policy.aligned=spf";
const BY_DKIM: &str = "dmarc=pass header.from=far.example policy.dmarc=reject policy.aligned=dkim";
const UNTOUCHED: &str = "Joe <joe@far.example>";
const REWRITTEN: &str = "\"Joe via example.org\" <out@example.org>";

/// A trace that says what was found.
fn found(results: &str) -> String {
    format!("Authentication-Results: mail.example.org;\r\n\t{results}\r\nReceived: from x by y\r\n")
}

/// A world whose domain signs, and the key.
async fn signing() -> (World, SigningKey) {
    let world = World::new().await;
    let key = SigningKey::generate_ed25519().unwrap();
    let record = SigningKeyRecord {
        domain: "example.org".parse().unwrap(),
        selector: "w1".into(),
        pem: key.to_pem().unwrap(),
        stage: KeyStage::Active,
        since: 0,
    };
    world.store.add_signing_key(record).await.unwrap();
    (world, key)
}

/// What the network was given last, in one piece.
async fn last(world: &World) -> String {
    let message = Arc::clone(&world.network.log.lock().unwrap().last().unwrap().0.message);
    let body = message.body.read(usize::MAX).await.unwrap();
    String::from_utf8([&message.trace[..], &body].concat()).unwrap()
}

async fn forwarded(world: &World, trace: &str, text: &str) -> String {
    world.accept_with(trace, text, "joe@far.example", &["out@example.org"]).await;
    world.quiet().await;
    last(world).await
}

fn from(message: &str) -> String {
    Header::parse(message.as_bytes()).get("From").unwrap().value()
}

/// The domains whose signatures hold, as the next host finds it, and what DMARC comes to by them alone.
async fn checked(world: &World, message: &str, keys: &[(&str, &SigningKey)]) -> (Vec<String>, Word) {
    let (header, text) = message.split_once("\r\n\r\n").unwrap();
    let mut verifier = Verifier::new(header.as_bytes(), world.now() / 1000);
    verifier.update(text.as_bytes());
    let key = |name: &str| keys.iter().find(|(known, _)| *known == name).map(|(_, key)| key.dns_record());
    let results = verifier.finish(|name| {
        key(name).map(|record| vec![record.into_bytes()]).ok_or(mailauth::LookupError::NoName)
    });
    let good: Vec<Domain> =
        results.into_iter().filter(|one| one.passed()).filter_map(|one| one.domain).collect();
    let dns = Fixed::new()
        .with_txt("_dmarc.far.example", "v=DMARC1; p=reject")
        .with_txt("_dmarc.example.org", "v=DMARC1; p=reject");
    let author = dmarc::author_domain(header.as_bytes()).unwrap();
    let vouched: Vec<_> =
        good.iter().map(|domain| Identifier { domain, outcome: dmarc::Outcome::Pass }).collect();
    let evaluation = dmarc::evaluate(&Names(&dns), &author, None, &vouched).await;
    (good.iter().map(Domain::to_string).collect(), evaluation.word)
}

/// Whether the chain of seals holds.
fn sealed(world: &World, message: &str, key: &SigningKey) -> bool {
    let (header, text) = message.split_once("\r\n\r\n").unwrap();
    let mut verifier = mailauth::arc::Verifier::new(header.as_bytes(), world.now() / 1000);
    verifier.update(text.as_bytes());
    let result = verifier.finish(|_| Ok(vec![key.dns_record().into_bytes()]));
    result.outcome == mailauth::arc::Outcome::Pass { oldest_pass: 0 }
}

/// RFC 8617 §5.1: what was found when the message came goes on with it, and the chain holds.
#[tokio::test]
async fn what_is_forwarded_is_sealed() {
    let results = found("spf=pass smtp.mailfrom=far.example;\r\n\tarc=none");
    let keyless = World::new().await;
    assert!(!forwarded(&keyless, &results, LETTER).await.contains("ARC-"), "without a key nothing is sealed");
    let (world, key) = signing().await;
    let nothing = forwarded(&world, "Received: from x by y\r\n", LETTER).await;
    assert!(!nothing.contains("ARC-"), "nobody looked where it came from");

    let message = forwarded(&world, &results, LETTER).await;
    assert!(
        message.starts_with("ARC-Seal: i=1; a=ed25519-sha256; cv=none; d=example.org; s=w1;"),
        "{message}"
    );
    assert!(sealed(&world, &message, &key));
    let told = Header::parse(message.as_bytes()).get("ARC-Authentication-Results").unwrap().value();
    assert!(told.contains("spf=pass smtp.mailfrom=far.example"), "{told}");

    // The same chain comes to the next one, which seals what it found of it, and nothing when it did not look.
    let (set, _) = message.split_once("Delivered-To:").unwrap();
    for (told, seal) in [("arc=pass", "cv=pass"), ("arc=fail", "cv=fail")] {
        let trace = format!("{}{set}", results.replace("arc=none", told));
        let message = forwarded(&world, &trace, LETTER).await;
        assert!(message.starts_with("ARC-Seal: i=2;") && message.contains(seal), "{message}");
    }
    let unseen = format!("{}{set}", results.replace(";\r\n\tarc=none", ""));
    assert!(!forwarded(&world, &unseen, LETTER).await.contains("ARC-Seal: i=2;"));
}

/// Two messages of one recipient, as its targets have senders of their own: both are sealed.
#[tokio::test]
async fn every_message_that_goes_on_is_sealed() {
    let (world, _) = signing().await;
    let targets = ["x@relay.example", "you@far.example"].map(|to| to.parse().unwrap()).to_vec();
    world.store.add_alias("both@example.org".parse().unwrap(), targets).await.unwrap();
    world
        .accept_with(
            &found("spf=pass smtp.mailfrom=far.example"),
            LETTER,
            "joe@far.example",
            &["both@example.org"],
        )
        .await;
    world.quiet().await;
    let log = world.network.log.lock().unwrap();
    let seals: Vec<bool> =
        log.iter().map(|(errand, _)| errand.message.trace.starts_with(b"ARC-Seal")).collect();
    assert_eq!(seals, [true, true], "{:?}", world.carried());
}

/// RFC 7960 §4.1.3.1: SPF vouched for the author, and will not at the next host, which is told to refuse what nothing
/// vouches for.
#[tokio::test]
async fn from_is_rewritten_where_dmarc_would_fail() {
    let (world, key) = signing().await;
    world.allow_rewriting();
    let id = world.accept_with(&found(BY_SPF), LETTER, "joe@far.example", &["out@example.org"]).await;
    world.quiet().await;
    let message = last(&world).await;
    let (header, text) = message.split_once("\r\n\r\n").unwrap();
    let fields = Header::parse(header.as_bytes());
    let field = |name| fields.get(name).unwrap().value();
    assert_eq!((field("From").as_str(), field("Reply-To").as_str()), (REWRITTEN, UNTOUCHED));
    assert_eq!(
        (field("X-Original-From").as_str(), field("Subject").as_str(), text),
        (UNTOUCHED, "a letter", "hello\r\n")
    );
    let keys = [("w1._domainkey.example.org", &key)];
    assert_eq!(checked(&world, &message, &keys).await, (vec!["example.org".to_owned()], Word::Pass));
    assert!(sealed(&world, &message, &key), "the seal is of what was sent");
    // Nobody on the way can say that the author was another.
    let forged = message.replace("X-Original-From: Joe", "X-Original-From: Ann");
    assert_eq!(checked(&world, &forged, &keys).await, (vec![], Word::Fail));
    let events = world.events(id);
    assert!(events.iter().any(|event| event.contains("From is rewritten to out@example.org")), "{events:?}");
    assert_eq!(world.store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn from_is_left_alone_where_it_can_be() {
    let (world, key) = signing().await;
    // It is off by default: the next host would have to refuse this.
    let message = forwarded(&world, &found(BY_SPF), LETTER).await;
    assert_eq!(from(&message), UNTOUCHED);
    assert_eq!(checked(&world, &message, &[]).await, (vec![], Word::Fail));
    assert!(sealed(&world, &message, &key));

    world.allow_rewriting();
    let aside = format!("{}{}", message::put_aside(), found(BY_SPF));
    for (trace, why) in [
        (found(BY_DKIM), "the author's signature vouches there too"),
        (found(&BY_SPF.replace("reject", "none")), "nobody asks for anything"),
        (aside, "what was put aside does not go on in our name"),
        (found("spf=pass smtp.mailfrom=far.example"), "DMARC was not looked at"),
        ("Received: from x by y\r\n".to_owned(), "one of our own users wrote it"),
    ] {
        assert_eq!(from(&forwarded(&world, &trace, LETTER).await), UNTOUCHED, "{why}");
    }
    assert_eq!(from(&forwarded(&world, &found(BY_SPF), LETTER).await), REWRITTEN);

    // Our own next host knows us, and without a key nobody would believe us either.
    let inside = vec!["x@relay.example".parse().unwrap()];
    world.store.add_alias("inside@example.org".parse().unwrap(), inside).await.unwrap();
    world.accept_with(&found(BY_SPF), LETTER, "joe@far.example", &["inside@example.org"]).await;
    world.quiet().await;
    assert_eq!(from(&last(&world).await), UNTOUCHED);
    let keyless = World::new().await;
    keyless.allow_rewriting();
    assert_eq!(from(&forwarded(&keyless, &found(BY_SPF), LETTER).await), UNTOUCHED);
}

/// The premise of leaving a signed message alone: its author's signature holds at the next host.
#[tokio::test]
async fn the_authors_signature_survives() {
    let (world, _) = signing().await;
    world.allow_rewriting();
    let theirs = SigningKey::generate_ed25519().unwrap();
    let signer = Signer::new("far.example".parse().unwrap(), "s1".parse().unwrap(), theirs.clone());
    let (header, text) = LETTER.split_once("\r\n\r\n").unwrap();
    let mut hasher = BodyHasher::new(Form::Relaxed);
    hasher.update(text.as_bytes());
    let signature = signer.sign(header.as_bytes(), &hasher.finish(), world.now() / 1000).unwrap();
    let letter = format!("{}{LETTER}", String::from_utf8(signature).unwrap());
    let message = forwarded(&world, &found(BY_DKIM), &letter).await;
    assert_eq!(from(&message), UNTOUCHED);
    let keys = [("s1._domainkey.far.example", &theirs)];
    assert_eq!(checked(&world, &message, &keys).await, (vec!["far.example".to_owned()], Word::Pass));
}

/// A large message goes through in pieces, and what was decided holds after a restart, whatever the settings are then.
#[tokio::test]
async fn a_rewritten_message_is_kept_and_tried_again() {
    let (world, key) = signing().await;
    world.allow_rewriting();
    world.network.says(later);
    let text = "0123456789 abcdefghijklmnopqrstuvwxyz\r\n".repeat(20_000);
    let letter = format!("From: Joe <joe@far.example>\r\nSubject: a letter\r\n\r\n{text}");
    let first = forwarded(&world, &found(BY_SPF), &letter).await;
    assert_eq!(from(&first), REWRITTEN);
    assert!(first.ends_with(&text));

    let world = world.restart().await;
    world.network.says(taken);
    world.pass(10 * MINUTE).await;
    let again = last(&world).await;
    assert!(again == first, "another message is sent after the restart");
    let keys = [("w1._domainkey.example.org", &key)];
    assert_eq!(checked(&world, &again, &keys).await, (vec!["example.org".to_owned()], Word::Pass));
    assert_eq!((world.waiting(), world.store.check().unwrap()), (0, Vec::<String>::new()));
}

/// Also in our name a failure is told to who sent it.
#[tokio::test]
async fn a_rewritten_message_that_fails_comes_back() {
    let (world, _) = signing().await;
    world.allow_rewriting();
    world.network.says(|to| if to.starts_with("you@") { never(to) } else { taken(to) });
    let notice = forwarded(&world, &found(BY_SPF), LETTER).await;
    let carried = world.carried();
    assert!(carried[0].starts_with("far.example: <SRS0="), "{carried:?}");
    assert_eq!(carried[1..], ["far.example: <> → joe@far.example"]);
    assert!(notice.contains("550 5.1.1 no such user"), "{notice}");
}

/// A notification has the null sender, so DKIM is what speaks for it: it is signed by the domain above that of `dsn_sender`.
#[tokio::test]
async fn notifications_are_signed() {
    let (world, key) = signing().await;
    world.network.says(|to| if to == "a@far.example" { never(to) } else { taken(to) });
    world.send("you@near.example", "", &["a@far.example"]).await;
    let notice = last(&world).await;
    assert!(from(&notice).contains("MAILER-DAEMON@mail.example.org"), "{notice}");
    let (good, word) = checked(&world, &notice, &[("w1._domainkey.example.org", &key)]).await;
    assert_eq!((good, word), (vec!["example.org".to_owned()], Word::Pass), "{notice}");
}
