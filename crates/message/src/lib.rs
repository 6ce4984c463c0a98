//! RFC 5322 and MIME: read, edit header fields, build trace fields and notifications.

mod date;
mod edit;
mod field;
mod header;
mod id;
mod trace;

pub use date::rfc5322_date;
pub use edit::{Edit, Edited};
pub use field::{FOLD_AT, MAX_LINE, NewField};
pub use header::{Field, Fields, Header, MAX_HEADER, MAX_NAME};
pub use id::MessageId;
pub use trace::{Client, Greeting, Protocol, Received, Tls, delivered_to, return_path};
