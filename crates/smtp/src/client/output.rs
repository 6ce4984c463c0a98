//! Octets on their way to the driver, and what of them may be shown.

use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// Longest line shown; the rest of it is sent but not shown. A body need not have lines at all.
const MAX_SHOWN: usize = 1000;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    blocks: VecDeque<Bytes>,
    /// Command lines, gathered so that a pipelined group leaves in one block.
    lines: BytesMut,
    len: usize,
    shown: Option<Shown>,
}

/// Lines for the trace.
#[derive(Debug, Default)]
struct Shown {
    lines: Vec<String>,
    partial: Vec<u8>,
}

impl Output {
    pub(super) fn new(trace: bool) -> Self {
        Self { shown: trace.then(Shown::default), ..Self::default() }
    }

    /// Sends a line, its end added.
    pub(super) fn line(&mut self, line: &str) {
        self.secret_line(line, line);
    }

    /// Sends `line`, and shows `shown` instead.
    pub(super) fn secret_line(&mut self, line: &str, shown: &str) {
        debug_assert!(!line.contains(['\r', '\n']), "a command is one line");
        self.lines.put_slice(line.as_bytes());
        self.lines.put_slice(b"\r\n");
        self.len += line.len() + 2;
        if let Some(trace) = &mut self.shown {
            trace.lines.push(shown.to_owned());
        }
    }

    /// Sends a piece of the body.
    pub(super) fn block(&mut self, block: Bytes) {
        if let Some(trace) = &mut self.shown {
            trace.add(&block);
        }
        if !self.lines.is_empty() {
            self.blocks.push_back(self.lines.split().freeze());
        }
        self.len += block.len();
        self.blocks.push_back(block);
    }

    pub(super) fn next(&mut self) -> Option<Bytes> {
        let block = match self.blocks.pop_front() {
            Some(block) => block,
            None if self.lines.is_empty() => return None,
            None => self.lines.split().freeze(),
        };
        self.len -= block.len();
        Some(block)
    }

    /// Octets that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets what has not been taken.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.lines.clear();
        self.len = 0;
    }

    /// The lines sent since the last call.
    pub(super) fn take_shown(&mut self) -> Vec<String> {
        self.shown.as_mut().map(|shown| std::mem::take(&mut shown.lines)).unwrap_or_default()
    }
}

impl Shown {
    fn add(&mut self, block: &[u8]) {
        for part in block.split_inclusive(|&b| b == b'\n') {
            let room = MAX_SHOWN.saturating_sub(self.partial.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.partial.extend_from_slice(text.get(..room).unwrap_or(text));
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
                self.lines.push(line);
            }
        }
    }
}
