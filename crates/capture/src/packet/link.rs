//! What stands before IP.

use super::Skipped;
use crate::file::Link;
use etherparse::{EtherType, LaxSlicedPacket};

/// Octets before the packet in a Linux cooked capture (LINKTYPE_LINUX_SLL), the protocol being the last two of them.
const COOKED: usize = 16;
/// Likewise of the second version, whose protocol comes first (LINKTYPE_LINUX_SLL2).
const COOKED_2: usize = 20;

/// Takes the headers of a packet apart, from its link layer on. VLAN tags (802.1Q, 802.1ad) are passed over.
pub(super) fn slice(link: Link, data: &[u8]) -> Result<LaxSlicedPacket<'_>, Skipped> {
    let short = Skipped::TooShort;
    match link {
        Link::Ethernet => LaxSlicedPacket::from_ethernet(data).map_err(|_| short),
        Link::RawIp => LaxSlicedPacket::from_ip(data).map_err(|_| Skipped::NotTcp),
        // The family's number is another on each system (AF_INET6 has four), but IP says itself which it is.
        Link::Null | Link::Loop => {
            LaxSlicedPacket::from_ip(data.get(4..).ok_or(short)?).map_err(|_| Skipped::NotTcp)
        }
        Link::LinuxCooked => {
            let (header, packet) = data.split_at_checked(COOKED).ok_or(short)?;
            Ok(LaxSlicedPacket::from_ether_type(protocol(header.get(14..)).ok_or(short)?, packet))
        }
        Link::LinuxCooked2 => {
            let (header, packet) = data.split_at_checked(COOKED_2).ok_or(short)?;
            Ok(LaxSlicedPacket::from_ether_type(protocol(Some(header)).ok_or(short)?, packet))
        }
        Link::Other(_) => Err(Skipped::Link(link)),
    }
}

fn protocol(header: Option<&[u8]>) -> Option<EtherType> {
    header?.first_chunk().map(|two| EtherType(u16::from_be_bytes(*two)))
}
