//! A large queue, made quickly: by the store's own functions, without a session for each message. A small one, for trying the
//! measurement itself, comes by a session.

use super::Context;
use crate::Error;
use crate::installation::{Installation, SMTP};
use crate::wire::Wire;
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
    let Some(filler) = context.filler else { return by_session(installation, messages, domains, name) };
    let state = if state == State::Deferred { "deferred" } else { "fresh" };
    let mut child = Command::new(filler)
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

/// The server itself takes them, and is killed when it has all; it may have tried some.
fn by_session(installation: &Installation, messages: u64, domains: u64, name: &str) -> Result<(), Error> {
    let server = installation.serve()?;
    let mut wire = Wire::connect(installation.place(SMTP))?;
    wire.reply()?;
    wire.ask("EHLO fill.test\r\n")?;
    for number in 0..messages {
        let domain = name.replace("{}", &(number % domains.max(1)).to_string());
        let to = format!("RCPT TO:<user{number}@{domain}>\r\n");
        for text in ["MAIL FROM:<sender@source.test>\r\n", &to, "DATA\r\n", "Subject: fill\r\n\r\nx\r\n.\r\n"]
        {
            let reply = wire.ask(text)?;
            if !reply.is_positive() {
                return Err(Error::Stuck(format!("{}: {} {}", text.trim(), reply.code, reply.text)));
            }
        }
    }
    server.kill()
}
