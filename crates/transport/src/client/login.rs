//! AUTH: the session's challenges, answered by `sasl`.

use super::{Client, OpenError, now};
use sasl::client::{Credentials, Exchange, choose};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use smtp::Reply;
use smtp::client::Event;

impl Client {
    /// Logs in with the best mechanism that both sides have, or with `only`.
    ///
    /// # Errors
    /// There is none that is safe here, the server refused, or it did not prove that it knows the password.
    pub(super) async fn login(
        &mut self,
        credentials: &Credentials,
        only: Option<Mechanism>,
    ) -> Result<(), OpenError> {
        let offered = self.capabilities().auth.as_ref().ok_or(OpenError::AuthNotOffered)?;
        let known: Vec<Mechanism> = offered.iter().filter_map(|name| name.parse().ok()).collect();
        let mut channel = self.channel();
        let mechanism = match only {
            Some(only) if !known.contains(&only) => {
                let offered = offered.join(" ");
                return Err(sasl::Error::NoMechanism { credentials: credentials.kind(), offered }.into());
            }
            Some(only) => only,
            None => choose(&known, credentials, &channel)?,
        };
        // Told to do without -PLUS: then we must not claim that the server has none (RFC 5802 §6).
        if only.is_some_and(|only| !only.is_plus()) && matches!(channel, Channel::Tls(_)) {
            channel = Channel::Tls(Bindings::default());
        }
        let mut exchange = Exchange::new(mechanism, credentials.clone(), &channel, nonce()?)?;
        let initial = if mechanism.is_client_first() { exchange.initial() } else { None };
        self.session.auth(now(), mechanism.name(), initial)?;
        let mut given_up = None;
        loop {
            match self.next().await {
                Event::Challenge(challenge) => match exchange.respond(&challenge) {
                    Ok(response) => self.session.auth_response(now(), &response)?,
                    Err(error) => {
                        given_up = Some(error);
                        self.session.auth_cancel(now())?;
                    }
                },
                Event::Ready { .. } => return Ok(exchange.finish(None)?),
                Event::Refused { reply, .. } => {
                    return Err(given_up.map_or_else(|| refused(reply, exchange), OpenError::Auth));
                }
                Event::Ended(why) => return Err(why.into()),
                _ => {}
            }
        }
    }

    fn channel(&self) -> Channel {
        match self.tls() {
            Some(info) => Channel::Tls(Bindings {
                exporter: info.bindings.exporter,
                server_end_point: info.bindings.server_end_point.clone(),
            }),
            None if self.is_local() => Channel::Local,
            None => Channel::Clear,
        }
    }
}

/// The reply, and why, where the mechanism has told it: a server that refuses a token says so in a challenge (RFC 7628
/// §3.2.2), to which the response is empty of meaning.
fn refused(reply: Reply, exchange: Exchange) -> OpenError {
    match exchange.finish(None) {
        Err(sasl::Error::Refused(why)) => {
            // A peer's words, for logs and notifications: one line.
            let why =
                why.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
            OpenError::TokenRefused { reply, why: why.collect::<Vec<_>>().join(" ") }
        }
        _ => OpenError::AuthRefused(reply),
    }
}

fn nonce() -> Result<Nonce, OpenError> {
    let mut random = [0; 18];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| OpenError::NoRandomness)?;
    Ok(Nonce::new(random))
}
