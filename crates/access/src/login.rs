//! Logging in, whatever the protocol: mechanisms by the state of the connection, the exchange with the directory,
//! what follows from a failure, and the lines of the log.

use crate::Context;
use address::Secret;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use directory::{DirectoryError, Progress};
use net::Stream;
use net::tls::TlsInfo;
use policy::AuthFailure;
use sasl::server::{Exchange, Failure, Step};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::directory::AccountRecord;
use store::{Id, StoreError};
use tokio::time::timeout;

/// How long the directory may take. Passwords are hashed two at a time; past this the client is told to come back.
const DIRECTORY_TIMEOUT: Duration = Duration::from_secs(10);

/// Logs one connection's client in.
#[derive(Debug)]
pub(crate) struct Gate {
    context: Arc<Context>,
    protocol: &'static str,
    session: Id,
    address: Option<IpAddr>,
    channel: Channel,
    /// The account that the client's certificate stands for.
    certificate: Option<String>,
    exchange: Option<Pending>,
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
pub(crate) enum Outcome {
    Challenge(Vec<u8>),
    LoggedIn(Box<AccountRecord>),
    Refused(Refused),
}

/// Why not.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Wrong: to be said after the delay.
    Credentials(AuthFailure),
    /// The client's message is not one of the mechanism's.
    Malformed,
    /// The address may not try at all.
    ShutOut,
    /// A fault here that may pass.
    Temporary,
    /// A fault here that will not.
    Permanent,
}

impl Gate {
    pub(crate) fn new(context: Arc<Context>, protocol: &'static str, session: Id, stream: &Stream) -> Self {
        let address = stream.peer().ip();
        let mut gate = Self {
            context,
            protocol,
            session,
            address,
            channel: Channel::Clear,
            certificate: None,
            exchange: None,
        };
        gate.connection_changed(stream);
        gate
    }

    /// To be told when TLS has started.
    pub(crate) fn connection_changed(&mut self, stream: &Stream) {
        self.exchange = None;
        self.channel = match stream.tls() {
            Some(tls) => Channel::Tls(bindings(tls)),
            None if self.address.is_none_or(|ip| ip.is_loopback()) => Channel::Local,
            None => Channel::Clear,
        };
        self.certificate = stream.tls().and_then(|tls| self.account_of_certificate(tls));
    }

    /// Whether a password may be sent as things are.
    pub(crate) fn is_private(&self) -> bool {
        self.channel.is_private()
    }

    /// The mechanisms to offer now, the best first.
    pub(crate) fn mechanisms(&self) -> Vec<String> {
        let offered = |mechanism: &Mechanism| match mechanism {
            Mechanism::Plain | Mechanism::Login => self.channel.is_private(),
            Mechanism::Scram { plus, .. } => !plus || self.channel.can_bind(),
            Mechanism::External => self.certificate.is_some(),
            Mechanism::CramMd5 => self.context.directory.offers_cram_md5(),
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => false,
        };
        Mechanism::ALL.into_iter().filter(offered).map(|m| m.name().to_owned()).collect()
    }

    fn is_shut_out(&self) -> bool {
        self.context.guard.check(self.address, Instant::now()).is_err()
    }

    /// A name and password outside SASL.
    pub(crate) async fn password(&mut self, user: &str, password: &Secret<String>) -> Outcome {
        if self.is_shut_out() {
            return Outcome::Refused(Refused::ShutOut);
        }
        let attempt = Attempt { mechanism: "USER", user: user.to_owned() };
        let answer = timeout(DIRECTORY_TIMEOUT, self.context.directory.log_in(user, password)).await;
        match answer {
            Ok(Ok(Some(login))) => self.logged_in(&attempt, login.account),
            Ok(Ok(None)) => self.failed(&attempt, Failure::Credentials),
            Ok(Err(error)) => self.trouble(&error),
            Err(_) => self.overdue(),
        }
    }

    /// Begins an exchange, forgetting one that was not ended.
    pub(crate) async fn begin(&mut self, mechanism: &str, initial: Option<&[u8]>) -> Outcome {
        self.exchange = None;
        if self.is_shut_out() {
            return Outcome::Refused(Refused::ShutOut);
        }
        let Ok(mechanism) = mechanism.parse::<Mechanism>() else {
            return Outcome::Refused(Refused::Malformed);
        };
        let mut random = [0; 18];
        if SystemRandom::new().fill(&mut random).is_err() {
            tracing::error!(session = %self.session, "the system gives no random numbers");
            return Outcome::Refused(Refused::Temporary);
        }
        let surroundings = sasl::server::Context {
            channel: self.channel.clone(),
            nonce: Nonce::new(random),
            decoy: self.context.directory.decoy().clone(),
            host: self.context.hostname.clone(),
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            certificate: self.certificate.clone(),
        };
        let user = match mechanism {
            Mechanism::External => self.certificate.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let attempt = Attempt { mechanism: mechanism.name(), user };
        self.advance(attempt, sasl::server::begin(mechanism, surroundings, initial)).await
    }

    /// The client's response to a challenge.
    pub(crate) async fn respond(&mut self, response: &[u8]) -> Outcome {
        let Some(Pending { exchange, attempt }) = self.exchange.take() else {
            return Outcome::Refused(Refused::Malformed);
        };
        self.advance(attempt, exchange.respond(response)).await
    }

    async fn advance(&mut self, mut attempt: Attempt, step: Step) -> Outcome {
        if let Some(user) = user_of(&step) {
            attempt.user = user.to_owned();
        }
        match timeout(DIRECTORY_TIMEOUT, self.context.directory.advance(step)).await {
            Ok(Ok(Progress::Challenge { text, next })) => {
                self.exchange = Some(Pending { exchange: next, attempt });
                Outcome::Challenge(text)
            }
            Ok(Ok(Progress::Done(login))) => self.logged_in(&attempt, login.account),
            Ok(Ok(Progress::Failed(failure))) => self.failed(&attempt, failure),
            Ok(Err(error)) => self.trouble(&error),
            Err(_) => self.overdue(),
        }
    }

    fn logged_in(&self, attempt: &Attempt, account: AccountRecord) -> Outcome {
        self.context.guard.succeeded(self.address, &attempt.user);
        let tls = matches!(self.channel, Channel::Tls(_));
        tracing::info!(
            protocol = %self.protocol, peer = %self.shown_peer(), user = ?account.address.to_string(),
            mechanism = %attempt.mechanism, tls, session = %self.session, "logged in"
        );
        Outcome::LoggedIn(Box::new(account))
    }

    fn failed(&self, attempt: &Attempt, failure: Failure) -> Outcome {
        match failure {
            Failure::Credentials | Failure::NotAuthorized | Failure::ChannelBinding => {}
            Failure::Malformed(_) | Failure::TooLong | Failure::EncryptionRequired | Failure::Unavailable => {
                tracing::debug!(session = %self.session, mechanism = %attempt.mechanism, %failure, "AUTH not understood");
                return Outcome::Refused(Refused::Malformed);
            }
        }
        // The words and their order are a contract with fail2ban filters. What the client sent is quoted.
        tracing::warn!(
            protocol = %self.protocol, peer = %self.shown_peer(), user = ?attempt.user,
            mechanism = %attempt.mechanism, session = %self.session, reason = %failure, "auth failed"
        );
        let consequence = self.context.guard.failed(self.address, &attempt.user, Instant::now());
        if consequence.shut_out.is_some() {
            tracing::warn!(
                protocol = %self.protocol, peer = %self.shown_peer(), session = %self.session,
                "shut out for too many failed logins"
            );
        }
        Outcome::Refused(Refused::Credentials(consequence))
    }

    fn trouble(&self, error: &DirectoryError) -> Outcome {
        tracing::error!(session = %self.session, %error, "nobody can log in now");
        Outcome::Refused(match error {
            DirectoryError::Store(error) if !lasts(error) => Refused::Temporary,
            DirectoryError::NoRandomness => Refused::Temporary,
            _ => Refused::Permanent,
        })
    }

    fn overdue(&self) -> Outcome {
        tracing::error!(session = %self.session, "the directory took longer than {DIRECTORY_TIMEOUT:?}");
        Outcome::Refused(Refused::Temporary)
    }

    fn shown_peer(&self) -> String {
        self.address.map_or_else(|| "unix".to_owned(), |ip| ip.to_string())
    }

    /// A certificate that nobody vouches for says whatever its maker wrote into it: only its fingerprint counts then.
    fn account_of_certificate(&self, tls: &TlsInfo) -> Option<String> {
        let certificate = tls.peer_certificate.as_ref()?;
        let fingerprint = certificate.fingerprint();
        let names = certificate.emails.iter().chain(&certificate.dns_names).filter(|_| certificate.verified);
        let labels = std::iter::once(&fingerprint).chain(names).map(String::as_str);
        self.context.directory.account_of_certificate(labels).unwrap_or_else(|error| {
            tracing::error!(session = %self.session, %error, "the client's certificate cannot be looked up");
            None
        })
    }
}

/// Whether only an administrator can help.
pub(crate) fn lasts(error: &StoreError) -> bool {
    !error.is_temporary()
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
