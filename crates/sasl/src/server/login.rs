//! LOGIN: the name, then the password, each after a prompt whose text clients ignore.

use super::{Failure, Identity, State, Step, VerifyPassword, identity, text};

/// Waits for the name.
#[derive(Debug)]
pub(super) struct AwaitName;

/// Waits for the password.
#[derive(Debug)]
pub(super) struct AwaitPassword(Identity);

/// Many clients send the name with the command (`AUTH LOGIN dGlt`).
pub(super) fn begin(initial: Option<&[u8]>) -> Result<Step, Failure> {
    match initial {
        Some(name) => AwaitName.respond(name),
        None => Ok(Step::challenge(b"Username:".to_vec(), State::Login(AwaitName))),
    }
}

impl AwaitName {
    pub(super) fn respond(self, response: &[u8]) -> Result<Step, Failure> {
        let identity = identity(text(response)?, None)?;
        Ok(Step::challenge(b"Password:".to_vec(), State::LoginPassword(AwaitPassword(identity))))
    }
}

impl AwaitPassword {
    pub(super) fn respond(self, response: &[u8]) -> Result<Step, Failure> {
        VerifyPassword::step(self.0, text(response)?)
    }
}
