//! SMTP dialogues out of packet captures: octets of a capture file go in, dialogues and messages come out.
//!
//! This room reads pcap and pcapng, puts TCP streams together again, opens TLS with a key log, and reads what is
//! said in them with `smtp`'s own parsers. It must not know files, sockets, clocks or terminals: times are those of
//! the capture. From the wire upwards, a folder each:
//!
//! - [`file`]: the container: packets with their times and link types;
//! - [`packet`]: Ethernet, cooked, loopback and IP, down to a TCP segment; fragments;
//! - [`stream`]: segments in any order, lost and repeated, to the octets that were said, in the order of their causes;
//! - [`tls`]: records to plain text, with secrets that a program wrote into its key log;
//! - [`dialogue`]: commands, replies and messages.
//!
//! [`Decoder`] joins them. Its run loop:
//!
//! 1. [`Decoder::push`] a piece of the file; then take [`Decoder::poll_event`] until it is `None`.
//! 2. At the end [`Decoder::finish`], and take the events again.
//!
//! ```
//! use capture::{Decoder, Event, Settings};
//!
//! let mut decoder = Decoder::new(Settings::default());
//! // The header of a capture file without a packet.
//! decoder.push(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
//! decoder.finish();
//! assert!(decoder.poll_event().is_none());
//! assert_eq!(decoder.summary().packets, 0);
//! # Ok::<_, capture::FileError>(())
//! ```

mod decoder;
pub mod dialogue;
pub mod file;
pub mod packet;
pub mod stream;
mod time;
pub mod tls;

pub use decoder::{Decoder, Event, MAX_CONNECTIONS, MAX_MEMORY, SMTP_PORTS, Settings, Summary};
pub use dialogue::{Dialogue, Secrets};
pub use file::FileError;
pub use time::Time;
pub use tls::KeyLog;
