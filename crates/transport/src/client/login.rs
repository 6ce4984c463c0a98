//! AUTH: the session's challenges, answered by `sasl`.

use super::{Client, OpenError, now};
use address::Secret;
use sasl::client::{Credentials, Exchange, choose};
use sasl::{Bindings, Channel, Mechanism, Nonce};
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
        let mut mechanisms: Vec<Mechanism> = offered.iter().filter_map(|name| name.parse().ok()).collect();
        mechanisms.retain(|mechanism| only.is_none_or(|only| only == *mechanism));
        let channel = self.channel();
        let mechanism = choose(&mechanisms, credentials, &channel)?;
        let mut exchange = Exchange::new(mechanism, credentials.clone(), &channel, nonce()?)?;
        let initial: Option<Secret<Vec<u8>>> = exchange.initial();
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
                    return Err(given_up.map_or(OpenError::AuthRefused(reply), OpenError::Auth));
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

fn nonce() -> Result<Nonce, OpenError> {
    let mut random = [0; 18];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| OpenError::NoRandomness)?;
    Ok(Nonce::new(random))
}
