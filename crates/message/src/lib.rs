//! RFC 5322 and MIME: reading messages, editing their header, and making those that a mail server writes itself.
//!
//! This room works on bytes that it is given. It must not know about sockets, clocks, randomness, storage or settings: the
//! time and random bits are arguments. Below it is only `address`. There is no session and so no run loop; everything is a
//! function of its input, cannot panic on any, and is bounded in depth and size.
//!
//! What comes in:
//! - [`Header`] reads the fields of raw bytes without copying: hop count, loops, anything by name.
//! - [`Edit`] changes a header and leaves the body alone: its result is a short prefix and ranges of the original.
//!   [`via`] is such a change: the message goes on in the name of who forwards it.
//! - [`Received`], [`return_path`], [`delivered_to`] are the trace fields.
//! - [`CrlfLines`], [`header_recipients`] and [`parse_list`] take what `sendmail` is given.
//!
//! What goes out:
//! - [`Needs`] says what a message asks of the next server; [`downgrade`] makes it 7-bit.
//! - [`Report`] is a delivery status notification, [`Notice`] any other report to a program.
//! - [`Draft`] is a new message. [`MessageId`] names one.
//!
//! What people see: [`View`]. What their programs are shown and what is searched, of messages that come in pieces:
//! [`structure`], [`text`], [`links`], [`transfer`]; [`base_subject`] and [`message_ids`] are what threads are made of.
//!
//! ```
//! use message::{Client, Edit, Greeting, Header, NewField, Protocol, Received};
//!
//! let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
//! let (by, raw) = ("mx.example.org".parse().unwrap(), b"Subject: hello\r\n\r\nHi!\r\n");
//! let received = Received {
//!     by: &by,
//!     client: Client::Shown { helo: "mail.example.net", name: None, ip: "192.0.2.1".parse().unwrap() },
//!     with: Some(Protocol { greeting: Greeting::Ehlo, tls: false, authenticated: false, smtputf8: false }),
//!     id: "0A1B",
//!     only_recipient: None,
//!     tls: None,
//!     priority: None,
//!     now: &now,
//! };
//! let mut edit = Edit::new(raw);
//! edit.remove("Bcc");
//! edit.prepend(&received.field());
//! let out = edit.finish().to_vec(raw);
//! assert_eq!(Header::parse(&out).hops(), 1);
//! assert!(out.ends_with(raw));
//! ```

mod codec;
mod compose;
mod date;
mod edit;
mod encode;
mod error;
mod field;
mod header;
mod html;
mod id;
pub mod links;
mod list;
mod mime;
mod notice;
mod report;
mod sendmail;
pub mod structure;
pub mod text;
mod thread;
mod trace;
pub mod transfer;
mod via;
mod view;
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
pub use notice::{Notice, NoticePart};
pub use report::{
    Action, Diagnostic, Language, MAX_RETURNED, Original, RecipientReport, Report, Return, Status,
};
pub use sendmail::{CrlfLines, header_recipients, skip_mbox_line, to_crlf};
pub use text::preview;
pub use thread::{base_subject, first_message_id, message_ids};
pub use trace::{
    Client, Greeting, Protocol, Received, Tls, delivered_to, put_aside, return_path, was_put_aside,
};
pub use via::{ORIGINAL_FROM, via};
pub use view::{Attachment, MAX_SHOWN, View, content, file_name};
pub use words::decode_words;
