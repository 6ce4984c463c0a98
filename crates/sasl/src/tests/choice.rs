//! Which mechanism a client takes, and what a connection offers for binding.

use rcgen::{CertificateParams, KeyPair};

use super::{PLUS, SCRAM, SCRAM_1, secret, tls, unbound};
use crate::client::{Credentials, Exchange, Kind, choose};
use crate::{Channel, Error, Hash, Mechanism, Nonce, server_end_point};

const SCRAM_1_PLUS: Mechanism = Mechanism::Scram { hash: Hash::Sha1, plus: true };

fn password() -> Credentials {
    Credentials::password("alice", secret("wonder"))
}

#[test]
fn names_round_trip_in_any_case() {
    for mechanism in Mechanism::ALL {
        assert_eq!(mechanism.name().parse(), Ok(mechanism));
        assert_eq!(mechanism.name().to_lowercase().parse(), Ok(mechanism));
    }
    assert!(matches!("DIGEST-MD5".parse::<Mechanism>(), Err(Error::UnknownMechanism(_))));
}

#[test]
fn the_strongest_that_fits() {
    use Mechanism::{CramMd5, External, Login, OAuthBearer, Plain, XOAuth2};
    let all = Mechanism::ALL;
    let bearer = || Credentials::Bearer { user: "a".to_owned(), token: secret("t"), server: None };
    let acting = Credentials::Password {
        authcid: "alice".to_owned(),
        password: secret("wonder"),
        authzid: Some("shared".to_owned()),
    };
    let check = |offered: &[Mechanism], credentials: &Credentials, channel: Channel, expected| {
        assert_eq!(choose(offered, credentials, &channel), expected, "{offered:?} {channel:?}");
    };
    check(&all, &password(), tls(1), Ok(PLUS));
    check(&all, &password(), unbound(), Ok(SCRAM));
    check(&all, &password(), Channel::Clear, Ok(SCRAM));
    check(&[SCRAM, SCRAM_1_PLUS], &password(), tls(1), Ok(SCRAM_1_PLUS));
    check(&[SCRAM_1, Plain], &password(), tls(1), Ok(SCRAM_1));
    check(&[CramMd5, Login, Plain], &password(), unbound(), Ok(Plain));
    check(&[CramMd5, Login, Plain], &password(), Channel::Clear, Ok(CramMd5));
    check(&[Login], &password(), Channel::Local, Ok(Login));
    check(&[CramMd5, Login], &acting, unbound(), no_mechanism("CRAM-MD5 LOGIN"));
    check(&[Plain, Login], &password(), Channel::Clear, Err(Error::NeedsPrivacy(Plain)));
    check(&[External], &password(), tls(1), no_mechanism("EXTERNAL"));
    check(&[], &password(), tls(1), no_mechanism("none that is known"));
    check(&all, &Credentials::External { authzid: None }, tls(1), Ok(External));
    check(&all, &bearer(), tls(1), Ok(OAuthBearer));
    check(&[XOAuth2, Plain], &bearer(), tls(1), Ok(XOAuth2));
    check(&all, &bearer(), Channel::Clear, Err(Error::NeedsPrivacy(OAuthBearer)));
}

fn no_mechanism(offered: &str) -> Result<Mechanism, Error> {
    Err(Error::NoMechanism { credentials: Kind::Password, offered: offered.to_owned() })
}

#[test]
fn a_client_does_not_show_or_send_what_it_must_not() {
    let check = |mechanism, credentials, channel: Channel, expected: Error| {
        let error = Exchange::new(mechanism, credentials, &channel, Nonce::new([0; 18])).unwrap_err();
        assert_eq!(error, expected);
    };
    let named = |name: &str, password: &str| Credentials::password(name, secret(password));
    check(Mechanism::Plain, password(), Channel::Clear, Error::NeedsPrivacy(Mechanism::Plain));
    check(PLUS, password(), unbound(), Error::NoChannelBinding(PLUS));
    check(
        Mechanism::External,
        password(),
        tls(1),
        Error::WrongCredentials { mechanism: Mechanism::External, credentials: Kind::Password },
    );
    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, SCRAM] {
        check(mechanism, named("", "x"), unbound(), Error::Name);
        check(mechanism, named("a\0b", "x"), unbound(), Error::Name);
        check(mechanism, named("a", ""), unbound(), Error::Password);
        check(mechanism, named("a", "x\0"), unbound(), Error::Password);
        check(
            mechanism,
            named(&"a".repeat(256), "x"),
            unbound(),
            Error::TooLong { what: "user name", max: 255 },
        );
        check(
            mechanism,
            named("a", &"x".repeat(1025)),
            unbound(),
            Error::TooLong { what: "password", max: 1024 },
        );
    }
    check(SCRAM, named("a", "\u{1f512}"), unbound(), Error::Password);
    for token in ["", "a b", "a\x01auth=x"] {
        let credentials = Credentials::Bearer { user: "a".to_owned(), token: secret(token), server: None };
        check(Mechanism::OAuthBearer, credentials.clone(), unbound(), Error::Token);
        check(Mechanism::XOAuth2, credentials, unbound(), Error::Token);
    }
}

/// RFC 5929 §4.1: the hash of the certificate's signature.
#[test]
fn end_point_data_is_the_certificates_hash() {
    for (algorithm, length) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
        (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
        (&rcgen::PKCS_ED25519, None),
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["mail.example.org".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let data = server_end_point(certificate.der());
        assert_eq!(data.as_ref().map(Vec::len), length);
        if length == Some(32) {
            assert_eq!(data.unwrap(), Hash::Sha256.digest(certificate.der()));
        }
    }
    assert_eq!(server_end_point(b"not a certificate"), None);
}
