//! The newer format: blocks, each with its type and its length before and behind it (draft-ietf-opsawg-pcapng).

use super::{Item, Link, MAX_PACKET, Order, Packet, Step};
use crate::Time;
use bytes::Bytes;

/// The type of the block that a section begins with: the same octets in either order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
/// Obsolete, still written by old programs.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
/// The secrets are a TLS key log (`SSLKEYLOGFILE`).
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Options of an interface: the resolution of its times, and what is added to them.
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
/// Type and length before a block, length behind it.
const FRAME: usize = 12;
/// Most interfaces of one section; a capture of all interfaces of a large router has hundreds.
const MAX_INTERFACES: usize = 4096;

/// What holds until the next section header.
#[derive(Debug, Default)]
pub(super) struct Section {
    order: Option<Order>,
    interfaces: Vec<Interface>,
    /// Of the last packet: a Simple Packet Block has no time of its own.
    time: Time,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Link,
    snapshot: u32,
    resolution: Resolution,
    /// Seconds added to each time.
    offset: i64,
}

/// One unit of time is 10 or 2 to the minus so many seconds.
#[derive(Debug, Clone, Copy)]
enum Resolution {
    Decimal(u32),
    Binary(u32),
}

impl Section {
    pub(super) fn next(&mut self, buffer: &[u8]) -> Result<Step, &'static str> {
        if buffer.starts_with(&SECTION_HEADER) && !self.begin(buffer)? {
            return Ok(Step::Wait);
        }
        let order = self.order.ok_or("no section header comes first")?;
        let (Some(kind), Some(total)) = (order.u32(buffer, 0), order.u32(buffer, 4)) else {
            return Ok(Step::Wait);
        };
        let length = total as usize;
        if length < FRAME || !length.is_multiple_of(4) {
            return Err("the length of a block cannot be");
        }
        if length > MAX_PACKET || !is_read(kind) {
            return Ok(Step::Skip(total.into()));
        }
        let Some(block) = buffer.get(8..length - 4) else { return Ok(Step::Wait) };
        match order.u32(buffer, length - 4) {
            None => return Ok(Step::Wait),
            Some(behind) if behind != total => return Err("the two lengths of a block differ"),
            Some(_) => {}
        }
        let item = match kind {
            INTERFACE => {
                self.interface(order, block)?;
                None
            }
            DECRYPTION_SECRETS => key_log(order, block).map(Item::KeyLog),
            _ => self.packet(order, kind, block).map(Item::Packet),
        };
        Ok(Step::Take(length, item))
    }

    /// A new section: interfaces are numbered anew, and the byte order may be another. Whether enough of it has come.
    fn begin(&mut self, buffer: &[u8]) -> Result<bool, &'static str> {
        let Some(octets) = buffer.get(8..12) else { return Ok(false) };
        let order = [Order::Big, Order::Little]
            .into_iter()
            .find(|order| order.u32(octets, 0) == Some(BYTE_ORDER_MAGIC))
            .ok_or("a section header without its byte-order magic")?;
        *self = Self { order: Some(order), interfaces: Vec::new(), time: self.time };
        Ok(true)
    }

    fn interface(&mut self, order: Order, block: &[u8]) -> Result<(), &'static str> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err("more interfaces than any capture has");
        }
        let short = "an interface description without its fields";
        let link = Link::new(order.u16(block, 0).ok_or(short)?);
        let snapshot = order.u32(block, 4).ok_or(short)?;
        let mut interface = Interface { link, snapshot, resolution: Resolution::Decimal(6), offset: 0 };
        let mut rest = block.get(8..).unwrap_or_default();
        // An option: code, length, value padded to four octets; the code 0 ends them.
        while let (Some(code @ 1..), Some(length)) = (order.u16(rest, 0), order.u16(rest, 2)) {
            let length = usize::from(length);
            let Some(value) = rest.get(4..4 + length) else { break };
            match (code, value.first()) {
                (IF_TSRESOL, Some(octet)) => interface.resolution = Resolution::new(*octet),
                (IF_TSOFFSET, _) => interface.offset = order.u64(value, 0).unwrap_or(0).cast_signed(),
                _ => {}
            }
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// The packet of a block; none when its interface was never described or its length is more than there is.
    fn packet(&mut self, order: Order, kind: u32, block: &[u8]) -> Option<Packet> {
        if kind == SIMPLE_PACKET {
            let interface = self.interfaces.first()?;
            let original = order.u32(block, 0)?;
            let limit = if interface.snapshot == 0 { u32::MAX } else { interface.snapshot };
            let data = block.get(4..)?;
            let length = (original.min(limit) as usize).min(data.len());
            return Some(Packet { time: self.time, link: interface.link, data: copy(data, length)? });
        }
        let number = match kind {
            PACKET => order.u16(block, 0)?.into(),
            _ => order.u32(block, 0)?,
        };
        let interface = self.interfaces.get(number as usize)?;
        let units = (u64::from(order.u32(block, 4)?) << 32) | u64::from(order.u32(block, 8)?);
        let length = order.u32(block, 12)? as usize;
        self.time = interface.time(units);
        Some(Packet { time: self.time, link: interface.link, data: copy(block.get(20..)?, length)? })
    }
}

impl Interface {
    fn time(&self, units: u64) -> Time {
        let nanoseconds = self.resolution.nanoseconds(units);
        let offset = self.offset.saturating_mul(1_000_000_000);
        Time(nanoseconds.saturating_add_signed(offset))
    }
}

impl Resolution {
    fn new(octet: u8) -> Self {
        let power = u32::from(octet & 0x7f);
        if octet & 0x80 == 0 { Self::Decimal(power) } else { Self::Binary(power) }
    }

    fn nanoseconds(self, units: u64) -> u64 {
        let in_a_second = match self {
            Self::Decimal(power) => 10_u128.checked_pow(power),
            Self::Binary(power) => 1_u128.checked_shl(power),
        };
        let scaled = in_a_second.map_or(0, |unit| u128::from(units) * 1_000_000_000 / unit.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

fn is_read(kind: u32) -> bool {
    [INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET, DECRYPTION_SECRETS].contains(&kind)
}

fn key_log(order: Order, block: &[u8]) -> Option<Bytes> {
    let length = order.u32(block, 4)? as usize;
    (order.u32(block, 0)? == TLS_KEY_LOG).then(|| copy(block.get(8..)?, length))?
}

fn copy(data: &[u8], length: usize) -> Option<Bytes> {
    data.get(..length).map(Bytes::copy_from_slice)
}
