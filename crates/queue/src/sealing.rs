//! What goes on to somebody elsewhere is sealed (ARC): the next host sees what was found when the message came, though it
//! now comes from us (RFC 8617 §5.1).
//!
//! What was found is in our own Authentication-Results, in the trace that we put in front of the message when it came.
//! Without such a field it came from one of our own users, or nobody looked: there is nothing to vouch for.

use crate::shared::Shared;
use address::Domain;
use mailauth::arc::{ChainStatus, Sealer};
use mailauth::dkim::{Algorithm, BodyHash, BodyHasher, Form, SigningKey};
use mailauth::results::AuthResults;
use message::Header;
use store::directory::KeyStage;
use store::{Body, StoreError};

/// A message that may be forwarded, several times perhaps.
pub(crate) struct Sealing<'a> {
    shared: &'a Shared,
    /// Trace and header; the whole header must be in it.
    header: &'a [u8],
    body: Body,
    /// Where the text begins in `body`.
    text_at: u64,
    /// What our own field says.
    found: AuthResults,
    /// Of the text, once somebody needed it.
    hash: Option<BodyHash>,
}

impl<'a> Sealing<'a> {
    /// `header` is `trace` and what `body` begins with.
    pub(crate) fn new(shared: &'a Shared, trace: &[u8], header: &'a [u8], body: Body) -> Self {
        let host = shared.directory.host();
        let end = Header::parse(header).body_offset().min(header.len());
        let text_at = end.saturating_sub(trace.len()) as u64;
        let mut found = AuthResults::of_server(trace, host.as_str());
        if end == header.len() && text_at < body.size() {
            // The header does not end within what was read of it: nobody signs half a header.
            found.results.clear();
        }
        Self { shared, header: &header[..end], body, text_at, found, hash: None }
    }

    /// The fields to put in front of the message that goes on from an address of `domain`; none when there is nothing to
    /// say, or no key. What goes wrong is logged: a message without a seal is better than none.
    pub(crate) async fn set(&mut self, domain: &Domain) -> Option<Vec<u8>> {
        if self.found.results.is_empty() {
            return None;
        }
        let made = self.seal(domain).await;
        made.inspect_err(|error| tracing::warn!(%domain, %error, "a forwarded message is not sealed"))
            .ok()
            .flatten()
    }

    async fn seal(
        &mut self,
        domain: &Domain,
    ) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(sealer) = sealer(self.shared, domain)? else { return Ok(None) };
        let hash = match self.hash {
            Some(hash) => hash,
            None => *self.hash.insert(hash_from(&self.body, self.text_at, sealer.body_form()).await?),
        };
        let status = match self.found.chain_status() {
            Some(status) => status,
            None if Header::parse(self.header).contains("ARC-Seal") => {
                // Nobody looked at the chain, and only one that was found sound may be sealed as such: sealed as broken it
                // would be so for ever.
                return Ok(None);
            }
            None => ChainStatus::None,
        };
        let (header, found) = (self.header.to_vec(), self.found.clone());
        let now = self.shared.clock.now() / 1000;
        // Two signatures, of a millisecond each where the key is RSA.
        let sealed =
            tokio::task::spawn_blocking(move || sealer.seal(&header, &hash, status, &found, now)).await?;
        Ok(sealed?)
    }
}

/// A sealer of that domain; with an RSA key if it has one, which every verifier knows.
fn sealer(shared: &Shared, domain: &Domain) -> Result<Option<Sealer>, StoreError> {
    let records = shared.store.signing_keys(domain)?.into_iter().filter(|key| key.stage == KeyStage::Active);
    let read = records.filter_map(|record| {
        let key = SigningKey::from_pem(record.pem.reveal()).ok()?;
        Some((record.selector.parse().ok()?, key))
    });
    let chosen = read.min_by_key(|(_, key)| key.algorithm() != Algorithm::RsaSha256);
    Ok(chosen.map(|(selector, key)| Sealer::new(domain.clone(), selector, key)))
}

async fn hash_from(body: &Body, offset: u64, form: Form) -> std::io::Result<BodyHash> {
    let (mut hasher, mut reader) = (BodyHasher::new(form), body.reader_at(offset));
    while let Some(piece) = reader.next().await? {
        hasher.update(&piece);
    }
    Ok(hasher.finish())
}
