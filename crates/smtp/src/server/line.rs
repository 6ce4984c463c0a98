//! Command lines: only CRLF ends one, and none is longer than its limit (RFC 5321 §2.3.8, §4.5.3.1.4).

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// Most octets of one over-long line that are read and thrown away to find its end; then the session ends.
const MAX_SKIPPED: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineFault {
    /// The line is thrown away.
    TooLong,
    /// A LF without CR. What stands before the next CRLF is no command, but each such piece that a client
    /// could take for a line is answered, so that none waits for a reply that never comes.
    BareNewline,
    /// A line without end.
    Flood,
}

#[derive(Debug, Default)]
pub(super) struct LineReader {
    /// So many octets of the input hold no LF.
    searched: usize,
    /// Octets thrown away of an over-long line.
    skipping: Option<usize>,
    /// Whether the octet thrown away last was a CR.
    skipped_cr: bool,
    /// A bare LF was seen since the last CRLF.
    tainted: bool,
}

impl LineReader {
    /// The next line without its CRLF; `None` when the input has no whole line. `limit` is the most octets,
    /// CRLF included, that a line which begins like this may have.
    pub(super) fn next(
        &mut self,
        input: &mut BytesMut,
        limit: impl Fn(&[u8]) -> usize,
    ) -> Option<Result<Bytes, LineFault>> {
        loop {
            let Some(at) = memchr(b'\n', input.get(self.searched..)?) else {
                if self.searched == input.len() {
                    return None;
                }
                self.searched = input.len();
                return self.skip_if_over(input, limit(input)).then_some(Err(LineFault::Flood));
            };
            let line = input.split_to(self.searched + at + 1).freeze();
            self.searched = 0;
            let before = line.len().checked_sub(2).and_then(|i| line.get(i));
            let crlf =
                before.map_or_else(|| self.skipping.is_some() && self.skipped_cr, |octet| *octet == b'\r');
            if self.skipping.is_some() {
                if !crlf {
                    continue;
                }
                self.skipping = None;
                return Some(Err(LineFault::TooLong));
            }
            if !crlf {
                self.tainted = true;
                return Some(Err(LineFault::BareNewline));
            }
            if std::mem::take(&mut self.tainted) {
                if line.len() > 2 {
                    return Some(Err(LineFault::BareNewline));
                }
                continue;
            }
            if line.len() > limit(&line) {
                return Some(Err(LineFault::TooLong));
            }
            return Some(Ok(line.slice(..line.len() - 2)));
        }
    }

    /// Throws the input away when it is longer than a line may be; whether that was too much of it.
    fn skip_if_over(&mut self, input: &mut BytesMut, limit: usize) -> bool {
        let skipped = match self.skipping {
            Some(skipped) => skipped + input.len(),
            None if input.len() > limit => input.len(),
            None => return false,
        };
        self.skipped_cr = input.last().map_or(self.skipped_cr, |octet| *octet == b'\r');
        self.skipping = Some(skipped);
        self.searched = 0;
        input.clear();
        skipped > MAX_SKIPPED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces one by one, with a limit of 10.
    fn check(pieces: &[&str], expected: &[Result<&str, LineFault>]) {
        let (mut reader, mut input, mut found) = (LineReader::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(piece.as_bytes());
            while let Some(line) = reader.next(&mut input, |_| 10) {
                found.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
            }
        }
        let found: Vec<_> = found.iter().map(|line| line.as_deref().map_err(|fault| *fault)).collect();
        assert_eq!(found, expected, "{pieces:?}");
    }

    #[test]
    fn only_crlf_ends_a_line() {
        use LineFault::{BareNewline, Flood, TooLong};
        check(&["a\r\nb\r", "\n", "c"], &[Ok("a"), Ok("b")]);
        check(&["\r\n"], &[Ok("")]);
        check(&["a\rb\r\n"], &[Ok("a\rb")]);
        check(&["a\nb\r\nc\r\n"], &[Err(BareNewline), Err(BareNewline), Ok("c")]);
        check(&["a\n", "\r\nc\r\n"], &[Err(BareNewline), Ok("c")]);
        check(&["\n\n"], &[Err(BareNewline), Err(BareNewline)]);
        check(&["12345678\r\n123456789\r\na\r\n"], &[Ok("12345678"), Err(TooLong), Ok("a")]);
        check(&["12345678901", "2\n3\r", "\na\r\n"], &[Err(TooLong), Ok("a")]);
        check(&["12345678901", "\na\r", "\nb\r\n"], &[Err(TooLong), Ok("b")]);
        check(&[&"a".repeat(70_000)], &[Err(Flood)]);
    }
}
