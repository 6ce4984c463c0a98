//! DMARC (RFC 9989): does a domain that a reader sees in From vouch for the message, and what does its owner ask to be
//! done with one that it does not vouch for.
//!
//! 1. [`author_domain`] takes the Author Domain from the header, and refuses what has none or several.
//! 2. [`evaluate`] finds the policy by a walk up the DNS ([`Walk`]), compares the domains that SPF and DKIM have
//!    authenticated with the author's, and says what follows.
//! 3. A receiver that knows better says so with [`Evaluation::override_disposition`]; the reason goes into the reports.
//!
//! Records written for RFC 7489 are read too: `rf` and `ri` say nothing any more, and `pct=0` means what `t=y` does.
//!
//! ```
//! use mailauth::{Dns, Found, LookupError, Mx, Txt, dmarc};
//! # use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
//! # struct Table;
//! # impl Dns for Table {
//! #     async fn txt(&self, name: &str) -> Txt {
//! #         match name {
//! #             "_dmarc.example.org" => Ok(vec![b"v=DMARC1; p=reject; rua=mailto:dmarc@example.org".to_vec()]),
//! #             _ => Err(LookupError::NoName),
//! #         }
//! #     }
//! #     async fn a(&self, _: &str) -> Found<Ipv4Addr> { Err(LookupError::NoName) }
//! #     async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> { Err(LookupError::NoName) }
//! #     async fn mx(&self, _: &str) -> Found<Mx> { Err(LookupError::NoName) }
//! #     async fn ptr(&self, _: IpAddr) -> Found<String> { Err(LookupError::NoName) }
//! # }
//! # let run = std::pin::pin!(async {
//! let author = dmarc::author_domain(b"From: Joe <joe@news.example.org>\r\n\r\n")?;
//! let signed = "example.org".parse()?;
//! let dkim = [dmarc::Identifier { domain: &signed, outcome: dmarc::Outcome::Pass }];
//! let evaluation = dmarc::evaluate(&Table, &author, None, &dkim).await;
//! assert_eq!(evaluation.word, dmarc::Word::Pass);
//! assert_eq!(evaluation.dkim, Some(dmarc::Mode::Relaxed));
//! # Ok::<(), Box<dyn std::error::Error>>(()) });
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert!(matches!(run.poll(&mut context), std::task::Poll::Ready(Ok(()))));
//! ```

mod author;
mod evaluate;
mod external;
mod record;
mod uri;
mod walk;

#[cfg(test)]
mod tests;

pub use author::{AuthorError, MAX_AUTHORS, author_domain};
pub use evaluate::{
    Evaluation, Identifier, Outcome, Override, OverrideKind, PolicyTag, Published, Word, evaluate,
};
pub use external::{Destination, ReportTag, destinations};
pub use record::{FailureOptions, MAX_RECORD, Mode, Policy, Psd, Record};
pub use uri::{MAX_URIS, ReportUri};
pub use walk::{MAX_QUERIES, Walk, walk};
