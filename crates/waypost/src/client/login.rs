//! AUTH (RFC 4954) with what `sasl` makes of the credentials.

use super::{Client, Error, random};
use address::Secret;
use net::Peer;
use sasl::client::{Credentials, Exchange, choose};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use smtp::Reply;
use smtp::client::{Event, Stage};
use std::time::Instant;

/// Who logs in, and how.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    /// The password, or the token of XOAUTH2 and OAUTHBEARER.
    pub secret: Secret<String>,
    /// The best that both sides know, unless it is said.
    pub mechanism: Option<Mechanism>,
    /// The host and port that was called (RFC 7628 §3.1).
    pub server: Option<(String, u16)>,
}

impl Login {
    fn credentials(&self) -> Credentials {
        match self.mechanism {
            Some(Mechanism::External) => Credentials::External { authzid: Some(self.user.clone()) },
            Some(Mechanism::XOAuth2 | Mechanism::OAuthBearer) => Credentials::Bearer {
                user: self.user.clone(),
                token: self.secret.clone(),
                server: self.server.clone(),
            },
            _ => Credentials::password(&self.user, self.secret.clone()),
        }
    }
}

impl Client {
    /// Logs in; the server's words.
    ///
    /// # Errors
    /// [`Error::Refused`] for wrong credentials; [`Error::Sasl`] when nothing fits, or the password would be shown
    /// to others on the way, or the server does not prove that it knows it.
    pub async fn log_in(&mut self, login: &Login) -> Result<Reply, Error> {
        let Some(offered) = self.capabilities().auth.clone() else {
            let later = self.capabilities().starttls && !self.session.is_tls();
            let hint = if later { " before STARTTLS" } else { "" };
            return Err(Error::NoAuth { hint });
        };
        let known: Vec<Mechanism> = offered.iter().filter_map(|name| name.parse().ok()).collect();
        let credentials = login.credentials();
        let mut channel = self.channel();
        let mechanism = match login.mechanism {
            Some(mechanism) if !known.contains(&mechanism) => {
                let offered = offered.join(" ");
                return Err(sasl::Error::NoMechanism { credentials: credentials.kind(), offered }.into());
            }
            Some(mechanism) => mechanism,
            None => choose(&known, &credentials, &channel)?,
        };
        // Told to do without -PLUS: then we must not claim that the server has none (RFC 5802 §6).
        if login.mechanism.is_some_and(|asked| !asked.is_plus()) && matches!(channel, Channel::Tls(_)) {
            channel = Channel::Tls(Bindings::default());
        }
        let nonce = random().map_err(|_| sasl::Error::Unfinished)?;
        let mut exchange = Exchange::new(mechanism, credentials, &channel, Nonce::new(nonce))?;
        let initial = if mechanism.is_client_first() { exchange.initial() } else { None };
        self.session.auth(Instant::now(), mechanism.name(), initial)?;
        self.exchange(exchange).await
    }

    async fn exchange(&mut self, mut exchange: Exchange) -> Result<Reply, Error> {
        let mut failure = None;
        loop {
            match self.next().await? {
                Event::Challenge(challenge) => match exchange.respond(&challenge) {
                    Ok(response) => self.session.auth_response(Instant::now(), &response)?,
                    Err(error) => {
                        failure = Some(error);
                        self.session.auth_cancel(Instant::now())?;
                    }
                },
                Event::Ready { reply, .. } => {
                    exchange.finish(None)?;
                    return Ok(reply);
                }
                Event::Refused { reply, .. } => {
                    return Err(match failure {
                        Some(error) => error.into(),
                        None => Error::Refused { at: Stage::Auth, reply },
                    });
                }
                Event::Ended(ended) => return Err(ended.into()),
                _ => {}
            }
        }
    }

    /// Loopback and Unix sockets stay within the machine: nobody else can listen there.
    fn channel(&self) -> Channel {
        let Some(stream) = &self.stream else { return Channel::Clear };
        match (stream.tls(), stream.peer()) {
            (Some(tls), _) => Channel::Tls(Bindings {
                exporter: tls.bindings.exporter,
                server_end_point: tls.bindings.server_end_point.clone(),
            }),
            (None, Peer::Unix(_)) => Channel::Local,
            (None, Peer::Ip(address)) if address.ip().is_loopback() => Channel::Local,
            (None, Peer::Ip(_)) => Channel::Clear,
        }
    }
}
