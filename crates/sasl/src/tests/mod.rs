//! A client and a server of this crate against each other, with a directory of one account.

mod choice;
mod ends;
mod hostile;
mod keys;
mod vectors;

use std::num::NonZeroU32;

use address::Secret;

use crate::client::{self, Credentials};
use crate::server::{self, Context, Decoy, Failure, Identity, Step};
use crate::{Bindings, Channel, Hash, Mechanism, Nonce, SALT_LEN, ScramKeys, Unassigned, saslprep};

pub(super) const PLUS: Mechanism = Mechanism::Scram { hash: Hash::Sha256, plus: true };
pub(super) const SCRAM: Mechanism = Mechanism::Scram { hash: Hash::Sha256, plus: false };
pub(super) const SCRAM_1: Mechanism = Mechanism::Scram { hash: Hash::Sha1, plus: false };

/// The server's key is that of the one account; `ALICE` may act as `shared`.
pub(super) struct World {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) iterations: u32,
    pub(super) channel: Channel,
}

/// How it ended for both: `Err` for the client also where it gave up, which the server then does not know.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) server: Option<Result<Identity, Failure>>,
    pub(super) client: Result<(), crate::Error>,
    /// Everything that was said.
    pub(super) said: Vec<String>,
}

impl Outcome {
    pub(super) fn failure(&self) -> Failure {
        self.server.clone().expect("the server came to an end").expect_err("it failed")
    }

    pub(super) fn both_happy(&self) -> bool {
        matches!(self.server, Some(Ok(_))) && self.client.is_ok()
    }
}

pub(super) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(super) fn tls(exporter: u8) -> Channel {
    Channel::Tls(Bindings { exporter: Some([exporter; 32]), server_end_point: Some(vec![5; 32]) })
}

pub(super) fn unbound() -> Channel {
    Channel::Tls(Bindings::default())
}

pub(super) fn context(channel: Channel) -> Context {
    Context {
        channel,
        nonce: Nonce::new([200; 18]),
        decoy: Decoy::new(Secret::new([42; 32])),
        host: "mail.example.org".to_owned(),
        unix_time: 1_700_000_000,
        certificate: Some("alice".to_owned()),
    }
}

impl World {
    pub(super) fn new(channel: Channel) -> Self {
        Self { name: "alice".to_owned(), password: "wonder".to_owned(), iterations: 4096, channel }
    }

    /// What the caller of this crate does with a step that is not a challenge.
    pub(super) fn look_up(&self, step: Step) -> Step {
        let knows =
            |name: &str| saslprep(&self.name, Unassigned::Prohibited).is_some_and(|known| known == name);
        match step {
            Step::VerifyPassword(lookup) => {
                let stored = saslprep(&self.password, Unassigned::Allowed).unwrap();
                let matches = knows(lookup.authcid()) && *lookup.password().reveal() == stored;
                lookup.answer(matches)
            }
            Step::FindScramKeys(lookup) if knows(lookup.authcid()) => {
                let iterations = NonZeroU32::new(self.iterations).unwrap();
                let keys =
                    ScramKeys::derive(lookup.hash(), &secret(&self.password), &[3; SALT_LEN], iterations)
                        .unwrap();
                lookup.found(keys)
            }
            Step::FindScramKeys(lookup) => lookup.unknown(),
            Step::FindCramSecret(lookup) if knows(lookup.authcid()) => lookup.found(&secret(&self.password)),
            Step::FindCramSecret(lookup) => lookup.unknown(),
            Step::Authorize(lookup) if lookup.authzid() == "shared" => lookup.grant(),
            Step::Authorize(lookup) => lookup.refuse(),
            other => other,
        }
    }

    /// Runs an exchange; `inline` sends the initial response with the command. `tamper` may change what passes.
    pub(super) fn run(
        &self,
        mechanism: Mechanism,
        mut client: client::Exchange,
        inline: bool,
        tamper: impl Fn(usize, Vec<u8>) -> Vec<u8>,
    ) -> Outcome {
        let mut said = Vec::new();
        let mut pass = |message: &[u8]| {
            let message = tamper(said.len(), message.to_vec());
            said.push(String::from_utf8_lossy(&message).into_owned());
            message
        };
        let initial = if inline { client.initial() } else { None };
        let initial = initial.map(|message| pass(message.reveal()));
        let mut step = server::begin(mechanism, context(self.channel.clone()), initial.as_deref());
        loop {
            step = match step {
                Step::Challenge { text, next } => match client.respond(&pass(&text)) {
                    Ok(response) => next.respond(&pass(response.reveal())),
                    Err(error) => return Outcome { server: None, client: Err(error), said },
                },
                Step::Done(identity) => {
                    return Outcome { server: Some(Ok(identity)), client: client.finish(None), said };
                }
                Step::Failed(failure) => {
                    return Outcome { server: Some(Err(failure)), client: client.finish(None), said };
                }
                lookup => self.look_up(lookup),
            }
        }
    }

    /// An exchange with a name and password, over the server's own channel.
    pub(super) fn log_in(&self, mechanism: Mechanism, name: &str, password: &str) -> Outcome {
        let client = client(mechanism, Credentials::password(name, secret(password)), &self.channel);
        self.run(mechanism, client, true, |_, message| message)
    }
}

pub(super) fn client(mechanism: Mechanism, credentials: Credentials, channel: &Channel) -> client::Exchange {
    client::Exchange::new(mechanism, credentials, channel, Nonce::new([100; 18])).unwrap()
}
