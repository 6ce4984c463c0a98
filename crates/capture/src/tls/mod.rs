//! TLS records to plain text, with the secrets of a key log: TLS 1.3 (RFC 8446) and TLS 1.2 (RFC 5246) with AES-GCM
//! and ChaCha20-Poly1305. Without secrets, what the hellos say.
//!
//! Not opened: early data of TLS 1.3 (no mail program sends any), a second handshake within TLS 1.2, and suites with
//! CBC.

mod direction;
mod hello;
mod keylog;
mod keys;
mod suite;

pub use keylog::{KeyLog, MAX_SESSIONS};

use crate::Time;
use crate::stream::Side;
use bytes::Bytes;
use direction::{Direction, Record};
use hello::{ClientHello, ServerHello};
use keys::Opener;
use suite::Suite;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// What comes out of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    Plain(Side, Time, Bytes),
    /// About so many octets are lost.
    Gap(Side, Time, u64),
    Note(Time, String),
}

/// What is known of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `TLSv1.3`, `TLSv1.2`, …; none before the server chose.
    pub version: Option<String>,
    pub cipher: Option<String>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// Whether anything could be opened.
    pub decrypted: bool,
}

/// One session, from its ClientHello on.
#[derive(Debug, Default)]
pub(crate) struct Session {
    directions: [Direction; 2],
    hello: Option<ClientHello>,
    agreed: Option<ServerHello>,
    summary: Summary,
    told: bool,
}

/// Whether octets begin like a record that begins a handshake.
pub(crate) fn begins(octets: &[u8]) -> bool {
    matches!(octets, [HANDSHAKE, 3, 0..=4, ..])
}

impl Session {
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Octets of application data that could not be opened, the client's and the server's.
    pub(crate) fn sealed(&self) -> [u64; 2] {
        [0, 1].map(|at| self.directions.get(at).map_or(0, |direction| direction.sealed))
    }

    /// What is held, in octets of memory.
    pub(crate) fn weight(&self) -> usize {
        self.directions.iter().map(Direction::weight).sum()
    }

    pub(crate) fn push(
        &mut self,
        side: Side,
        time: Time,
        octets: &[u8],
        keys: &KeyLog,
        out: &mut Vec<Output>,
    ) {
        self.direction(side).push(octets);
        loop {
            match self.direction(side).next() {
                None => return,
                Some(Record::Nonsense(what)) => {
                    out.push(Output::Note(
                        time,
                        format!("the {}'s TLS cannot be read further: {what}", name(side)),
                    ));
                }
                Some(Record::Lost(octets)) => out.push(Output::Gap(side, time, octets)),
                Some(Record::Content(kind, content)) => self.content(side, time, kind, content, keys, out),
            }
        }
    }

    /// So many octets are not in the capture.
    pub(crate) fn gap(&mut self, side: Side, time: Time, octets: u64, out: &mut Vec<Output>) {
        out.push(Output::Gap(side, time, octets));
        if let Some(what) = self.direction(side).gap(octets) {
            out.push(Output::Note(time, format!("the {}'s TLS cannot be read further: {what}", name(side))));
        }
    }

    fn content(
        &mut self,
        side: Side,
        time: Time,
        kind: u8,
        content: Bytes,
        keys: &KeyLog,
        out: &mut Vec<Output>,
    ) {
        match kind {
            HANDSHAKE => {
                self.direction(side).handshake(&content);
                while let Some((kind, body)) = self.direction(side).message() {
                    self.message(side, time, kind, &body, keys, out);
                }
            }
            // In TLS 1.3 it means nothing (RFC 8446 §5).
            CHANGE_CIPHER_SPEC if self.version() == Some(TLS12) => self.direction(side).use_next_key(),
            ALERT => {
                if let [level, what] = content[..]
                    && what != 0
                {
                    let level = if level == 2 { "fatal alert" } else { "warning" };
                    out.push(Output::Note(time, format!("TLS {level} {what} from the {}", name(side))));
                }
            }
            APPLICATION_DATA if !content.is_empty() => {
                self.summary.decrypted = true;
                out.push(Output::Plain(side, time, content));
            }
            _ => {}
        }
    }

    fn message(
        &mut self,
        side: Side,
        time: Time,
        kind: u8,
        body: &[u8],
        keys: &KeyLog,
        out: &mut Vec<Output>,
    ) {
        match (side, kind) {
            (Side::Client, CLIENT_HELLO) => {
                self.hello = ClientHello::parse(body);
                self.summary.server_name = self.hello.as_ref().and_then(|hello| hello.server_name.clone());
            }
            (Side::Server, SERVER_HELLO) => {
                if let Some(hello) = ServerHello::parse(body).filter(|hello| !hello.is_retry) {
                    self.agree(hello, time, keys, out);
                }
            }
            (_, FINISHED) if self.version() == Some(TLS13) => self.direction(side).use_next_key(),
            (_, KEY_UPDATE) => self.direction(side).update_key(),
            _ => {}
        }
    }

    /// The server has chosen: keys are made, or it is said why there are none.
    fn agree(&mut self, server: ServerHello, time: Time, keys: &KeyLog, out: &mut Vec<Output>) {
        let suite = Suite::find(server.suite);
        let version = version_name(server.version);
        let cipher =
            suite.map_or_else(|| format!("suite 0x{:04x}", server.suite), |suite| suite.name.to_owned());
        let result = match suite {
            None => Err("this suite cannot be opened"),
            Some(suite) => self.find_keys(suite, &server, keys),
        };
        let how = match result {
            Ok(()) => "opened with the key log".to_owned(),
            Err(why) => format!("not opened: {why}"),
        };
        if !std::mem::replace(&mut self.told, true) {
            let asked = self.summary.server_name.as_ref();
            let asked = asked.map(|name| format!(" for {name}")).unwrap_or_default();
            out.push(Output::Note(time, format!("{version} {cipher}{asked}, {how}")));
        }
        self.summary.version = Some(version);
        self.summary.cipher = Some(cipher);
        if server.version == TLS13 {
            for direction in &mut self.directions {
                direction.use_next_key();
            }
        }
        self.agreed = Some(server);
    }

    fn find_keys(&mut self, suite: Suite, server: &ServerHello, keys: &KeyLog) -> Result<(), &'static str> {
        let hello = self.hello.as_ref().ok_or("the ClientHello is not in the capture")?;
        if keys.is_empty() {
            return Err("no key log was given");
        }
        let secrets = keys.secrets(&hello.random).ok_or("the key log has no secrets of this session")?;
        let unfit = "the key log's secrets do not fit the suite";
        match server.version {
            TLS13 => {
                let missing = "the key log lacks secrets of this session";
                let early_data = hello.early_data;
                for (at, direction) in self.directions.iter_mut().enumerate() {
                    let secret = |of: &[Option<_>; 2]| of.get(at).cloned().flatten().ok_or(missing);
                    let handshake = Opener::tls13(suite, &secret(&secrets.handshake)?).ok_or(unfit)?;
                    let traffic = Opener::tls13(suite, &secret(&secrets.traffic)?).ok_or(unfit)?;
                    direction.expect_keys([handshake, traffic], early_data && at == 0);
                }
            }
            TLS12 => {
                let master =
                    secrets.master.as_ref().ok_or("the key log has no master secret of this session")?;
                let pair = Opener::tls12(suite, master, &hello.random, &server.random).ok_or(unfit)?;
                for (direction, opener) in self.directions.iter_mut().zip(pair) {
                    direction.expect_keys([opener], false);
                }
            }
            _ => return Err("only TLS 1.2 and 1.3 can be opened"),
        }
        Ok(())
    }

    fn version(&self) -> Option<u16> {
        self.agreed.as_ref().map(|agreed| agreed.version)
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        let [client, server] = &mut self.directions;
        match side {
            Side::Client => client,
            Side::Server => server,
        }
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSLv3".to_owned(),
        0x0301 => "TLSv1.0".to_owned(),
        0x0302 => "TLSv1.1".to_owned(),
        TLS12 => "TLSv1.2".to_owned(),
        TLS13 => "TLSv1.3".to_owned(),
        other => format!("TLS 0x{other:04x}"),
    }
}
