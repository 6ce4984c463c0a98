//! Files of a Maildir that Dovecot's plug-ins have packed: what `zlib` wrote is unpacked, the rest is named for what it is.

use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};

/// Octets read at once.
const BUFFER: usize = 64 << 10;
const GZIP: &[u8] = b"\x1f\x8b";
/// How other packed files begin. No message does: a field's name has neither.
const OTHERS: [(&[u8], &str); 4] = [
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"Dovecot-LZ4\x0d\x2a\x9b\xc5", "compressed with lz4"),
    (b"CRYPTED\x03\x07", "encrypted"),
];

/// The message that is in a file.
///
/// # Errors
/// Those of the file, and `Unsupported` where the message cannot be had from it.
pub(super) fn open(file: File) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    let begins = file.fill_buf()?;
    if begins.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(file)));
    }
    match packing(begins) {
        None => Ok(Box::new(file)),
        Some(packing) => {
            let why =
                format!("its file is {packing}; bring this account over IMAP, which gives messages unpacked");
            Err(io::Error::new(ErrorKind::Unsupported, why))
        }
    }
}

fn packing(begins: &[u8]) -> Option<&'static str> {
    // `BZh`, a digit, and the digits of pi.
    let bzip2 = begins.starts_with(b"BZh") && begins.get(4..10) == Some(b"1AY&SY");
    let other = OTHERS.iter().find(|(magic, _)| begins.starts_with(magic)).map(|(_, packing)| *packing);
    other.or_else(|| bzip2.then_some("compressed with bzip2"))
}
