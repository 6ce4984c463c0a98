//! What goes on to somebody elsewhere is made ready for a host that knows us and not the author.
//!
//! It is sealed (ARC): the next host sees what was found when the message came, though it now comes from us (RFC 8617 §5.1).
//! And where DMARC would fail there, and the settings allow it, From becomes the address that it goes on from, and the message
//! is signed in that address's domain (RFC 7960 §4.1.3.1). That is another message: it gets a body of its own, and so all
//! else (attempts, notifications, a restart) finds nothing special in it.
//!
//! What was found is in our own Authentication-Results, in the trace that we put in front of the message when it came.
//! Without such a field it came from one of our own users, or nobody looked: there is nothing to vouch for.

use crate::rewriting;
use crate::shared::Shared;
use address::Address;
use bytes::Bytes;
use directory::Signers;
use mailauth::arc::ChainStatus;
use mailauth::dkim::{BodyHash, BodyHasher};
use mailauth::results::AuthResults;
use message::Header;
use std::sync::Arc;
use store::queue::NewMessage;
use store::{Body, StoreError};

/// A message that may be forwarded, several times perhaps.
pub(crate) struct Forwarding<'a> {
    shared: &'a Shared,
    /// The whole header of the message as it was stored, without the trace and with its empty line.
    header: &'a [u8],
    body: Body,
    /// What our own field says.
    found: AuthResults,
    put_aside: bool,
    /// Of the text, once somebody needed it.
    hash: Option<BodyHash>,
}

/// Where the message goes on from, and with whose keys.
struct Forwarder<'a> {
    alias: &'a Address,
    signers: Arc<Signers>,
}

impl<'a> Forwarding<'a> {
    /// `start` is what `body` begins with; the header of messages in which it does not end within that is left alone.
    pub(crate) fn new(shared: &'a Shared, trace: &[u8], start: &'a [u8], body: Body) -> Self {
        let header = Header::parse(start);
        let mut found = AuthResults::of_server(trace, shared.directory.host().as_str());
        if !header.is_complete() && (start.len() as u64) < body.size() {
            // Nobody signs half a header.
            found.results.clear();
        }
        let header = &start[..header.body_offset().min(start.len())];
        Self { shared, header, body, found, put_aside: message::was_put_aside(trace), hash: None }
    }

    /// Makes a message ready that goes on from `alias`; `leaves` when its next host is another's. Returns what the trail is to
    /// say of it.
    ///
    /// # Errors
    /// When a message in our name cannot be stored now: as it was it would be refused. What else goes wrong is logged: a
    /// message without a seal is better than none.
    pub(crate) async fn prepare(
        &mut self,
        alias: &Address,
        leaves: bool,
        forwarded: &mut NewMessage,
    ) -> Result<Option<String>, StoreError> {
        if self.found.results.is_empty() || self.stays_here(forwarded) {
            return Ok(None);
        }
        let Some(forwarder) = self.forwarder(alias) else { return Ok(None) };
        let header = match leaves && self.must_be_rewritten(alias) {
            true => self.rewrite(&forwarder, forwarded).await?,
            false => None,
        };
        let sealed = self.seal(&forwarder, header.as_deref().unwrap_or(self.header), forwarded).await;
        if let Err(error) = sealed {
            tracing::warn!(%alias, %error, "a forwarded message is not sealed");
        }
        Ok(header.map(|_| {
            format!("From is rewritten to {alias}: the next host could not believe the author's domain")
        }))
    }

    fn stays_here(&self, forwarded: &NewMessage) -> bool {
        let rules = self.shared.rules();
        forwarded.remote.iter().all(|to| {
            let way = rules.way(&self.shared.directory, &forwarded.reverse_path, &to.address, true);
            matches!(way, Ok(crate::routing::Name::Here))
        })
    }

    /// None when the alias's domain has no keys.
    fn forwarder<'b>(&self, alias: &'b Address) -> Option<Forwarder<'b>> {
        let read = self.shared.directory.signers(alias.domain()?);
        let signers =
            read.inspect_err(|error| tracing::warn!(%alias, %error, "the keys cannot be read")).ok()?;
        (!signers.is_empty()).then_some(Forwarder { alias, signers })
    }

    /// What was put aside here does not go on in our name.
    fn must_be_rewritten(&self, alias: &Address) -> bool {
        let allowed =
            alias.domain().is_some_and(|domain| self.shared.rules().settings.rewrite_from.allows(domain));
        allowed && !self.put_aside && rewriting::is_needed(&self.found)
    }

    /// Puts another From into a body of its own, and signatures above it. Returns the new header; `None` when nothing was
    /// changed, as From names nobody or no key signs.
    async fn rewrite(
        &mut self,
        forwarder: &Forwarder<'_>,
        forwarded: &mut NewMessage,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(edited) = message::via(self.header, forwarder.alias) else { return Ok(None) };
        let header = edited.to_vec(self.header);
        let hash = self.text_hash().await.map_err(unreadable)?;
        let (signers, now) = (Arc::clone(&forwarder.signers), self.now());
        let signed = header.clone();
        let signing = tokio::task::spawn_blocking(move || signers.sign(&signed, &hash, now));
        let signatures = signing.await.unwrap_or_default();
        if signatures.is_empty() {
            return Ok(None);
        }
        forwarded.body = self.with_header(&header).await?;
        forwarded.trace = [&signatures[..], &forwarded.trace].concat().into();
        Ok(Some(header))
    }

    /// A new body: this header, and the text as it is.
    async fn with_header(&self, header: &[u8]) -> Result<Body, StoreError> {
        let mut spool = self.shared.store.spool();
        spool.write(Bytes::copy_from_slice(header)).await?;
        let mut text = self.body.reader_at(self.header.len() as u64);
        while let Some(piece) = text.next().await.map_err(unreadable)? {
            spool.write(piece).await?;
        }
        spool.finish().await
    }

    /// Puts an ARC set above all, if there is something to say.
    async fn seal(
        &mut self,
        forwarder: &Forwarder<'_>,
        header: &[u8],
        forwarded: &mut NewMessage,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let whole = [&forwarded.trace[..], header].concat();
        let status = match self.found.chain_status() {
            Some(status) => status,
            // Nobody looked at the chain, and only one that was found sound may be sealed as such: sealed as broken it
            // would be so for ever.
            None if Header::parse(&whole).contains("ARC-Seal") => return Ok(()),
            None => ChainStatus::None,
        };
        let hash = self.text_hash().await?;
        let (signers, now, found) = (Arc::clone(&forwarder.signers), self.now(), self.found.clone());
        // Two signatures, of a quarter of a millisecond each where the key is RSA.
        let sealing = tokio::task::spawn_blocking(move || signers.seal(&whole, &hash, status, &found, now));
        if let Some(set) = sealing.await?? {
            forwarded.trace = [&set[..], &forwarded.trace].concat().into();
        }
        Ok(())
    }

    async fn text_hash(&mut self) -> std::io::Result<BodyHash> {
        if let Some(hash) = self.hash {
            return Ok(hash);
        }
        let (mut hasher, mut text) =
            (BodyHasher::new(Signers::BODY_FORM), self.body.reader_at(self.header.len() as u64));
        while let Some(piece) = text.next().await? {
            hasher.update(&piece);
        }
        Ok(*self.hash.insert(hasher.finish()))
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        self.shared.clock.now() / 1000
    }
}

fn unreadable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
