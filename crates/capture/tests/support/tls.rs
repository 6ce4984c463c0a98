//! Real TLS sessions, as octets of a conversation: `rustls` speaks with itself in memory and logs its secrets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use super::support::Conversation;
use capture::stream::Side;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, KeyLog, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

pub const SUITES: [(&str, &str); 9] = [
    ("TLSv1.3", "TLS13_AES_128_GCM_SHA256"),
    ("TLSv1.3", "TLS13_AES_256_GCM_SHA384"),
    ("TLSv1.3", "TLS13_CHACHA20_POLY1305_SHA256"),
    ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    ("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    ("TLSv1.2", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

/// What `SSLKEYLOGFILE` would hold.
#[derive(Debug, Default)]
struct Log(Mutex<String>);

impl KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        self.0.lock().unwrap().push_str(&line);
    }
}

/// A session within a conversation.
pub struct Session {
    pub talk: Conversation,
    client: ClientConnection,
    server: ServerConnection,
    log: Arc<Log>,
}

impl Session {
    /// Shakes hands with this suite, from where the conversation is.
    pub fn new(talk: Conversation, suite: &str) -> Self {
        let log = Arc::new(Log::default());
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|known| format!("{:?}", known.suite()) == suite);
        assert_eq!(provider.cipher_suites.len(), 1, "{suite}");
        let (client, server) = configurations(provider, suite.contains("_RSA_"), &log);
        let name = ServerName::try_from("mx.example").unwrap();
        let mut new = Self {
            talk,
            client: ClientConnection::new(Arc::new(client), name).unwrap(),
            server: ServerConnection::new(Arc::new(server)).unwrap(),
            log,
        };
        while new.client.is_handshaking() || new.server.is_handshaking() {
            new.exchange();
        }
        new.exchange();
        new
    }

    pub fn keys(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    pub fn says(mut self, side: Side, octets: &[u8]) -> Self {
        match side {
            Side::Client => self.client.writer().write_all(octets).unwrap(),
            Side::Server => self.server.writer().write_all(octets).unwrap(),
        }
        self.exchange();
        self
    }

    /// Both sides take new keys.
    pub fn update_keys(mut self) -> Self {
        self.client.refresh_traffic_keys().unwrap();
        self.exchange();
        self.server.refresh_traffic_keys().unwrap();
        self.exchange();
        self
    }

    pub fn close(mut self) -> (Conversation, String) {
        self.client.send_close_notify();
        self.server.send_close_notify();
        self.exchange();
        let keys = self.keys();
        (self.talk.close(), keys)
    }

    /// Carries what each has to say to the other, and into the conversation.
    fn exchange(&mut self) {
        while self.client.wants_write() || self.server.wants_write() {
            let (mut out, mut plain) = (Vec::new(), Vec::new());
            while self.client.wants_write() {
                self.client.write_tls(&mut out).unwrap();
            }
            self.talk = self.talk.clone().says(Side::Client, &out);
            take(&mut out.as_slice(), &mut self.server);
            let _ = self.server.reader().read_to_end(&mut plain);
            out.clear();
            while self.server.wants_write() {
                self.server.write_tls(&mut out).unwrap();
            }
            self.talk = self.talk.clone().says(Side::Server, &out);
            take(&mut out.as_slice(), &mut self.client);
            let _ = self.client.reader().read_to_end(&mut plain);
        }
    }
}

fn take<D>(
    octets: &mut &[u8],
    connection: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<D>>,
) {
    let mut plain = Vec::new();
    while !octets.is_empty() {
        connection.read_tls(octets).unwrap();
        connection.process_new_packets().unwrap();
        let _ = connection.reader().read_to_end(&mut plain);
    }
}

fn configurations(provider: CryptoProvider, rsa: bool, log: &Arc<Log>) -> (ClientConfig, ServerConfig) {
    let algorithm = if rsa { &rcgen::PKCS_RSA_SHA256 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate =
        rcgen::CertificateParams::new(["mx.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(provider);
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.key_log = Arc::clone(log) as Arc<dyn KeyLog>;
    let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (client, server)
}
