//! The next server: takes what it is given, notes it before it says so, and refuses some for ever.

use super::load::{Message, whole};
use super::{Journal, Mark};
use crate::Error;
use crate::wire::{Wire, unstuffed};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

/// Octets of a broken message that are quoted.
const QUOTED: usize = 500;

/// A server on a free port, until the process ends.
#[derive(Debug)]
pub struct Sink {
    listener: TcpListener,
    port: u16,
}

impl Sink {
    /// # Errors
    /// When there is no free port.
    pub fn new() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn serve(self, journal: Arc<Journal>) {
        std::thread::spawn(move || {
            for stream in self.listener.incoming().map_while(Result::ok) {
                let journal = Arc::clone(&journal);
                // A connection that breaks is the client's affair.
                std::thread::spawn(move || serve(stream, &journal).ok());
            }
        });
    }
}

fn serve(stream: TcpStream, journal: &Journal) -> std::io::Result<()> {
    let mut wire = Wire::over(stream)?;
    wire.send(b"220 remote.example\r\n")?;
    loop {
        let line = wire.line()?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_slice() {
            b"" => return Ok(()),
            b"DATA" => {
                wire.send(b"354 go on\r\n")?;
                take(&unstuffed(&mut wire)?, journal)
            }
            b"QUIT" => return wire.send(b"221 bye\r\n"),
            _ => b"250 ok\r\n",
        };
        wire.send(reply)?;
    }
}

fn take(text: &[u8], journal: &Journal) -> &'static [u8] {
    let Some(name) = whole(text) else {
        let begin = String::from_utf8_lossy(text.get(..QUOTED).unwrap_or(text));
        journal.fail(format!("the next server got a message that is not whole: {begin}"));
        return b"554 5.6.0 not whole\r\n";
    };
    if Message::named(&name).is_some_and(|message| message.stays()) {
        return b"451 4.3.0 not now\r\n";
    }
    journal.note(Mark::Sunk, &name);
    b"250 2.0.0 taken\r\n"
}
