//! What other rooms lend each other: recipients verified for intake by transport, signatures made for transport.

use address::{Address, Domain};
use directory::{Directory, Resolution, Signers};
use intake::{RecipientCheck, Verification};
use mailauth::dkim::BodyHasher;
use message::Header;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use store::directory::RelayTarget;
use transport::{NextHop, Route, Terms, Transport, VerifyResult};

/// Asks the next host of a relay domain.
pub(super) struct NextHost {
    directory: Directory,
    transport: Arc<Transport>,
    terms: RwLock<Arc<Terms>>,
}

impl NextHost {
    pub(super) fn new(directory: Directory, transport: Arc<Transport>, terms: Arc<Terms>) -> Self {
        Self { directory, transport, terms: RwLock::new(terms) }
    }

    pub(super) fn set_terms(&self, terms: Arc<Terms>) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    fn route(&self, address: &Address) -> Option<Route> {
        let Ok(Resolution::Relay(relay)) = self.directory.resolve(address) else { return None };
        let next = match relay.to {
            RelayTarget::Mx => NextHop::BetterMx(address.domain()?.clone()),
            RelayTarget::Url(url) => queue::next_hop(&url)?,
        };
        let terms = Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner));
        Some(Route { next, terms })
    }
}

impl RecipientCheck for NextHost {
    fn check<'a>(&'a self, address: &'a Address) -> Pin<Box<dyn Future<Output = Verification> + Send + 'a>> {
        Box::pin(async move {
            let Some(route) = self.route(address) else {
                return Verification::Unknown("the domain's next host is not known".into());
            };
            match self.transport.verify(&route, address).await {
                VerifyResult::Accepted => Verification::Taken,
                VerifyResult::Refused(words) => Verification::Refused(words),
                VerifyResult::Unsure(words) => Verification::Unknown(words),
            }
        })
    }
}

/// Signs again what was signed at submission and had to be re-encoded for a 7-bit peer, and reports of ours.
pub(super) fn resigner(directory: Directory) -> transport::Signer {
    Arc::new(move |domain: &Domain, message: &[u8]| {
        let signers = directory.signers(domain).ok().filter(|signers| !signers.is_empty())?;
        let now = store::clock::seconds();
        let (header, body) = message.split_at(Header::parse(message).body_offset().min(message.len()));
        let mut hasher = BodyHasher::new(Signers::BODY_FORM);
        hasher.update(body);
        let fields = signers.sign(header, &hasher.finish(), now);
        (!fields.is_empty()).then_some(fields)
    })
}
