//! What signing and verifying a message of 4 KiB costs. `cargo bench -p mailauth --bench signatures`
//!
//! RSA signatures are made on the blocking pool, off the threads that serve connections; this is what one takes there.

#![allow(clippy::unwrap_used, reason = "a bench may stop")]

use divan::{Bencher, black_box};
use mailauth::arc::{ChainStatus, Sealer};
use mailauth::dkim::{BodyHash, BodyHasher, Form, Signer, SigningKey, Verifier};
use mailauth::results::{AuthResults, SpfIdentity, spf};
use mailauth::{Signatures, Txt};

const NOW: u64 = 1_700_000_000;
const HEADER: &[u8] = b"Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: Joe <joe@example.org>\r\nTo: Sue \
    <sue@example.net>\r\nSubject: Is dinner ready?\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.org>\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
const KINDS: [&str; 2] = ["rsa-2048", "ed25519"];

fn main() {
    divan::main();
}

fn key(kind: &str) -> SigningKey {
    if kind == "ed25519" { SigningKey::generate_ed25519() } else { SigningKey::generate_rsa() }.unwrap()
}

fn body() -> Vec<u8> {
    let mut body = b"We lost the game. Are you hungry yet?  Joe.\r\n".repeat(4096 / 45);
    body.resize(4096, b'.');
    body
}

fn hash(body: &[u8]) -> BodyHash {
    let mut hasher = BodyHasher::new(Form::Relaxed);
    hasher.update(body);
    hasher.finish()
}

fn signer(key: &SigningKey) -> Signer {
    Signer::new("example.org".parse().unwrap(), "s1".parse().unwrap(), key.clone())
}

#[divan::bench(args = KINDS)]
fn sign(bencher: Bencher, kind: &str) {
    let (signer, body) = (signer(&key(kind)), body());
    bencher.bench(|| signer.sign(HEADER, &hash(black_box(&body)), NOW));
}

#[divan::bench(args = KINDS)]
fn verify(bencher: Bencher, kind: &str) {
    let (key, body) = (key(kind), body());
    let header = [signer(&key).sign(HEADER, &hash(&body), NOW).unwrap(), HEADER.to_vec()].concat();
    let record = key.dns_record().into_bytes();
    bencher.bench(|| {
        let mut verifier = Verifier::new(black_box(&header), NOW);
        verifier.update(&body);
        let results = verifier.finish(|_| Txt::Ok(vec![record.clone()]));
        assert!(results[0].passed());
    });
}

/// A set of three fields: two signatures.
#[divan::bench(args = KINDS)]
fn seal(bencher: Bencher, kind: &str) {
    let (sealer, body) = (Sealer::from_signer(signer(&key(kind))), body());
    let mut found = AuthResults::new("mx.example.org");
    found.push(spf("pass", SpfIdentity::MailFrom("joe@example.org")));
    bencher.bench(|| sealer.seal(HEADER, &hash(black_box(&body)), ChainStatus::None, &found, NOW));
}

/// A DKIM signature and a chain of three sets, whose body is hashed once.
#[divan::bench(args = KINDS)]
fn verify_with_chain(bencher: Bencher, kind: &str) {
    let (key, body) = (key(kind), body());
    let mut header = [signer(&key).sign(HEADER, &hash(&body), NOW).unwrap(), HEADER.to_vec()].concat();
    for status in [ChainStatus::None, ChainStatus::Pass, ChainStatus::Pass] {
        let found = AuthResults::new("mx.example.org");
        let set = Sealer::from_signer(signer(&key)).seal(&header, &hash(&body), status, &found, NOW);
        header = [set.unwrap().unwrap(), header].concat();
    }
    let record = key.dns_record().into_bytes();
    bencher.bench(|| {
        let mut signatures = Signatures::new(black_box(&header), NOW);
        signatures.update(&body);
        let signed = signatures.finish(|_| Txt::Ok(vec![record.clone()]));
        assert!(signed.arc.passed());
    });
}
