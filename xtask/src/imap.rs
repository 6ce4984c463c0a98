//! Folders of an account over IMAP, for threads.
//!
//! Fast enough that a server is what is measured: answers are scanned in large pieces for their ends, and not understood.

use crate::wire::Both;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A search through 100,000 messages may say nothing for minutes.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Octets read at once.
const BUFFER: usize = 256 << 10;
/// The longest line of a server that is believed: `SEARCH` may list 100,000 numbers in one.
const MAX_LINE: u64 = 16 << 20;

/// A connection that waits for answers.
pub struct Imap {
    stream: BufReader<Box<dyn Both>>,
    commands: u32,
    /// Literals need no leave (RFC 7888).
    literal_plus: bool,
}

impl std::fmt::Debug for Imap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imap").field("commands", &self.commands).finish_non_exhaustive()
    }
}

/// What came before a command's OK.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// Responses in which a message's data are.
    pub fetched: u64,
    /// In all, with literals.
    pub octets: u64,
}

impl Imap {
    /// Connects to where TLS is from the start, and reads the greeting.
    ///
    /// # Errors
    /// When nobody greets there.
    pub fn connect(place: SocketAddr, tls: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(place)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        Self::over(Box::new(StreamOwned::new(client, socket)))
    }

    fn over(stream: Box<dyn Both>) -> io::Result<Self> {
        let stream = BufReader::with_capacity(BUFFER, stream);
        let mut imap = Self { stream, commands: 0, literal_plus: false };
        let mut greeting = Vec::new();
        imap.line(&mut greeting)?;
        if greeting.starts_with(b"* OK") { Ok(imap) } else { Err(unexpected(&greeting)) }
    }

    /// # Errors
    /// When the server says no.
    pub fn log_in(&mut self, user: &str, password: &str) -> io::Result<()> {
        self.ask(&format!("LOGIN \"{user}\" \"{password}\""))?;
        let mut literal_plus = false;
        self.ask_and("CAPABILITY", |line| {
            literal_plus |= line.split(|octet| b" \r\n".contains(octet)).any(|word| word == b"LITERAL+");
        })?;
        self.literal_plus = literal_plus;
        Ok(())
    }

    /// Opens a folder; how many messages are in it.
    ///
    /// # Errors
    /// When the server says no.
    pub fn select(&mut self, folder: &str) -> io::Result<u64> {
        let mut exists = 0;
        self.ask_and(&format!("SELECT \"{folder}\""), |line| {
            if let Some((number, b"EXISTS\r\n")) = numbered(line) {
                exists = number;
            }
        })?;
        Ok(exists)
    }

    /// Says this command and waits for its OK.
    ///
    /// # Errors
    /// When the server says no, or is gone.
    pub fn ask(&mut self, command: &str) -> io::Result<Answer> {
        self.ask_and(command, |_line| {})
    }

    /// As [`Imap::ask`], and hands each line of the answer to `note`, without the octets of literals.
    ///
    /// # Errors
    /// When the server says no, or is gone.
    pub fn ask_and(&mut self, command: &str, note: impl FnMut(&[u8])) -> io::Result<Answer> {
        let tag = self.next_tag();
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.answer(&tag, note)
    }

    /// Says this SEARCH, or UID SEARCH; how many messages it finds.
    ///
    /// # Errors
    /// When the server says no, or is gone.
    pub fn search(&mut self, command: &str) -> io::Result<u64> {
        let mut found = 0;
        self.ask_and(command, |line| {
            let numbers = line.strip_prefix(b"* SEARCH").unwrap_or_default();
            found += numbers.iter().filter(|octet| **octet == b' ').count() as u64;
        })?;
        Ok(found)
    }

    /// # Errors
    /// When the server says no, or is gone.
    pub fn append(&mut self, folder: &str, message: &[u8]) -> io::Result<()> {
        let tag = self.next_tag();
        let plus = if self.literal_plus { "+" } else { "" };
        let mut words = format!("{tag} APPEND \"{folder}\" {{{}{plus}}}\r\n", message.len()).into_bytes();
        if !self.literal_plus {
            self.send(&words)?;
            words.clear();
            self.wait_for_plus()?;
        }
        words.extend_from_slice(message);
        words.extend_from_slice(b"\r\n");
        self.send(&words)?;
        self.answer(&tag, |_line| {}).map(drop)
    }

    /// # Errors
    /// When the server does not say that it ends.
    pub fn log_out(mut self) -> io::Result<()> {
        self.ask("LOGOUT").map(drop)
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(octets)?;
        stream.flush()
    }

    fn next_tag(&mut self) -> String {
        self.commands += 1;
        format!("t{}", self.commands)
    }

    fn answer(&mut self, tag: &str, mut note: impl FnMut(&[u8])) -> io::Result<Answer> {
        let (mut answer, mut line) = (Answer::default(), Vec::with_capacity(256));
        loop {
            self.line(&mut line)?;
            answer.octets += line.len() as u64;
            if let Some(status) = line.strip_prefix(tag.as_bytes()) {
                return if status.starts_with(b" OK") { Ok(answer) } else { Err(unexpected(&line)) };
            }
            if matches!(numbered(&line), Some((_, data)) if data.starts_with(b"FETCH ")) {
                answer.fetched += 1;
            }
            note(&line);
            // What follows a literal belongs to the same response, whatever it looks like.
            while let Some(length) = literal(&line) {
                self.skip(length)?;
                self.line(&mut line)?;
                answer.octets += length + line.len() as u64;
                note(&line);
            }
        }
    }

    fn wait_for_plus(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            self.line(&mut line)?;
            match line.first() {
                Some(b'+') => return Ok(()),
                Some(b'*') => {}
                _ => return Err(unexpected(&line)),
            }
        }
    }

    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        line.clear();
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', line)?;
        if line.ends_with(b"\r\n") { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn skip(&mut self, mut octets: u64) -> io::Result<()> {
        while octets > 0 {
            let here = self.stream.fill_buf()?.len() as u64;
            if here == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = here.min(octets);
            self.stream.consume(usize::try_from(now).unwrap_or(usize::MAX));
            octets -= now;
        }
        Ok(())
    }
}

/// The number of `* 5 EXISTS`, and what comes after it.
fn numbered(line: &[u8]) -> Option<(u64, &[u8])> {
    let line = line.strip_prefix(b"* ")?;
    let space = line.iter().position(|octet| !octet.is_ascii_digit())?;
    let (number, rest) = line.split_at_checked(space)?;
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest.strip_prefix(b" ")?))
}

/// The length of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let begin = line.iter().rposition(|octet| !octet.is_ascii_digit())?;
    let (brace, digits) = line.get(begin..)?.split_first()?;
    (*brace == b'{').then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

fn unexpected(line: &[u8]) -> io::Error {
    const SHOWN: usize = 200;
    let shown = line.get(..SHOWN).unwrap_or(line);
    io::Error::other(format!("IMAP says {:?}", String::from_utf8_lossy(shown).trim_end()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something fails")]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;

    /// A server that says this after its greeting, whatever it hears.
    fn server(says: &'static [u8]) -> Imap {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"* OK here\r\n").unwrap();
            stream.write_all(says).unwrap();
            // Until the client is gone.
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        Imap::over(Box::new(TcpStream::connect(place).unwrap())).unwrap()
    }

    #[test]
    fn an_answer_ends_with_its_tag_and_not_with_what_looks_so_in_a_literal() {
        let says = b"* 1 FETCH (BODY[] {10}\r\nt1 OK no\r\n)\r\n\
            * 2 FETCH (BODY[] {0}\r\n UID 7 BODY[2] {6}\r\n* 3 \r\n)\r\n* 5 EXISTS\r\nt1 OK done\r\n";
        let answer = server(says).ask("FETCH 1:* BODY[]").unwrap();
        assert_eq!(answer.fetched, 2);
        assert_eq!(answer.octets, says.len() as u64);
    }

    #[test]
    fn a_no_is_an_error_that_quotes_it() {
        let error = server(b"* OK still\r\nt1 NO [OVERQUOTA] full\r\n").ask("NOOP").unwrap_err();
        assert!(error.to_string().contains("OVERQUOTA"), "{error}");
        assert!(server(b"t1 BAD what\r\n").append("INBOX", b"x").is_err());
    }

    #[test]
    fn a_folder_has_as_many_messages_as_select_says() {
        let says = b"* FLAGS ()\r\n* 12 EXISTS\r\n* 1 RECENT\r\nt1 OK open\r\n";
        assert_eq!(server(says).select("INBOX").unwrap(), 12);
    }

    #[test]
    fn a_search_finds_as_many_as_it_lists() {
        for (says, found) in
            [(&b"* SEARCH 2 5 9\r\n* 9 EXISTS\r\nt1 OK\r\n"[..], 3), (b"* SEARCH\r\nt1 OK\r\n", 0)]
        {
            assert_eq!(server(says).search("SEARCH ALL").unwrap(), found);
        }
    }

    #[test]
    fn lines_are_told_apart() {
        for (line, expected) in
            [("a {12}\r\n", Some(12)), ("a 12}\r\n", None), ("{}\r\n", None), ("{3}", None)]
        {
            assert_eq!(literal(line.as_bytes()), expected, "{line:?}");
        }
        assert_eq!(numbered(b"* 3 FETCH (\r\n"), Some((3, &b"FETCH (\r\n"[..])));
        assert_eq!(numbered(b"* OK 3\r\n"), None);
    }
}
