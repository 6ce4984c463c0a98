//! The older format: a header of 24 octets, then each packet behind 16 octets of its own (draft-ietf-opsawg-pcap).

use super::{Item, Link, MAX_PACKET, Order, Packet, Step};
use crate::Time;
use bytes::Bytes;

/// Octets of the file's header.
pub(super) const HEADER: usize = 24;
/// Octets before each packet: seconds, fraction, captured length, original length.
const RECORD: usize = 16;
/// The fraction counts microseconds.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
/// The fraction counts nanoseconds.
const NANOSECONDS: u32 = 0xa1b2_3c4d;

#[derive(Debug)]
pub(super) struct Header {
    order: Order,
    /// How many nanoseconds one unit of the fraction is.
    unit: u64,
    link: Link,
}

pub(super) fn is_magic(octets: [u8; 4]) -> bool {
    magic(octets).is_some()
}

fn magic(octets: [u8; 4]) -> Option<(Order, u64)> {
    [Order::Big, Order::Little].into_iter().find_map(|order| match order.u32(&octets, 0)? {
        MICROSECONDS => Some((order, 1000)),
        NANOSECONDS => Some((order, 1)),
        _ => None,
    })
}

impl Header {
    pub(super) fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let (order, unit) = magic(*header.first_chunk()?)?;
        // The upper half says how long a frame check sequence is, which stands behind what is read here.
        let link = order.u32(header, 20)? & 0xffff;
        Some(Self { order, unit, link: Link::new(link as u16) })
    }

    pub(super) fn next(&self, buffer: &[u8]) -> Result<Step, &'static str> {
        let order = self.order;
        let (Some(seconds), Some(fraction), Some(length)) =
            (order.u32(buffer, 0), order.u32(buffer, 4), order.u32(buffer, 8))
        else {
            return Ok(Step::Wait);
        };
        let length = length as usize;
        if length > MAX_PACKET {
            return Err("a packet longer than any capture has");
        }
        let Some(data) = buffer.get(RECORD..RECORD + length) else { return Ok(Step::Wait) };
        let time = Time::new(seconds.into(), u64::from(fraction) * self.unit);
        let packet = Packet { time, link: self.link, data: Bytes::copy_from_slice(data) };
        Ok(Step::Take(RECORD + length, Some(Item::Packet(packet))))
    }
}
