//! Adding a set to the chain of a message (RFC 8617 §5.1).

use super::outcome::ChainStatus;
use super::set::{FieldKind, MAX_SETS, collect, newest};
use super::verify::Sealed;
use crate::Error;
use crate::dkim::{BodyHash, Folded, Selector, Signer, SigningKey};
use crate::header::{Field, Header};
use crate::results::AuthResults;
use address::Domain;
use data_encoding::BASE64;

/// Seals for a domain with one key. Made once, used for every message, by any thread.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// Makes the message signature; `identity` is not used.
    signer: Signer,
}

impl Sealer {
    /// A sealer whose message signatures cover what [`Signer::new`] signs, and the DKIM-Signature fields that
    /// are there (RFC 8617 §4.1.2).
    pub fn new(domain: Domain, selector: Selector, key: SigningKey) -> Self {
        Self::from_signer(Signer::new(domain, selector, key))
    }

    /// A sealer with the key and the settings of a signer.
    pub fn from_signer(mut signer: Signer) -> Self {
        signer.signed.push("DKIM-Signature".to_owned());
        // What must not be in h= (RFC 8617 §4.1.2).
        let allowed = |name: &String| {
            !name.eq_ignore_ascii_case("Authentication-Results")
                && !FieldKind::ALL.iter().any(|kind| name.eq_ignore_ascii_case(kind.as_str()))
        };
        signer.oversigned.retain(allowed);
        signer.signed.retain(allowed);
        signer.identity = None;
        Self { signer }
    }

    /// The form in which the body must be hashed.
    pub fn body_form(&self) -> crate::dkim::Form {
        self.signer.canonicalization.body
    }

    /// The three fields of a new set with their CRLFs, to be put in front of the message; `None` when there is
    /// nothing to add: the chain was sealed as failed already, or has [`MAX_SETS`] sets.
    ///
    /// `header` and `body` are the message as it leaves, changed and DKIM-signed already; `status` is what the chain
    /// came to when the message **arrived**, and `results` all that was found then.
    ///
    /// RSA costs two signatures of some hundred microseconds each: busy servers call this off the threads that serve connections.
    pub fn seal(
        &self,
        header: &[u8],
        body: &BodyHash,
        status: ChainStatus,
        results: &AuthResults,
        now: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let parsed = Header::parse(header);
        let (last, status) = match newest(&parsed) {
            None => (0, ChainStatus::None),
            Some((_, true)) => return Ok(None),
            Some((last, false)) if status == ChainStatus::Pass => (last, ChainStatus::Pass),
            // There is a chain, and nobody found it sound.
            Some((last, false)) => (last, ChainStatus::Fail),
        };
        if last >= MAX_SETS {
            return Ok(None);
        }
        let instance = last + 1;
        let aar = results.to_arc_field(instance).into_bytes();
        let start = format!("{}: i={instance};", FieldKind::MessageSignature);
        let ams = self.signer.sign_as(&start, header, body, now)?;
        let seal = self.seal_field(&parsed, instance, status, (&aar, &ams), now)?;
        Ok(Some([seal, ams, aar].concat()))
    }

    fn seal_field(
        &self,
        header: &Header<'_>,
        instance: u32,
        status: ChainStatus,
        (aar, ams): (&[u8], &[u8]),
        now: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut sealed = Sealed::default();
        // RFC 8617 §5.1.2: the seal of a failed chain signs its own set alone.
        if status == ChainStatus::Pass {
            for set in collect(header).map_err(|failure| Error::Chain(failure.to_string()))? {
                sealed.add(&set);
            }
        }
        for field in [aar, ams] {
            let field = field.strip_suffix(b"\r\n").unwrap_or(field);
            sealed.line(&Field::parse(field).ok_or(Error::Sign)?);
        }
        let Signer { domain, selector, key, .. } = &self.signer;
        let mut field = Folded::new(&format!("{}: i={instance};", FieldKind::Seal));
        field.tag(&format!("a={};", key.algorithm()));
        field.tag(&format!("cv={status};"));
        field.tag(&format!("d={domain};"));
        field.tag(&format!("s={selector};"));
        field.tag(&format!("t={now};"));
        field.line("b=");
        let own = Field::parse(field.as_bytes()).ok_or(Error::Sign)?;
        let signature = key.sign(&sealed.digest_with(&own))?;
        Ok(field.finish(&BASE64.encode(&signature)))
    }
}
