//! Compression of a connection: raw deflate, both ways (RFC 4978).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::io;

/// Octets of plain text handed on at once; what is read from the socket at once may hold a thousand times as much.
const PIECE: usize = 16 * 1024;
/// Compressed output grows by at least this much at a time.
const ROOM: usize = 4 * 1024;

/// Both directions' state, some 300 KiB: only for connections that asked for it.
pub(super) struct Deflate {
    compress: Compress,
    decompress: Decompress,
    /// Taken and not inflated yet: at most what one read from the socket gave.
    packed: Vec<u8>,
}

impl std::fmt::Debug for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflate").field("in", &self.decompress.total_out()).finish_non_exhaustive()
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            compress: Compress::new(Compression::fast(), false),
            decompress: Decompress::new(false),
            packed: Vec::new(),
        }
    }
}

impl Deflate {
    /// Takes plain octets; gives what is ready to be sent, often nothing before [`Deflate::flush`].
    pub(super) fn deflate(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        self.run(plain, FlushCompress::None)
    }

    /// All that was taken, so that the other side can read it.
    pub(super) fn flush(&mut self) -> io::Result<Vec<u8>> {
        self.run(&[], FlushCompress::Sync)
    }

    fn run(&mut self, mut plain: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(plain.len() / 2 + ROOM);
        loop {
            let before = self.compress.total_in();
            self.compress.compress_vec(plain, &mut out, flush).map_err(io::Error::other)?;
            plain = &plain[(self.compress.total_in() - before) as usize..];
            // Room left: nothing more waits to be written.
            if plain.is_empty() && out.len() < out.capacity() {
                return Ok(out);
            }
            out.reserve(ROOM);
        }
    }

    /// Takes compressed octets. Read them with [`Deflate::inflate`].
    pub(super) fn take(&mut self, packed: &[u8]) {
        self.packed.extend_from_slice(packed);
    }

    /// The next plain octets of those taken; `None` when there are none left.
    pub(super) fn inflate(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut plain = Vec::with_capacity(PIECE);
        let before = self.decompress.total_in();
        self.decompress
            .decompress_vec(&self.packed, &mut plain, FlushDecompress::Sync)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.packed.drain(..(self.decompress.total_in() - before) as usize);
        // A full piece: there may be more though nothing packed is left.
        if plain.is_empty() {
            self.packed = Vec::new();
            return Ok(None);
        }
        Ok(Some(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_after_each_flush() {
        let (mut one, mut other) = (Deflate::default(), Deflate::default());
        for text in ["a1 NOOP\r\n".to_owned(), "x".repeat(1_000_000), String::new(), "last".into()] {
            let mut packed = one.deflate(text.as_bytes()).unwrap();
            packed.extend(one.flush().unwrap());
            let mut plain = Vec::new();
            for piece in packed.chunks(7) {
                other.take(piece);
                while let Some(piece) = other.inflate().unwrap() {
                    plain.extend_from_slice(&piece);
                }
            }
            assert!(plain == text.as_bytes(), "{}", text.len());
        }
        other.take(b"\xff\xff\xff garbage");
        assert!(other.inflate().is_err());
    }
}
