//! The server's side of an exchange.
//!
//! ```text
//!            ┌─ Challenge ── respond ─┐
//! begin ─────┤  VerifyPassword, FindScramKeys, FindCramSecret, Authorize ── answer ─┐
//!            └─ Done, Failed ◀────────────────────────────────────────────────────┘
//! ```
//!
//! Each look-up is a value that holds what the exchange knows so far and is used up by its answer, so that an answer
//! cannot go to the wrong question. Whoever the user is, the same bytes are sent and the same work is done: what
//! does not exist is answered with `unknown` and fails at the end, as a wrong password does.
//!
//! Dropping an exchange abandons it: for a client that cancels with `*`, or a directory that is out of reach (454 4.7.0).

mod cram_md5;
mod decoy;
mod external;
mod login;
mod plain;
mod scram;

use address::Secret;

pub use cram_md5::FindCramSecret;
pub use decoy::Decoy;
pub use plain::VerifyPassword;
pub use scram::FindScramKeys;

use crate::{Channel, Error, MAX_MESSAGE, MAX_NAME, Mechanism, Nonce, prepare};

/// What an exchange needs to know of its surroundings.
#[derive(Debug)]
pub struct Context {
    /// The connection: decides whether passwords may be sent, and holds what -PLUS is bound to.
    pub channel: Channel,
    /// Fresh for each exchange (SCRAM, CRAM-MD5).
    pub nonce: Nonce,
    /// Answers for users that do not exist.
    pub decoy: Decoy,
    /// This server's name, for the challenge of CRAM-MD5.
    pub host: String,
    /// Seconds since 1970, for the challenge of CRAM-MD5.
    pub unix_time: u64,
    /// The account that the client's certificate stands for, if it does (EXTERNAL).
    pub certificate: Option<String>,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Send this text (which may be empty) and wait for the response.
    Challenge { text: Vec<u8>, next: Exchange },
    /// Verify a password.
    VerifyPassword(VerifyPassword),
    /// Look up the SCRAM keys of a user.
    FindScramKeys(FindScramKeys),
    /// Look up the CRAM-MD5 secret of a user.
    FindCramSecret(FindCramSecret),
    /// Decide whether one user may act as another.
    Authorize(Authorize),
    /// Authenticated.
    Done(Identity),
    /// Not authenticated.
    Failed(Failure),
}

impl From<Result<Self, Failure>> for Step {
    fn from(result: Result<Self, Failure>) -> Self {
        result.unwrap_or_else(Self::Failed)
    }
}

/// Who has logged in. The names are prepared (SASLprep), and not changed otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose credentials were shown.
    pub authcid: String,
    /// As whom he acts: only present where it is another, and [`Authorize`] has been granted.
    pub authzid: Option<String>,
}

/// Why an exchange failed. The reply codes are those of RFC 4954 §4 and §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not what the mechanism's grammar allows, with what is wrong: 501 5.5.2.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// A message longer than [`MAX_MESSAGE`](crate::MAX_MESSAGE): 500 5.5.6.
    #[error("message too long")]
    TooLong,
    /// No such user, wrong password, a certificate that stands for no account: 535 5.7.8.
    #[error("authentication credentials invalid")]
    Credentials,
    /// The user may not act as the one he asked for: 535 5.7.8.
    #[error("not authorized to act as the requested identity")]
    NotAuthorized,
    /// The client is bound to another connection, or was made to believe that binding is not offered: someone stands
    /// between. 535 5.7.8.
    #[error("channel binding does not match: the connection may be intercepted")]
    ChannelBinding,
    /// A password over a connection that others can read: 538 5.7.11.
    #[error("encryption required for this mechanism")]
    EncryptionRequired,
    /// A mechanism that is not served here or on this connection: 504 5.5.4.
    #[error("mechanism not available")]
    Unavailable,
}

/// Begins an exchange. `initial` is the client's initial response: `None` where it sent none, `Some(b"")` where it sent an
/// empty one (`=` in SMTP, RFC 4954 §4).
pub fn begin(mechanism: Mechanism, context: Context, initial: Option<&[u8]>) -> Step {
    if mechanism.needs_privacy() && !context.channel.is_private() {
        return Step::Failed(Failure::EncryptionRequired);
    }
    if mechanism.is_plus() && !context.channel.can_bind() {
        return Step::Failed(Failure::Unavailable);
    }
    match (mechanism, initial) {
        (Mechanism::OAuthBearer | Mechanism::XOAuth2, _) => Step::Failed(Failure::Unavailable),
        (_, Some(message)) if message.len() > MAX_MESSAGE => Step::Failed(Failure::TooLong),
        (Mechanism::Login, _) => login::begin(initial).into(),
        (Mechanism::CramMd5, None) => cram_md5::begin(&context),
        (Mechanism::CramMd5, Some(_)) => {
            Step::Failed(Failure::Malformed("this mechanism has no initial response"))
        }
        (_, Some(message)) => first(mechanism, context, message).into(),
        (_, None) => Step::challenge(Vec::new(), State::First(mechanism, Box::new(context))),
    }
}

/// An exchange that waits for the client's response.
#[derive(Debug)]
pub struct Exchange(State);

#[derive(Debug)]
enum State {
    /// A client-first mechanism whose first message was not in the command.
    First(Mechanism, Box<Context>),
    Login(login::AwaitName),
    LoginPassword(login::AwaitPassword),
    CramMd5(cram_md5::AwaitDigest),
    ScramFinal(Box<scram::AwaitFinal>),
    /// The server's proof is sent; the client has only to acknowledge it.
    ScramEnd(Identity),
}

impl Exchange {
    /// Takes the client's response.
    pub fn respond(self, response: &[u8]) -> Step {
        if response.len() > MAX_MESSAGE {
            return Step::Failed(Failure::TooLong);
        }
        match self.0 {
            State::First(mechanism, context) => first(mechanism, *context, response).into(),
            State::Login(state) => state.respond(response).into(),
            State::LoginPassword(state) => state.respond(response).into(),
            State::CramMd5(state) => state.respond(response).into(),
            State::ScramFinal(state) => state.respond(response).into(),
            State::ScramEnd(identity) if response.is_empty() => Step::Done(identity),
            State::ScramEnd(_) => Step::Failed(Failure::Malformed("the last response is not empty")),
        }
    }
}

/// The first message of a client-first mechanism.
fn first(mechanism: Mechanism, context: Context, message: &[u8]) -> Result<Step, Failure> {
    match mechanism {
        Mechanism::Plain => plain::first(message),
        Mechanism::External => external::first(context.certificate, message),
        Mechanism::Scram { hash, plus } => scram::first(hash, plus, &context, message),
        // `begin` has dealt with these.
        Mechanism::Login | Mechanism::CramMd5 | Mechanism::OAuthBearer | Mechanism::XOAuth2 => {
            Err(Failure::Unavailable)
        }
    }
}

impl Step {
    fn challenge(text: Vec<u8>, state: State) -> Self {
        Self::Challenge { text, next: Exchange(state) }
    }

    /// The credentials are right: what remains is the authorization identity, when it is another, and, for SCRAM, the
    /// server's proof.
    fn authenticated(identity: Identity, proof: Option<Vec<u8>>) -> Self {
        match identity.authzid {
            Some(_) => Self::Authorize(Authorize { identity, proof }),
            None => Self::granted(identity, proof),
        }
    }

    /// SMTP, POP3 and IMAP cannot send data along with success, so that the proof is a challenge, which the client
    /// answers with an empty response (RFC 4422 §3.7, RFC 4954 §4).
    fn granted(identity: Identity, proof: Option<Vec<u8>>) -> Self {
        match proof {
            Some(proof) => Self::challenge(proof, State::ScramEnd(identity)),
            None => Self::Done(identity),
        }
    }
}

/// One user, authenticated, wants to act as another.
#[derive(Debug)]
pub struct Authorize {
    identity: Identity,
    proof: Option<Vec<u8>>,
}

impl Authorize {
    /// The user whose credentials were right.
    pub fn authcid(&self) -> &str {
        &self.identity.authcid
    }

    /// The user he wants to act as; never the same text, though it may be another spelling of the same account.
    pub fn authzid(&self) -> &str {
        self.identity.authzid.as_deref().unwrap_or(&self.identity.authcid)
    }

    /// He may; [`Identity::authzid`] will say as whom.
    pub fn grant(self) -> Step {
        Step::granted(self.identity, self.proof)
    }

    /// He may not, which is the answer where there is no such thing as acting for others.
    pub fn refuse(self) -> Step {
        Step::Failed(Failure::NotAuthorized)
    }
}

/// The identity of an exchange: both names prepared, an authorization identity equal to the authentication identity left out.
fn identity(authcid: &str, authzid: Option<&str>) -> Result<Identity, Failure> {
    let authcid = name(authcid)?;
    let authzid = authzid.map(name).transpose()?.filter(|authzid| *authzid != authcid);
    Ok(Identity { authcid, authzid })
}

/// A name within its bound, prepared (RFC 4954 §4, RFC 5802 §5.1).
fn name(text: &str) -> Result<String, Failure> {
    prepare::name(text).map_err(|error| match error {
        Error::TooLong { .. } => Failure::Malformed("the user name is longer than 255 octets"),
        _ => Failure::Malformed("the user name is empty or has characters that are not allowed"),
    })
}

/// UTF-8 without NUL.
fn text(message: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed("not UTF-8"))?;
    if text.contains('\0') { Err(Failure::Malformed("NUL where none may be")) } else { Ok(text) }
}

/// A password within its bound.
fn password(text: &str) -> Result<Secret<String>, Failure> {
    match text.len() {
        0 => Err(Failure::Malformed("empty password")),
        1..=crate::MAX_PASSWORD => Ok(Secret::new(text.to_owned())),
        _ => Err(Failure::Malformed("the password is longer than 1024 octets")),
    }
}

const _: () = assert!(MAX_NAME == 255 && crate::MAX_PASSWORD == 1024, "the texts above name these bounds");
