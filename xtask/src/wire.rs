//! One end of a dialogue in lines, with or without TLS, for threads.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Longer than any answer takes on a loaded machine: whoever waits this long waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The longest line of a server that is believed.
const MAX_LINE: u64 = 64 << 10;

/// What a dialogue goes over.
pub(crate) trait Both: Read + Write + Send {}
impl<T: Read + Write + Send> Both for T {}

/// A connection that reads lines and writes octets.
pub struct Wire {
    stream: BufReader<Box<dyn Both>>,
    socket: TcpStream,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// A reply of SMTP: its code, and its last line without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub text: String,
}

impl Reply {
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

impl Wire {
    /// # Errors
    /// When nobody listens there.
    pub fn connect(place: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(place)?)
    }

    /// # Errors
    /// When the socket is gone already.
    pub fn over(socket: TcpStream) -> io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let stream: Box<dyn Both> = Box::new(socket.try_clone()?);
        Ok(Self { stream: BufReader::new(stream), socket })
    }

    /// Goes on in TLS, as a client. The handshake is made by the first octets.
    ///
    /// # Errors
    /// When TLS cannot begin.
    pub fn start_tls(self, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let stream: Box<dyn Both> = Box::new(StreamOwned::new(client, self.socket.try_clone()?));
        Ok(Self { stream: BufReader::new(stream), socket: self.socket })
    }

    /// The socket below, for those who want to do it harm.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// # Errors
    /// When the peer is gone.
    pub fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(octets)?;
        stream.flush()
    }

    /// The next line with its end; empty when the peer has closed.
    ///
    /// # Errors
    /// When the peer is gone, or silent for longer than [`PATIENCE`].
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// Exactly that many octets.
    ///
    /// # Errors
    /// When the peer is gone before.
    pub fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; count];
        self.stream.read_exact(&mut octets)?;
        Ok(octets)
    }

    /// A whole reply.
    ///
    /// # Errors
    /// When the peer is gone, or what it says is none.
    pub fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = text.get(..3).and_then(|code| code.parse().ok());
            let Some(code) = code else { return Err(io::Error::other(format!("no reply: {text:?}"))) };
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, text: text.get(4..).unwrap_or_default().to_owned() });
            }
        }
    }

    /// Says this and waits for the answer.
    ///
    /// # Errors
    /// As [`Wire::reply`].
    pub fn ask(&mut self, octets: impl AsRef<[u8]>) -> io::Result<Reply> {
        self.send(octets.as_ref())?;
        self.reply()
    }
}

/// With a dot before each line that begins with one, and the lone dot at the end (RFC 5321 §4.5.2).
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + message.len() / 64);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line.first() == Some(&b'.') {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// Reads lines up to the lone dot, and takes the added dots away.
///
/// # Errors
/// When the peer is gone before the end.
pub fn unstuffed(wire: &mut Wire) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let line = wire.line()?;
        match line.as_slice() {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            b".\r\n" => return Ok(message),
            [b'.', rest @ ..] => message.extend_from_slice(rest),
            line => message.extend_from_slice(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_added_at_the_beginning_of_lines_only() {
        for (message, expected) in [
            ("", ".\r\n"),
            ("a.\r\n", "a.\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n..b\r\n", "a\r\n...b\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(message.as_bytes()), expected.as_bytes());
        }
    }
}
