//! The PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt), versions 1 and 2: what a balancer says
//! of the client it speaks for.
//!
//! [`parse`] is without sockets. It is only to be believed from networks the administrator has listed.

use crate::socket::Socket;
use bytes::{Buf, BytesMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Longest version 1 header, with its CRLF (§2.1).
pub const MAX_V1: usize = 107;
/// Longest version 2 header taken: addresses, and as much again for TLVs as balancers send.
pub const MAX_V2: usize = 16 + 4096;
/// What a version 2 header begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_START: usize = 16;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The proxy speaks for itself (health checks), or does not know its client: the connection's own ends hold.
    Local,
    Proxied {
        source: SocketAddr,
        destination: SocketAddr,
    },
}

/// The state of a header that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// No mistake yet, and not the end.
    Incomplete,
    /// The header, and how many octets it took; what follows is the client's.
    Complete { header: Header, length: usize },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("what came is no PROXY header; is the listener's proxy-from right, and does the proxy send one?")]
    NoHeader,
    #[error("the version 1 line {0:?} is malformed")]
    Line(String),
    #[error("the header is longer than {0} octets")]
    TooLong(usize),
    #[error("the version 2 header has the unknown {what} {value:#04x}")]
    Unknown { what: &'static str, value: u8 },
    #[error("the version 2 header is too short for its addresses")]
    TooShort,
    #[error("the connection ended within the header")]
    Ended,
}

/// Reads a header from the beginning of what a proxy sent.
///
/// # Errors
/// As soon as what is there cannot become a header.
pub fn parse(input: &[u8]) -> Result<Parsed, ProxyError> {
    let begins = |with: &[u8]| input.iter().zip(with).all(|(a, b)| a == b);
    if begins(SIGNATURE) {
        parse_v2(input)
    } else if begins(b"PROXY ") {
        parse_v1(input)
    } else {
        Err(ProxyError::NoHeader)
    }
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 25 CRLF` (§2.1).
fn parse_v1(input: &[u8]) -> Result<Parsed, ProxyError> {
    let window = input.get(..MAX_V1).unwrap_or(input);
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() == MAX_V1 {
            Err(ProxyError::TooLong(MAX_V1))
        } else {
            Ok(Parsed::Incomplete)
        };
    };
    let line = String::from_utf8_lossy(window.get(..end).unwrap_or_default());
    let header = parse_line(&line).ok_or_else(|| ProxyError::Line(line.into_owned()))?;
    Ok(Parsed::Complete { header, length: end + 2 })
}

fn parse_line(line: &str) -> Option<Header> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(Header::Local);
    }
    let (source, destination): (IpAddr, IpAddr) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    let fits = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    if !fits || words.next().is_some() {
        return None;
    }
    let (source, destination) = ((source, source_port).into(), (destination, destination_port).into());
    Some(Header::Proxied { source, destination })
}

/// Digits only: `u16::from_str` would take a plus sign too.
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Signature, version and command, family and protocol, length, addresses, TLVs (§2.2).
fn parse_v2(input: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(&[command, family, high, low]) = input.get(SIGNATURE.len()..V2_START) else {
        return Ok(Parsed::Incomplete);
    };
    let length = V2_START + usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_V2 {
        return Err(ProxyError::TooLong(MAX_V2));
    }
    if command >> 4 != 2 {
        return Err(ProxyError::Unknown { what: "version", value: command >> 4 });
    }
    let Some(body) = input.get(V2_START..length) else { return Ok(Parsed::Incomplete) };
    let header = match command & 0xf {
        0 => Header::Local,
        1 => addresses(family, body)?,
        other => return Err(ProxyError::Unknown { what: "command", value: other }),
    };
    Ok(Parsed::Complete { header, length })
}

fn addresses(family: u8, mut body: &[u8]) -> Result<Header, ProxyError> {
    let needed = match family {
        0x11 => 12,
        0x21 => 36,
        // Unspecified, or a Unix socket: the proxy's client has no address.
        0x00 | 0x31 => return Ok(Header::Local),
        other => return Err(ProxyError::Unknown { what: "address family and protocol", value: other }),
    };
    if body.len() < needed {
        return Err(ProxyError::TooShort);
    }
    let mut ip = || -> IpAddr {
        if family == 0x11 {
            Ipv4Addr::from_bits(body.get_u32()).into()
        } else {
            Ipv6Addr::from_bits(body.get_u128()).into()
        }
    };
    let (source, destination) = (ip(), ip());
    let (source_port, destination_port) = (body.get_u16(), body.get_u16());
    Ok(Header::Proxied {
        source: (source, source_port).into(),
        destination: (destination, destination_port).into(),
    })
}

pub(crate) enum ReadError {
    Timeout,
    Header(ProxyError),
    Io(std::io::Error),
}

/// Reads the header; what came after it stays in the socket's `unread`.
pub(crate) async fn read_header(socket: &mut Socket, timeout: Duration) -> Result<Header, ReadError> {
    tokio::time::timeout(timeout, read(socket)).await.unwrap_or(Err(ReadError::Timeout))
}

async fn read(socket: &mut Socket) -> Result<Header, ReadError> {
    // `parse` refuses what is longer than MAX_V2, so that this buffer is bounded.
    let mut buffer = BytesMut::with_capacity(512);
    loop {
        let read = socket.read_buf(&mut buffer).await.map_err(ReadError::Io)?;
        match parse(&buffer).map_err(ReadError::Header)? {
            Parsed::Complete { header, length } => {
                buffer.advance(length);
                buffer.unsplit(std::mem::take(&mut socket.unread));
                socket.unread = buffer;
                return Ok(header);
            }
            Parsed::Incomplete if read == 0 => return Err(ReadError::Header(ProxyError::Ended)),
            Parsed::Incomplete => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proxied(source: &str, destination: &str) -> Header {
        Header::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, body].concat()
    }

    /// Every beginning of a good header is incomplete, and what follows it is left alone.
    fn check(input: &[u8], header: Header) {
        for end in 0..input.len() {
            assert_eq!(parse(&input[..end]), Ok(Parsed::Incomplete), "{end} of {input:?}");
        }
        let followed = [input, b"EHLO x\r\n"].concat();
        assert_eq!(parse(&followed), Ok(Parsed::Complete { header, length: input.len() }));
    }

    #[test]
    fn version_1() {
        check(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n", proxied("192.0.2.1:56324", "192.0.2.2:25"));
        check(b"PROXY TCP6 2001:db8::1 ::1 1 25\r\n", proxied("[2001:db8::1]:1", "[::1]:25"));
        check(b"PROXY UNKNOWN\r\n", Header::Local);
        check(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Header::Local);
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0, 25];
        check(&v2(0x21, 0x11, &v4), proxied("192.0.2.1:56324", "192.0.2.2:25"));
        let with_tlv = [v4.as_slice(), &[0x04, 0, 2, 0, 0]].concat();
        check(&v2(0x21, 0x11, &with_tlv), proxied("192.0.2.1:56324", "192.0.2.2:25"));
        let mut v6 = [0; 36];
        (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 7, 25);
        check(&v2(0x21, 0x21, &v6), proxied("[::1]:7", "[::2]:25"));
        check(&v2(0x20, 0x00, b""), Header::Local);
        check(&v2(0x20, 0x11, &v4), Header::Local);
        check(&v2(0x21, 0x31, &[0; 216]), Header::Local);
        check(&v2(0x21, 0x00, b""), Header::Local);
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_is_seen() {
        let refused = |input: &[u8]| parse(input).unwrap_err();
        assert_eq!(refused(b"EHLO"), ProxyError::NoHeader);
        assert_eq!(refused(b"PROXYTCP4"), ProxyError::NoHeader);
        assert_eq!(refused(&[b"PROXY ".as_slice(), &[b'x'; 200]].concat()), ProxyError::TooLong(MAX_V1));
        for line in [
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 ::1 ::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY \r\n",
        ] {
            assert!(matches!(refused(line.as_bytes()), ProxyError::Line(_)), "{line:?}");
        }
        assert_eq!(refused(&v2(0x31, 0x11, &[0; 12])), ProxyError::Unknown { what: "version", value: 3 });
        assert_eq!(refused(&v2(0x22, 0x11, &[0; 12])), ProxyError::Unknown { what: "command", value: 2 });
        assert!(matches!(refused(&v2(0x21, 0x12, &[0; 12])), ProxyError::Unknown { value: 0x12, .. }));
        assert_eq!(refused(&v2(0x21, 0x11, &[0; 11])), ProxyError::TooShort);
        assert_eq!(refused(&v2(0x21, 0x11, &[0; 4097])[..16]), ProxyError::TooLong(MAX_V2));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered_and_the_length_is_within_it(
            start in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let input = [start, &rest].concat();
            if let Ok(Parsed::Complete { length, .. }) = parse(&input) {
                prop_assert!(length <= input.len());
            }
        }

        #[test]
        fn version_1_says_what_was_written(source: std::net::SocketAddrV4, destination: std::net::SocketAddrV4) {
            let line = format!("PROXY TCP4 {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port());
            let header = Header::Proxied { source: source.into(), destination: destination.into() };
            prop_assert_eq!(parse(line.as_bytes()), Ok(Parsed::Complete { header, length: line.len() }));
        }
    }
}
