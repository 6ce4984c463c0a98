//! A name server that knows nothing.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Octets of a message over UDP without extensions, and with what resolvers allow.
const MAX_MESSAGE: usize = 4096;
/// Octets before the question (RFC 1035 §4.1.1).
const HEADER: usize = 12;

/// What it does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameServer {
    /// Says at once that there is no such name.
    Denies,
    /// Nothing.
    IsSilent,
}

/// Answers, or does not, until the process ends.
pub(super) fn start(place: SocketAddr, server: NameServer) -> io::Result<()> {
    let socket = UdpSocket::bind(place)?;
    std::thread::spawn(move || {
        let mut message = [0; MAX_MESSAGE];
        while let Ok((length, from)) = socket.recv_from(&mut message) {
            let denial = message.get(..length).and_then(denied).filter(|_| server == NameServer::Denies);
            if let Some(answer) = denial {
                // Who asked may have gone.
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(())
}

/// The same question, and NXDOMAIN.
fn denied(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = HEADER;
    while let label @ 1.. = usize::from(*query.get(end)?) {
        end += 1 + label;
    }
    // The root's label, type and class.
    let question = query.get(HEADER..end + 5)?;
    let (id, recursion) = (query.get(..2)?, query.get(2)? & 1);
    let header = [0x84 | recursion, 0x83, 0, 1, 0, 0, 0, 0, 0, 0];
    Some([id, &header, question].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_denied_in_its_own_words() {
        let query = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x02mx\x07example\0\0\x10\0\x01and more";
        let answer = b"\x12\x34\x85\x83\0\x01\0\0\0\0\0\0\x02mx\x07example\0\0\x10\0\x01";
        assert_eq!(denied(query).as_deref(), Some(&answer[..]));
        assert_eq!(denied(&query[..20]), None);
        assert_eq!(denied(b""), None);
    }
}
