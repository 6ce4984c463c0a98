//! Delivery by LMTP, over sessions that stay.

use super::at_once::at_once;
use crate::Error;
use crate::wire::{Reply, Wire};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// One session, which delivers a message after another.
#[derive(Debug)]
pub(super) struct Lmtp {
    wire: Wire,
}

impl Lmtp {
    pub(super) fn connect(server: SocketAddr) -> Result<Self, Error> {
        let mut wire = Wire::connect(server)?;
        positive("the greeting", &wire.reply()?)?;
        positive("LHLO", &wire.ask("LHLO bench.test\r\n")?)?;
        Ok(Self { wire })
    }

    /// Returns when it is there. No line of the message may begin with a dot.
    pub(super) fn deliver(&mut self, recipient: &str, mut message: Vec<u8>) -> Result<(), Error> {
        let envelope = format!("MAIL FROM:<sender@source.test>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        self.wire.send(envelope.as_bytes())?;
        for verb in ["MAIL", "RCPT", "DATA"] {
            positive(verb, &self.wire.reply()?)?;
        }
        message.extend_from_slice(b".\r\n");
        positive("the message", &self.wire.ask(message)?)
    }
}

fn positive(verb: &str, reply: &Reply) -> Result<(), Error> {
    if reply.is_positive() {
        return Ok(());
    }
    Err(Error::Stuck(format!("LMTP answers {verb} with {} {}", reply.code, reply.text)))
}

/// Delivers the letters over so many sessions, each of which has a recipient of its own, or the same.
pub(super) fn deliver(
    server: SocketAddr,
    sessions: usize,
    letters: Vec<Vec<u8>>,
    recipient: impl Fn(usize) -> String + Sync,
) -> Result<(), Error> {
    let letters = Mutex::new(letters.into_iter());
    let next = || letters.lock().unwrap_or_else(PoisonError::into_inner).next();
    at_once(0..sessions, |session| {
        let (recipient, mut lmtp) = (recipient(session), Lmtp::connect(server)?);
        while let Some(letter) = next() {
            lmtp.deliver(&recipient, letter)?;
        }
        Ok(())
    })
    .map(drop)
}
