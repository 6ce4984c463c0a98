//! Client against server.

use proptest::prelude::*;

use super::{PLUS, SCRAM, SCRAM_1, World, client, secret, tls, unbound};
use crate::client::Credentials;
use crate::server::{Failure, Identity};
use crate::{Channel, Error, Hash, Mechanism};

const WITH_PASSWORD: [Mechanism; 7] = [
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
    SCRAM,
    SCRAM_1,
    PLUS,
    Mechanism::Scram { hash: Hash::Sha1, plus: true },
];

/// Without -PLUS the server has nothing to bind to, or it would have offered it.
fn channel_for(mechanism: Mechanism) -> Channel {
    if mechanism.is_plus() { tls(1) } else { unbound() }
}

#[test]
fn every_mechanism_lets_the_right_password_in_and_no_other() {
    for mechanism in WITH_PASSWORD {
        let world = World::new(channel_for(mechanism));
        assert!(world.log_in(mechanism, "alice", "wonder").both_happy(), "{mechanism}");
        for (name, password) in [("alice", "Wonder"), ("bob", "wonder"), ("Alice", "wonder")] {
            let outcome = world.log_in(mechanism, name, password);
            assert_eq!(outcome.failure(), Failure::Credentials, "{mechanism} {name} {password}");
        }
    }
}

#[test]
fn an_initial_response_may_wait_for_the_empty_challenge() {
    for mechanism in WITH_PASSWORD {
        let world = World::new(channel_for(mechanism));
        let client = client(mechanism, Credentials::password("alice", secret("wonder")), &world.channel);
        assert!(world.run(mechanism, client, false, |_, m| m).both_happy(), "{mechanism}");
    }
    let world = World::new(tls(1));
    for authzid in [None, Some("alice".to_owned())] {
        let client = client(Mechanism::External, Credentials::External { authzid }, &world.channel);
        assert!(world.run(Mechanism::External, client, false, |_, m| m).both_happy());
    }
}

#[test]
fn login_takes_the_name_with_the_command() {
    use crate::server::{Step, begin};
    let step = begin(Mechanism::Login, super::context(unbound()), Some(b"tim"));
    let Step::Challenge { text, next } = step else { panic!("{step:?}") };
    assert_eq!(text, b"Password:");
    assert!(matches!(next.respond(b"x"), Step::VerifyPassword(lookup) if lookup.authcid() == "tim"));
}

#[test]
fn acting_as_another_is_the_callers_decision() {
    let check = |mechanism, authzid: &str, expected: Result<Option<&str>, Failure>| {
        let world = World::new(channel_for(mechanism));
        let credentials = Credentials::Password {
            authcid: "alice".to_owned(),
            password: secret("wonder"),
            authzid: Some(authzid.to_owned()),
        };
        let outcome = world.run(mechanism, client(mechanism, credentials, &world.channel), true, |_, m| m);
        let expected = expected
            .map(|authzid| Identity { authcid: "alice".to_owned(), authzid: authzid.map(str::to_owned) });
        assert_eq!(outcome.server.unwrap(), expected, "{mechanism} {authzid}");
    };
    for mechanism in [Mechanism::Plain, SCRAM, SCRAM_1, PLUS] {
        check(mechanism, "alice", Ok(None));
        check(mechanism, "shared", Ok(Some("shared")));
        check(mechanism, "root=,x", Err(Failure::NotAuthorized));
    }
}

#[test]
fn unknown_users_get_what_known_ones_get() {
    for mechanism in WITH_PASSWORD {
        let mut world = World::new(channel_for(mechanism));
        world.iterations = crate::DEFAULT_ITERATIONS.get();
        let known = world.log_in(mechanism, "alice", "wrong");
        let unknown = world.log_in(mechanism, "nobod", "wrong");
        assert_eq!(known.failure(), unknown.failure(), "{mechanism}");
        let shape = |said: &[String]| said.iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(
            shape(&known.said),
            shape(&unknown.said),
            "{mechanism}: {:?} {:?}",
            known.said,
            unknown.said
        );
        assert_eq!(
            unknown.said,
            world.log_in(mechanism, "nobod", "wrong").said,
            "{mechanism}: not the same again"
        );
    }
}

#[test]
fn made_up_salts_differ_between_users_and_not_between_spellings() {
    let world = World::new(unbound());
    let salt = |name: &str| {
        let said = world.log_in(SCRAM, name, "x").said;
        said[1].split(",s=").nth(1).unwrap().to_owned()
    };
    assert_eq!(salt("bob"), salt("BOB"));
    assert_ne!(salt("bob"), salt("carol"));
}

#[test]
fn prepared_forms_are_the_same_user_and_password() {
    for mechanism in [Mechanism::Plain, Mechanism::Login, SCRAM, SCRAM_1] {
        let world = World { name: "IX".to_owned(), password: "\u{bd}".to_owned(), ..World::new(unbound()) };
        let outcome = world.log_in(mechanism, "\u{2168}", "1\u{2044}2");
        assert!(outcome.both_happy(), "{mechanism} {outcome:?}");
    }
}

#[test]
fn a_password_as_sent_is_there_for_foreign_hashes() {
    use crate::server::{Step, begin};
    let step = begin(Mechanism::Plain, super::context(unbound()), Some("\0tim\0m\u{b2}".as_bytes()));
    let Step::VerifyPassword(lookup) = step else { panic!("{step:?}") };
    assert_eq!(lookup.password().reveal(), "m2");
    assert_eq!(lookup.password_as_sent().reveal(), "m\u{b2}");
}

#[test]
fn binding_to_another_connection_fails() {
    let world = World::new(tls(1));
    let elsewhere = client(PLUS, Credentials::password("alice", secret("wonder")), &tls(2));
    assert_eq!(world.run(PLUS, elsewhere, true, |_, m| m).failure(), Failure::ChannelBinding);
}

#[test]
fn hiding_plus_from_the_client_is_noticed() {
    // Someone on the way removed -PLUS from the list: the client says `y`, and the server could bind.
    let world = World::new(tls(1));
    let outcome = world.log_in(SCRAM, "alice", "wonder");
    assert!(outcome.said[0].starts_with("y,,"), "{:?}", outcome.said);
    assert_eq!(outcome.failure(), Failure::ChannelBinding);

    // He changes the flag too: the proof covers it.
    let client = client(SCRAM, Credentials::password("alice", secret("wonder")), &tls(1));
    let outcome = world.run(SCRAM, client, true, |turn, message| match turn {
        0 => [b"n", &message[1..]].concat(),
        _ => message,
    });
    assert_eq!(outcome.failure(), Failure::ChannelBinding);
}

#[test]
fn flags_follow_the_rfc() {
    let first = |mechanism, channel: &Channel| {
        let mut client = client(mechanism, Credentials::password("alice", secret("wonder")), channel);
        String::from_utf8(client.initial().unwrap().into_inner()).unwrap()
    };
    let end_point = Channel::Tls(crate::Bindings { exporter: None, server_end_point: Some(vec![1; 32]) });
    for (mechanism, channel, flag) in [
        (SCRAM, Channel::Clear, "n,,"),
        (SCRAM, unbound(), "n,,"),
        (SCRAM, tls(1), "y,,"),
        (PLUS, tls(1), "p=tls-exporter,,"),
        (PLUS, end_point, "p=tls-server-end-point,,"),
    ] {
        assert!(first(mechanism, &channel).starts_with(flag), "{mechanism} {channel:?}");
    }
    // A client that cannot bind is welcome, also where the server could.
    let world = World::new(tls(1));
    let simple = client(SCRAM, Credentials::password("alice", secret("wonder")), &unbound());
    assert!(world.run(SCRAM, simple, true, |_, m| m).both_happy());
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let world = World::new(unbound());
    let new = || client(SCRAM, Credentials::password("alice", secret("wonder")), &unbound());
    // It says success at once, or after the proof without one of its own.
    assert_eq!(new().finish(None), Err(Error::Unfinished));
    let mut client = new();
    client.initial();
    assert_eq!(client.finish(None), Err(Error::Unfinished));
    let outcome = world.run(SCRAM, new(), true, |turn, message| match turn {
        3 => b"v=AAAA".to_vec(),
        _ => message,
    });
    assert_eq!(outcome.client, Err(Error::ServerSignature));
    let outcome = world.run(SCRAM, new(), true, |turn, message| match turn {
        3 => b"e=other-error".to_vec(),
        _ => message,
    });
    assert_eq!(outcome.client, Err(Error::Refused("other-error".to_owned())));
}

/// Words that SASLprep allows: ASCII with all that SCRAM and CRAM-MD5 treat specially, and three scripts beyond it, one of
/// them right to left.
fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "[,= a-cà-öα-ωа-я½²]{1,12}", "[一-龠]{1,8}", "[א-ת]{1,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names and passwords of several scripts.
    #[test]
    fn any_name_and_password(name in word(), password in word(), pick in 0usize..7) {
        let mechanism = WITH_PASSWORD[pick];
        let world = World { name: name.clone(), password: password.clone(), ..World::new(channel_for(mechanism)) };
        let outcome = world.log_in(mechanism, &name, &password);
        prop_assert!(outcome.both_happy(), "{mechanism} {outcome:?}");
        // Not an `x`, which would break the direction of a right-to-left password.
        let outcome = world.log_in(mechanism, &name, &password.repeat(2));
        prop_assert_eq!(outcome.failure(), Failure::Credentials);
    }

    /// One changed octet, in any message of SCRAM, ends it.
    #[test]
    fn tampering_is_noticed(turn in 0usize..4, at in 0usize..400, bit in 0u8..7) {
        let world = World::new(tls(1));
        let client = client(PLUS, Credentials::password("alice", secret("wonder")), &tls(1));
        let outcome = world.run(PLUS, client, true, |now, mut message| {
            if now == turn && !message.is_empty() {
                let at = at % message.len();
                message[at] ^= 1 << bit;
            }
            message
        });
        prop_assert!(!outcome.both_happy(), "{outcome:?}");
    }
}
