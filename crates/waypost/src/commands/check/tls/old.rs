//! Whether a server still speaks versions of TLS that our library never will: we only say hello (RFC 5246 §7.4.1.2)
//! and look at the version in the answer.

use address::Host;
use net::Stream;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The older versions, by their numbers on the wire.
pub(super) const VERSIONS: [(&str, u16); 3] = [("TLSv1.2", 0x0303), ("TLSv1.1", 0x0302), ("TLSv1.0", 0x0301)];

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Record header, handshake header, version: what must be read of the answer.
const ANSWER: usize = 5 + 4 + 2;
/// Record types and the handshake's message (RFC 5246 §6.2.1, §7.4).
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;

/// Suites of every kind that servers with these versions have: ECDHE, DHE and RSA, with AES (GCM and CBC) and 3DES.
const SUITES: [u16; 18] = [
    0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc00a, 0xc009, 0xc014, 0xc013, 0x0039, 0x0033, 0x009d,
    0x009c, 0x0035, 0x002f, 0xc012, 0x000a,
];

/// Says hello in this version and no newer; whether the server takes it up.
pub(super) async fn accepts(mut stream: Stream, host: &Host, version: u16) -> bool {
    let answer = async {
        stream.write_all(&hello(host, version)).await?;
        stream.flush().await?;
        let mut answer = [0; ANSWER];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    // Silence, a closed connection and an alert are all a no.
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => is_server_hello(&answer, version),
        _ => false,
    }
}

fn is_server_hello(answer: &[u8; ANSWER], version: u16) -> bool {
    answer[0] == HANDSHAKE && answer[5] == SERVER_HELLO && answer[9..] == version.to_be_bytes()
}

/// A ClientHello record.
fn hello(host: &Host, version: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    // Nothing will ever be encrypted with it.
    body.extend_from_slice(&[0x5a; 32]);
    body.push(0); // no session
    with_length(&mut body, &SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect::<Vec<_>>());
    body.extend_from_slice(&[1, 0]); // no compression
    with_length(&mut body, &extensions(host));
    let mut message = vec![1]; // ClientHello
    message.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_be_bytes()[1..]);
    message.extend_from_slice(&body);
    // The record's own version is 3.1 for the sake of old servers (RFC 5246 appendix E.1).
    let mut record = vec![HANDSHAKE, 3, 1];
    with_length(&mut record, &message);
    record
}

fn extensions(host: &Host) -> Vec<u8> {
    let mut out = Vec::new();
    if let Host::Domain(name) = host {
        let mut entry = vec![0]; // host_name (RFC 6066 §3)
        with_length(&mut entry, name.as_str().as_bytes());
        let mut list = Vec::new();
        with_length(&mut list, &entry);
        extension(&mut out, 0, &list);
    }
    // x25519, P-256, P-384, P-521; uncompressed points (RFC 8422 §5.1).
    extension(&mut out, 10, &[0, 8, 0, 29, 0, 23, 0, 24, 0, 25]);
    extension(&mut out, 11, &[1, 0]);
    // ECDSA, RSA-PSS and RSA, with SHA-256, SHA-384, SHA-512 and SHA-1 (RFC 5246 §7.4.1.4.1).
    extension(&mut out, 13, &[0, 16, 4, 3, 5, 3, 6, 3, 8, 4, 4, 1, 5, 1, 6, 1, 2, 1]);
    extension(&mut out, 23, &[]); // extended master secret, which strict servers want (RFC 7627)
    extension(&mut out, 0xff01, &[0]); // RFC 5746
    out
}

fn extension(out: &mut Vec<u8>, kind: u16, content: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    with_length(out, content);
}

/// Its length in two octets, then itself. All there is here is far shorter than 64 KiB.
fn with_length(out: &mut Vec<u8>, content: &[u8]) {
    out.extend_from_slice(&u16::try_from(content.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_hello_of_that_version_is_a_yes() {
        let answer = |kind, message, minor| [kind, 3, minor, 0, 50, message, 0, 0, 46, 3, minor];
        assert!(is_server_hello(&answer(22, 2, 2), 0x0302));
        assert!(!is_server_hello(&answer(22, 2, 3), 0x0302));
        assert!(!is_server_hello(&answer(21, 2, 2), 0x0302), "an alert");
        assert!(!is_server_hello(&answer(22, 1, 2), 0x0302));
    }

    #[test]
    fn every_length_in_the_hello_is_right() {
        let record = hello(&"mx.example.org".parse().unwrap(), 0x0302);
        let at = |i: usize| usize::from(u16::from_be_bytes([record[i], record[i + 1]]));
        assert_eq!(at(3), record.len() - 5);
        assert_eq!(at(7), record.len() - 9);
        let suites = 9 + 2 + 32 + 1;
        assert_eq!(at(suites), SUITES.len() * 2);
        let extensions = suites + 2 + SUITES.len() * 2 + 2;
        assert_eq!(at(extensions), record.len() - extensions - 2);
    }
}
