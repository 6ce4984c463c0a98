//! Logging in with a certificate, by its fingerprint (`waypost account certificate`) or by the address in it, where an
//! authority of the configuration issued it. Who shows another hears what a wrong password hears.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod support;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::client::{ResolvesClientCert, WantsClientCert};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, SignatureScheme, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{Program, Running};

/// `\0me@example.org\0wrong`.
const WRONG_PASSWORD: &str = "AUTH PLAIN AG1lQGV4YW1wbGUub3JnAHdyb25n";

type Certificate = rcgen::CertifiedKey<KeyPair>;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn certificate(name: &str) -> Certificate {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn authority() -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these addresses of mail.
fn issued(by: &Authority, addresses: &[&str]) -> Certificate {
    let mut parameters = CertificateParams::default();
    let names = addresses.iter().map(|address| SanType::Rfc822Name((*address).try_into().unwrap()));
    parameters.subject_alt_names = names.collect();
    let signing_key = KeyPair::generate().unwrap();
    let cert = parameters.signed_by(&signing_key, by).unwrap();
    Certificate { cert, signing_key }
}

/// A server with me@, you@ and gone@example.org, the last of them disabled.
struct Server {
    program: Program,
    running: Running,
    own: CertificateDer<'static>,
    smtp: u16,
    submission: u16,
    submissions: u16,
    pop3s: u16,
}

impl Server {
    fn start(client_ca: Option<&Authority>) -> Self {
        let program = Program::new();
        let [smtp, submission, submissions, pop3s] = std::array::from_fn(|_| xtask::free_port().unwrap());
        let own = certificate("mail.example.org");
        program.write("cert.pem", own.cert.pem());
        program.write("key.pem", own.signing_key.serialize_pem());
        if let Some(authority) = client_ca {
            program.write("clients.pem", authority.pem());
        }
        let client_ca = client_ca.map_or("", |_| "clients.pem");
        let config = format!(
            "hostname = 'mail.example.org'\ndata = 'data'\n\
             [listen]\nsmtp = ['127.0.0.1:{smtp}']\nsubmission = ['127.0.0.1:{submission}']\n\
             submissions = ['127.0.0.1:{submissions}']\npop3s = ['127.0.0.1:{pop3s}']\n\
             [tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\nclient-ca = '{client_ca}'\n\
             [limits]\nexempt = ['127.0.0.0/8']\n"
        );
        program.write("waypost.toml", config);
        program.run(&["domain", "add", "example.org"]).done();
        for address in ["me@example.org", "you@example.org", "gone@example.org"] {
            let words = ["account", "add", address, "--password-stdin"];
            program.run_with(&words, "correct horse battery\n").done();
        }
        program.run(&["account", "disable", "gone@example.org"]).done();
        let running = program.serve();
        Self { program, running, own: own.cert.der().clone(), smtp, submission, submissions, pop3s }
    }

    /// A file with the certificate, for the command line.
    fn file(&self, certificate: &Certificate) -> String {
        self.program.write("laptop.pem", certificate.cert.pem())
    }

    /// What the server says to a login with this certificate, and to mail from `sender` after it.
    fn submit(&self, certificate: &Certificate, auth: &str, sender: &str) -> (String, String) {
        let mut client = self.call(self.submissions, certificate);
        client.say("EHLO laptop");
        let answer = client.say(auth);
        (answer, client.say(&format!("MAIL FROM:<{sender}>")))
    }

    /// A client that shows the certificate and has read the greeting.
    fn call(&self, port: u16, certificate: &Certificate) -> Client {
        let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
        let chain = vec![certificate.cert.der().clone()];
        let config = self.trusting().with_client_auth_cert(chain, key).unwrap();
        let mut client = secure(config, connect(port));
        client.line();
        client
    }

    /// Whether clients of the port are asked for a certificate.
    fn asks(&self, port: u16, starttls: bool) -> bool {
        let asked = Arc::new(Asked::default());
        let config = self.trusting().with_client_cert_resolver(Arc::clone(&asked) as Arc<_>);
        let mut socket = BufReader::new(connect(port));
        if starttls {
            reply(&mut socket);
            for (line, code) in [("EHLO client", "250"), ("STARTTLS", "220")] {
                assert!(say(&mut socket, line).starts_with(code));
            }
        }
        let mut client = secure(config, socket.into_inner());
        if starttls {
            client.say("NOOP");
        } else {
            client.line();
        }
        asked.0.load(Ordering::Relaxed)
    }

    fn trusting(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        ClientConfig::builder().with_root_certificates(roots)
    }
}

/// A client without a certificate that takes note of being asked for one.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

fn secure(config: ClientConfig, socket: TcpStream) -> Client {
    let name = ServerName::try_from("mail.example.org").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    Client(BufReader::new(StreamOwned::new(session, socket)))
}

struct Client(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    fn line(&mut self) -> String {
        line(&mut self.0)
    }

    fn say(&mut self, line: &str) -> String {
        say(&mut self.0, line)
    }
}

fn line(stream: &mut impl BufRead) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The last line of the answer.
fn say<S: Read + Write>(stream: &mut BufReader<S>, line: &str) -> String {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    reply(stream)
}

fn reply(stream: &mut impl BufRead) -> String {
    loop {
        let line = line(stream);
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

#[test]
fn clients_are_asked_for_a_certificate_where_people_log_in() {
    let server = Server::start(None);
    for (port, starttls, expected) in [
        (server.smtp, true, false),
        (server.submission, true, true),
        (server.submissions, false, true),
        (server.pop3s, false, true),
    ] {
        assert_eq!(server.asks(port, starttls), expected, "{port}, STARTTLS: {starttls}");
    }
}

#[test]
fn a_certificate_logs_in_for_submission_and_pop3() {
    let server = Server::start(None);
    let (known, other) = (certificate("laptop"), certificate("laptop"));
    let file = server.file(&known);
    let change = |verb: &str| {
        server.program.run(&["account", "certificate", verb, "me@example.org", "--file", &file]).done();
    };
    let submit = |certificate: &Certificate, auth: &str| server.submit(certificate, auth, "me@example.org");
    let fetch = |certificate: &Certificate, auth: &str| server.call(server.pop3s, certificate).say(auth);

    // The server hears of it at once.
    change("add");
    let (answer, mail) = submit(&known, "AUTH EXTERNAL =");
    assert!(answer.starts_with("235 2.7.0") && mail.starts_with("250"), "{answer}; {mail}");
    assert_eq!(fetch(&known, "AUTH EXTERNAL ="), "+OK 0 messages (0 octets)");
    // As oneself, in other words, and as somebody else.
    assert!(fetch(&known, "AUTH EXTERNAL bWVAZXhhbXBsZS5vcmc=").starts_with("+OK"));
    let as_you = submit(&known, "AUTH EXTERNAL eW91QGV4YW1wbGUub3Jn");

    let wrong = submit(&other, WRONG_PASSWORD);
    assert!(wrong.0.starts_with("535 5.7.8") && wrong.1.starts_with("530"), "{wrong:?}");
    assert_eq!(submit(&other, "AUTH EXTERNAL ="), wrong);
    assert_eq!(as_you, wrong);
    let wrong = fetch(&other, WRONG_PASSWORD);
    assert!(wrong.starts_with("-ERR [AUTH]"), "{wrong}");
    assert_eq!(fetch(&other, "AUTH EXTERNAL ="), wrong);

    change("remove");
    assert!(submit(&known, "AUTH EXTERNAL =").0.starts_with("535"));
}

#[test]
fn a_certificate_of_the_authority_logs_in_by_the_address_in_it() {
    let (ours, theirs) = (authority(), authority());
    let server = Server::start(Some(&ours));
    let logs_in = |by: &Authority, addresses: &[&str], auth: &str, sender: &str| {
        let (answer, mail) = server.submit(&issued(by, addresses), auth, sender);
        let done = answer.starts_with("235 2.7.0");
        assert!(done || answer == "535 5.7.8 authentication failed", "{addresses:?}: {answer}");
        assert!(mail.starts_with(if done { "250" } else { "530" }), "{addresses:?}: {mail}");
        done
    };
    let (me, you, plain) = ("me@example.org", "you@example.org", "AUTH EXTERNAL =");
    let (as_me, as_you) = ("AUTH EXTERNAL bWVAZXhhbXBsZS5vcmc=", "AUTH EXTERNAL eW91QGV4YW1wbGUub3Jn");
    for (by, addresses, auth, sender, expected) in [
        (&ours, &[me][..], plain, me, true),
        (&ours, &["Me@Example.ORG"], plain, me, true),
        (&ours, &[me], as_me, me, true),
        // As somebody else than it names.
        (&ours, &[me], as_you, you, false),
        (&ours, &[me, you], as_you, you, false),
        // Nobody's here, or of one who may not log in.
        (&ours, &["me@example.net"], plain, me, false),
        (&ours, &["who@example.org"], plain, me, false),
        (&ours, &["me"], plain, me, false),
        (&ours, &["gone@example.org"], plain, me, false),
        (&ours, &["gone@example.org", "who@example.org", you], plain, you, true),
        (&theirs, &[me], plain, me, false),
    ] {
        assert_eq!(logs_in(by, addresses, auth, sender), expected, "{addresses:?} {auth}");
    }
    let fetched = server.call(server.pop3s, &issued(&ours, &[me])).say(plain);
    assert_eq!(fetched, "+OK 0 messages (0 octets)");

    // SIGHUP: from another file on.
    let config = server.program.path("waypost.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("clients.pem", "others.pem");
    std::fs::write(&config, text).unwrap();
    server.program.write("others.pem", theirs.pem());
    server.running.hang_up();
    let begun = Instant::now();
    while !logs_in(&theirs, &[me], plain, me) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the other authority is not taken up");
    }
    assert!(!logs_in(&ours, &[me], plain, me));
}
