//! SPF: the hosts that may send mail in the name of a domain, as its record says (RFC 7208, with the
//! internationalised addresses of RFC 8616).
//!
//! [`check`] is the function `check_host()` of the RFC: it looks up the record of a [`Query`]'s identity, evaluates it,
//! and gives a [`SpfResult`]. It needs no runtime: it waits only for the answers of a [`Dns`]. [`trace`] does the same
//! and writes down each [`Step`] for people to read.
//!
//! ```
//! use mailauth::{Dns, Found, LookupError, Mx, spf};
//! use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
//! # use std::pin::pin;
//! # use std::task::{Context, Poll, Waker};
//!
//! struct OneRecord;
//!
//! impl Dns for OneRecord {
//!     async fn txt(&self, name: &str) -> Found<Vec<u8>> {
//!         if name == "example.org" { Ok(vec![b"v=spf1 ip4:192.0.2.0/24 -all".to_vec()]) } else { Err(LookupError::NoName) }
//!     }
//! #   async fn a(&self, _: &str) -> Found<Ipv4Addr> { Err(LookupError::NoName) }
//! #   async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> { Err(LookupError::NoName) }
//! #   async fn mx(&self, _: &str) -> Found<Mx> { Err(LookupError::NoName) }
//! #   async fn ptr(&self, _: IpAddr) -> Found<String> { Err(LookupError::NoName) }
//!     // … and its other questions.
//! }
//!
//! let query = spf::Query {
//!     ip: "203.0.113.9".parse()?,
//!     helo: "mail.example.net",
//!     identity: spf::Identity::MailFrom("joe@example.org"),
//!     receiver: "mx.example.com",
//!     now: 1_528_637_909,
//! };
//! # let mut future = pin!(spf::check(&OneRecord, &query));
//! # let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
//! # const IGNORED: &str = stringify! {
//! let result = spf::check(&OneRecord, &query).await;
//! # };
//! assert_eq!(result.word, spf::ResultWord::Fail);
//! assert_eq!(result.mechanism.as_deref(), Some("-all"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cidr;
mod evaluate;
mod limits;
mod macros;
mod mechanisms;
mod outcome;
mod query;
mod record;
mod step;

pub use limits::{MAX_ELAPSED, MAX_MX, MAX_PTR, MAX_TERMS, MAX_VOID_LOOKUPS};
pub use macros::{MAX_EXPANSION, MacroError, MacroString};
pub use outcome::{Problem, ResultWord, SpfResult};
pub use query::{Identity, Query};
pub use record::{Directive, Mechanism, Qualifier, Record, RecordError, is_record};
pub use step::{Step, StepOutcome};

use crate::Dns;

/// Whether the host of `query` may use the name it claims (RFC 7208 §4).
///
/// Bounded by [`MAX_TERMS`] terms that ask the DNS, and [`MAX_MX`] or [`MAX_PTR`] names within one. The time is the
/// caller's to bound: not below [`MAX_ELAPSED`], and [`SpfResult::timed_out`] is the result then.
pub async fn check<D: Dns>(dns: &D, query: &Query<'_>) -> SpfResult {
    evaluate::run(dns, query, None).await
}

/// Like [`check`], with [`SpfResult::steps`] filled.
pub async fn trace<D: Dns>(dns: &D, query: &Query<'_>) -> SpfResult {
    evaluate::run(dns, query, Some(Vec::new())).await
}
