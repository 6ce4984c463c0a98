//! Sessions that send messages, each with a name of its own that says what is in it and for whom.

use super::{Journal, Mark};
use crate::wire::{Reply, Wire};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// What is in a message and for whom: all of it follows from the number in its name, `SESSION-NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    name: &'a str,
    number: usize,
}

impl<'a> Message<'a> {
    /// `None` when it is no such name.
    pub fn named(name: &'a str) -> Option<Self> {
        let number = name.rsplit_once('-')?.1.parse().ok()?;
        Some(Self { name, number })
    }

    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The whole of it: rows of the database, some of the largest of them, and files.
    pub fn text(&self) -> String {
        let lines = match self.number % 7 {
            3 => 9_000,
            5 => 4_500,
            _ => 3,
        };
        let name = self.name;
        format!("Subject: {name}\r\n\r\n{}", format!("{name} is in full here\r\n").repeat(lines))
    }

    /// Whether its body is a file of its own.
    pub fn is_file(&self) -> bool {
        self.text().len() > store::body::INLINE_LIMIT
    }

    /// The accounts that are to have it.
    pub fn local(&self) -> &'static [&'static str] {
        match self.number % 4 {
            0 => &["me@example.org"],
            1 => &["me@example.org", "you@example.org"],
            2 => &["you@example.org"],
            _ => &[],
        }
    }

    /// Whether it goes to the next server too.
    pub fn remote(&self) -> bool {
        self.number % 4 >= 2
    }

    /// Whether the next server refuses it for ever, so that it stays in the queue.
    pub fn stays(&self) -> bool {
        self.number % 8 >= 6
    }
}

/// The name of a message that is as it was sent, from its subject's line on.
pub(crate) fn whole(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.get(text.find("Subject: ")?..)?;
    let name = text.lines().next()?.trim_start_matches("Subject: ");
    (text == Message::named(name)?.text()).then(|| name.to_owned())
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    wire: Wire,
}

impl Session {
    /// Connected and greeted.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(port: u16) -> io::Result<Self> {
        let mut wire = Wire::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        wire.reply()?;
        wire.ask("EHLO client.example\r\n")?;
        Ok(Self { wire })
    }

    /// Sends one message: the reply to its end, or to what was refused before.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn send(&mut self, name: &str, journal: &Journal) -> io::Result<Reply> {
        let message = Message::named(name).ok_or_else(|| io::Error::other(format!("the name {name:?}")))?;
        let mut words = vec!["MAIL FROM:<sender@example.net>\r\n".to_owned()];
        words.extend(message.local().iter().map(|to| format!("RCPT TO:<{to}>\r\n")));
        words.extend(message.remote().then(|| "RCPT TO:<far@remote.example>\r\n".to_owned()));
        words.push("DATA\r\n".to_owned());
        for words in words {
            let reply = self.wire.ask(words)?;
            if !reply.is_positive() {
                self.wire.ask("RSET\r\n")?;
                return Ok(reply);
            }
        }
        journal.note(Mark::Sent, name);
        let reply = self.wire.ask(format!("{}.\r\n", message.text()))?;
        if reply.is_positive() {
            journal.note(Mark::Promised, name);
        }
        Ok(reply)
    }
}
