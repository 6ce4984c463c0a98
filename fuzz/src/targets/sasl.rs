//! The exchanges of AUTH, decoded: as the server with a client that sends anything, and as the client with such a server.

use super::Settings;
use address::Secret;
use sasl::server::{Context, Decoy, Step, begin};
use sasl::{Bindings, Channel, Hash, Mechanism, Nonce, ScramKeys, client};
use std::sync::LazyLock;

/// Lines of a peer that are listened to; no exchange has as many.
const LINES: usize = 8;
/// Derived once, because that takes milliseconds.
static KEYS: LazyLock<Vec<ScramKeys>> = LazyLock::new(|| {
    let derive = |hash| {
        ScramKeys::derive(hash, &Secret::new("pencil".into()), b"salt", 4096.try_into().expect("not 0"))
            .expect("keys")
    };
    vec![derive(Hash::Sha1), derive(Hash::Sha256)]
});

/// The first octet chooses what is granted, the second the mechanism; each line behind it is a message.
pub fn run(data: &[u8]) {
    let [settings, mechanism, rest @ ..] = data else { return };
    let mechanism = Mechanism::ALL[usize::from(*mechanism) % Mechanism::ALL.len()];
    assert_eq!(mechanism.name().parse(), Ok(mechanism));
    let lines: Vec<&[u8]> = rest.split(|octet| *octet == b'\n').take(LINES).collect();
    let settings = Settings(*settings);
    server(settings, mechanism, &lines);
    client(settings, mechanism, &lines);
    for line in lines.iter().filter_map(|line| std::str::from_utf8(line).ok()) {
        stored(line);
    }
}

fn channel(settings: Settings) -> Channel {
    if settings.bit(7) {
        return Channel::Clear;
    }
    let exporter = settings.bit(6).then_some([1; 32]);
    Channel::Tls(Bindings { exporter, server_end_point: settings.bit(5).then(|| vec![2; 32]) })
}

/// Nobody gets in whose password was not right, or as somebody he may not be.
fn server(settings: Settings, mechanism: Mechanism, lines: &[&[u8]]) {
    let (matches, grants) = (settings.bit(0), settings.bit(1));
    let context = Context {
        channel: channel(settings),
        nonce: Nonce::new([9; 18]),
        decoy: Decoy::new(Secret::new([1; 32])),
        host: "mx.example".into(),
        unix_time: 0,
        certificate: settings.bit(2).then(|| "user@mx.example".into()),
    };
    let mut lines = lines.iter();
    let initial = if settings.bit(3) { lines.next().copied() } else { None };
    let mut step = begin(mechanism, context, initial);
    loop {
        step = match step {
            Step::Challenge { text, next } => {
                assert!(!text.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)));
                let Some(line) = lines.next() else { return };
                next.respond(line)
            }
            Step::VerifyPassword(lookup) => {
                assert!(!lookup.authcid().is_empty() && !lookup.password().reveal().is_empty());
                lookup.answer(matches)
            }
            Step::FindScramKeys(lookup) if settings.bit(4) => {
                let keys = KEYS.iter().find(|keys| keys.hash() == lookup.hash()).expect("both hashes");
                lookup.found(keys.clone())
            }
            Step::FindScramKeys(lookup) => lookup.unknown(),
            Step::FindCramSecret(lookup) if settings.bit(4) => lookup.found(&Secret::new("pencil".into())),
            Step::FindCramSecret(lookup) => lookup.unknown(),
            Step::Authorize(lookup) if grants => lookup.grant(),
            Step::Authorize(lookup) => lookup.refuse(),
            Step::Done(identity) => {
                assert!(!identity.authcid.is_empty() && !identity.authcid.contains('\0'));
                assert!(identity.authzid.is_none() || grants, "acts as another, which was not granted");
                let right = match mechanism {
                    Mechanism::Plain | Mechanism::Login => matches,
                    Mechanism::External => settings.bit(2),
                    _ => settings.bit(4),
                };
                assert!(right, "{identity:?} without the right credentials");
                return;
            }
            Step::Failed(_) => return,
        };
    }
}

fn client(settings: Settings, mechanism: Mechanism, lines: &[&[u8]]) {
    let secret = || Secret::new("pencil".to_owned());
    let credentials = match mechanism {
        Mechanism::External => client::Credentials::External { authzid: None },
        Mechanism::OAuthBearer | Mechanism::XOAuth2 => client::Credentials::Bearer {
            user: "user".into(),
            token: secret(),
            server: Some(("mx.example".into(), 25)),
        },
        _ => client::Credentials::password("user", secret()),
    };
    let nonce = Nonce::from_text("rOprNGfwEbeRWgbNEkqO").expect("a nonce");
    let Ok(mut exchange) = client::Exchange::new(mechanism, credentials, &channel(settings), nonce) else {
        return;
    };
    let _ = settings.bit(3).then(|| exchange.initial());
    let mut failed = false;
    for line in lines.iter().filter(|line| !is_costly(line)) {
        let response = exchange.respond(line);
        assert!(!failed || response.is_err(), "it goes on after a failure");
        failed |= response.is_err();
    }
    let trusted = exchange.finish(None).is_ok();
    assert!(!(trusted && failed), "a server that failed is believed");
}

/// A server may ask for many rounds of hashing, which a fuzzer has no time for.
fn is_costly(line: &[u8]) -> bool {
    line.windows(7).any(|window| window.starts_with(b"i=") && window[2..].iter().all(u8::is_ascii_digit))
}

fn stored(line: &str) {
    if let Ok(keys) = ScramKeys::from_storage(line) {
        let written = keys.to_storage();
        let again = ScramKeys::from_storage(written.reveal()).expect("it was written so");
        assert_eq!(again.to_storage().reveal(), written.reveal());
    }
}
