//! Capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), told apart by their
//! first four octets, of either byte order.

mod pcap;
mod pcapng;

use crate::Time;
use bytes::{Buf, Bytes, BytesMut};

/// Longest packet that is taken, in octets: tcpdump's own bound (MAXIMUM_SNAPLEN of libpcap), with as much again
/// for a pcapng block's options.
pub const MAX_PACKET: usize = 512 * 1024;

/// A packet as it was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub time: Time,
    pub link: Link,
    /// As much of it as was captured.
    pub data: Bytes,
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Packet(Packet),
    /// A TLS key log that pcapng carries in a Decryption Secrets Block.
    KeyLog(Bytes),
}

/// What a packet begins with (`LINKTYPE_…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// Loopback of the BSDs: the address family in the byte order of the machine.
    Null,
    /// Loopback of OpenBSD: the same in network byte order.
    Loop,
    Ethernet,
    /// IPv4 or IPv6 with nothing before it.
    RawIp,
    /// Linux cooked captures, as of `tcpdump -i any`.
    LinuxCooked,
    LinuxCooked2,
    /// Not known here.
    Other(u16),
}

impl Link {
    fn new(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            // 12 and 14 are what DLT_RAW was before it became a LINKTYPE; 228 and 229 are one family only.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            108 => Self::Loop,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

/// Why a file cannot be read further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("not a capture: a pcap or pcapng file was expected, and it begins with {0:02x?}")]
    NotACapture([u8; 4]),
    #[error("damaged at octet {at}: {what}")]
    Damaged { at: u64, what: &'static str },
}

/// Takes a file piece by piece and gives its packets.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    /// Octets of a block of no interest that have not come yet.
    skip: u64,
    /// How many octets were taken.
    taken: u64,
    format: Option<Format>,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Header),
    PcapNg(pcapng::Section),
}

/// What one look at the buffer brought.
enum Step {
    /// More octets are needed.
    Wait,
    /// So many octets are used up, and perhaps there is something to give.
    Take(usize, Option<Item>),
    /// So many octets are of no interest; most may not have come yet.
    Skip(u64),
}

impl Reader {
    pub fn push(&mut self, octets: &[u8]) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(octets.len());
        self.skip -= skipped as u64;
        self.taken += skipped as u64;
        self.buffer.extend_from_slice(octets.get(skipped..).unwrap_or_default());
    }

    /// The next item, if it has come whole.
    ///
    /// # Errors
    /// The rest of the file makes no sense; another call gives the same error.
    pub fn next_item(&mut self) -> Result<Option<Item>, FileError> {
        loop {
            let step = match &mut self.format {
                None => match self.begin()? {
                    true => continue,
                    false => return Ok(None),
                },
                Some(Format::Pcap(header)) => header.next(&self.buffer),
                Some(Format::PcapNg(section)) => section.next(&self.buffer),
            };
            match step.map_err(|what| FileError::Damaged { at: self.taken, what })? {
                Step::Wait => return Ok(None),
                Step::Take(octets, item) => {
                    self.advance(octets);
                    if item.is_some() {
                        return Ok(item);
                    }
                }
                Step::Skip(octets) => {
                    let here = usize::try_from(octets).unwrap_or(usize::MAX).min(self.buffer.len());
                    self.advance(here);
                    self.skip = octets - here as u64;
                }
            }
        }
    }

    /// Octets of something that did not come to its end; asked at the end of the file.
    pub fn unfinished(&self) -> usize {
        self.buffer.len()
    }

    /// Knows the format by its magic number; whether there was enough of it.
    fn begin(&mut self) -> Result<bool, FileError> {
        let Some(magic) = self.buffer.first_chunk::<4>().copied() else { return Ok(false) };
        if magic == pcapng::SECTION_HEADER {
            self.format = Some(Format::PcapNg(pcapng::Section::default()));
            return Ok(true);
        }
        let Some(header) = self.buffer.first_chunk::<{ pcap::HEADER }>() else {
            return if pcap::is_magic(magic) { Ok(false) } else { Err(FileError::NotACapture(magic)) };
        };
        let header = pcap::Header::parse(header).ok_or(FileError::NotACapture(magic))?;
        self.format = Some(Format::Pcap(header));
        self.advance(pcap::HEADER);
        Ok(true)
    }

    fn advance(&mut self, octets: usize) {
        self.buffer.advance(octets);
        self.taken += octets as u64;
    }
}

/// The byte order of the machine that wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

impl Order {
    /// The two octets at `at`; none when they are not there.
    fn u16(self, octets: &[u8], at: usize) -> Option<u16> {
        let two = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    fn u32(self, octets: &[u8], at: usize) -> Option<u32> {
        let four = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn u64(self, octets: &[u8], at: usize) -> Option<u64> {
        let eight = *octets.get(at..)?.first_chunk()?;
        Some(if self == Self::Big { u64::from_be_bytes(eight) } else { u64::from_le_bytes(eight) })
    }
}
