//! Chains that both have a hand in (RFC 8617).

use crate::keys;
use crate::theirs::Theirs;
use crate::zone::{Zone, ready};
use mail_auth::arc::ArcSealer;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::{AuthenticatedMessage, AuthenticationResults, DkimResult};
use mailauth::arc::{ChainStatus, MAX_SETS, Outcome, Sealer, Verifier};
use mailauth::dkim::{BodyHasher, Canonicalization, Form, Signer};
use mailauth::results::{AuthResults, SpfIdentity, spf};
use mailauth::{Dns as _, arc};

const NOW: u64 = 1_700_000_000;
const MESSAGE: &str = "From: Joe <joe@example.org>\r\nTo: list@example.net\r\nSubject: Is dinner \r\n ready?\r\n\r\n\
                       Hi.\r\n\r\nWe lost the  game. \r\n";

/// Who seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Us,
    Them,
}

/// Both, over one zone.
struct Both {
    zone: Zone,
    theirs: Theirs,
}

impl Both {
    fn new() -> Self {
        let zone = keys::zone("");
        Self { theirs: Theirs::new(&zone), zone }
    }

    fn ours(&self, message: &str) -> arc::ArcResult {
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let mut verifier = Verifier::new(header.as_bytes(), NOW);
        verifier.update(body.as_bytes());
        verifier.finish(|name| ready(self.zone.txt(name)))
    }

    /// The status of the chain as each sees it.
    fn status(&self, message: &str) -> (ChainStatus, ChainStatus) {
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let theirs = match self.theirs.arc(&parsed).result() {
            DkimResult::Pass => ChainStatus::Pass,
            DkimResult::None => ChainStatus::None,
            _ => ChainStatus::Fail,
        };
        (self.ours(message).status(), theirs)
    }

    fn agree(&self, message: &str, expected: ChainStatus) {
        let told = self.ours(message).reason();
        assert_eq!(self.status(message), (expected, expected), "{told}\n{message}");
    }

    /// The message with another set in front; each sealer goes by its own check.
    fn seal(&self, message: &str, by: By, kind: &str, form: Form) -> String {
        match by {
            By::Us => self.seal_ours(message, kind, form),
            By::Them => self.seal_theirs(message, kind),
        }
    }

    fn seal_ours(&self, message: &str, kind: &str, form: Form) -> String {
        let domain = "example.org".parse().unwrap();
        let mut signer = Signer::new(domain, kind.parse().unwrap(), keys::ours(kind));
        signer.canonicalization = Canonicalization { header: form, body: form };
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let mut hasher = BodyHasher::new(form);
        hasher.update(body.as_bytes());
        let mut found = AuthResults::new("mx.example.org");
        found.push(spf("pass", SpfIdentity::MailFrom("joe@example.org")));
        let status = self.ours(message).status();
        let sealer = Sealer::from_signer(signer);
        let set =
            sealer.seal(format!("{header}\r\n").as_bytes(), &hasher.finish(), status, &found, NOW).unwrap();
        String::from_utf8(set.unwrap()).unwrap() + message
    }

    fn seal_theirs(&self, message: &str, kind: &str) -> String {
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let (dkim, chain) = (self.theirs.dkim(&parsed), self.theirs.arc(&parsed));
        let found = AuthenticationResults::new("mx.example.net").with_dkim_results(&dkim, "joe@example.org");
        let sealer = ArcSealer::from_key(keys::theirs(kind)).domain("example.org").selector(kind);
        let set = sealer.headers(["From", "To", "Subject", "DKIM-Signature"]).seal(&parsed, &found, &chain);
        set.unwrap().to_header() + message
    }

    /// A message sealed by each in turn.
    fn chain(&self, sealers: &[By]) -> String {
        let mut message = MESSAGE.to_owned();
        for (at, by) in sealers.iter().enumerate() {
            let form = [Form::Relaxed, Form::Simple][at / 2 % 2];
            message = self.seal(&message, *by, ["ed25519", "rsa2048"][at % 2], form);
        }
        message
    }
}

#[test]
fn no_chain() {
    Both::new().agree(MESSAGE, ChainStatus::None);
}

/// Each order of up to four sealers.
#[test]
fn what_is_sealed_in_turns_passes() {
    let both = Both::new();
    for length in 1..=4 {
        for order in 0..1_u32 << length {
            let sealers: Vec<By> =
                (0..length).map(|at| if order >> at & 1 == 0 { By::Us } else { By::Them }).collect();
            let message = both.chain(&sealers);
            both.agree(&message, ChainStatus::Pass);
            let told = both.ours(&message);
            assert_eq!(
                (told.outcome, told.sets.len()),
                (Outcome::Pass { oldest_pass: 0 }, length),
                "{sealers:?}"
            );
        }
    }
}

#[test]
fn the_longest_chain() {
    let both = Both::new();
    let sealers: Vec<By> = (0..MAX_SETS).map(|at| if at % 2 == 0 { By::Us } else { By::Them }).collect();
    both.agree(&both.chain(&sealers), ChainStatus::Pass);
}

/// What a list changes is lawful when it seals the result.
#[test]
fn a_message_changed_before_it_was_sealed() {
    let both = Both::new();
    for (first, second) in [(By::Us, By::Them), (By::Them, By::Us)] {
        let sealed = both.seal(MESSAGE, first, "ed25519", Form::Relaxed);
        let listed = sealed.replace("Is dinner", "[list] Is dinner") + "-- \r\nthe list\r\n";
        both.agree(&listed, ChainStatus::Fail);
        // Its sealer found the chain sound on arrival, before the change.
        let resealed = reseal(&both, &listed, &sealed, second);
        both.agree(&resealed, ChainStatus::Pass);
        assert_eq!(both.ours(&resealed).oldest_pass(), 2, "set 1 signed what it was");
    }
}

/// Seals a changed message by what was found of it as it arrived.
fn reseal(both: &Both, listed: &str, arrived: &str, by: By) -> String {
    let (header, body) = listed.split_once("\r\n\r\n").unwrap();
    match by {
        By::Us => {
            let signer = Signer::new(
                "example.org".parse().unwrap(),
                "rsa2048".parse().unwrap(),
                keys::ours("rsa2048"),
            );
            let mut hasher = BodyHasher::new(Form::Relaxed);
            hasher.update(body.as_bytes());
            let (status, found) = (both.ours(arrived).status(), AuthResults::new("list.example.net"));
            let header = format!("{header}\r\n");
            let sealer = Sealer::from_signer(signer);
            let set = sealer.seal(header.as_bytes(), &hasher.finish(), status, &found, NOW).unwrap();
            String::from_utf8(set.unwrap()).unwrap() + listed
        }
        By::Them => {
            let before = AuthenticatedMessage::parse(arrived.as_bytes()).unwrap();
            let after = AuthenticatedMessage::parse(listed.as_bytes()).unwrap();
            let (chain, found) = (both.theirs.arc(&before), AuthenticationResults::new("list.example.net"));
            let sealer =
                ArcSealer::from_key(keys::theirs("rsa2048")).domain("example.org").selector("rsa2048");
            let set = sealer.headers(["From", "To", "Subject"]).seal(&after, &found, &chain).unwrap();
            set.to_header() + listed
        }
    }
}

/// RFC 8617 §5.2: the structure, the newest signature, every seal.
#[test]
fn broken_chains_fail() {
    let both = Both::new();
    let sound = both.chain(&[By::Us, By::Them, By::Us]);
    both.agree(&sound, ChainStatus::Pass);
    let fields = |wanted: &dyn Fn(&str) -> bool| {
        let (header, body) = sound.split_once("\r\n\r\n").unwrap();
        let unfolded = header.replace("\r\n\t", "\0\t").replace("\r\n ", "\0 ");
        let kept: String =
            unfolded.split("\r\n").filter(|field| wanted(field)).map(|f| format!("{f}\r\n")).collect();
        kept.replace('\0', "\r\n") + "\r\n" + body
    };
    assert_eq!(fields(&|_| true), sound);
    let starts = |field: &str, name: &str, set: u32| {
        field.starts_with(name)
            && field.split(';').next().is_some_and(|tag| tag.ends_with(&format!("i={set}")))
    };
    for changed in [
        sound.replace("We lost", "We won"),
        sound.replace("Subject: Is", "Subject: [list] Is"),
        sound.replace("mx.example.net", "mx.example.com"),
        sound.replace("cv=none", "cv=pass"),
        sound.replacen("cv=pass", "cv=fail", 1),
        sound.replacen("cv=pass", "cv=none", 1),
        fields(&|field| !starts(field, "ARC-Seal", 1)),
        fields(&|field| !starts(field, "ARC-Message-Signature", 2)),
        fields(&|field| !starts(field, "ARC-Authentication-Results", 3)),
        fields(&|field| !(field.starts_with("ARC-") && starts(field, "ARC", 2))),
        fields(&|field| !(field.starts_with("ARC-") && starts(field, "ARC", 1))),
        sound.replacen(
            "ARC-Seal: i=3; a=ed25519-sha256; cv=pass;",
            "ARC-Seal: i=3; a=ed25519-sha256; cv=pass; h=from;",
            1,
        ),
    ] {
        assert_ne!(changed, sound);
        both.agree(&changed, ChainStatus::Fail);
    }
}
