//! AUTH: the exchange between the dialogue and the directory.

use crate::session::Session;
use address::Secret;
use directory::{DirectoryError, Progress};
use sasl::server::{Context, Failure, Step};
use sasl::{Mechanism, Nonce};
use smtp::command::Auth;
use smtp::reply::Reply;
use smtp::server::Decision;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// An exchange that waits for the client.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    /// The name given so far, for the log: the step that fails may not have it any more.
    name: String,
    next: sasl::server::Exchange,
}

impl Session {
    pub(crate) async fn auth(&mut self, auth: Auth) -> Decision {
        // Again, since the greeting: other connections may have failed meanwhile, or XCLIENT named another client.
        if let Some(reply) = self.shut_out(Instant::now()) {
            return Decision::Close(reply);
        }
        let Ok(mechanism) = auth.mechanism.parse::<Mechanism>() else {
            return Decision::Refuse(Reply::new(504, (5, 5, 4), "this mechanism is not offered here"));
        };
        let context = match self.context() {
            Ok(context) => context,
            Err(error) => return self.unavailable(&error),
        };
        let initial = auth.initial.as_ref().map(|secret| secret.reveal().as_slice());
        let step = sasl::server::begin(mechanism, context, initial);
        self.advance(mechanism, String::new(), step).await
    }

    pub(crate) async fn auth_response(&mut self, response: Secret<Vec<u8>>) -> Decision {
        let Some(exchange) = self.exchange.take() else {
            return Decision::Refuse(Reply::new(503, (5, 5, 1), "no authentication is under way"));
        };
        let step = exchange.next.respond(response.reveal());
        self.advance(exchange.mechanism, exchange.name, step).await
    }

    fn context(&self) -> Result<Context, DirectoryError> {
        let mut random = [0; 18];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| DirectoryError::NoRandomness)?;
        Ok(Context {
            channel: self.channel().clone(),
            nonce: Nonce::new(random),
            decoy: self.intake.directory.decoy().clone(),
            host: self.settings.hostname.to_string(),
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            certificate: self.intake.directory.account_of_certificate(self.certificate())?,
        })
    }

    async fn advance(&mut self, mechanism: Mechanism, known: String, step: Step) -> Decision {
        let name = Some(asked_name(&step)).filter(|name| !name.is_empty()).unwrap_or(known);
        match self.intake.directory.advance(step).await {
            Ok(Progress::Challenge { text, next }) => {
                self.exchange = Some(Exchange { mechanism, name, next });
                Decision::Challenge(text)
            }
            Ok(Progress::Done(login)) => {
                let account = login.account.address.to_string();
                self.intake.auth_guard.succeeded(self.client_ip(), &account);
                tracing::info!(session = %self.id, %account, mechanism = mechanism.name(), "authenticated");
                self.login = Some(login);
                Decision::Accept
            }
            Ok(Progress::Failed(failure)) => self.failed(failure, &name).await,
            Err(error) => self.unavailable(&error),
        }
    }

    /// Slowed, counted, and logged in one line that fail2ban reads (dist/fail2ban).
    async fn failed(&mut self, failure: Failure, name: &str) -> Decision {
        let (code, enhanced, words) = match failure {
            Failure::Malformed(what) => (501, (5, 5, 2), what),
            Failure::TooLong => (500, (5, 5, 6), "the response is too long"),
            Failure::EncryptionRequired => (538, (5, 7, 11), "encryption is required for this mechanism"),
            Failure::Unavailable => (504, (5, 5, 4), "this mechanism is not offered here"),
            Failure::Credentials | Failure::NotAuthorized | Failure::ChannelBinding => {
                (535, (5, 7, 8), "authentication failed")
            }
        };
        if code != 535 {
            tracing::debug!(session = %self.id, %failure, "AUTH not understood");
            return Decision::Refuse(Reply::new(code, enhanced, words));
        }
        let ip = self.client_ip();
        let peer = ip.map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
        // As POP3 says it. The words and their order are a contract with fail2ban filters; what the client sent is quoted.
        tracing::warn!(protocol = %"smtp", %peer, user = ?name, session = %self.id, reason = %failure, "auth failed");
        let counted = self.intake.auth_guard.failed(ip, name, Instant::now());
        tokio::time::sleep(counted.delay).await;
        if counted.shut_out.is_some() {
            tracing::warn!(protocol = %"smtp", %peer, session = %self.id, "shut out for too many failed logins");
            return Decision::Close(Reply::new(421, (4, 7, 0), "too many failed logins"));
        }
        Decision::Refuse(Reply::new(code, enhanced, words))
    }

    fn unavailable(&self, error: &DirectoryError) -> Decision {
        tracing::error!(session = %self.id, %error, "authentication is not possible now");
        Decision::Refuse(Reply::new(454, (4, 7, 0), "temporary authentication failure"))
    }
}

/// The name that a step is about, for the log.
fn asked_name(step: &Step) -> String {
    match step {
        Step::VerifyPassword(question) => question.authcid().to_owned(),
        Step::FindScramKeys(question) => question.authcid().to_owned(),
        Step::FindCramSecret(question) => question.authcid().to_owned(),
        Step::Authorize(question) => question.authcid().to_owned(),
        Step::Done(identity) => identity.authcid.clone(),
        Step::Challenge { .. } | Step::Failed(_) => String::new(),
    }
}
