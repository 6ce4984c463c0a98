//! gzip and zip, unpacked up to a bound: a bomb is a report like any other until it passes it.

use flate2::Compression;
use flate2::read::{DeflateDecoder, GzEncoder, MultiGzDecoder};
use std::io::Read;

/// Largest report after unpacking, in octets. Real ones of the largest senders are some megabytes.
pub const MAX_UNPACKED: usize = 16 * 1024 * 1024;
/// Most files of a zip archive that are looked at: a report is the only one.
const MAX_ENTRIES: usize = 16;
/// Longest comment at the end of a zip archive, and so how far its directory is searched for.
const MAX_COMMENT: usize = u16::MAX as usize;

/// Why nothing came out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    #[error("it unpacks to more than {MAX_UNPACKED} octets")]
    TooLarge,
    #[error("the gzip data is damaged")]
    Gzip,
    #[error("the zip archive {0}")]
    Zip(&'static str),
}

/// The content of gzip data, or of the first file of a zip archive; other octets are returned as they are. The octets say
/// what they are: names and media types of real reports often do not.
pub fn unpack(octets: &[u8]) -> Result<Vec<u8>, UnpackError> {
    if octets.starts_with(b"\x1f\x8b") {
        return read_bounded(MultiGzDecoder::new(octets), UnpackError::Gzip);
    }
    if octets.starts_with(b"PK\x03\x04") {
        return unzip(octets);
    }
    if octets.len() > MAX_UNPACKED { Err(UnpackError::TooLarge) } else { Ok(octets.to_vec()) }
}

/// Packs a report.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // Neither a slice nor a vector can fail.
    let _ = GzEncoder::new(content, Compression::default()).read_to_end(&mut out);
    out
}

fn read_bounded(from: impl Read, damaged: UnpackError) -> Result<Vec<u8>, UnpackError> {
    let mut out = Vec::new();
    from.take(MAX_UNPACKED as u64 + 1).read_to_end(&mut out).map_err(|_| damaged)?;
    if out.len() > MAX_UNPACKED { Err(UnpackError::TooLarge) } else { Ok(out) }
}

/// The first file of the archive's central directory, which is at its end and alone knows the sizes.
fn unzip(archive: &[u8]) -> Result<Vec<u8>, UnpackError> {
    const END: usize = 22;
    let from = archive.len().saturating_sub(END + MAX_COMMENT);
    let end =
        memchr::memmem::rfind(&archive[from..], b"PK\x05\x06").ok_or(UnpackError::Zip("has no directory"))?;
    let mut at = number(archive, from + end + 16, 4)?;
    for _ in 0..MAX_ENTRIES {
        if archive.get(at..at + 4) != Some(b"PK\x01\x02") {
            break;
        }
        let (name, extra) = (number(archive, at + 28, 2)?, number(archive, at + 30, 2)?);
        let folder = archive.get(at + 46..at + 46 + name).is_none_or(|name| name.ends_with(b"/"));
        if !folder {
            return entry(archive, at);
        }
        at += 46 + name + extra + number(archive, at + 32, 2)?;
    }
    Err(UnpackError::Zip("has no file"))
}

/// The file whose directory entry is at `at`.
fn entry(archive: &[u8], at: usize) -> Result<Vec<u8>, UnpackError> {
    let (flags, method) = (number(archive, at + 8, 2)?, number(archive, at + 10, 2)?);
    if flags & 1 == 1 {
        return Err(UnpackError::Zip("is encrypted"));
    }
    let (packed, header) = (number(archive, at + 20, 4)?, number(archive, at + 42, 4)?);
    if archive.get(header..header.saturating_add(4)) != Some(b"PK\x03\x04") {
        return Err(UnpackError::Zip("is damaged"));
    }
    let content = header + 30 + number(archive, header + 26, 2)? + number(archive, header + 28, 2)?;
    let packed =
        archive.get(content..content.saturating_add(packed)).ok_or(UnpackError::Zip("is cut short"))?;
    match method {
        0 => read_bounded(packed, UnpackError::Zip("is damaged")),
        8 => read_bounded(DeflateDecoder::new(packed), UnpackError::Zip("is damaged")),
        _ => Err(UnpackError::Zip("is packed in a way that nobody uses for reports")),
    }
}

/// A little-endian number.
fn number(octets: &[u8], at: usize, len: usize) -> Result<usize, UnpackError> {
    let octets = octets.get(at..at.saturating_add(len)).ok_or(UnpackError::Zip("is cut short"))?;
    Ok(octets.iter().rev().fold(0, |number, octet| number << 8 | usize::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An archive with a folder and one file.
    fn zip(content: &[u8], method: u16, flags: u16) -> Vec<u8> {
        let mut deflated = Vec::new();
        flate2::read::DeflateEncoder::new(content, Compression::default())
            .read_to_end(&mut deflated)
            .unwrap();
        let packed = if method == 8 { &deflated } else { content };
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for (name, body) in [("d/", &b""[..]), ("report.xml", packed)] {
            let offset = u32::try_from(out.len()).unwrap();
            let (len, name_len) = (u32::try_from(body.len()).unwrap(), u16::try_from(name.len()).unwrap());
            let common = [
                &flags.to_le_bytes()[..],
                &method.to_le_bytes(),
                &[0; 8],
                &len.to_le_bytes(),
                &u32::try_from(content.len()).unwrap().to_le_bytes(),
                &name_len.to_le_bytes(),
                &[0; 2],
            ]
            .concat();
            out.extend([b"PK\x03\x04\x14\0", &common[..], name.as_bytes(), body].concat());
            let tail = [&[0; 10][..], &offset.to_le_bytes(), name.as_bytes()].concat();
            directory.extend([b"PK\x01\x02\x14\0\x14\0", &common[..], &tail].concat());
        }
        let (size, start) = (u32::try_from(directory.len()).unwrap(), u32::try_from(out.len()).unwrap());
        out.extend(directory);
        out.extend(
            [b"PK\x05\x06\0\0\0\0\x02\0\x02\0", &size.to_le_bytes()[..], &start.to_le_bytes(), b"\0\0"]
                .concat(),
        );
        out
    }

    #[test]
    fn every_container_gives_the_content() {
        assert_eq!(unpack(b"<feedback/>"), Ok(b"<feedback/>".to_vec()));
        assert_eq!(unpack(&gzip(b"<feedback/>")), Ok(b"<feedback/>".to_vec()));
        assert_eq!(unpack(&zip(b"<feedback/>", 8, 0)), Ok(b"<feedback/>".to_vec()));
        assert_eq!(unpack(&zip(b"<feedback/>", 0, 0)), Ok(b"<feedback/>".to_vec()));
        let commented = [&zip(b"x", 8, 0)[..], b"a comment"].concat();
        assert_eq!(unpack(&commented), Ok(b"x".to_vec()));
    }

    #[test]
    fn bombs_are_cut() {
        let zeroes = vec![0; MAX_UNPACKED + 1];
        assert_eq!(unpack(&gzip(&zeroes)), Err(UnpackError::TooLarge));
        assert_eq!(unpack(&zip(&zeroes, 8, 0)), Err(UnpackError::TooLarge));
        assert_eq!(unpack(&zeroes), Err(UnpackError::TooLarge));
        assert_eq!(unpack(&gzip(&zeroes[1..])).map(|content| content.len()), Ok(MAX_UNPACKED));
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(unpack(b"\x1f\x8bx"), Err(UnpackError::Gzip));
        assert_eq!(unpack(b"PK\x03\x04"), Err(UnpackError::Zip("has no directory")));
        assert_eq!(
            unpack(&zip(b"x", 9, 0)),
            Err(UnpackError::Zip("is packed in a way that nobody uses for reports"))
        );
        assert_eq!(unpack(&zip(b"x", 8, 1)), Err(UnpackError::Zip("is encrypted")));
    }

    proptest! {
        #[test]
        fn no_archive_panics(mut archive in Just(zip(b"<feedback/>", 8, 0)), changes in prop::collection::vec((0_usize..200, any::<u8>()), 0..8)) {
            for (at, octet) in changes {
                if let Some(place) = archive.get_mut(at) {
                    *place = octet;
                }
            }
            let _ = unpack(&archive);
        }
    }
}
