//! What a peer should not send.

use proptest::prelude::*;

use super::{PLUS, SCRAM, SCRAM_1, World, client, context, secret, tls, unbound};
use crate::client::Credentials;
use crate::server::{Exchange, Failure, Step, begin};
use crate::{Channel, Error, MAX_MESSAGE, Mechanism};

/// The failure of a first message.
fn check(mechanism: Mechanism, message: impl AsRef<[u8]>, expected: Failure) {
    let channel = if mechanism == SCRAM { unbound() } else { tls(1) };
    match begin(mechanism, context(channel), Some(message.as_ref())) {
        Step::Failed(failure) => assert_eq!(failure, expected, "{mechanism}"),
        other => panic!("{mechanism}: {other:?}"),
    }
}

#[test]
fn first_messages() {
    const SHAPE: Failure = Failure::Malformed("not authzid NUL authcid NUL password");
    const NAME: Failure = Failure::Malformed("the user name is empty or has characters that are not allowed");
    for message in ["", "tim", "tim\0pass", "\0tim\0pass\0", "\0\0\0\0"] {
        check(Mechanism::Plain, message, SHAPE);
    }
    check(Mechanism::Plain, "\0\0pass", NAME);
    check(Mechanism::Plain, "\0ti\x07m\0pass", NAME);
    check(Mechanism::Plain, "\0tim\0", Failure::Malformed("empty password"));
    check(Mechanism::Plain, b"\0tim\0\xff", Failure::Malformed("not UTF-8"));
    check(Mechanism::Plain, "\0tim\0\u{ad}", Failure::Credentials);
    let long = |name: usize, password: usize| format!("\0{}\0{}", "n".repeat(name), "p".repeat(password));
    check(Mechanism::Plain, long(256, 1), Failure::Malformed("the user name is longer than 255 octets"));
    check(Mechanism::Plain, long(1, 1025), Failure::Malformed("the password is longer than 1024 octets"));
    check(Mechanism::Plain, long(1, MAX_MESSAGE), Failure::TooLong);
    let fits = begin(Mechanism::Plain, context(unbound()), Some(long(255, 1024).as_bytes()));
    assert!(matches!(fits, Step::VerifyPassword(_)));

    check(Mechanism::Login, "", NAME);
    check(Mechanism::Login, "a\0b", Failure::Malformed("NUL where none may be"));
    check(Mechanism::CramMd5, "", Failure::Malformed("this mechanism has no initial response"));
    check(Mechanism::External, "a\0", Failure::Malformed("NUL where none may be"));
    check(Mechanism::OAuthBearer, "n,,", Failure::Unavailable);
}

#[test]
fn scram_first_messages() {
    for (message, why) in [
        ("", "no gs2 header"),
        ("n,", "no gs2 header"),
        ("x,,n=a,r=b", "bad channel binding flag"),
        ("p=,,n=a,r=b", "bad channel binding flag"),
        ("p=tls_x,,n=a,r=b", "bad channel binding flag"),
        ("n,b,n=a,r=b", "bad authorization identity"),
        ("n,a=,n=a,r=b", "empty name"),
        ("n,,r=b", "no user name"),
        ("n,,n=,r=b", "no user name"),
        ("n,,n=a", "no nonce"),
        ("n,,n=a,r=", "no nonce"),
        ("n,,n=a,r=\u{e4}", "bad nonce"),
        ("n,,n=a=2c,r=b", "bad escape in a name"),
        ("n,,n=a=,r=b", "bad escape in a name"),
        ("n,,m=x,n=a,r=b", "mandatory extension not supported"),
        ("n,,n=a,r=b,m=x", "mandatory extension not supported"),
        ("n,,n=a,r=b,", "bad extension"),
        ("n,,n=a,r=b,x=", "bad extension"),
        ("n,,n=a\0,r=b", "NUL"),
        ("p=tls-exporter,,n=a,r=b", "channel binding without -PLUS"),
    ] {
        check(SCRAM, message, Failure::Malformed(why));
    }
    check(PLUS, "n,,n=a,r=b", Failure::Malformed("-PLUS without channel binding"));
    check(PLUS, "y,,n=a,r=b", Failure::ChannelBinding);
    check(PLUS, "p=tls-unique,,n=a,r=b", Failure::Malformed("channel binding type not available"));
    let step = begin(SCRAM, context(unbound()), Some(b"n,a=x=3D,n=a=2Cb=3D2C,r=b,z=ignored"));
    assert!(matches!(step, Step::FindScramKeys(lookup) if lookup.authcid() == "a,b=2C"));
}

/// The exchange after the server-first message, and the nonce.
fn after_first() -> (Exchange, String) {
    let world = World::new(unbound());
    let step = world.look_up(begin(SCRAM, context(unbound()), Some(b"n,,n=alice,r=abc")));
    let Step::Challenge { text, next } = step else { panic!("{step:?}") };
    let text = String::from_utf8(text).unwrap();
    (next, text.split(',').next().unwrap().to_owned())
}

#[test]
fn scram_final_messages() {
    for (message, expected) in [
        ("", Failure::Malformed("no proof")),
        ("c=biws,R", Failure::Malformed("no proof")),
        ("c=biws,r=abc,p=AAAA", Failure::Malformed("not the nonce that was sent")),
        ("c=b,R,p=AAAA", Failure::Malformed("bad base64")),
        ("c=biws,R,p=A", Failure::Malformed("bad base64")),
        ("c=biws,R,m=1,p=AAAA", Failure::Malformed("mandatory extension not supported")),
        ("R,c=biws,p=AAAA", Failure::Malformed("no channel binding")),
        ("c=eSws,R,p=AAAA", Failure::ChannelBinding),
        ("c=biws,R,p=AAAA", Failure::Credentials),
        ("c=biws,R,p=", Failure::Credentials),
        ("c=biws,R,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Failure::Credentials),
    ] {
        let (exchange, nonce) = after_first();
        match exchange.respond(message.replace('R', &nonce).as_bytes()) {
            Step::Failed(failure) => assert_eq!(failure, expected, "{message}"),
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn cram_responses() {
    for (response, why) in [
        ("", "not name SP digest"),
        ("tim", "not name SP digest"),
        ("tim b913", "the digest is not 32 hexadecimal digits"),
        ("tim b913a602c7eda7a495b4e6e7334d389z", "the digest is not 32 hexadecimal digits"),
        (
            " b913a602c7eda7a495b4e6e7334d3890",
            "the user name is empty or has characters that are not allowed",
        ),
    ] {
        let Step::Challenge { next, .. } = begin(Mechanism::CramMd5, context(unbound()), None) else {
            panic!()
        };
        assert!(matches!(next.respond(response.as_bytes()), Step::Failed(f) if f == Failure::Malformed(why)));
    }
}

#[test]
fn what_the_connection_does_not_allow_fails_at_once() {
    let failure = |mechanism, channel| match begin(mechanism, context(channel), None) {
        Step::Failed(failure) => Some(failure),
        _ => None,
    };
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        assert_eq!(failure(mechanism, Channel::Clear), Some(Failure::EncryptionRequired));
        assert_eq!(failure(mechanism, Channel::Local), None);
    }
    assert_eq!(failure(PLUS, Channel::Clear), Some(Failure::Unavailable));
    assert_eq!(failure(PLUS, unbound()), Some(Failure::Unavailable));
    assert_eq!(failure(SCRAM, Channel::Clear), None);
    let mut stranger = context(unbound());
    stranger.certificate = None;
    assert!(matches!(begin(Mechanism::External, stranger, Some(b"")), Step::Failed(Failure::Credentials)));
}

#[test]
fn servers_that_weaken_scram_are_refused() {
    let respond = |server_first: &str| {
        let mut client = client(SCRAM, Credentials::password("alice", secret("wonder")), &unbound());
        client.initial();
        client.respond(server_first.replace('N', &"ZGRk".repeat(6)).as_bytes()).map(|_| ()).unwrap_err()
    };
    assert_eq!(respond("r=Nx,s=AAAA,i=1"), Error::Iterations(1));
    assert_eq!(respond("r=Nx,s=AAAA,i=4095"), Error::Iterations(4095));
    assert_eq!(respond("r=Nx,s=AAAA,i=5000001"), Error::Iterations(5_000_001));
    assert_eq!(respond("r=Nx,s=AAAA,i=99999999999"), Error::Iterations(99_999_999_999));
    for bad in [
        "r=N,s=AAAA,i=4096",
        "r=x,s=AAAA,i=4096",
        "r=Nx,s=,i=4096",
        "r=Nx,s=AAAA,i=+4096",
        "r=Nx,s=AAAA,i=04096",
        "m=a,r=Nx,s=AAAA,i=4096",
        "r=Nx,s=AAAA",
        "",
    ] {
        assert!(matches!(respond(bad), Error::Malformed { .. }), "{bad}");
    }
}

#[test]
fn challenges_out_of_turn_are_errors() {
    let mut client = client(Mechanism::Plain, Credentials::password("alice", secret("wonder")), &unbound());
    assert!(matches!(client.respond(b"hello"), Err(Error::Malformed { .. })));
    let mut client =
        super::client(Mechanism::Plain, Credentials::password("alice", secret("wonder")), &unbound());
    client.initial();
    assert_eq!(client.respond(b"").unwrap_err(), Error::Over);
    let long = vec![b'x'; MAX_MESSAGE + 1];
    let mut client =
        super::client(Mechanism::CramMd5, Credentials::password("alice", secret("wonder")), &unbound());
    assert!(matches!(client.respond(&long), Err(Error::TooLong { .. })));
}

#[test]
fn nothing_secret_is_shown() {
    let client = client(SCRAM, Credentials::password("alice", secret("wonder")), &unbound());
    assert!(!format!("{client:?}").contains("wonder"));
    let step = begin(Mechanism::Plain, context(unbound()), Some(b"\0alice\0wonder"));
    assert!(!format!("{step:?}").contains("wonder"));
    assert!(!format!("{:?}", context(unbound())).contains("42"));
}

/// Octets that come close to messages.
fn close() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "n,,",
        "y,,",
        "p=tls-exporter,,",
        "a=",
        "n=alice",
        ",r=",
        "r=abc",
        ",",
        "=",
        "=2C",
        "c=biws",
        ",p=",
        "v=",
        "e=",
        "s=AAAA",
        ",i=4096",
        "m=",
        "\0",
        "alice",
        " ",
        "\u{e9}",
        "b913a602c7eda7a495b4e6e7334d3890",
        "0",
    ]);
    prop_oneof![
        prop::collection::vec(word, 0..10).prop_map(|words| words.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics_the_server_or_lets_anyone_in(
        pick in 0usize..10, initial in prop::option::of(close()), then in prop::collection::vec(close(), 4),
    ) {
        let mechanism = Mechanism::ALL[pick];
        let world = World { password: "not to be guessed".to_owned(), ..World::new(tls(1)) };
        let mut around = context(tls(1));
        around.certificate = None;
        let mut step = begin(mechanism, around, initial.as_deref());
        for response in then {
            step = match step {
                Step::Challenge { next, .. } => next.respond(&response),
                other => other,
            };
            step = world.look_up(step);
            prop_assert!(!matches!(step, Step::Done(_)));
        }
    }

    #[test]
    fn no_input_panics_the_client_or_makes_it_trust(
        sha_1 in any::<bool>(), challenges in prop::collection::vec(close(), 4), data in prop::option::of(close()),
    ) {
        let mechanism = if sha_1 { SCRAM_1 } else { SCRAM };
        let mut client = client(mechanism, Credentials::password("alice", secret("wonder")), &unbound());
        for challenge in challenges {
            let _ = client.respond(&challenge);
        }
        prop_assert!(client.finish(data.as_deref()).is_err());
    }
}
