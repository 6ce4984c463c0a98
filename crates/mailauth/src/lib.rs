//! Mail authentication: who vouches for a message. SPF ([`spf`], RFC 7208), DKIM ([`dkim`], RFC 6376, 8301, 8463), ARC
//! ([`arc`], RFC 8617) and DMARC ([`dmarc`], RFC 9989), the header field that says what was found ([`results`], RFC 8601),
//! and the reports that domains ask for ([`report`]). And the other way round, whom a domain's mail may be given to: the
//! texts of MTA-STS ([`sts`], RFC 8461).
//!
//! This crate has no socket, clock or configuration. The time is an argument (seconds since 1970), and
//! DNS comes in one of two ways: what asks for names that are known from the start says which they are, and the caller
//! brings the answers ([`Txt`]); what must follow one answer to the next question is an `async` function over the
//! trait [`Dns`], which needs no runtime. A message comes as its header, whole, and its body, in any pieces; both
//! are octets as they go over the wire, with CRLF line ends and without SMTP's dot-stuffing.
//!
//! Verifying, step by step:
//! 1. [`dkim::Verifier::new`] reads the header, and hashes what each signature covers of it.
//! 2. [`dkim::Verifier::key_names`] are the TXT records to look up, while the body still arrives.
//! 3. [`dkim::Verifier::update`] takes each piece of the body; memory does not grow with it.
//! 4. [`dkim::Verifier::finish`] takes the answers and gives a result for each signature.
//!
//! [`arc::Verifier`] has the same steps, and [`Signatures`] does both in one pass over the message.
//!
//! ```
//! use mailauth::{LookupError, Txt, dkim};
//!
//! let header = b"From: joe@example.org\r\nSubject: Dinner\r\n\r\n";
//! let body = b"Are you hungry yet?\r\n";
//! let now = 1_528_637_909;
//!
//! // Sign: hash the body, sign the header, put the new field in front.
//! let key = dkim::SigningKey::generate_ed25519()?;
//! let record = key.dns_record();
//! let signer = dkim::Signer::new("example.org".parse()?, "brisbane".parse()?, key);
//! let mut hasher = dkim::BodyHasher::new(signer.canonicalization.body);
//! hasher.update(body);
//! let field = signer.sign(header, &hasher.finish(), now)?;
//! let signed = [&field[..], header].concat();
//!
//! // Verify: the look-ups of the names can run while the body is fed.
//! let mut verifier = dkim::Verifier::new(&signed, now);
//! assert_eq!(verifier.key_names(), ["brisbane._domainkey.example.org"]);
//! verifier.update(body);
//! let results = verifier.finish(|name| match name {
//!     "brisbane._domainkey.example.org" => Txt::Ok(vec![record.clone().into_bytes()]),
//!     _ => Txt::Err(LookupError::NoName),
//! });
//! assert_eq!(results[0].outcome, Ok(()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arc;
pub mod dkim;
pub mod dmarc;
mod error;
mod header;
mod lookup;
pub mod report;
pub mod results;
mod signatures;
pub mod spf;
pub mod srs;
pub mod sts;
mod tags;

pub use error::Error;
pub use lookup::{Dns, Found, LookupError, MAX_TXT_STRING, Mx, Txt, txt_strings, zone_text};
pub use signatures::{Signatures, Signed};
