//! Sending a report: signed like our other mail, then the queue's work.

use crate::ReportError;
use address::{Address, Domain, ReversePath};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use bytes::Bytes;
use std::sync::Arc;
use store::queue::{NewMessage, NewRecipient};
use store::trail::Origin;
use store::{Body, Id, Store};

/// The DKIM-Signature fields of a message with the keys of a domain; `None` when it has no keys.
pub type Sign = Arc<dyn Fn(&Domain, &[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Largest report that is sent, in octets of its message: what receivers usually take (RFC 8460 §5.2).
pub(crate) const MAX_MESSAGE: u64 = 10 * 1024 * 1024;

/// The session that reports name as their origin in the trail.
const SESSION: &str = "report";

/// Hands the message to the queue; durable when this returns. Its sender is `from`, who hears when an address for reports does
/// not exist.
pub(crate) async fn send(
    store: &Store,
    sign: &Sign,
    from: &Address,
    to: &Address,
    message: Vec<u8>,
) -> Result<(), ReportError> {
    let message = Bytes::from(message);
    let trace = signature(sign, from, &message).await?;
    let new = NewMessage {
        id: Id::generate(),
        reverse_path: ReversePath::Address(from.clone()),
        parameters: String::new(),
        body: Body::from_bytes(message),
        trace: Bytes::from(trace),
        origin: Origin { session: SESSION.to_owned(), via: "local".to_owned(), ..Origin::default() },
        local: Vec::new(),
        remote: vec![NewRecipient { address: to.clone(), parameters: String::new(), due: 0, held: false }],
    };
    Ok(store.accept(new).await?)
}

/// On the blocking pool: an RSA signature takes a quarter of a millisecond.
async fn signature(sign: &Sign, from: &Address, message: &Bytes) -> Result<Vec<u8>, ReportError> {
    let Some(domain) = from.domain().cloned() else { return Ok(Vec::new()) };
    let (sign, message) = (Arc::clone(sign), message.clone());
    let signed = tokio::task::spawn_blocking(move || sign(&domain, &message)).await;
    Ok(signed.map_err(|_| ReportError::Signature)?.unwrap_or_default())
}

pub(crate) fn random() -> Result<[u8; 16], ReportError> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| ReportError::Random)?;
    Ok(random)
}
