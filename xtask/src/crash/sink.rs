//! The next server: takes what comes, late now and then, and notes it.

use super::Shared;
use crate::random::Random;
use crate::wire::{Wire, unstuffed};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Once in so many messages the answer takes its time, and once in so many it is "later".
const ONE_IN_SLOW: u64 = 8;
const ONE_IN_LATER: u64 = 40;
const SLOW: Duration = Duration::from_millis(40);

/// Listens until the process ends.
pub(super) fn start(place: SocketAddr, shared: Arc<Shared>, random: &Random) -> io::Result<()> {
    let listener = TcpListener::bind(place)?;
    let random = random.clone();
    std::thread::spawn(move || {
        for (number, stream) in (0..).zip(listener.incoming()) {
            let Ok(stream) = stream else { continue };
            let (shared, random) = (Arc::clone(&shared), random.branch(number));
            // Every second connection hears of CHUNKING, so that both ways of sending are used.
            std::thread::spawn(move || {
                let Ok(wire) = Wire::over(stream) else { return };
                let connection =
                    Connection { wire, shared, random, chunking: number % 2 == 0, start: 0, to: Vec::new() };
                // The server is killed all the time: that its connections break is nothing to tell.
                let _ = connection.serve();
            });
        }
    });
    Ok(())
}

struct Connection {
    wire: Wire,
    shared: Arc<Shared>,
    random: Random,
    chunking: bool,
    /// Which start of the server this is, as its EHLO says.
    start: u32,
    to: Vec<String>,
}

impl Connection {
    fn serve(mut self) -> io::Result<()> {
        self.wire.send(b"220 sink.example ESMTP\r\n")?;
        let mut chunks = Vec::new();
        loop {
            let line = self.wire.line()?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "" | "QUIT" => return self.wire.send(b"221 2.0.0 bye\r\n"),
                "EHLO" => self.hello(rest)?,
                "MAIL" | "RSET" => {
                    self.to.clear();
                    chunks.clear();
                    self.wire.send(b"250 2.0.0 ok\r\n")?;
                }
                "RCPT" => {
                    let address = rest.split(['<', '>']).nth(1).unwrap_or_default();
                    self.to.push(address.to_owned());
                    self.wire.send(b"250 2.1.5 ok\r\n")?;
                }
                "DATA" => {
                    self.wire.send(b"354 go on\r\n")?;
                    let message = unstuffed(&mut self.wire)?;
                    self.take(&message)?;
                }
                "BDAT" => {
                    let count = rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
                    chunks.extend(self.wire.octets(count)?);
                    if rest.ends_with(" LAST") {
                        self.take(&std::mem::take(&mut chunks))?;
                    } else {
                        self.wire.send(b"250 2.0.0 ok\r\n")?;
                    }
                }
                _ => self.wire.send(b"502 5.5.1 what\r\n")?,
            }
        }
    }

    /// `start17.crash.example` is the seventeenth start.
    fn hello(&mut self, name: &str) -> io::Result<()> {
        let number = name.trim_start_matches("start").split('.').next();
        self.start = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        let chunking = if self.chunking { "250-CHUNKING\r\n" } else { "" };
        let reply = format!("250-sink.example\r\n{chunking}250-8BITMIME\r\n250 PIPELINING\r\n");
        self.wire.send(reply.as_bytes())
    }

    fn take(&mut self, message: &[u8]) -> io::Result<()> {
        if self.random.one_in(ONE_IN_LATER) {
            return self.wire.send(b"451 4.3.0 later\r\n");
        }
        if self.random.one_in(ONE_IN_SLOW) {
            std::thread::sleep(self.random.duration(Duration::ZERO..SLOW));
        }
        for address in self.to.drain(..) {
            self.shared.ledger().arrive(message, &address, self.start);
        }
        self.wire.send(b"250 2.0.0 taken\r\n")
    }
}
