//! The words of an envelope: [`Domain`], [`Host`], [`LocalPart`], [`Address`], [`ReversePath`],
//! [`ForwardPath`], and [`Secret`].
//!
//! Every type is parsed at the edge and cannot hold what the RFCs forbid, so the rest of Waypost never
//! checks an address twice. This crate knows nothing but strings.
//!
//! ```
//! use address::{Address, Host};
//!
//! let address: Address = "\"John Q.\"@Example.ORG".parse().unwrap();
//! assert_eq!(address.local().as_str(), "John Q.");
//! assert_eq!(address.to_string(), "\"John Q.\"@example.org");
//! assert!(matches!(address.host(), Host::Domain(d) if d.as_str() == "example.org"));
//! ```

mod domain;
mod literal;
mod local_part;
mod path;
mod secret;

pub use domain::{Domain, DomainError, MAX_DOMAIN, MAX_LABEL};
pub use literal::{Host, HostError, Literal};
pub use local_part::{LocalPart, LocalPartError, MAX_LOCAL_PART};
pub use path::{Address, AddressError, ForwardPath, MAX_PATH, ReversePath};
pub use secret::Secret;
