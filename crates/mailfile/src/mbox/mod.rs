//! mbox: many messages in a file, each after a `From ` line (RFC 4155 Appendix A).
//!
//! ```text
//! From ann@example.org Sat Nov 21 19:30:00 2026    who sent it, and when it arrived, in UTC
//! Subject: hi                                      the message, lines ended by LF
//! Status: RO                                       flags, as fields that are not part of the message
//!
//! >From here                                       "From " in the text has a > before it, ">From " one more (mboxrd)
//!                                                  an empty line that is not part of the message
//! From bob@example.org …
//! ```
//!
//! mboxo (only `From ` is quoted) is read as mboxrd is: they differ for lines that began with `>From ` before. Lengths
//! in `Content-Length` are not believed.

mod fields;
mod from;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Event, Head, MAX_HEADER, Reader};
pub use writer::Writer;

/// Whether a line is `From ` with a `>` or more before it.
fn is_quoted(line: &[u8]) -> bool {
    line.first() == Some(&b'>') && is_from(line)
}

/// Whether a line is `From `, however often it is quoted.
fn is_from(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
    line[quotes..].starts_with(b"From ")
}
