//! Servers on loopback with one account or more, and a client that follows a script.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use access::imap::{self, OpenMailboxes};
use access::pop3::{self, Port};
use access::{Context, Locks};
use address::{Host, Secret};
use bytes::Bytes;
use directory::{Directory, Verifier};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use net::tls::{KeyPair, TlsClient, TlsPolicy, TlsServer, TlsServerSettings};
use net::{Endpoint, Limits, Listener, ServeOptions, Shutdown, Stream};
use policy::{AuthGuard, AuthRules};
use rcgen::CertifiedKey;
use std::sync::Arc;
use std::time::Duration;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::mailbox::INBOX;
use store::queue::{LocalCopy, NewMessage};
use store::trail::Origin;
use store::{Body, Id, Options, Store};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Only a failing test waits so long.
const SOON: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) context: Context,
    pub(crate) store: Store,
    pub(crate) account: Id,
    pub(crate) own: CertifiedKey<rcgen::KeyPair>,
    folder: tempfile::TempDir,
}

pub(crate) fn certificate(name: &str) -> CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// Nobody waits after a failure, and many may fail.
pub(crate) fn patient() -> AuthRules {
    AuthRules { first_delay: Duration::ZERO, failures: 100, ..AuthRules::default() }
}

impl World {
    /// The account `me@example.org` with the password `secret`, and a server that has a certificate and, as it is
    /// on loopback, does not insist on TLS.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let name = "example.org".parse().unwrap();
        let domain =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(domain, Vec::new()).await.unwrap();
        let account = AccountRecord::new("me@example.org".parse().unwrap());
        let id = account.id;
        let verifier = Verifier::of_password(&Secret::new("secret".into()), true).unwrap();
        store.add_account(account, Some(verifier.to_storage())).await.unwrap();
        let own = certificate("mail.example.org");
        let pair = KeyPair::Pem {
            certificate: own.cert.pem().into_bytes(),
            key: Secret::new(own.signing_key.serialize_pem().into_bytes()),
        };
        let settings = TlsServerSettings { certificates: vec![pair], ..Default::default() };
        let context = Context {
            directory: Directory::open(store.clone(), "mail.example.org".parse().unwrap()).await.unwrap(),
            guard: Arc::new(AuthGuard::new(patient())),
            tls: Some(TlsServer::new(settings).unwrap()),
            require_tls: false,
            locks: Locks::default(),
            mailboxes: OpenMailboxes::start(store.clone()),
            message_size: Arc::new((1 << 20).into()),
            unauthenticate: Arc::new(true.into()),
            sign_of_life: access::SIGN_OF_LIFE,
            shutdown: Shutdown::new(),
        };
        Self { context, store, account: id, own, folder }
    }

    /// Another account of the domain, with the password `secret`.
    pub(crate) async fn add_account(&self, name: &str) -> Id {
        let account = AccountRecord::new(format!("{name}@example.org").parse().unwrap());
        let id = account.id;
        let verifier = Verifier::of_password(&Secret::new("secret".into()), true).unwrap();
        self.store.add_account(account, Some(verifier.to_storage())).await.unwrap();
        id
    }

    /// Octets that the account may have.
    pub(crate) async fn limit(&self, quota: u64) {
        let record = self.store.account_by_id(self.account).unwrap().unwrap();
        self.store.update_account(AccountRecord { quota: Some(quota), ..record }).await.unwrap();
    }

    /// Octets that all accounts of the domain may have together.
    pub(crate) async fn limit_domain(&self, quota: u64) {
        let record = self.store.domain(&"example.org".parse().unwrap()).unwrap().unwrap();
        self.store.update_domain(DomainRecord { quota: Some(quota), ..record }).await.unwrap();
    }

    pub(crate) async fn deliver(&self, text: &str) {
        let copy = LocalCopy {
            recipient: "me@example.org".parse().unwrap(),
            account: self.account,
            mailbox: INBOX.into(),
            prefix: Bytes::from_static(b"Return-Path: <>\r\n"),
            flags: 0,
        };
        let message = NewMessage {
            id: Id::generate(),
            reverse_path: "sender@example.net".parse().unwrap(),
            parameters: String::new(),
            body: Body::from_bytes(text.to_owned()),
            trace: Bytes::new(),
            origin: Origin::default(),
            local: vec![copy],
            remote: Vec::new(),
        };
        self.store.accept(message).await.unwrap();
    }

    /// Removes the files of large bodies, as soon as the indexer has come to them all.
    pub(crate) async fn remove_bodies(&self) {
        self.store.start_indexer();
        let indexed = async {
            while self.store.search_status().unwrap().waiting > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, indexed).await.expect("the indexer comes to all messages");
        let mut removed = 0;
        for folder in std::fs::read_dir(self.folder.path().join("bodies")).unwrap() {
            for body in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                std::fs::remove_file(body.unwrap().path()).unwrap();
                removed += 1;
            }
        }
        assert!(removed > 0, "no body is a file");
    }

    pub(crate) fn messages(&self) -> usize {
        self.store.messages(self.store.inbox(self.account).unwrap().id, 0, 1000).unwrap().len()
    }

    pub(crate) fn listen(&self, port: Port) -> Endpoint {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let place = listener.local().clone();
        let context = Arc::new(self.context.clone());
        let options = ServeOptions::new(Limits::default(), self.context.shutdown.clone());
        tokio::spawn(net::serve(listener, options, move |connection| {
            pop3::serve(connection, port, Arc::clone(&context))
        }));
        place
    }

    pub(crate) fn listen_imap(&self, port: imap::Port) -> Endpoint {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let place = listener.local().clone();
        let context = Arc::new(self.context.clone());
        let options = ServeOptions::new(Limits::default(), self.context.shutdown.clone());
        tokio::spawn(net::serve(listener, options, move |connection| {
            imap::serve(connection, port, Arc::clone(&context))
        }));
        place
    }

    /// A client of a listener of its own, in the clear.
    pub(crate) async fn client(&self) -> Client<Stream> {
        Client::call(&self.listen(Port::Pop3)).await
    }

    /// The same that has read the greeting and logged in.
    pub(crate) async fn reader(&self) -> Client<Stream> {
        let mut client = self.client().await;
        client.talk("S: +OK mail.example.org POP3 server ready").await;
        client.log_in().await;
        client
    }

    pub(crate) async fn secure(&self, stream: Stream) -> Client<Stream> {
        let trusting = TlsClient::with_roots([self.own.cert.der().clone()]).unwrap();
        let name: Host = "mail.example.org".parse().unwrap();
        Client::new(stream.connect_tls(&trusting, &name, &TlsPolicy::Verified).await.unwrap())
    }
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
    /// RFC 4978.
    deflate: Option<(Compress, Decompress)>,
}

impl Client<Stream> {
    pub(crate) async fn call(place: &Endpoint) -> Self {
        Self::new(net::connect(place, None, SOON).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new(), deflate: None }
    }

    /// Follows a script: `C:` is sent with CRLF, `S:` must come so. `S:` alone is an empty line, `S: …` anything,
    /// `S: =` the end of the connection.
    pub(crate) async fn talk(&mut self, script: &str) {
        for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
            match step.split_at(2) {
                ("C:", line) => self.send(&format!("{}\r\n", line.trim_start())).await,
                ("S:", "") => assert_eq!(self.line().await, ""),
                ("S:", " =") => assert_eq!(self.rest().await, ""),
                ("S:", " …") => drop(self.line().await),
                ("S:", line) if line.contains('…') => {
                    let (got, line) = (self.line().await, line.trim_start());
                    assert!(fits(&got, line), "{got:?} is not {line:?}");
                }
                ("S:", line) => assert_eq!(self.line().await, line.trim_start()),
                _ => panic!("{step}"),
            }
        }
    }

    pub(crate) async fn log_in(&mut self) {
        self.talk("C: USER me@example.org\nS: +OK send PASS\nC: PASS secret").await;
        assert!(self.line().await.starts_with("+OK"));
    }

    pub(crate) async fn send(&mut self, text: &str) {
        let mut octets = text.as_bytes().to_vec();
        if let Some((compress, _)) = &mut self.deflate {
            let mut packed = Vec::with_capacity(octets.len() + 1_024);
            compress.compress_vec(&octets, &mut packed, FlushCompress::Sync).unwrap();
            octets = packed;
        }
        self.stream.write_all(&octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// From now on what is sent is compressed, and what comes.
    pub(crate) fn compress(&mut self) {
        assert!(self.unread.is_empty(), "{:?}", String::from_utf8_lossy(&self.unread));
        self.deflate = Some((Compress::new(Compression::fast(), false), Decompress::new(false)));
    }

    /// The next line without its end.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                return String::from_utf8_lossy(&line).into_owned();
            }
            assert_ne!(
                self.read().await,
                0,
                "the connection ended at {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    /// The lines of a multi-line response, joined by LF.
    pub(crate) async fn multi_line(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        let first = self.line().await;
        assert!(first.starts_with("+OK"), "{first}");
        let mut lines = Vec::new();
        loop {
            match self.line().await.as_str() {
                "." => return lines.join("\n"),
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// All that comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read().await != 0 {}
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    async fn read(&mut self) -> usize {
        let mut octets = Vec::new();
        let read = self.stream.read_buf(&mut octets);
        let count = tokio::time::timeout(SOON, read).await.expect("the server is silent").unwrap_or(0);
        match &mut self.deflate {
            None => self.unread.append(&mut octets),
            Some((_, decompress)) => {
                let (mut packed, mut full) = (&octets[..], false);
                while !packed.is_empty() || full {
                    let before = decompress.total_in();
                    self.unread.reserve(4_096);
                    decompress.decompress_vec(packed, &mut self.unread, FlushDecompress::Sync).unwrap();
                    packed = &packed[(decompress.total_in() - before) as usize..];
                    full = self.unread.len() == self.unread.capacity();
                }
            }
        }
        count
    }
}

/// Whether a line is what is expected, where `…` stands for anything.
pub(crate) fn fits(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    last.is_empty() || rest.is_empty() || line.ends_with(last)
}
