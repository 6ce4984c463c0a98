//! The examples of the RFCs, octet for octet.

use std::num::NonZeroU32;

use data_encoding::BASE64;

use super::{SCRAM, SCRAM_1, client, context, secret, tls, unbound};
use crate::client::{Credentials, Exchange};
use crate::crypto::hmac_md5;
use crate::server::{Step, begin};
use crate::{Error, Hash, Mechanism, Nonce, ScramKeys, Unassigned, saslprep};

/// Both ends of a SCRAM example, for the user `user` with the password `pencil`.
fn scram(mechanism: Mechanism, hash: Hash, salt: &str, messages: [&str; 4]) {
    let [client_first, server_first, client_final, server_final] = messages;
    let nonces = server_first.strip_prefix("r=").unwrap().split(',').next().unwrap();
    let client_nonce = client_first.rsplit_once("r=").unwrap().1;
    let server_nonce = nonces.strip_prefix(client_nonce).unwrap();
    let nonce = |text| Nonce::from_text(text).unwrap();

    let credentials = Credentials::password("user", secret("pencil"));
    let mut client = Exchange::new(mechanism, credentials, &unbound(), nonce(client_nonce)).unwrap();
    assert_eq!(client.initial().unwrap().reveal(), client_first.as_bytes());
    assert_eq!(client.respond(server_first.as_bytes()).unwrap().reveal(), client_final.as_bytes());
    assert!(client.respond(server_final.as_bytes()).unwrap().reveal().is_empty());
    client.finish(None).unwrap();

    let salt = BASE64.decode(salt.as_bytes()).unwrap();
    let keys = ScramKeys::derive(hash, &secret("pencil"), &salt, NonZeroU32::new(4096).unwrap()).unwrap();
    let mut around = context(unbound());
    around.nonce = nonce(server_nonce);
    let Step::FindScramKeys(lookup) = begin(mechanism, around, Some(client_first.as_bytes())) else {
        panic!()
    };
    let Step::Challenge { text, next } = lookup.found(keys) else { panic!() };
    assert_eq!(text, server_first.as_bytes());
    let Step::Challenge { text, next } = next.respond(client_final.as_bytes()) else { panic!() };
    assert_eq!(text, server_final.as_bytes());
    let Step::Done(identity) = next.respond(b"") else { panic!() };
    assert_eq!((identity.authcid.as_str(), identity.authzid), ("user", None));
}

/// RFC 5802 §5
#[test]
fn scram_sha_1() {
    scram(
        SCRAM_1,
        Hash::Sha1,
        "QSXCR+Q6sek8bf92",
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    );
}

/// RFC 7677 §3
#[test]
fn scram_sha_256() {
    scram(
        SCRAM,
        Hash::Sha256,
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    );
}

/// RFC 2195 §2
#[test]
fn cram_md5() {
    let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
    let response = b"tim b913a602c7eda7a495b4e6e7334d3890";
    let mut client =
        client(Mechanism::CramMd5, Credentials::password("tim", secret("tanstaaftanstaaf")), &unbound());
    assert!(client.initial().is_none());
    assert_eq!(client.respond(challenge).unwrap().reveal(), response);
    client.finish(None).unwrap();

    let mut around = context(unbound());
    around.nonce = Nonce::from_text("1896").unwrap();
    around.unix_time = 697_170_952;
    around.host = "postoffice.reston.mci.net".to_owned();
    let Step::Challenge { text, next } = begin(Mechanism::CramMd5, around, None) else { panic!() };
    assert_eq!(text, challenge);
    let Step::FindCramSecret(lookup) = next.respond(response) else { panic!() };
    assert_eq!(lookup.authcid(), "tim");
    assert!(matches!(lookup.found(&secret("tanstaaftanstaaf")), Step::Done(_)));
}

/// RFC 2202 §2, cases 1 and 6 (a key longer than the block)
#[test]
fn hmac_md5_of_short_and_long_keys() {
    let hex = |digest: [u8; 16]| data_encoding::HEXLOWER.encode(&digest);
    assert_eq!(hex(hmac_md5(&[0x0b; 16], b"Hi There")), "9294727a3638bb1c13f48ef8158bfc9d");
    let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
    assert_eq!(hex(hmac_md5(&[0xaa; 80], long)), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

/// RFC 4616 §4
#[test]
fn plain() {
    let message = b"\0tim\0tanstaaftanstaaf";
    let mut client =
        client(Mechanism::Plain, Credentials::password("tim", secret("tanstaaftanstaaf")), &unbound());
    assert_eq!(client.respond(b"").unwrap().reveal(), message);
    let Step::Challenge { text, next } = begin(Mechanism::Plain, context(unbound()), None) else { panic!() };
    assert!(text.is_empty());
    let Step::VerifyPassword(lookup) = next.respond(message) else { panic!() };
    assert_eq!((lookup.authcid(), lookup.password().reveal().as_str()), ("tim", "tanstaaftanstaaf"));
    assert!(matches!(lookup.answer(true), Step::Done(_)));

    let Step::VerifyPassword(lookup) =
        begin(Mechanism::Plain, context(unbound()), Some(b"Ursel\0Kurt\0xipj3plmq"))
    else {
        panic!()
    };
    let Step::Authorize(lookup) = lookup.answer(true) else { panic!() };
    assert_eq!((lookup.authcid(), lookup.authzid()), ("Kurt", "Ursel"));
    assert!(matches!(lookup.refuse(), Step::Failed(_)));
}

/// RFC 4422 appendix A.2
#[test]
fn external() {
    let as_fred = || begin(Mechanism::External, context(tls(1)), Some(b"fred@example.com"));
    assert!(matches!(as_fred(), Step::Authorize(lookup) if lookup.authzid() == "fred@example.com"));
    let Step::Challenge { next, .. } = begin(Mechanism::External, context(tls(1)), None) else { panic!() };
    assert!(matches!(next.respond(b""), Step::Done(identity) if identity.authcid == "alice"));
}

/// RFC 7628 §4.1 and §4.3
#[test]
fn oauthbearer() {
    let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
    for (port, encoded) in [
        (
            143,
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
        ),
        (
            587,
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
        ),
    ] {
        let credentials = Credentials::Bearer {
            user: "user@example.com".to_owned(),
            token: secret(token),
            server: Some(("server.example.com".to_owned(), port)),
        };
        let mut client = client(Mechanism::OAuthBearer, credentials, &unbound());
        assert_eq!(BASE64.encode(client.initial().unwrap().reveal()), encoded);
        let refusal = r#"{"status":"invalid_token","scope":"example_scope"}"#;
        assert_eq!(client.respond(refusal.as_bytes()).unwrap().reveal(), b"\x01");
        assert_eq!(client.finish(None), Err(Error::Refused(refusal.to_owned())));
    }
}

#[test]
fn xoauth2() {
    let credentials =
        Credentials::Bearer { user: "someuser@example.com".to_owned(), token: secret("ya29"), server: None };
    let mut client = client(Mechanism::XOAuth2, credentials, &unbound());
    let expected = b"user=someuser@example.com\x01auth=Bearer ya29\x01\x01";
    assert_eq!(client.initial().unwrap().reveal(), expected);
    client.finish(None).unwrap();
}

/// RFC 4013 §3, and RFC 5802's advice to try U+00BD
#[test]
fn saslprep_examples() {
    for (input, expected) in [
        ("I\u{ad}X", Some("IX")),
        ("user", Some("user")),
        ("USER", Some("USER")),
        ("\u{aa}", Some("a")),
        ("\u{2168}", Some("IX")),
        ("\u{7}", None),
        ("\u{627}\u{31}", None),
        ("\u{627}1\u{628}", Some("\u{627}1\u{628}")),
        ("a\u{a0}b", Some("a b")),
        ("\u{bd}", Some("1\u{2044}2")),
        ("", None),
        ("\u{ad}", None),
        ("\u{e000}", None),
    ] {
        for unassigned in [Unassigned::Allowed, Unassigned::Prohibited] {
            assert_eq!(saslprep(input, unassigned).as_deref(), expected, "{input:?}");
        }
    }
    // Newer than Unicode 3.2.
    assert_eq!(saslprep("\u{1f512}", Unassigned::Allowed).as_deref(), Some("\u{1f512}"));
    assert_eq!(saslprep("\u{1f512}", Unassigned::Prohibited), None);
}
