//! `waypost account certificate`, and the server that runs meanwhile: who shows the certificate logs in as the account,
//! who shows another hears what a wrong password hears.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_waypost");
/// `\0me@example.org\0wrong`.
const WRONG_PASSWORD: &str = "AUTH PLAIN AG1lQGV4YW1wbGUub3JnAHdyb25n";

type Certificate = rcgen::CertifiedKey<rcgen::KeyPair>;

fn certificate(name: &str) -> Certificate {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// A server with `me@example.org`, to be killed at the end.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    own: CertificateDer<'static>,
    submissions: u16,
    pop3s: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn command(folder: &Path, words: &[&str], input: &str) {
    let mut child =
        Command::new(PROGRAM).args(words).env("WAYPOST_HOME", folder).stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    assert!(child.wait().unwrap().success(), "{words:?}");
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (submissions, pop3s) = (free_port(), free_port());
        let own = certificate("mail.example.org");
        std::fs::write(folder.path().join("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        let config = format!(
            "hostname = 'mail.example.org'\ndata = 'data'\n\
             [listen]\nsubmissions = ['127.0.0.1:{submissions}']\npop3s = ['127.0.0.1:{pop3s}']\n\
             [tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n\
             [limits]\nexempt = ['127.0.0.0/8']\n"
        );
        std::fs::write(folder.path().join("waypost.toml"), config).unwrap();
        command(folder.path(), &["domain", "add", "example.org"], "");
        command(
            folder.path(),
            &["account", "add", "me@example.org", "--password-stdin"],
            "correct horse battery\n",
        );
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .env("WAYPOST_HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, folder, own: own.cert.der().clone(), submissions, pop3s }
    }

    /// A file with the certificate, for the command line.
    fn file(&self, certificate: &Certificate) -> String {
        let file = self.folder.path().join("laptop.pem");
        std::fs::write(&file, certificate.cert.pem()).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// A client that shows the certificate and has read the greeting.
    fn call(&self, port: u16, certificate: &Certificate) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate.cert.der().clone()], key)
            .unwrap();
        let name = ServerName::try_from("mail.example.org").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Client(BufReader::new(StreamOwned::new(session, socket)));
        client.line();
        client
    }
}

struct Client(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The last line of the answer.
    fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }
}

#[test]
fn a_certificate_logs_in_for_submission_and_pop3() {
    let server = Server::start();
    let (known, other) = (certificate("laptop"), certificate("laptop"));
    let file = server.file(&known);
    let change = |verb: &str| {
        command(
            server.folder.path(),
            &["account", "certificate", verb, "me@example.org", "--file", &file],
            "",
        );
    };
    let submit = |certificate: &Certificate, auth: &str| {
        let mut client = server.call(server.submissions, certificate);
        client.say("EHLO laptop");
        let answer = client.say(auth);
        (answer, client.say("MAIL FROM:<me@example.org>"))
    };
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
