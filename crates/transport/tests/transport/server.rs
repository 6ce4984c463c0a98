//! A server that says what a script says.

use net::tls::{KeyPair, TlsServer, TlsServerSettings};
use net::{Endpoint, Listener, Stream};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Replies by the beginning of the line they answer, before the usual ones; `CONNECT` is the greeting, `.` the end of data.
/// `close` ends the connection, and so does a reply that ends with ` close`. Several replies to one beginning take turns.
pub(crate) type Script = &'static [(&'static str, &'static str)];

const USUAL: Script = &[
    ("CONNECT", "220 mx.example ESMTP"),
    ("EHLO", "250-mx.example\r\n250 PIPELINING"),
    ("LHLO", "250-mx.example\r\n250 PIPELINING"),
    ("HELO", "250 mx.example"),
    ("MAIL", "250 2.1.0 sender ok"),
    ("RCPT", "250 2.1.5 recipient ok"),
    ("DATA", "354 go on"),
    (".", "250 2.0.0 queued"),
    ("RSET", "250 2.0.0 ok"),
    ("STARTTLS", "220 2.0.0 go on"),
    ("QUIT", "221 2.0.0 bye close"),
];

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// All lines of all connections, each with the connection's number before it: `1 EHLO us.example`.
    said: Arc<Mutex<Vec<String>>>,
    peers: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_at("127.0.0.1:0", script, None).await
    }

    pub(crate) async fn start_at(place: &str, script: Script, tls: Option<TlsServer>) -> Self {
        Self::listen(&place.parse().unwrap(), script, tls)
    }

    /// On a Unix socket.
    pub(crate) fn start_unix(path: &std::path::Path, script: Script) -> Self {
        Self::listen(&Endpoint::Unix(path.to_owned()), script, None)
    }

    fn listen(place: &Endpoint, script: Script, tls: Option<TlsServer>) -> Self {
        let listener = Listener::bind(place, None).unwrap();
        let address = match listener.local() {
            Endpoint::Tcp(address) => *address,
            Endpoint::Unix(_) => ([0, 0, 0, 0], 0).into(),
        };
        let said = Arc::new(Mutex::new(Vec::new()));
        let peers = Arc::new(Mutex::new(Vec::new()));
        let (log, callers) = (Arc::clone(&said), Arc::clone(&peers));
        tokio::spawn(async move {
            for number in 1.. {
                let stream = listener.accept().await.unwrap();
                callers.lock().unwrap().extend(stream.peer().ip().map(|ip| ip.to_string()));
                let session = Session {
                    script,
                    turns: HashMap::new(),
                    number,
                    said: Arc::clone(&log),
                    said_yes: false,
                };
                tokio::spawn(session.run(stream, tls.clone()));
            }
        });
        Self { address, said, peers }
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// How many lines begin so, on any connection.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.said().iter().filter(|line| line.split_once(' ').unwrap().1.starts_with(start)).count()
    }

    /// The addresses that called, in order.
    pub(crate) fn peers(&self) -> Vec<String> {
        self.peers.lock().unwrap().clone()
    }

    /// Waits until a line begins so.
    pub(crate) async fn until(&self, start: &str) {
        while self.count(start) == 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.count("CONNECT")
    }
}

struct Session {
    script: Script,
    turns: HashMap<&'static str, usize>,
    number: usize,
    said: Arc<Mutex<Vec<String>>>,
    /// The last reply was 354 or 220.
    said_yes: bool,
}

impl Session {
    async fn run(mut self, mut stream: Stream, tls: Option<TlsServer>) {
        let mut unread = Vec::new();
        if !self.answer(&mut stream, "CONNECT").await {
            return;
        }
        let mut data = false;
        while let Some(line) = next_line(&mut stream, &mut unread).await {
            if data && line != "." {
                self.note(&line);
                continue;
            }
            if !self.answer(&mut stream, &line).await {
                return;
            }
            data = line == "DATA" && self.said_yes;
            if line == "STARTTLS"
                && self.said_yes
                && let Some(tls) = &tls
            {
                let Ok(secured) = stream.start_tls(tls).await else { return };
                stream = secured;
            }
        }
    }

    fn note(&self, line: &str) {
        self.said.lock().unwrap().push(format!("{} {line}", self.number));
    }

    /// False when the connection is to be closed.
    async fn answer(&mut self, stream: &mut Stream, line: &str) -> bool {
        self.note(line);
        let reply = self.reply_to(line);
        self.said_yes = reply.starts_with("354") || reply.starts_with("220");
        let (reply, close) = match reply {
            "close" => return false,
            _ => (reply.strip_suffix(" close").unwrap_or(reply), reply.ends_with(" close")),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_ok() && !close
    }

    fn reply_to(&mut self, line: &str) -> &'static str {
        let scripted: Vec<_> = self.script.iter().filter(|(start, _)| line.starts_with(start)).collect();
        let Some((start, _)) = scripted.first() else {
            let usual = USUAL.iter().find(|(start, _)| line.starts_with(start));
            return usual.map_or("502 5.5.1 what", |(_, reply)| reply);
        };
        let same: Vec<_> = scripted.iter().filter(|(other, _)| other == start).collect();
        let turn = self.turns.entry(start).or_default();
        let reply = same.get(*turn).or_else(|| same.last()).unwrap().1;
        *turn += 1;
        reply
    }
}

async fn next_line(stream: &mut Stream, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = unread.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            return Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => unread.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

/// A certificate for `name`, and a server that shows it.
pub(crate) fn certificate(name: &str) -> (rustls::pki_types::CertificateDer<'static>, TlsServer) {
    let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = KeyPair::Pem {
        certificate: pair.cert.pem().into_bytes(),
        key: address::Secret::new(pair.signing_key.serialize_pem().into_bytes()),
    };
    let settings = TlsServerSettings { certificates: vec![certificate], ..Default::default() };
    (pair.cert.der().clone(), TlsServer::new(settings).unwrap())
}
