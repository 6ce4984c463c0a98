//! Sessions that send messages, each with a name of its own that says what is in it and for whom.

use crate::record::{Journal, Mark};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// No reply takes so long, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message's name: `SESSION-NUMBER`. What it is follows from the number.
fn number(name: &str) -> usize {
    name.rsplit('-').next().unwrap().parse().unwrap()
}

/// The whole of the message: rows of the database, some of the largest of them, and files.
pub(crate) fn message(name: &str) -> String {
    let lines = match number(name) % 7 {
        3 => 9_000,
        5 => 4_500,
        _ => 3,
    };
    format!("Subject: {name}\r\n\r\n{}", format!("{name} is in full here\r\n").repeat(lines))
}

/// Whether its body is a file of its own.
pub(crate) fn is_file(name: &str) -> bool {
    message(name).len() > store::body::INLINE_LIMIT
}

/// The accounts that are to have it.
pub(crate) fn local(name: &str) -> &'static [&'static str] {
    match number(name) % 4 {
        0 => &["me@example.org"],
        1 => &["me@example.org", "you@example.org"],
        2 => &["you@example.org"],
        _ => &[],
    }
}

/// Whether it goes to far@remote.example too.
pub(crate) fn remote(name: &str) -> bool {
    number(name) % 4 >= 2
}

/// Whether the sink refuses it for ever, so that it stays in the queue.
pub(crate) fn stays(name: &str) -> bool {
    number(name) % 8 >= 6
}

/// The name of a message that is as it was sent, from its subject's line on.
pub(crate) fn whole(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let text = &text[text.find("Subject: ")?..];
    let name = text.lines().next()?.trim_start_matches("Subject: ").to_owned();
    (name.contains('-') && text == message(&name)).then_some(name)
}

/// One connection.
pub(crate) struct Session {
    reader: BufReader<TcpStream>,
}

impl Session {
    /// Connected and greeted, or the reply that refused it.
    pub(crate) fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Self { reader: BufReader::new(stream) };
        session.reply()?;
        session.say("EHLO client.example\r\n")?;
        Ok(session)
    }

    fn reply(&mut self) -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    fn say(&mut self, words: &str) -> std::io::Result<String> {
        self.reader.get_mut().write_all(words.as_bytes())?;
        self.reply()
    }

    /// Sends one message: the reply to its end, or to what was refused before.
    pub(crate) fn send(&mut self, name: &str, journal: &Journal) -> std::io::Result<String> {
        let mut recipients: Vec<_> = local(name).to_vec();
        recipients.extend(remote(name).then_some("far@remote.example"));
        let mut words = vec!["MAIL FROM:<sender@example.net>\r\n".to_owned()];
        words.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")));
        for words in words {
            let reply = self.say(&words)?;
            if !reply.starts_with("250") {
                self.say("RSET\r\n")?;
                return Ok(reply);
            }
        }
        let reply = self.say("DATA\r\n")?;
        if !reply.starts_with("354") {
            self.say("RSET\r\n")?;
            return Ok(reply);
        }
        journal.note(Mark::Sent, name);
        let reply = self.say(&format!("{}.\r\n", message(name)))?;
        if reply.starts_with("250") {
            journal.note(Mark::Promised, name);
        }
        Ok(reply)
    }
}
