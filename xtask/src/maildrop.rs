//! A mailbox, read and emptied over POP3.

use crate::Error;
use crate::installation::{HOSTNAME, Installation, PASSWORD, POP3S};
use crate::wire::{Wire, unstuffed};
use std::io;

/// Commands sent at once (RFC 2449 §6.6).
const WINDOW: usize = 50;

/// Hands every message in the mailbox of `address` to `note`, and removes it.
///
/// # Errors
/// When the server does not let it; nothing is removed then.
pub fn empty(installation: &Installation, address: &str, mut note: impl FnMut(&[u8])) -> Result<(), Error> {
    let wire = Wire::connect(installation.place(POP3S))?.start_tls(installation.tls(), HOSTNAME)?;
    let mut maildrop = Maildrop { wire };
    maildrop.log_in(address)?;
    let count = maildrop.count()?;
    for from in (1..=count).step_by(WINDOW) {
        maildrop.read(from..=count.min(from + WINDOW - 1), &mut note)?;
    }
    // What is marked goes when the session ends well, and not before.
    maildrop.ask("QUIT\r\n")?;
    Ok(())
}

struct Maildrop {
    wire: Wire,
}

impl Maildrop {
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
    fn read(
        &mut self,
        numbers: std::ops::RangeInclusive<usize>,
        mut note: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let commands: String = numbers.clone().map(|n| format!("RETR {n}\r\nDELE {n}\r\n")).collect();
        self.wire.send(commands.as_bytes())?;
        for _ in numbers {
            self.positive()?;
            note(&unstuffed(&mut self.wire)?);
            self.positive()?;
        }
        Ok(())
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
