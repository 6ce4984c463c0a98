//! A message that a command is given, as a file or on standard input, and the keys that its signatures need.

use crate::exit::Failure;
use dns::{Names, Resolver};
use mailauth::{Dns as _, LookupError, Txt};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

/// What `--help` says of line ends.
pub const LINE_ENDS: &str = "\
A message in a file usually has lines that end with LF, and on the wire they end with CRLF, which is what is signed. The first \
line decides: when it ends with LF alone, every LF counts as CRLF; when it ends with CRLF, everything counts as it stands.";

/// A message as it stands in its file.
#[derive(Debug)]
pub struct MessageFile {
    octets: Vec<u8>,
}

impl MessageFile {
    /// Reads a file, or standard input for `-`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let octets = if path == Path::new("-") {
            let mut octets = Vec::new();
            std::io::stdin().lock().read_to_end(&mut octets).map(|_| octets)
        } else {
            std::fs::read(path)
        };
        let octets =
            octets.map_err(|error| Failure::no(format!("cannot read {}: {error}", path.display())))?;
        Ok(Self { octets })
    }

    /// As it stands.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether its lines end with LF alone.
    pub fn has_bare_lf(&self) -> bool {
        let first = self.octets.iter().position(|octet| *octet == b'\n');
        first.is_some_and(|lf| lf == 0 || self.octets[lf - 1] != b'\r')
    }

    /// As it goes over the wire.
    pub fn wire(&self) -> Cow<'_, [u8]> {
        if !self.has_bare_lf() {
            return Cow::Borrowed(&self.octets);
        }
        let mut wire = Vec::with_capacity(self.octets.len() + self.octets.len() / 16);
        mailfile::Crlf::default().push(&self.octets, &mut wire);
        Cow::Owned(wire)
    }

    /// Header fields, which have CRLF, with the line ends of this file.
    pub fn in_own_lines(&self, fields: &[u8]) -> Vec<u8> {
        if !self.has_bare_lf() {
            return fields.to_vec();
        }
        let mut own = Vec::with_capacity(fields.len());
        mailfile::Lf::default().push(fields, &mut own);
        own
    }
}

/// The header with its last CRLF, and the body, of a message as it goes over the wire.
pub fn split(wire: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = wire.strip_prefix(b"\r\n") {
        return (&[], body);
    }
    let end = wire.windows(4).position(|octets| octets == b"\r\n\r\n");
    end.map_or((wire, &[]), |end| (&wire[..end + 2], &wire[end + 4..]))
}

/// The TXT records of the names, all asked for at once; `servers` empty: the system's.
pub async fn look_up(servers: Vec<SocketAddr>, names: Vec<String>) -> Result<HashMap<String, Txt>, Failure> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let settings = dns::Settings { servers, ..dns::Settings::default() };
    let resolver = Resolver::new(&settings).map_err(|error| Failure::try_again(error.to_string()))?;
    let dns = Names(&resolver);
    let ask = |name: String| async move {
        let answer = dns.txt(&name).await;
        (name, answer)
    };
    Ok(futures_util::future::join_all(names.into_iter().map(ask)).await.into_iter().collect())
}

/// What was answered for a name.
pub fn answer(answers: &HashMap<String, Txt>, name: &str) -> Txt {
    answers.get(name).cloned().unwrap_or(Err(LookupError::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides() {
        let check = |octets: &[u8], wire: &[u8]| {
            assert_eq!(&*MessageFile { octets: octets.to_vec() }.wire(), wire);
        };
        check(b"A: 1\n\nx\r\ny\n", b"A: 1\r\n\r\nx\r\ny\r\n");
        check(b"A: 1\r\n\r\nx\ny", b"A: 1\r\n\r\nx\ny");
        check(b"A: 1", b"A: 1");
        check(b"\nx", b"\r\nx");
        let file = MessageFile { octets: b"A: 1\n".to_vec() };
        assert_eq!(file.in_own_lines(b"B: 2\r\n\t3\r\n"), b"B: 2\n\t3\n");
    }

    #[test]
    fn header_and_body() {
        assert_eq!(split(b"A: 1\r\nB: 2\r\n\r\nx\r\n"), (&b"A: 1\r\nB: 2\r\n"[..], &b"x\r\n"[..]));
        assert_eq!(split(b"A: 1\r\n"), (&b"A: 1\r\n"[..], &b""[..]));
        assert_eq!(split(b"\r\nx"), (&b""[..], &b"x"[..]));
    }
}
