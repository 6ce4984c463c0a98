//! Who logs in.

use super::Place;
use crate::cli::values::PasswordStdin;
use crate::exit::Failure;
use crate::output;
use address::Secret;
use sasl::Mechanism;
use sasl::client::Credentials;

/// Who logs in, and how.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    /// The password, or the token of XOAUTH2 and OAUTHBEARER.
    pub secret: Secret<String>,
    /// The best that both sides know, unless it is said.
    pub mechanism: Option<Mechanism>,
    /// The host name and port that was called (RFC 7628 §3.1); an address is no name.
    pub server: Option<(String, u16)>,
}

impl Login {
    /// As `user`, whose password is asked for, or read from standard input, where there is one.
    pub fn ask(
        user: &str,
        mechanism: Option<Mechanism>,
        words: PasswordStdin,
        place: &Place,
    ) -> Result<Self, Failure> {
        let secret = match mechanism {
            // The certificate is the credential.
            Some(Mechanism::External) => Secret::new(String::new()),
            Some(Mechanism::XOAuth2 | Mechanism::OAuthBearer) => {
                output::password(&format!("token of {user}"), words.password_stdin)?
            }
            _ => output::password(&format!("password of {user}"), words.password_stdin)?,
        };
        let server = match place {
            Place::Tcp(peer) => peer.host.domain().map(|name| (name.to_string(), peer.port)),
            Place::Unix(_) => None,
        };
        Ok(Self { user: user.to_owned(), secret, mechanism, server })
    }

    pub(super) fn credentials(&self) -> Credentials {
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
