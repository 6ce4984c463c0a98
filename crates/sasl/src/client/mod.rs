//! The client's side of an exchange.
//!
//! [`Exchange::initial`] goes with the command where the protocol allows it; where it does not, the server's first
//! challenge is empty and [`Exchange::respond`] answers it with the same message. Success that the server reports is
//! believed only after [`Exchange::finish`].

mod choose;
mod oauth;
mod scram;

use std::fmt;

use address::Secret;
use data_encoding::HEXLOWER;

pub use choose::choose;

use crate::crypto::hmac_md5;
use crate::error::quote;
use crate::{Channel, Error, MAX_MESSAGE, MAX_NAME, MAX_PASSWORD, Mechanism, Nonce};

/// What the client has to show.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A name and a password, for all but the two kinds below.
    Password { authcid: String, password: Secret<String>, authzid: Option<String> },
    /// An OAuth 2.0 access token, for OAUTHBEARER and XOAUTH2. `server` is the host and port that was called (RFC 7628 §3.1).
    Bearer { user: String, token: Secret<String>, server: Option<(String, u16)> },
    /// The client certificate of the TLS connection, for EXTERNAL.
    External { authzid: Option<String> },
}

/// The kinds of [`Credentials`], for texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Password,
    Bearer,
    External,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "a password",
            Self::Bearer => "a bearer token",
            Self::External => "a client certificate",
        })
    }
}

impl Credentials {
    /// A name and a password, to act as oneself.
    pub fn password(authcid: &str, password: Secret<String>) -> Self {
        Self::Password { authcid: authcid.to_owned(), password, authzid: None }
    }

    /// Of which kind they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Password { .. } => Kind::Password,
            Self::Bearer { .. } => Kind::Bearer,
            Self::External { .. } => Kind::External,
        }
    }
}

/// An exchange, from the client's side.
#[derive(Debug)]
pub struct Exchange(State);

#[derive(Debug)]
enum State {
    /// The first message is not sent yet; then comes the other state.
    First(Secret<Vec<u8>>, Box<Self>),
    LoginName(String, Secret<String>),
    LoginPassword(Secret<String>),
    CramMd5(String, Secret<String>),
    ScramFirst(Box<scram::AwaitFirst>),
    ScramFinal(scram::AwaitFinal),
    /// The token is sent; a challenge would be the server's refusal, and is to be acknowledged with this.
    Bearer(&'static [u8]),
    /// The server said why it refuses, or what it sent was wrong.
    Failed(Error),
    /// Everything is said.
    Over,
}

impl Exchange {
    /// A new exchange. A SCRAM mechanism without -PLUS over a `channel` that could bind tells the server that it saw no -PLUS
    /// offered, which a server that did offer it takes for an attack (RFC 5802 §6): whoever wants such a mechanism in spite
    /// of that gives a channel without bindings.
    ///
    /// # Errors
    /// Credentials that the mechanism cannot use or must not show over this channel, names or passwords past their bounds.
    pub fn new(
        mechanism: Mechanism,
        credentials: Credentials,
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Self, Error> {
        if mechanism.needs_privacy() && !channel.is_private() {
            return Err(Error::NeedsPrivacy(mechanism));
        }
        let state = match (mechanism, credentials) {
            (Mechanism::Plain, Credentials::Password { authcid, password, authzid }) => {
                let message = plain(&authcid, &password, authzid.as_deref())?;
                State::First(message, Box::new(State::Over))
            }
            (Mechanism::Login, Credentials::Password { authcid, password, authzid: None }) => {
                check_password(&password)?;
                State::LoginName(check_name(&authcid)?.to_owned(), password)
            }
            (Mechanism::CramMd5, Credentials::Password { authcid, password, authzid: None }) => {
                check_password(&password)?;
                State::CramMd5(check_name(&authcid)?.to_owned(), password)
            }
            (Mechanism::Scram { hash, plus }, Credentials::Password { authcid, password, authzid }) => {
                let (message, next) = scram::first(
                    scram::Variant { hash, plus },
                    (&authcid, authzid.as_deref()),
                    password,
                    channel,
                    &nonce,
                )?;
                State::First(Secret::new(message), Box::new(State::ScramFirst(Box::new(next))))
            }
            (Mechanism::External, Credentials::External { authzid }) => {
                let authzid = authzid.as_deref().map(check_name).transpose()?.unwrap_or_default();
                State::First(Secret::new(authzid.as_bytes().to_vec()), Box::new(State::Over))
            }
            (Mechanism::OAuthBearer, Credentials::Bearer { user, token, server }) => State::First(
                oauth::bearer(&user, &token, server.as_ref())?,
                Box::new(State::Bearer(oauth::BEARER_DUMMY)),
            ),
            (Mechanism::XOAuth2, Credentials::Bearer { user, token, .. }) => {
                State::First(oauth::xoauth2(&user, &token)?, Box::new(State::Bearer(oauth::XOAUTH2_DUMMY)))
            }
            (mechanism, credentials) => {
                return Err(Error::WrongCredentials { mechanism, credentials: credentials.kind() });
            }
        };
        Ok(Self(state))
    }

    /// The initial response, for a mechanism in which the client speaks first. Taken only to be sent: from then on the
    /// exchange goes on from there.
    pub fn initial(&mut self) -> Option<Secret<Vec<u8>>> {
        match std::mem::replace(&mut self.0, State::Over) {
            State::First(message, next) => {
                self.0 = *next;
                Some(message)
            }
            other => {
                self.0 = other;
                None
            }
        }
    }

    /// The response to a challenge.
    ///
    /// # Errors
    /// The server does not follow the mechanism, or failed to prove that it knows the password: cancel the exchange (`*`).
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
        match self.advance(challenge) {
            Ok((response, next)) => {
                self.0 = next;
                Ok(response)
            }
            Err(error) => {
                self.0 = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn advance(&mut self, challenge: &[u8]) -> Result<(Secret<Vec<u8>>, State), Error> {
        if challenge.len() > MAX_MESSAGE {
            return Err(Error::TooLong { what: "server's challenge", max: MAX_MESSAGE });
        }
        match std::mem::replace(&mut self.0, State::Over) {
            State::First(message, next) if challenge.is_empty() => Ok((message, *next)),
            State::First(..) => Err(Error::malformed("the client speaks first", challenge)),
            // The prompts of LOGIN differ from server to server and mean nothing.
            State::LoginName(name, password) => {
                Ok((Secret::new(name.into_bytes()), State::LoginPassword(password)))
            }
            State::LoginPassword(password) => {
                Ok((Secret::new(password.into_inner().into_bytes()), State::Over))
            }
            State::CramMd5(name, secret) => {
                let digest = HEXLOWER.encode(&hmac_md5(secret.reveal().as_bytes(), challenge));
                Ok((Secret::new(format!("{name} {digest}").into_bytes()), State::Over))
            }
            State::ScramFirst(state) => {
                let (response, next) = state.respond(challenge)?;
                Ok((Secret::new(response), State::ScramFinal(next)))
            }
            State::ScramFinal(state) => {
                state.verify(challenge)?;
                Ok((Secret::new(Vec::new()), State::Over))
            }
            State::Bearer(dummy) => {
                Ok((Secret::new(dummy.to_vec()), State::Failed(Error::Refused(quote(challenge)))))
            }
            State::Failed(error) => Err(error),
            State::Over => Err(Error::Over),
        }
    }

    /// To be called when the server reports success, with the data that came along, if the protocol has such
    /// (ManageSieve); without it the connection is not authenticated. When the server reports failure the error says more than
    /// its reply where the mechanism lets it (`e=`, the JSON of OAUTHBEARER).
    ///
    /// # Errors
    /// The exchange is not at its end, or the server has not proved that it knows the password (RFC 5802 §5).
    pub fn finish(self, data: Option<&[u8]>) -> Result<(), Error> {
        match (self.0, data) {
            (State::Over | State::Bearer(_), _) => Ok(()),
            (State::ScramFinal(state), Some(data)) => state.verify(data),
            (State::Failed(error), _) => Err(error),
            _ => Err(Error::Unfinished),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2): unprepared, since that is the server's task.
fn plain(authcid: &str, password: &Secret<String>, authzid: Option<&str>) -> Result<Secret<Vec<u8>>, Error> {
    check_password(password)?;
    let authzid = authzid.map(check_name).transpose()?.unwrap_or_default();
    let message = format!("{authzid}\0{}\0{}", check_name(authcid)?, password.reveal());
    Ok(Secret::new(message.into_bytes()))
}

/// A name that can be sent: not empty, within its bound, without control characters, which separate the parts of messages.
fn check_name(name: &str) -> Result<&str, Error> {
    match name.len() {
        0 => Err(Error::Name),
        1..=MAX_NAME if !name.contains(|c: char| c.is_ascii_control()) => Ok(name),
        1..=MAX_NAME => Err(Error::Name),
        _ => Err(Error::TooLong { what: "user name", max: MAX_NAME }),
    }
}

/// A password that can be sent.
fn check_password(password: &Secret<String>) -> Result<(), Error> {
    let password = password.reveal();
    match password.len() {
        0 => Err(Error::Password),
        1..=MAX_PASSWORD if !password.contains('\0') => Ok(()),
        1..=MAX_PASSWORD => Err(Error::Password),
        _ => Err(Error::TooLong { what: "password", max: MAX_PASSWORD }),
    }
}
