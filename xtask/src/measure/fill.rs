//! A large queue, made quickly: by the store's own functions, without a session for each message.

use super::Context;
use crate::Error;
use crate::installation::Installation;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// In which state the messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Tried once, and due again in one to five hours.
    Deferred,
    /// Due at once.
    Fresh,
}

/// Puts so many messages of 4 KiB for so many domains into the queue of an installation that does not run; `{}` in
/// `name` is a domain's number.
pub(super) fn queue(
    context: &Context<'_>,
    installation: &Installation,
    messages: u64,
    domains: u64,
    name: &str,
    state: State,
) -> Result<(), Error> {
    let state = if state == State::Deferred { "deferred" } else { "fresh" };
    let mut child = Command::new(context.filler)
        .arg(installation.data())
        .args([&messages.to_string(), &domains.to_string(), name, state])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            context.tell(format!("filling the queue: {} of {messages}", line?));
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(Error::Stuck(format!("the queue was not filled: {status}"))) }
}
