//! What is signed verifies, in any form and any pieces; what is changed does not.

#![allow(clippy::unwrap_used, reason = "tests may panic; clippy knows only functions marked as tests")]

use mailauth::dkim::{
    BodyHasher, Canonicalization, Failure, Form, LINE_WIDTH, MAX_SIGNED_FIELDS, Signature, SignatureResult,
    Signer, SigningKey, Verifier,
};
use mailauth::{Error, Txt};
use proptest::prelude::*;
use std::sync::LazyLock;

const NOW: u64 = 1_700_000_000;
const HEADER: &str = "Received: from a\r\n by b\r\nFrom: Joe <joe@example.org>\r\nTo: Sue <sue@example.net>\r\n\
                      Subject: Is dinner\r\n ready?\r\nList-Id: <a>\r\nList-Id: <b>\r\n";
const BODY: &str = "Hi.\r\n\r\nWe lost the  game. \r\n";

static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa().unwrap());
static ED25519: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_ed25519().unwrap());

fn signer(key: &SigningKey) -> Signer {
    Signer::new("example.org".parse().unwrap(), "s1".parse().unwrap(), key.clone())
}

fn sign(signer: &Signer, header: &str, body: &str) -> String {
    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(body.as_bytes());
    String::from_utf8(signer.sign(header.as_bytes(), &hasher.finish(), NOW).unwrap()).unwrap()
}

fn verify_at(now: u64, key: &SigningKey, header: &str, pieces: &[&[u8]]) -> SignatureResult {
    let mut verifier = Verifier::new(header.as_bytes(), now);
    pieces.iter().for_each(|piece| verifier.update(piece));
    let mut results = verifier.finish(|name| {
        assert_eq!(name, "s1._domainkey.example.org");
        Txt::Ok(vec![key.dns_record().into_bytes()])
    });
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn verify(key: &SigningKey, header: &str, body: &str) -> SignatureResult {
    verify_at(NOW, key, header, &[body.as_bytes()])
}

/// The settings of a signer, changed, and what the `h=`, or another tag, then is.
fn signature_of(signer: &Signer, header: &str) -> Signature {
    Signature::parse(sign(signer, header, BODY).as_bytes()).unwrap()
}

#[test]
fn both_kinds_of_key_sign() {
    for key in [&*RSA, &*ED25519] {
        let field = sign(&signer(key), HEADER, BODY);
        assert_eq!(verify(key, &format!("{field}{HEADER}"), BODY).outcome, Ok(()));
        assert!(field.starts_with("DKIM-Signature: v=1; a=") && field.ends_with("\r\n"), "{field}");
        assert!(field.split("\r\n").all(|line| line.len() <= LINE_WIDTH), "{field}");
        assert!(field.split("\r\n").skip(1).all(|line| line.is_empty() || line.starts_with('\t')), "{field}");
    }
}

#[test]
fn another_key_does_not_verify() {
    let field = sign(&signer(&ED25519), HEADER, BODY);
    let other = SigningKey::generate_ed25519().unwrap();
    assert_eq!(verify(&other, &format!("{field}{HEADER}"), BODY).outcome, Err(Failure::Signature));
}

/// RFC 6376 §5.4: each name once for each occurrence, and oversigned ones once more.
#[test]
fn the_fields_that_are_signed() {
    let count = |signer: &Signer, header: &str, name: &str| {
        let signature = signature_of(signer, header);
        signature.signed_fields.iter().filter(|field| field.eq_ignore_ascii_case(name)).count()
    };
    let mut signer = signer(&ED25519);
    for (name, expected) in
        [("From", 2), ("Subject", 2), ("Cc", 1), ("List-Id", 2), ("Sender", 0), ("Received", 0)]
    {
        assert_eq!(count(&signer, HEADER, name), expected, "{name}");
    }
    signer.oversigned.clear();
    signer.signed = vec!["subject".into()];
    assert_eq!(count(&signer, HEADER, "From"), 1, "From is always signed");
    assert_eq!(count(&signer, "Subject: x\r\n", "From"), 1);
    assert_eq!(count(&signer, HEADER, "To"), 0);
}

#[test]
fn added_fields_break_what_is_oversigned_only() {
    let field = sign(&signer(&ED25519), HEADER, BODY);
    let check = |added: &str, expected: Result<(), Failure>| {
        for header in [format!("{added}{field}{HEADER}"), format!("{field}{HEADER}{added}")] {
            assert_eq!(verify(&ED25519, &header, BODY).outcome, expected, "{header}");
        }
    };
    for added in
        ["From: <eve@example.net>\r\n", "Subject: Buy\r\n", "Cc: <eve@example.net>\r\n", "Reply-To: e\r\n"]
    {
        check(added, Err(Failure::Signature));
    }
    for added in ["Received: from c\r\n", "Sender: list@example.net\r\n", "X-Spam: no\r\n"] {
        check(added, Ok(()));
    }
}

#[test]
fn expiry() {
    let mut signer = signer(&ED25519);
    signer.lifetime = Some(100);
    let header = format!("{}{HEADER}", sign(&signer, HEADER, BODY));
    let at = |now| verify_at(now, &ED25519, &header, &[BODY.as_bytes()]).outcome;
    assert_eq!(at(NOW + 100), Ok(()));
    assert_eq!(at(NOW + 101), Err(Failure::Expired(NOW + 100)));
}

/// RFC 6376 §3.5 and §8.2: text after the length is unsigned, and said to be.
#[test]
fn a_signed_length() {
    let mut signer = signer(&ED25519);
    signer.body_length = true;
    let header = format!("{}{HEADER}", sign(&signer, HEADER, BODY));
    let check = |body: &str, outcome: Result<(), Failure>, unsigned: u64| {
        let result = verify(&ED25519, &header, body);
        assert_eq!((result.outcome, result.unsigned_octets), (outcome, unsigned), "{body:?}");
        assert!(result.limited);
    };
    let length = "Hi.\r\n\r\nWe lost the game.\r\n".len() as u64;
    check(BODY, Ok(()), 0);
    check(&format!("{BODY}-- \r\nlist\r\n"), Ok(()), 10);
    check(&BODY.replace("lost", "even"), Err(Failure::BodyHash), 0);
    check("Hi.\r\n", Err(Failure::BodyShorter { limit: length, length: 5 }), 0);
}

#[test]
fn identity_and_copies() {
    let mut signer = signer(&RSA);
    signer.identity = Some("joe;smith@sub.example.org".into());
    signer.copy_fields = true;
    let long = format!("{HEADER}References: {}\r\n", "<a|b=c:d@example.org>\r\n ".repeat(20));
    let field = sign(&signer, &long, BODY);
    assert!(field.split("\r\n").all(|line| line.len() <= LINE_WIDTH), "{field}");
    let result = verify(&RSA, &format!("{field}{long}"), BODY);
    assert_eq!(result.outcome, Ok(()));
    assert_eq!(result.identity.as_deref(), Some("joe;smith@sub.example.org"));
    let copied = Signature::parse(field.as_bytes()).unwrap().copied_fields;
    assert!(copied.contains(&("Subject".into(), b" Is dinner\r\n ready?".to_vec())), "{copied:?}");
}

#[test]
fn what_cannot_be_signed() {
    let signer = signer(&ED25519);
    let simple = BodyHasher::new(Form::Simple).finish();
    let wrong_form = Error::BodyForm { hashed: "simple", needed: "relaxed" };
    assert_eq!(signer.sign(HEADER.as_bytes(), &simple, NOW), Err(wrong_form));
    let many = "To: a\r\n".repeat(MAX_SIGNED_FIELDS);
    let hash = BodyHasher::new(Form::Relaxed).finish();
    assert!(matches!(signer.sign(many.as_bytes(), &hash, NOW), Err(Error::TooManyFields(_))));
}

fn forms() -> impl Strategy<Value = Canonicalization> {
    let form = || prop::sample::select(vec![Form::Simple, Form::Relaxed]);
    (form(), form()).prop_map(|(header, body)| Canonicalization { header, body })
}

fn text() -> impl Strategy<Value = String> {
    let parts = vec!["a", "word", " ", "  ", "\t", "é", ";", "=", ":", "\r\n ", "\r\n\t"];
    prop::collection::vec(prop::sample::select(parts), 0..12).prop_map(|parts| parts.concat())
}

fn header() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["To", "subject", "CC", "Date", "X-Other", "List-Id", "Received", "From"]);
    let field = (name, prop::sample::select(vec![":", " :", ": "]), text())
        .prop_map(|(n, c, t)| format!("{n}{c}{t}\r\n"));
    prop::collection::vec(field, 0..12).prop_map(|fields| fields.concat() + "From: joe@example.org\r\n")
}

fn body() -> impl Strategy<Value = String> {
    let parts = vec!["a", "word", " ", "\t", "\r\n", "\r\n", "\r", "\n", ". "];
    prop::collection::vec(prop::sample::select(parts), 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_verifies(c in forms(), header in header(), body in body(), size in 1..20_usize) {
        let mut signer = signer(&ED25519);
        signer.canonicalization = c;
        let signed = format!("{}{header}", sign(&signer, &header, &body));
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        prop_assert_eq!(verify_at(NOW, &ED25519, &signed, &pieces).outcome, Ok(()));
    }

    /// Relaxed: any fold may become another, any run of white space another.
    #[test]
    fn relaxed_survives_refolding(header in header(), body in body()) {
        // A name may not be folded away from its colon (RFC 5322 §4.5.8).
        let header = header.replace(" :", ":");
        let field = sign(&signer(&ED25519), &header, &body);
        let signed = format!("{field}{header}");
        let refolded = signed.replace("\r\n ", "\r\n\t").replace(' ', "\r\n  ").replace("\r\n\t", " \t");
        prop_assert_eq!(verify(&ED25519, &refolded, &body.replace(' ', " \t ")).outcome, Ok(()));
    }

    #[test]
    fn a_changed_letter_is_found(c in forms(), place in any::<prop::sample::Index>()) {
        let mut signer = signer(&ED25519);
        signer.canonicalization = c;
        let signed = format!("{}From: joe@example.org\r\nSubject: dinner\r\n", sign(&signer, "From: joe@example.org\r\nSubject: dinner\r\n", BODY));
        // Anything but the case of a signed field's name, which relaxed allows.
        let letters: Vec<usize> = signed.match_indices(|c: char| c.is_ascii_alphabetic()).map(|(at, _)| at)
            .filter(|at| *at >= "DKIM-Signature".len()).collect();
        let at = letters[place.index(letters.len())];
        let mut octets = signed.into_bytes();
        octets[at] = if octets[at] == b'x' { b'y' } else { b'x' };
        let mut verifier = Verifier::new(&octets, NOW);
        verifier.update(BODY.as_bytes());
        let results = verifier.finish(|_| Ok(vec![ED25519.dns_record().into_bytes()]));
        prop_assert!(results.iter().all(|result| !result.passed()), "{}", String::from_utf8_lossy(&octets));
    }

    #[test]
    fn no_input_panics(header in prop::collection::vec(any::<u8>(), 0..200), field in "[ -~\r\n\t]{0,80}") {
        let header = [b"DKIM-Signature: ", field.as_bytes(), b"\r\n", &header].concat();
        let mut verifier = Verifier::new(&header, NOW);
        verifier.update(&header);
        verifier.finish(|_| Ok(vec![header.clone()]));
        let _ = mailauth::dkim::KeyRecord::parse(&header);
    }
}

/// A body of 50 MB goes through in pieces of 64 KiB, cut wherever they end, in all four forms; there is never more of it in
/// memory than one piece.
#[test]
fn a_body_of_50_mb_streams_in_every_form() {
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 50_000_000_usize.div_ceil(PIECE);
    // Mostly words, as without optimisation each change between words and white space takes its time.
    let lines = format!("Two  words\t and a space at the end \r\n \r\n\r\n{}\r\n", "base64+/".repeat(120));
    let source: Vec<u8> = lines.bytes().cycle().take(PIECE + lines.len()).collect();
    let pieces = || (0..PIECES).map(|place| &source[place * PIECE % lines.len()..][..PIECE]);

    let mut header = HEADER.to_owned();
    for form in [Form::Simple, Form::Relaxed] {
        let mut hasher = BodyHasher::new(form);
        pieces().for_each(|piece| hasher.update(piece));
        let hash = hasher.finish();
        for header_form in [Form::Simple, Form::Relaxed] {
            let mut signer = signer(&ED25519);
            signer.canonicalization = Canonicalization { header: header_form, body: form };
            let field = signer.sign(HEADER.as_bytes(), &hash, NOW).unwrap();
            header.insert_str(0, std::str::from_utf8(&field).unwrap());
        }
    }
    let mut verifier = Verifier::new(header.as_bytes(), NOW);
    pieces().for_each(|piece| verifier.update(piece));
    let results = verifier.finish(|_| Txt::Ok(vec![ED25519.dns_record().into_bytes()]));
    assert!(results.len() == 4 && results.iter().all(|result| result.passed()), "{results:#?}");
}
