//! Fetching a policy: one GET over verified TLS (RFC 8461 §3.3).

use super::{StsPolicy, Trouble};
use crate::https::{self, Caller, HttpsError, Method, Request};
use address::Domain;
use dns::Lookup;
use mailauth::report::tls::ResultType;
use net::tls::{TlsClient, TlsPolicy};
use std::time::Duration;

/// All of it, from the look-up to the last octet (RFC 8461 §3.3 suggests a minute; mail waits meanwhile).
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest policy, in octets (RFC 8461 §3.3).
const MAX_POLICY: usize = 64 * 1024;

/// The policy that `mta-sts.DOMAIN` serves now.
pub(super) async fn fetch(
    dns: &dyn Lookup,
    tls: &TlsClient,
    domain: &Domain,
    port: u16,
) -> Result<StsPolicy, Trouble> {
    let host = Domain::parse(&format!("mta-sts.{domain}")).map_err(|error| unfetched(error.to_string()))?;
    // Whose certificate is verified is who the domain says, wherever that is.
    let caller = Caller { dns, tls, policy: &TlsPolicy::Verified, public_only: false, patience: PATIENCE };
    let method = Method::Get { accept: "text/plain", max: MAX_POLICY };
    let request = Request { host: &host, port, target: "/.well-known/mta-sts.txt", method };
    let answer = https::exchange(&caller, &request).await.map_err(|error| Trouble::from(&error))?;
    // RFC 8461 §3.3: redirects must not be followed.
    if answer.status != 200 {
        return Err(unfetched(format!("the answer is {:?}, not 200", answer.line)));
    }
    if answer.media_type != "text/plain" {
        return Err(unfetched(format!("its type is {:?}, not text/plain", answer.media_type)));
    }
    let text =
        String::from_utf8(answer.content).map_err(|_| unfetched("the policy is no text".to_owned()))?;
    StsPolicy::parse(&text).map_err(|why| Trouble::new(ResultType::StsPolicyInvalid, why))
}

fn unfetched(why: String) -> Trouble {
    Trouble::new(ResultType::StsPolicyFetchError, why)
}

impl From<&HttpsError> for Trouble {
    fn from(error: &HttpsError) -> Self {
        let kind = match error {
            HttpsError::Tls(_) => ResultType::StsWebpkiInvalid,
            _ => ResultType::StsPolicyFetchError,
        };
        Self::new(kind, error.to_string())
    }
}
