//! Signatures both ways (RFC 6376, 8301, 8463).

use crate::keys::{self, KINDS, TheirKey};
use crate::theirs::{Theirs, dkim_passes};
use crate::zone::{Zone, ready};
use mail_auth::common::crypto::SigningKey;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::{Canonicalization as TheirForm, DkimSigner, Done};
use mailauth::Dns as _;
use mailauth::dkim::{BodyHasher, Canonicalization, Failure, Form, SignatureResult, Signer, Verifier};
use proptest::prelude::*;
use std::time::{SystemTime, UNIX_EPOCH};

const FORMS: [Form; 2] = [Form::Simple, Form::Relaxed];

/// Messages whose header and body are awkward.
const MESSAGES: [&str; 14] = [
    "From: joe@example.org\r\nSubject: Dinner\r\n\r\nAre you hungry yet?\r\n",
    // Duplicate fields, in which the order counts.
    "From: joe@example.org\r\nList-Id: <a>\r\nTo: a@example.net\r\nList-Id: <b>\r\nTo: b@example.net\r\n\r\nHi.\r\n",
    "From: joe@example.org\r\nFrom: eve@example.net\r\nSubject: a\r\nSubject: b\r\n\r\nHi.\r\n",
    // Odd folding, and white space.
    "From:joe@example.org\r\nSUBJECT:  \t a\r\n\tb \r\n \r\n\tc\t \r\n\r\nHi.\r\n",
    "From: joe@example.org\r\nSubject:\r\n  Dinner\r\n\r\nHi.\r\n",
    "From: joe@example.org\r\nSubject:\r\n \r\nDate:\r\n\r\nHi.\r\n",
    "From: joe@example.org\r\nSubject: a: b;c=d\r\n e:f\r\n\r\n a  b \t c\t\r\n\r\n\r\n \td \r\n",
    // UTF-8 (RFC 8616), and names that are nobody's.
    "From: Jörg <jörg@example.org>\r\nSubject: Grüße\r\nX-Ünlike: x\r\n\r\nSchöne Grüße\r\n",
    // Bodies that end oddly: empty ones, empty lines, no CRLF at the end.
    "From: joe@example.org\r\n\r\n",
    "From: joe@example.org\r\n\r\n\r\n",
    "From: joe@example.org\r\n\r\n\r\n\r\n\r\n",
    "From: joe@example.org\r\n\r\nHi.\r\n\r\n\r\n",
    "From: joe@example.org\r\n\r\nHi.",
    "From: joe@example.org\r\n\r\nHi. \t",
];

/// What the other signer is told to sign; ours has its own list.
const NAMES: [&str; 7] = ["From", "To", "Subject", "Date", "Cc", "List-Id", "Sender"];

/// Both verifiers, over one zone.
struct Both {
    zone: Zone,
    theirs: Theirs,
}

impl Both {
    fn new() -> Self {
        Self::with("")
    }

    /// The keys, and more lines.
    fn with(more: &str) -> Self {
        let zone = keys::zone(more);
        Self { theirs: Theirs::new(&zone), zone }
    }

    fn ours(&self, message: &str) -> Vec<SignatureResult> {
        let (header, body) = split(message);
        let mut verifier = Verifier::new(header.as_bytes(), now());
        verifier.update(body.as_bytes());
        verifier.finish(|name| ready(self.zone.txt(name)))
    }

    /// Whether each signature passes: ours, theirs.
    fn pass(&self, message: &str) -> (Vec<bool>, Vec<bool>) {
        let ours = self.ours(message).iter().map(SignatureResult::passed).collect();
        (ours, dkim_passes(&self.theirs, message.as_bytes()))
    }

    /// All of so many signatures pass with both, or none with either.
    fn agree(&self, message: &str, count: usize, expected: bool) {
        let told = self.ours(message);
        assert_eq!(self.pass(message), (vec![expected; count], vec![expected; count]), "{told:?}\n{message}");
    }

    /// The one signature of a message fares differently, and the RFC says who is right: we.
    fn differ(&self, rfc: &str, message: &str, ours: &Result<(), Failure>) {
        let told = self.ours(message);
        assert_eq!(told.len(), 1, "{rfc}");
        assert_eq!(&told[0].outcome, ours, "{rfc}\n{message}");
        let theirs = dkim_passes(&self.theirs, message.as_bytes());
        assert_eq!(theirs, [ours.is_err()], "{rfc}: they agree now\n{message}");
    }
}

/// The other library has no clock but the system's.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The header with the CRLF of its last line, and the body.
fn split(message: &str) -> (&str, &str) {
    let end = message.find("\r\n\r\n").unwrap();
    (&message[..end + 2], &message[end + 4..])
}

fn our_signer(kind: &str, header: Form, body: Form) -> Signer {
    let mut signer = Signer::new("example.org".parse().unwrap(), kind.parse().unwrap(), keys::ours(kind));
    signer.canonicalization = Canonicalization { header, body };
    signer
}

fn sign_ours_at(signer: &Signer, message: &str, now: u64) -> String {
    let (header, body) = split(message);
    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(body.as_bytes());
    let field = signer.sign(header.as_bytes(), &hasher.finish(), now).unwrap();
    String::from_utf8(field).unwrap() + message
}

fn sign_ours(signer: &Signer, message: &str) -> String {
    sign_ours_at(signer, message, now())
}

fn their_signer(kind: &str, header: Form, body: Form) -> DkimSigner<TheirKey, Done> {
    with_key(keys::theirs(kind), kind, &NAMES)
        .header_canonicalization(their_form(header))
        .body_canonicalization(their_form(body))
}

fn with_key<K: SigningKey>(key: K, selector: &str, names: &[&str]) -> DkimSigner<K, Done> {
    DkimSigner::from_key(key).domain("example.org").selector(selector).headers(names.iter().copied())
}

fn their_form(form: Form) -> TheirForm {
    match form {
        Form::Simple => TheirForm::Simple,
        Form::Relaxed => TheirForm::Relaxed,
    }
}

fn sign_theirs<K: SigningKey>(signer: &DkimSigner<K, Done>, message: &str) -> String {
    signer.sign(message.as_bytes()).unwrap().to_header() + message
}

fn forms() -> impl Iterator<Item = (Form, Form)> {
    FORMS.into_iter().flat_map(|header| FORMS.map(|body| (header, body)))
}

#[test]
fn each_key_in_each_form() {
    let both = Both::new();
    for kind in KINDS {
        for (header, body) in forms() {
            both.agree(&sign_ours(&our_signer(kind, header, body), MESSAGES[0]), 1, true);
            both.agree(&sign_theirs(&their_signer(kind, header, body), MESSAGES[0]), 1, true);
        }
    }
}

#[test]
fn each_message_in_each_form() {
    let both = Both::new();
    for message in MESSAGES {
        for (header, body) in forms() {
            both.agree(&sign_ours(&our_signer("ed25519", header, body), message), 1, true);
            both.agree(&sign_theirs(&their_signer("ed25519", header, body), message), 1, true);
        }
    }
}

/// i=, x=, z= and l=, and fields signed once more than they are there.
#[test]
fn every_tag() {
    let both = Both::new();
    for (header, body) in forms() {
        let mut signer = our_signer("ed25519", header, body);
        signer.identity = Some("joe;x@news.example.org".into());
        signer.lifetime = Some(3600);
        signer.body_length = true;
        signer.copy_fields = true;
        signer.oversigned.extend(["X-Absent".into(), "List-Id".into()]);
        let ours = sign_ours(&signer, MESSAGES[1]);
        let theirs = their_signer("ed25519", header, body).agent_user_identifier("joe@news.example.org");
        let theirs = sign_theirs(&theirs.expiration(3600).body_length(true), MESSAGES[1]);
        for signed in [ours, theirs] {
            both.agree(&signed, 1, true);
            // What follows the signed length is nobody's.
            both.agree(&format!("{signed}-- \r\nlist\r\n"), 1, true);
            assert_eq!(both.ours(&format!("{signed}more\r\n"))[0].unsigned_octets, 6);
        }
    }
}

#[test]
fn what_expired_fails() {
    let both = Both::new();
    let mut signer = our_signer("ed25519", Form::Relaxed, Form::Relaxed);
    signer.lifetime = Some(3600);
    both.agree(&sign_ours_at(&signer, MESSAGES[0], now() - 3500), 1, true);
    both.agree(&sign_ours_at(&signer, MESSAGES[0], now() - 7200), 1, false);
}

#[test]
fn several_signatures() {
    let both = Both::new();
    let mut message = MESSAGES[6].to_owned();
    for (at, kind) in KINDS.into_iter().enumerate() {
        let (header, body) = forms().nth(at).unwrap();
        message = sign_ours(&our_signer(kind, header, body), &message);
        message = sign_theirs(&their_signer(kind, body, header), &message);
    }
    both.agree(&message, 2 * KINDS.len(), true);
    both.agree(&message.replace("Subject: a", "Subject: b"), 2 * KINDS.len(), false);
}

/// What changes on the way: the form says what a signature survives.
#[test]
fn changes_on_the_way() {
    let both = Both::new();
    let message =
        "From: Joe <joe@example.org>\r\nSubject: Dinner \r\n at eight\r\n\r\nAre you  hungry?\r\nJoe\r\n\r\n";
    // What, and whether simple and relaxed survive it: of the header, of the body.
    let cases: [(&str, &str, [bool; 2], [bool; 2]); 11] = [
        ("Dinner", "Supper", [false; 2], [true; 2]),
        ("Subject: Dinner", "subject:Dinner", [false, true], [true; 2]),
        ("Dinner \r\n at", "Dinner\r\n\tat", [false, true], [true; 2]),
        ("Subject:", "Date: today\r\nSubject:", [false; 2], [true; 2]),
        ("Subject:", "X-Other: x\r\nSubject:", [true; 2], [true; 2]),
        ("Subject: Dinner \r\n at eight\r\n", "", [false; 2], [true; 2]),
        ("From: Joe", "From: eve@example.net\r\nFrom: Joe", [false; 2], [true; 2]),
        ("hungry", "angry", [true; 2], [false; 2]),
        ("you  hungry", "you hungry", [true; 2], [false, true]),
        ("Joe\r\n\r\n", "Joe \r\n", [true; 2], [false, true]),
        ("Joe\r\n\r\n", "Joe\r\n\r\n\r\n\r\n", [true; 2], [true; 2]),
    ];
    for (from, to, header_survives, body_survives) in cases {
        for (at_header, header) in FORMS.into_iter().enumerate() {
            for (at_body, body) in FORMS.into_iter().enumerate() {
                let signed = sign_ours(&our_signer("ed25519", header, body), message);
                let expected = header_survives[at_header] && body_survives[at_body];
                both.agree(&replace_last(&signed, from, to), 1, expected);
            }
        }
    }
}

/// The signature's own field may have the same words, and stands first.
fn replace_last(text: &str, from: &str, to: &str) -> String {
    let at = text.rfind(from).unwrap();
    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
}

/// RFC 6376 §6.1.2 and §6.1.3: what is published decides.
#[test]
fn keys_that_are_not_right() {
    let record = keys::ours("ed25519").dns_record();
    let other = mailauth::dkim::SigningKey::generate_ed25519().unwrap().dns_record();
    let signer = our_signer("ed25519", Form::Relaxed, Form::Relaxed);
    for (published, expected) in [
        (record.replace("v=DKIM1; ", ""), true),
        (record.replace("v=DKIM1; ", "v=DKIM1; n=a note; t=y; x_unknown=1; ") + ";", true),
        (record.replace("p=", "h=sha1:sha256; s=email; p="), true),
        (record.replace("DKIM1", "DKIM2"), false),
        (record.replace("k=ed25519; ", ""), false),
        (record.replace("ed25519", "rsa"), false),
        (record.replace("ed25519", "ed448"), false),
        ("v=DKIM1; k=ed25519; p=".into(), false),
        ("v=DKIM1; k=ed25519; p=Zm9v".into(), false),
        ("v=DKIM1; k=ed25519".into(), false),
        ("FAIL".into(), false),
        (other, false),
    ] {
        let both = Both::with(&format!("s2._domainkey.example.org TXT {published}"));
        let mut signer = signer.clone();
        signer.selector = "s2".parse().unwrap();
        both.agree(&sign_ours(&signer, MESSAGES[0]), 1, expected);
    }
    let both = Both::with(&format!("s2._domainkey.example.org TXT {record}; t=s"));
    for (identity, expected) in [("joe@example.org", true), ("joe@news.example.org", false)] {
        let signer =
            Signer { selector: "s2".parse().unwrap(), identity: Some(identity.into()), ..signer.clone() };
        both.agree(&sign_ours(&signer, MESSAGES[0]), 1, expected);
    }
}

/// Where mail-auth is wrong.
#[test]
fn where_they_differ_in_canonical_forms() {
    let both = Both::new();
    let signed =
        |header: Form, body: Form, message: &str| sign_ours(&our_signer("ed25519", header, body), message);
    let relaxed = |message: &str| signed(Form::Relaxed, Form::Relaxed, message);
    let simple = |message: &str| signed(Form::Simple, Form::Simple, message);
    // A line of nothing but white space is an empty line once that is gone, and those at the end do not count.
    for body in ["Hi.\r\n \t\r\n", "Hi.\r\n \r\n\r\n", "Hi.\r\n ", " \r\n", "\t"] {
        both.differ("6376 §3.4.4", &relaxed(&format!("From: joe@example.org\r\n\r\n{body}")), &Ok(()));
    }
    // White space before the colon is not of the name.
    let message = "From: joe@example.org\r\nSubject : a\r\n\r\nHi.\r\n";
    both.differ("6376 §3.4.1", &simple(message), &Ok(()));
    both.differ("6376 §3.4.2", &relaxed(message), &Ok(()));
    // White space is SP and HTAB; a form feed is a character.
    both.differ("6376 §2.8", &relaxed("From: joe@example.org\r\nSubject: a\x0cb\r\n\r\nHi.\r\n"), &Ok(()));
    // Only CRLF ends a line; what else comes is hashed as it came.
    for body in ["a\nb\r\n", "a\rb\r\n", "a\r\n\n\r\n"] {
        let message = format!("From: joe@example.org\r\n\r\n{body}");
        both.differ("6376 §3.4.3", &simple(&message), &Ok(()));
        both.differ("6376 §3.4.4", &relaxed(&message), &Ok(()));
    }
}

#[test]
fn where_they_differ_in_tags_and_keys() {
    let both = Both::new();
    // l= counts the octets of the canonical body.
    let mut signer = our_signer("ed25519", Form::Relaxed, Form::Relaxed);
    signer.body_length = true;
    let spaced = "From: joe@example.org\r\n\r\na          b c\r\n";
    both.differ("6376 §3.5 l=", &sign_ours(&signer, spaced), &Ok(()));
    let theirs = their_signer("ed25519", Form::Relaxed, Form::Relaxed).body_length(true);
    let longer = Failure::BodyShorter { limit: 16, length: 7 };
    both.differ("6376 §3.5 l=", &sign_theirs(&theirs, spaced), &Err(longer));
    // From must be signed.
    let theirs = with_key(keys::theirs("ed25519"), "ed25519", &["Subject"]);
    both.differ("6376 §6.1.1", &sign_theirs(&theirs, MESSAGES[0]), &Err(Failure::FromNotSigned));
    // rsa-sha1 is no signature any more.
    let theirs = with_key(keys::sha1(), "rsa1024", &["From"]);
    both.differ("8301 §3.1", &sign_theirs(&theirs, MESSAGES[0]), &Err(Failure::RsaSha1));
    for (tags, failure) in
        [("h=sha1", Failure::KeyHash("sha1".into())), ("s=tlsrpt", Failure::KeyService("tlsrpt".into()))]
    {
        let record = keys::ours("ed25519").dns_record().replace("p=", &format!("{tags}; p="));
        let both = Both::with(&format!("s2._domainkey.example.org TXT {record}"));
        let mut signer = our_signer("ed25519", Form::Relaxed, Form::Relaxed);
        signer.selector = "s2".parse().unwrap();
        both.differ("6376 §3.6.1", &sign_ours(&signer, MESSAGES[0]), &Err(failure));
    }
}

fn text() -> impl Strategy<Value = String> {
    let parts = vec!["a", "word", " ", "  ", "\t", "é", ";", "=", ":", "\r\n ", "\r\n\t", "\"", "(", "<x@y>"];
    prop::collection::vec(prop::sample::select(parts), 0..12).prop_map(|parts| parts.concat())
}

fn field() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["To", "subject", "CC", "Date", "X-Other", "List-Id", "Received", "From"]);
    let colon = prop::sample::select(vec![":", ": ", ":\t"]);
    (name, colon, text()).prop_map(|(name, colon, text)| format!("{name}{colon}{text}\r\n"))
}

fn header() -> impl Strategy<Value = String> {
    (prop::collection::vec(field(), 0..8), prop::collection::vec(field(), 0..4))
        .prop_map(|(before, after)| before.concat() + "From: joe@example.org\r\n" + &after.concat())
}

/// Bodies in which only CRLF ends a line, and whose last line that is not empty has a word: of the others the
/// table above has what is to be said.
fn body() -> impl Strategy<Value = String> {
    let words = vec!["a", "word", " ", "\t", "\r\n", "\r\n", ". ", "é", " \r\n", "\r\n.\r\n"];
    let some = prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat());
    let end = prop::sample::select(vec!["", "end", "end \t", "end\r\n", "end \r\n", "end\r\n\r\n\r\n"]);
    (some, end).prop_map(|(some, end)| if end.is_empty() { String::new() } else { some + end })
}

fn form() -> impl Strategy<Value = Form> {
    prop::sample::select(FORMS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_one_signs_the_other_verifies(h in form(), b in form(), header in header(), body in body()) {
        let both = Both::new();
        let ours = sign_ours(&our_signer("ed25519", h, b), &format!("{header}\r\n{body}"));
        prop_assert_eq!(both.pass(&ours), (vec![true], vec![true]), "{}", ours);
        let theirs = sign_theirs(&their_signer("ed25519", h, b), &ours);
        prop_assert_eq!(both.pass(&theirs), (vec![true; 2], vec![true; 2]), "{}", theirs);
    }

    /// A letter becomes another, anywhere: either both notice, or neither. Not the last of the base64 of `b=`, part of
    /// whose bits say nothing: we refuse other than zeros there, mail-auth does not (RFC 4648 §3.5 has both).
    #[test]
    fn what_one_notices_the_other_notices(
        h in form(), b in form(), header in header(), body in body(), place in any::<prop::sample::Index>(),
    ) {
        let both = Both::new();
        let signed = sign_ours(&our_signer("ed25519", h, b), &format!("{header}\r\n{body}"));
        let letters: Vec<usize> = signed
            .match_indices(|c: char| c.is_ascii_alphabetic())
            .map(|(at, _)| at)
            .filter(|at| !signed[at + 1..].starts_with("=="))
            .collect();
        let at = letters[place.index(letters.len())];
        let mut changed = signed.into_bytes();
        changed[at] = if changed[at].eq_ignore_ascii_case(&b'x') { b'Y' } else { b'X' };
        let changed = String::from_utf8(changed).unwrap();
        let (ours, theirs) = both.pass(&changed);
        prop_assert_eq!(ours.contains(&true), theirs.contains(&true), "{}", changed);
    }
}
