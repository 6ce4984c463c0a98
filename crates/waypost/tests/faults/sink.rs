//! The next server: takes what it is given, notes it before it says so, and refuses some for ever.

use crate::load;
use crate::record::{Journal, Mark};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A server on a free port, until the test's process ends.
#[derive(Debug)]
pub(crate) struct Sink {
    listener: TcpListener,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) fn serve(self, journal: Arc<Journal>) {
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
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    writer.write_all(b"220 remote.example\r\n")?;
    let mut line = String::new();
    while {
        line.clear();
        reader.read_line(&mut line)?
    } > 0
    {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                let name = receive(&mut reader)?;
                if load::stays(&name) {
                    "451 4.3.0 not now\r\n"
                } else {
                    journal.note(Mark::Sunk, &name);
                    "250 2.0.0 taken\r\n"
                }
            }
            "QUIT" => return writer.write_all(b"221 bye\r\n"),
            _ => "250 ok\r\n",
        };
        writer.write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// A message to its last dot: its name, if it is whole.
fn receive(reader: &mut impl std::io::BufRead) -> std::io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n.\r\n") {
        if reader.read_until(b'\n', &mut text)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    text.truncate(text.len() - 3);
    let name = load::whole(&text);
    if name.is_none() {
        eprintln!(
            "the sink got a message that is not whole: {}",
            String::from_utf8_lossy(&text[..text.len().min(2_000)])
        );
        std::process::abort();
    }
    Ok(name.unwrap_or_default())
}
