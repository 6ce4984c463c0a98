//! Resolver, cache, MX look-ups: what mail asks of the DNS, in mail's own types.
//!
//! Everybody above asks through the trait [`Lookup`]; [`Resolver`] answers from real servers, [`Fixed`] from a
//! table in memory (tests, simulation). Every answer is bounded in time and size, and every failure says
//! whether asking again can help ([`DnsError::is_temporary`]). Only DANE needs DNSSEC: the `validated_…` questions
//! and [`Lookup::tlsa`] validate, where the configured servers hand the signatures through ([`Resolver::dnssec`]); all
//! others take unsigned answers. This crate does not know SMTP.
//!
//! ```
//! use address::Domain;
//! use dns::{Family, Fixed, Lookup, MxLookup};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let dns = Fixed::new().with_mx("example.org", 10, "mx.example.org").with_a("mx.example.org", "192.0.2.1");
//! let seed = 4; // orders hosts of equal preference; anything random
//! let MxLookup::Hosts { hosts, .. } = dns.mx(&Domain::parse("example.org")?, seed).await? else { panic!() };
//! let addresses = dns.addresses(&hosts[0].host, Family::Both).await?;
//! assert_eq!(addresses, ["192.0.2.1".parse::<std::net::IpAddr>()?]);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod authoritative;
mod denials;
mod fixed;
mod local;
mod lookup;
mod mx;
mod names;
mod probe;
mod resolver;
mod services;
#[cfg(feature = "test-server")]
pub mod test_server;
mod validated;
mod validator;

pub use authoritative::ServerSays;
pub use fixed::Fixed;
pub use lookup::{Answer, DnsError, Family, Lookup, MAX_ADDRESSES, MAX_RECORDS, MxRecord, ValidatedMx};
pub use mx::{MxHost, MxLookup, SkippedMx};
pub use names::Names;
pub use resolver::{Resolver, Settings};
pub use services::{Caa, Srv};
pub use validated::{Alias, Tlsa, Validated};
pub use validator::Dnssec;
