//! Logging in, whatever the protocol: the mechanisms to offer, the exchange with the directory, what follows from a
//! failure, and the lines of the log.

use crate::{AuthGuard, ShutOut};
use address::Secret;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use directory::{Directory, DirectoryError, Login, Progress};
use net::tls::{PeerCertificate, TlsInfo};
use net::{Shutdown, Stream};
use sasl::server::{Exchange, Failure, Step};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Id;
use tokio::time::timeout;

/// How long the directory may take. Passwords are hashed two at a time; past this the client is told to come back.
const DIRECTORY_TIMEOUT: Duration = Duration::from_secs(10);

/// Logs one connection's client in. All servers use it, so that a failure is the same everywhere: slowed, counted, and
/// one line of the log that fail2ban reads.
#[derive(Debug)]
pub struct Gate {
    /// Apart: a connection's task holds the gate in several states, each with room of its own.
    place: Box<Place>,
    channel: Channel,
    certificate: Option<Box<PeerCertificate>>,
    exchange: Option<Pending>,
}

#[derive(Debug)]
struct Place {
    directory: Directory,
    guard: Arc<AuthGuard>,
    shutdown: Shutdown,
    visitor: Visitor,
}

/// Whose connection it is.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// As the log names it: `smtp`, `pop3`.
    pub protocol: &'static str,
    pub session: Id,
    /// By which failures are counted; `None`: a Unix socket.
    pub address: Option<IpAddr>,
    /// Our own name, which CRAM-MD5 says.
    pub hostname: String,
}

/// An exchange that waits for the client.
#[derive(Debug)]
struct Pending {
    exchange: Exchange,
    attempt: Attempt,
}

/// What the log and the guard know of an attempt.
#[derive(Debug)]
struct Attempt {
    mechanism: &'static str,
    /// As the client named it; empty until it has.
    user: String,
}

/// What came of a step.
#[derive(Debug)]
pub enum Outcome {
    Challenge(Vec<u8>),
    LoggedIn(Box<Login>),
    Refused(Refused),
}

/// Why not.
#[derive(Debug)]
pub enum Refused {
    /// Wrong, whatever is wrong: the delay has passed, the client is to be told. With `shut_out` this failure was one
    /// too many: then close.
    Credentials { shut_out: Option<ShutOut> },
    /// The client's message is none of the mechanism's, or the mechanism none of ours. Not counted.
    NotUnderstood(Failure),
    /// The address may not try at all: tell it, then close.
    ShutOut(ShutOut),
    /// A fault here; unless it is `lasting` it may pass by itself.
    Unavailable { lasting: bool },
}

impl Gate {
    /// Before anything is known of the connection: nobody logs in until [`Gate::connected`].
    pub fn new(directory: Directory, guard: Arc<AuthGuard>, shutdown: Shutdown, visitor: Visitor) -> Self {
        let place = Box::new(Place { directory, guard, shutdown, visitor });
        Self { place, channel: Channel::Clear, certificate: None, exchange: None }
    }

    /// The connection is as it will be for now: to be told at its beginning, and when TLS has started. `trusted_clear`:
    /// without TLS nobody else can read it all the same. (A Unix socket never leaves the machine.)
    pub fn connected(&mut self, stream: &Stream, trusted_clear: bool) {
        self.exchange = None;
        self.channel = match stream.tls() {
            Some(tls) => Channel::Tls(bindings(tls)),
            None if trusted_clear || stream.peer().ip().is_none() => Channel::Local,
            None => Channel::Clear,
        };
        self.certificate = stream.tls().and_then(|tls| tls.peer_certificate.clone().map(Box::new));
    }

    /// Somebody speaks for another client (XCLIENT), by whose address failures are counted from now on.
    pub fn speaks_for(&mut self, address: Option<IpAddr>) {
        self.exchange = None;
        self.place.visitor.address = address;
    }

    /// Whether a password may be sent as things are.
    pub fn is_private(&self) -> bool {
        self.channel.is_private()
    }

    /// The mechanisms to offer now, the best first; none where others can read along.
    pub fn mechanisms(&self) -> Vec<String> {
        let offered = |mechanism: &Mechanism| match mechanism {
            Mechanism::External => self.certificate.is_some(),
            Mechanism::CramMd5 => self.place.directory.offers_cram_md5(),
            // As client only.
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => false,
            Mechanism::Plain | Mechanism::Login | Mechanism::Scram { .. } => {
                !mechanism.is_plus() || self.channel.can_bind()
            }
        };
        let all = Mechanism::ALL.into_iter().filter(|_| self.channel.is_private());
        all.filter(offered).map(|mechanism| mechanism.name().to_owned()).collect()
    }

    /// Whether the address may not log in, and need not be served.
    ///
    /// # Errors
    /// [`ShutOut`] says until when not.
    pub fn check(&self, now: Instant) -> Result<(), ShutOut> {
        self.place.guard.check(self.place.visitor.address, now)
    }

    /// A name and password outside SASL.
    pub async fn password(&mut self, user: &str, password: &Secret<String>) -> Outcome {
        if let Err(out) = self.check(Instant::now()) {
            return Outcome::Refused(Refused::ShutOut(out));
        }
        let attempt = Attempt { mechanism: "USER", user: user.to_owned() };
        match in_time(Box::pin(self.place.directory.log_in(user, password))).await {
            Ok(Some(login)) => self.logged_in(&attempt, login),
            Ok(None) => Box::pin(self.failed(&attempt, Failure::Credentials)).await,
            Err(trouble) => self.trouble(&trouble),
        }
    }

    /// Begins an exchange, forgetting one that was not ended. `initial`: [`sasl::server::begin`].
    pub async fn begin(&mut self, mechanism: &str, initial: Option<&[u8]>) -> Outcome {
        self.exchange = None;
        // Again, since the greeting: other connections may have failed meanwhile, or XCLIENT named another client.
        if let Err(out) = self.check(Instant::now()) {
            return Outcome::Refused(Refused::ShutOut(out));
        }
        let Ok(mechanism) = mechanism.parse::<Mechanism>() else {
            return Outcome::Refused(Refused::NotUnderstood(Failure::Unavailable));
        };
        let context = match self.context() {
            Ok(context) => context,
            Err(error) => return self.trouble(&Trouble::Directory(error)),
        };
        // A certificate names nobody to the log; its fingerprint is what an administrator needs.
        let shown = self.certificate.as_ref().filter(|_| mechanism == Mechanism::External);
        let user = shown.map(|shown| format!("certificate {}", shown.fingerprint())).unwrap_or_default();
        let attempt = Attempt { mechanism: mechanism.name(), user };
        Box::pin(self.advance(attempt, sasl::server::begin(mechanism, context, initial))).await
    }

    /// The client's response to a challenge.
    pub async fn respond(&mut self, response: &[u8]) -> Outcome {
        let Some(Pending { exchange, attempt }) = self.exchange.take() else {
            let failure = Failure::Malformed("no authentication is under way");
            return Outcome::Refused(Refused::NotUnderstood(failure));
        };
        Box::pin(self.advance(attempt, exchange.respond(response))).await
    }

    /// The client has given the exchange up.
    pub fn cancel(&mut self) {
        self.exchange = None;
    }

    fn context(&self) -> Result<sasl::server::Context, DirectoryError> {
        let mut random = [0; 18];
        SystemRandom::new().fill(&mut random).map_err(|_| DirectoryError::NoRandomness)?;
        Ok(sasl::server::Context {
            channel: self.channel.clone(),
            nonce: Nonce::new(random),
            decoy: self.place.directory.decoy().clone(),
            host: self.place.visitor.hostname.clone(),
            unix_time: store::clock::seconds(),
            certificate: self.account_of_certificate()?,
        })
    }

    /// A certificate that nobody vouches for says whatever its maker wrote into it: only its fingerprint counts then.
    fn account_of_certificate(&self) -> Result<Option<String>, DirectoryError> {
        let Some(certificate) = &self.certificate else { return Ok(None) };
        let emails = certificate.emails.iter().filter(|_| certificate.verified).map(String::as_str);
        self.place.directory.account_of_certificate(&certificate.fingerprint(), emails)
    }

    /// (Its callers have it on the heap, for its time: connections that do not log in now are not to be larger for it.)
    async fn advance(&mut self, mut attempt: Attempt, step: Step) -> Outcome {
        if let Some(user) = user_of(&step) {
            attempt.user = user.to_owned();
        }
        match in_time(self.place.directory.advance(step)).await {
            Ok(Progress::Challenge { text, next }) => {
                self.exchange = Some(Pending { exchange: next, attempt });
                Outcome::Challenge(text)
            }
            Ok(Progress::Done(login)) => self.logged_in(&attempt, login),
            Ok(Progress::Failed(failure)) => self.failed(&attempt, failure).await,
            Err(trouble) => self.trouble(&trouble),
        }
    }
}

/// What follows, and the log.
impl Gate {
    fn logged_in(&self, attempt: &Attempt, login: Login) -> Outcome {
        self.place.guard.succeeded(self.place.visitor.address, &attempt.user);
        let tls = matches!(self.channel, Channel::Tls(_));
        let Visitor { protocol, session, .. } = &self.place.visitor;
        tracing::info!(
            %protocol, peer = %self.shown_peer(), user = ?login.account.address.to_string(),
            mechanism = %attempt.mechanism, tls, %session, "logged in"
        );
        Outcome::LoggedIn(Box::new(login))
    }

    async fn failed(&self, attempt: &Attempt, failure: Failure) -> Outcome {
        let Visitor { protocol, session, address, .. } = &self.place.visitor;
        match failure {
            Failure::Credentials | Failure::NotAuthorized | Failure::ChannelBinding => {}
            Failure::Malformed(_) | Failure::TooLong | Failure::EncryptionRequired | Failure::Unavailable => {
                tracing::debug!(%session, mechanism = %attempt.mechanism, %failure, "AUTH not understood");
                return Outcome::Refused(Refused::NotUnderstood(failure));
            }
        }
        let peer = self.shown_peer();
        // The words and their order are a contract with fail2ban filters. What the client sent is quoted.
        tracing::warn!(
            %protocol, %peer, user = ?attempt.user, mechanism = %attempt.mechanism, %session, reason = %failure,
            "auth failed"
        );
        let consequence = self.place.guard.failed(*address, &attempt.user, Instant::now());
        if consequence.shut_out.is_some() {
            tracing::warn!(%protocol, %peer, %session, "shut out for too many failed logins");
        }
        tokio::select! {
            () = tokio::time::sleep(consequence.delay) => {}
            () = self.place.shutdown.wait() => {}
        }
        Outcome::Refused(Refused::Credentials { shut_out: consequence.shut_out })
    }

    fn trouble(&self, trouble: &Trouble) -> Outcome {
        tracing::error!(session = %self.place.visitor.session, %trouble, "nobody can log in now");
        let lasting = match trouble {
            Trouble::Directory(DirectoryError::Store(error)) => !error.is_temporary(),
            Trouble::Directory(DirectoryError::NoRandomness) | Trouble::Overdue => false,
            Trouble::Directory(DirectoryError::Damaged(_) | DirectoryError::Password(_)) => true,
        };
        Outcome::Refused(Refused::Unavailable { lasting })
    }

    fn shown_peer(&self) -> String {
        self.place.visitor.address.map_or_else(|| "unix".to_owned(), |ip| ip.to_string())
    }
}

/// Why nobody can log in.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Directory(DirectoryError),
    #[error("the directory took longer than {DIRECTORY_TIMEOUT:?}")]
    Overdue,
}

async fn in_time<T>(work: impl Future<Output = Result<T, DirectoryError>>) -> Result<T, Trouble> {
    timeout(DIRECTORY_TIMEOUT, work).await.map_err(|_| Trouble::Overdue)?.map_err(Trouble::Directory)
}

fn bindings(tls: &TlsInfo) -> Bindings {
    Bindings { exporter: tls.bindings.exporter, server_end_point: tls.bindings.server_end_point.clone() }
}

/// Whom the client claims to be, where a step says so.
fn user_of(step: &Step) -> Option<&str> {
    match step {
        Step::VerifyPassword(question) => Some(question.authcid()),
        Step::FindScramKeys(question) => Some(question.authcid()),
        Step::FindCramSecret(question) => Some(question.authcid()),
        Step::Authorize(question) => Some(question.authcid()),
        Step::Challenge { .. } | Step::Done(_) | Step::Failed(_) => None,
    }
}
