//! RFC 5322 and MIME: read, edit header fields, build trace fields and notifications.

mod codec;
mod compose;
mod date;
mod edit;
mod encode;
mod error;
mod field;
mod header;
mod id;
mod list;
mod mime;
mod report;
mod sendmail;
mod trace;
mod words;

pub use compose::{Attach, Draft, media_type};
pub use date::rfc5322_date;
pub use edit::{Edit, Edited};
pub use encode::{Body, Downgraded, Needs, Signature, downgrade};
pub use error::{Error, Result};
pub use field::{FOLD_AT, MAX_LINE, NewField};
pub use header::{Field, Fields, Header, MAX_HEADER, MAX_NAME};
pub use id::MessageId;
pub use list::{Listed, MAX_ADDRESSES, Mailbox, parse as parse_list};
pub use report::{
    Action, Diagnostic, Language, MAX_RETURNED, Original, RecipientReport, Report, Return, Status,
};
pub use sendmail::{CrlfLines, header_recipients, skip_mbox_line, to_crlf};
pub use trace::{Client, Greeting, Protocol, Received, Tls, delivered_to, return_path};
pub use words::decode_words;
