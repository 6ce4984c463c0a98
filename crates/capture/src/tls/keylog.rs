//! What a program wrote into the file that `SSLKEYLOGFILE` names (draft-ietf-tls-keylogfile).

use address::Secret;
use data_encoding::HEXLOWER_PERMISSIVE;
use std::collections::HashMap;

/// Most sessions whose secrets are kept, about 300 octets each; later ones are left out.
pub const MAX_SESSIONS: usize = 200_000;
/// Longest line that is read: a label and two numbers of 32 and 48 octets have less than 250.
const MAX_LINE: usize = 512;

/// Secrets of TLS sessions, by the random number of their ClientHello.
#[derive(Debug, Default)]
pub struct KeyLog {
    sessions: HashMap<[u8; 32], Secrets>,
}

/// What is known of one session.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// TLS 1.2.
    pub(crate) master: Option<Secret<Vec<u8>>>,
    /// TLS 1.3: of the handshake and of what follows it, the client's and the server's.
    pub(crate) handshake: [Option<Secret<Vec<u8>>>; 2],
    pub(crate) traffic: [Option<Secret<Vec<u8>>>; 2],
}

impl KeyLog {
    /// Adds what a key log says. Lines that are none, comments and labels of no use here are passed over; how many
    /// lines were taken.
    pub fn add(&mut self, text: &[u8]) -> usize {
        text.split(|octet| *octet == b'\n').filter(|line| self.add_line(line).is_some()).count()
    }

    /// Whether it knows nothing at all.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(crate) fn secrets(&self, client_random: &[u8; 32]) -> Option<&Secrets> {
        self.sessions.get(client_random)
    }

    fn add_line(&mut self, line: &[u8]) -> Option<()> {
        let line = std::str::from_utf8(line).ok().filter(|line| line.len() <= MAX_LINE)?;
        let mut words = line.split_ascii_whitespace();
        let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
        let random = HEXLOWER_PERMISSIVE.decode(random.as_bytes()).ok()?.try_into().ok()?;
        if self.sessions.len() == MAX_SESSIONS && !self.sessions.contains_key(&random) {
            return None;
        }
        let secret = Secret::new(HEXLOWER_PERMISSIVE.decode(secret.as_bytes()).ok()?);
        let mut found = Secrets::default();
        let [client_handshake, server_handshake] = &mut found.handshake;
        let [client_traffic, server_traffic] = &mut found.traffic;
        let place = match label {
            "CLIENT_RANDOM" => &mut found.master,
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET" => client_handshake,
            "SERVER_HANDSHAKE_TRAFFIC_SECRET" => server_handshake,
            "CLIENT_TRAFFIC_SECRET_0" => client_traffic,
            "SERVER_TRAFFIC_SECRET_0" => server_traffic,
            _ => return None,
        };
        *place = Some(secret);
        self.sessions.entry(random).or_default().take(found);
        Some(())
    }
}

impl Secrets {
    fn take(&mut self, other: Self) {
        let fill = |place: &mut Option<Secret<Vec<u8>>>, new: Option<Secret<Vec<u8>>>| {
            if new.is_some() {
                *place = new;
            }
        };
        fill(&mut self.master, other.master);
        for (place, new) in self.handshake.iter_mut().zip(other.handshake) {
            fill(place, new);
        }
        for (place, new) in self.traffic.iter_mut().zip(other.traffic) {
            fill(place, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_by_their_labels() {
        let random = "ab".repeat(32);
        let mut log = KeyLog::default();
        for (line, taken) in [
            (format!("CLIENT_RANDOM {random} {}", "01".repeat(48)), 1),
            (format!("SERVER_TRAFFIC_SECRET_0 {} {}\r", random.to_uppercase(), "02".repeat(32)), 1),
            (format!("EXPORTER_SECRET {random} 00"), 0),
            ("# a remark".to_owned(), 0),
            (format!("CLIENT_RANDOM {random}"), 0),
            (format!("CLIENT_RANDOM abcd {random}"), 0),
            (format!("CLIENT_RANDOM {random} xy"), 0),
            (format!("CLIENT_RANDOM {random} {}", "0".repeat(600)), 0),
        ] {
            assert_eq!(log.add(line.as_bytes()), taken, "{line}");
        }
        let secrets = log.secrets(&[0xab; 32]).unwrap();
        assert_eq!(secrets.master.as_ref().unwrap().reveal(), &[1; 48]);
        assert_eq!(secrets.traffic[1].as_ref().unwrap().reveal(), &[2; 32]);
        assert!(secrets.traffic[0].is_none() && log.secrets(&[0; 32]).is_none());
    }
}
