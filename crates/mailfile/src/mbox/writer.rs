//! Writing mboxrd.

use super::fields::{self, is_state};
use super::{from, is_from};
use crate::Flags;
use std::io::{self, Write};

/// Octets of a line that are held until its end is there; a longer one is written in pieces.
const MAX_HELD: usize = 64 << 10;

/// Writes messages one after another: [`begin`](Self::begin), [`write`](Self::write) as often as wanted, [`end`](Self::end).
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The line's beginning was written already.
    inside: bool,
    in_header: bool,
    in_state: bool,
    /// The fields of the message's state, until its header ends. They stand behind the others: before a first line that begins with a space
    /// they would make it their own.
    state: String,
}

impl<W: Write> Writer<W> {
    pub fn new(output: W) -> Self {
        Self {
            output,
            line: Vec::new(),
            inside: false,
            in_header: false,
            in_state: false,
            state: String::new(),
        }
    }

    /// Begins a message that `sender` sent (empty: nobody) and that arrived at `date`, in milliseconds since 1970.
    pub fn begin(&mut self, sender: &str, date: i64, flags: &Flags) -> io::Result<()> {
        (self.in_header, self.in_state) = (true, false);
        self.state = fields::write(flags);
        writeln!(self.output, "{}", from::write(sender, date))
    }

    /// A piece of the message, with LF at the ends of its lines. Fields of its state in its header are left out.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > MAX_HELD {
                self.write_line()?;
            }
        }
        Ok(())
    }

    /// Ends the message: its last line, and an empty one.
    pub fn end(&mut self) -> io::Result<()> {
        if self.inside || !self.line.is_empty() {
            self.line.push(b'\n');
            self.write_line()?;
        }
        self.end_header()?;
        self.output.write_all(b"\n")
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.output
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let begins = !std::mem::replace(&mut self.inside, !line.ends_with(b"\n"));
        if begins && self.in_header {
            if line == b"\n" {
                self.end_header()?;
            } else if !matches!(line.first(), Some(b' ' | b'\t')) {
                self.in_state = is_state(&line);
            }
        }
        if self.in_header && self.in_state {
            return Ok(());
        }
        if begins && is_from(&line) {
            self.output.write_all(b">")?;
        }
        self.output.write_all(&line)
    }

    fn end_header(&mut self) -> io::Result<()> {
        (self.in_header, self.in_state) = (false, false);
        let state = std::mem::take(&mut self.state);
        self.output.write_all(state.as_bytes())
    }
}
