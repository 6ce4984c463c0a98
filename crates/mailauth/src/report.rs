//! Reports on what was checked, for the owners of domains: who sends in their name, and over what.
//!
//! - [`aggregate`]: a day's messages of a domain, counted (RFC 9990; those of RFC 7489 are read too).
//! - [`failure`]: one message that failed (RFC 9991 on RFC 6591).
//! - [`tls`]: what whoever delivers to a domain met on the way to its hosts (RFC 8460).
//!
//! Each is written, and read from what arrives. [`read`] finds the report in a message; what it unpacks and keeps is
//! bounded ([`MAX_UNPACKED`] and the bounds of each kind), and no entity of XML is ever expanded.
//!
//! ```
//! use mailauth::report::{self, Incoming};
//!
//! let message = b"Content-Type: text/xml\r\n\r\n<feedback><report_metadata><org_name>example.net</org_name>\
//!     <report_id>1</report_id></report_metadata><policy_published><domain>example.org</domain><p>none</p>\
//!     </policy_published><record><row><source_ip>192.0.2.1</source_ip><count>3</count></row></record></feedback>";
//! let Some(Ok(Incoming::Aggregate(report))) = report::read(message) else { panic!() };
//! assert_eq!(report.records[0].count, 3);
//! ```

pub mod aggregate;
mod container;
pub mod failure;
mod incoming;
mod name;
pub mod tls;

pub use container::{MAX_UNPACKED, UnpackError, gzip, unpack};
pub use incoming::{Incoming, MAX_PACKED, ReadError, is_report, read};
pub use name::Naming;
