//! SMTP TLS Reporting (RFC 8460): what whoever delivers to a domain met on the way to its hosts.
//!
//! [`Session`] is the fact of one connection, which whoever makes connections records.

mod session;

pub use session::{Applied, Failure, MAX_REASON, PolicyType, ResultType, Session};
