//! A mailbox, read and emptied over POP3.

use crate::Error;
use crate::installation::{HOSTNAME, Installation, PASSWORD, POP3S};
use crate::wire::{Wire, unstuffed};
use std::io;
use std::ops::RangeInclusive;

/// Commands sent at once (RFC 2449 §6.6).
const WINDOW: usize = 50;

/// Hands every message in the mailbox of `address` to `note`, and removes it.
///
/// # Errors
/// When the server does not let it; nothing is removed then.
pub fn empty(installation: &Installation, address: &str, mut note: impl FnMut(&[u8])) -> Result<(), Error> {
    let mut maildrop = Maildrop::open(installation, address)?;
    let count = maildrop.count()?;
    for from in (1..=count).step_by(WINDOW) {
        maildrop.read(from..=count.min(from + WINDOW - 1), &mut note)?;
    }
    // What is marked goes when the session ends well, and not before.
    maildrop.ask("QUIT\r\n")?;
    Ok(())
}

/// A session in which every message is marked for removal.
#[derive(Debug)]
pub struct Marked {
    maildrop: Maildrop,
    count: usize,
}

impl Marked {
    /// Marks all messages of the mailbox of `address`; none is removed yet.
    ///
    /// # Errors
    /// When the server does not let it.
    pub fn all(installation: &Installation, address: &str) -> Result<Self, Error> {
        let mut maildrop = Maildrop::open(installation, address)?;
        let count = maildrop.count()?;
        for from in (1..=count).step_by(WINDOW) {
            maildrop.mark(from..=count.min(from + WINDOW - 1))?;
        }
        Ok(Self { maildrop, count })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Ends the session, which removes them.
    ///
    /// # Errors
    /// When the server does not say that it did.
    pub fn remove(mut self) -> Result<(), Error> {
        self.maildrop.ask("QUIT\r\n")?;
        Ok(())
    }
}

#[derive(Debug)]
struct Maildrop {
    wire: Wire,
}

impl Maildrop {
    fn open(installation: &Installation, address: &str) -> Result<Self, Error> {
        let wire = Wire::connect(installation.place(POP3S))?.start_tls(installation.tls(), HOSTNAME)?;
        let mut maildrop = Self { wire };
        maildrop.log_in(address)?;
        Ok(maildrop)
    }

    fn log_in(&mut self, address: &str) -> io::Result<()> {
        self.positive()?;
        self.ask(&format!("USER {address}\r\n"))?;
        self.ask(&format!("PASS {PASSWORD}\r\n"))?;
        Ok(())
    }

    fn count(&mut self) -> io::Result<usize> {
        let line = self.ask("STAT\r\n")?;
        let count = line.split(' ').nth(1).and_then(|count| count.parse().ok());
        count.ok_or_else(|| io::Error::other(format!("no count: {line:?}")))
    }

    /// Hands each to `note`, and marks it for removal.
    fn read(&mut self, numbers: RangeInclusive<usize>, mut note: impl FnMut(&[u8])) -> io::Result<()> {
        let commands: String = numbers.clone().map(|n| format!("RETR {n}\r\nDELE {n}\r\n")).collect();
        self.wire.send(commands.as_bytes())?;
        for _ in numbers {
            self.positive()?;
            note(&unstuffed(&mut self.wire)?);
            self.positive()?;
        }
        Ok(())
    }

    fn mark(&mut self, numbers: RangeInclusive<usize>) -> io::Result<()> {
        let commands: String = numbers.clone().map(|n| format!("DELE {n}\r\n")).collect();
        self.wire.send(commands.as_bytes())?;
        numbers.into_iter().try_for_each(|_| self.positive().map(drop))
    }

    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.wire.send(line.as_bytes())?;
        self.positive()
    }

    fn positive(&mut self) -> io::Result<String> {
        let line = String::from_utf8_lossy(&self.wire.line()?).trim_end().to_owned();
        if line.starts_with("+OK") { Ok(line) } else { Err(io::Error::other(format!("POP3 says {line:?}"))) }
    }
}
