//! EXTERNAL (RFC 4422 appendix A): the account that the client's certificate stands for.

use super::{Failure, Step, identity, text};

/// The message is the authorization identity; empty for the certificate's own.
pub(super) fn first(certificate: Option<String>, message: &[u8]) -> Result<Step, Failure> {
    let authzid = Some(text(message)?).filter(|name| !name.is_empty());
    let authcid = certificate.ok_or(Failure::Credentials)?;
    Ok(Step::authenticated(identity(&authcid, authzid)?, None))
}
