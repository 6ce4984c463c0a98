//! A folder with a configuration, and the real program in it.

use crate::Error;
use rustls::{ClientConfig, RootCertStore};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where an installation listens, on an address of its own.
pub const SMTP: u16 = 2525;
pub const SUBMISSION: u16 = 2587;
pub const SUBMISSIONS: u16 = 2465;
pub const LMTP: u16 = 2424;
pub const IMAPS: u16 = 2993;
pub const POP3S: u16 = 2995;
/// For the next server, where a harness plays it.
pub const NEXT: u16 = 2526;

/// Its name, in the certificate too.
pub const HOSTNAME: &str = "mail.example.org";
/// The domain whose mailboxes are here.
pub const DOMAIN: &str = "example.org";
/// Of every account.
pub const PASSWORD: &str = "correct horse battery staple";
/// Received fields that show a loop here.
pub const HOPS: usize = 10;
/// Octets of the log that are quoted.
const LAST_WORDS: usize = 2_000;

/// Keys for a configuration, in the syntax of the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// Further entries of the list `smtp` in `[listen]`, each with a comma before it.
    pub smtp: &'a str,
    /// Lines of `[delivery]`.
    pub delivery: &'a str,
    /// Lines of `[limits]`.
    pub limits: &'a str,
    /// Lines of `[queue]`.
    pub queue: &'a str,
    /// Further tables.
    pub tables: &'a str,
}

/// One `waypost` that listens on a loopback address nobody else has, so that its ports are free after every restart.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    program: PathBuf,
    address: Ipv4Addr,
    tls: Arc<ClientConfig>,
}

impl Installation {
    /// Without accounts or a domain yet; [`Installation::configure`] comes next.
    ///
    /// # Errors
    /// When the folder or the certificate cannot be made.
    pub fn new(program: &Path) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(vec![HOSTNAME.to_owned()])?;
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem())?;
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { folder, program: program.to_owned(), address: own_address(), tls: Arc::new(tls) })
    }

    pub fn place(&self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.address), port)
    }

    /// Trusts this installation's certificate.
    pub fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Leaves the folder where it is, for somebody to look at.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Writes the configuration: all listeners, no limit that a harness would meet, and everything for elsewhere goes
    /// to [`NEXT`], again and again without much of a pause.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, more: &Extra<'_>) -> Result<(), Error> {
        let place = |port| format!("[\"{}\"]", self.place(port));
        let Extra { smtp, delivery, limits, queue, tables } = more;
        let smtp = format!("[\"{}\"{smtp}]", self.place(SMTP));
        let text = format!(
            "hostname = \"{HOSTNAME}\"\ndata = \"data\"\n\
             [listen]\nsmtp = {smtp}\nsubmission = {}\nsubmissions = {}\nlmtp = {}\nimaps = {}\npop3s = {}\n\
             [tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
             [relay]\ntrusted = [\"127.0.0.0/8\"]\n\
             [limits]\nexempt = [\"127.0.0.0/8\"]\nmessages-per-session = 0\nmessages-per-hour = 0\n\
             recipients-per-hour = 0\nhops = {HOPS}\n{limits}\n\
             [queue]\nfirst-retry = \"1 s\"\nmax-retry = \"2 s\"\ndelay-notice = \"0 s\"\n{queue}\n\
             [delivery]\nsmarthost = \"smtp://{}\"\n{delivery}\n\
             {tables}\n",
            place(SUBMISSION),
            place(SUBMISSIONS),
            place(LMTP),
            place(IMAPS),
            place(POP3S),
            self.place(NEXT),
        );
        self.write(&text)
    }

    /// Writes this configuration as it stands.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        Ok(std::fs::write(self.folder.path().join("waypost.toml"), text)?)
    }

    /// Adds [`DOMAIN`] and these accounts of it.
    ///
    /// # Errors
    /// When a command fails.
    pub fn populate(&self, accounts: &[&str]) -> Result<(), Error> {
        self.command(&["domain", "add", DOMAIN], "")?;
        for account in accounts {
            let address = format!("{account}@{DOMAIN}");
            self.command(&["account", "add", &address, "--password-stdin"], &format!("{PASSWORD}\n"))?;
        }
        Ok(())
    }

    /// Runs a command to its end; what it printed.
    ///
    /// # Errors
    /// When its status is not 0.
    pub fn command(&self, words: &[&str], input: &str) -> Result<String, Error> {
        let mut child = self
            .program(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it may be gone by now.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Command { words: words.join(" "), said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--config").arg(self.folder.path().join("waypost.toml"));
        command
    }

    /// Starts `waypost serve` and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self) -> Result<Server, Error> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let child =
            self.program(&["serve"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        Ok(Server { child })
    }

    /// Starts `waypost serve` and returns when it is ready.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn serve(&self) -> Result<Server, Error> {
        let mut server = self.spawn()?;
        let mut line = String::new();
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line == "ready\n" { Ok(server) } else { Err(Error::NotReady(self.last_words())) }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    /// All that the servers of this installation logged.
    pub fn logged(&self) -> String {
        std::fs::read(self.log()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    fn last_words(&self) -> String {
        let log = self.logged();
        let from = log.len().saturating_sub(LAST_WORDS);
        log.get(log.ceil_char_boundary(from)..).unwrap_or_default().to_owned()
    }

    /// Waits until nothing is in the queue any more; `limit` is for a server that never gets there.
    ///
    /// # Errors
    /// When the limit is over, or the queue cannot be asked.
    pub fn wait_for_empty_queue(&self, limit: Duration) -> Result<(), Error> {
        let until = Instant::now() + limit;
        loop {
            let listed = self.command(&["queue", "list", "--limit", "5", "--json"], "")?;
            if listed.trim() == "[]" {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Error::Stuck(format!("the queue did not get empty: {listed}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// 127.x.y.z from the process and a count: all of 127/8 is this machine on Linux.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes()[3];
    Ipv4Addr::new(127, 1 + high.wrapping_add(count.wrapping_mul(7)) % 250, middle, low)
}

/// `waypost serve`, running. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the system does not know it any more.
    pub fn kill(mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
