//! Which of the server's mechanisms to use.

use super::{Credentials, Kind};
use crate::{Channel, Error, Mechanism};

/// The best mechanism that the server offers, the credentials fit and the channel allows, in the order of
/// [`Mechanism::ALL`]:
///
/// - SCRAM bound to the connection, of either hash, before SCRAM that is not: a client that could bind and does not,
///   with a server that can, would be taken for the victim of an attack (RFC 5802 §6).
/// - Where the channel is private, PLAIN and LOGIN come before CRAM-MD5, for which many servers that list it have no
///   secret; where it is not, only SCRAM and CRAM-MD5 remain.
///
/// # Errors
/// [`Error::NeedsPrivacy`] when all that fits would show the password; [`Error::NoMechanism`] when nothing fits.
pub fn choose(
    offered: &[Mechanism],
    credentials: &Credentials,
    channel: &Channel,
) -> Result<Mechanism, Error> {
    let fits = |mechanism: &Mechanism| {
        offered.contains(mechanism)
            && fits(*mechanism, credentials)
            && (!mechanism.is_plus() || channel.can_bind())
    };
    let allowed = |mechanism: &Mechanism| channel.is_private() || !mechanism.needs_privacy();
    let fitting = || Mechanism::ALL.into_iter().filter(fits);
    match (fitting().find(allowed), fitting().next()) {
        (Some(mechanism), _) => Ok(mechanism),
        (None, Some(revealing)) => Err(Error::NeedsPrivacy(revealing)),
        (None, None) => Err(Error::NoMechanism { credentials: credentials.kind(), offered: list(offered) }),
    }
}

/// Whether a mechanism can use these credentials.
fn fits(mechanism: Mechanism, credentials: &Credentials) -> bool {
    match mechanism {
        Mechanism::External => credentials.kind() == Kind::External,
        Mechanism::OAuthBearer | Mechanism::XOAuth2 => credentials.kind() == Kind::Bearer,
        Mechanism::Plain | Mechanism::Scram { .. } => credentials.kind() == Kind::Password,
        // These have no place for an authorization identity.
        Mechanism::Login | Mechanism::CramMd5 => {
            matches!(credentials, Credentials::Password { authzid: None, .. })
        }
    }
}

fn list(offered: &[Mechanism]) -> String {
    match offered {
        [] => "none that is known".to_owned(),
        _ => offered.iter().map(|m| m.name()).collect::<Vec<_>>().join(" "),
    }
}
