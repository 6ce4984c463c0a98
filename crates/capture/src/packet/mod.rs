//! From a captured packet to the TCP segment in it.
//!
//! Headers are read by `etherparse`, leniently: a packet that was cut off by the snapshot length, or captured before
//! the network card filled in its lengths, gives what there is. Checksums are not looked at: a machine that captures
//! its own traffic sees them before the card has computed them.

mod fragments;
mod link;

pub use fragments::{MAX_DATAGRAMS, MAX_HELD_FRAGMENTS};

use crate::Time;
use crate::file::Packet;
use bytes::Bytes;
use etherparse::{Ipv6ExtensionSlice, LaxNetSlice, LaxSlicedPacket, TcpSlice, ip_number};
use fragments::{Fragment, Fragments, Key};
use std::net::{IpAddr, SocketAddr};

/// One TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub time: Time,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    /// Up to where the sender has what the other side said; none without the ACK flag.
    pub acknowledged: Option<u32>,
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub payload: Bytes,
    /// Octets at the end of the payload that were sent and not captured: the snapshot length was too short.
    pub cut: usize,
}

/// Why there is no segment in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// The link type is not known here.
    Link(crate::file::Link),
    /// Not IP, not TCP, or damaged.
    NotTcp,
    /// Cut off before its TCP header ends.
    TooShort,
    /// A fragment of a datagram; others are still to come.
    Fragment,
}

/// Takes packets apart; it holds fragments.
#[derive(Debug, Default)]
pub struct Dissector {
    fragments: Fragments,
}

/// An IP datagram, whole or not.
struct Datagram<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// What follows the headers of IP, up to its end or the end of the capture.
    payload: &'a [u8],
    /// Octets that are missing behind it.
    cut: usize,
    fragment: Option<(u32, Fragment)>,
}

impl Dissector {
    /// The segment in a packet.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn segment(&mut self, packet: &Packet) -> Result<Segment, Skipped> {
        let sliced = link::slice(packet.link, &packet.data)?;
        let datagram = datagram(&sliced).ok_or(Skipped::NotTcp)?;
        let Some((identification, fragment)) = datagram.fragment else {
            return segment(packet.time, &datagram, datagram.payload, datagram.cut);
        };
        let key = Key { source: datagram.source, destination: datagram.destination, identification };
        let whole =
            self.fragments.add(key, fragment, packet.time, datagram.payload).ok_or(Skipped::Fragment)?;
        segment(packet.time, &datagram, &whole, 0)
    }

    /// How many datagrams were given up because fragments of them never came, or have not come yet.
    pub fn incomplete(&self) -> u64 {
        self.fragments.incomplete()
    }
}

fn datagram<'a>(sliced: &LaxSlicedPacket<'a>) -> Option<Datagram<'a>> {
    let net = sliced.net.as_ref()?;
    let body = net.ip_payload_ref().filter(|body| body.ip_number == ip_number::TCP)?;
    let (source, destination, announced, fragment) = match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let fragment = Fragment {
                offset: usize::from(header.fragments_offset().byte_offset()),
                last: !header.more_fragments(),
            };
            let length = usize::from(header.total_len()).checked_sub(header.slice().len());
            let identification = u32::from(header.identification());
            (
                IpAddr::from(header.source_addr()),
                IpAddr::from(header.destination_addr()),
                length,
                (identification, fragment),
            )
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            // 0 is a jumbogram, or a packet that was captured before its length was filled in.
            let length = Some(usize::from(header.payload_length())).filter(|length| *length > 0);
            let length = length.and_then(|length| length.checked_sub(ip.extensions().slice().len()));
            let fragment = ip.extensions().clone().into_iter().find_map(|extension| match extension {
                Ipv6ExtensionSlice::Fragment(header) => Some((
                    header.identification(),
                    Fragment {
                        offset: usize::from(header.fragment_offset().byte_offset()),
                        last: !header.more_fragments(),
                    },
                )),
                _ => None,
            });
            (
                IpAddr::from(header.source_addr()),
                IpAddr::from(header.destination_addr()),
                length,
                fragment.unwrap_or((0, Fragment { offset: 0, last: true })),
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let cut = announced.unwrap_or(0).saturating_sub(body.payload.len());
    Some(Datagram {
        source,
        destination,
        payload: body.payload,
        cut: if body.incomplete { cut } else { 0 },
        fragment: body.fragmented.then_some(fragment),
    })
}

fn segment(time: Time, datagram: &Datagram<'_>, payload: &[u8], cut: usize) -> Result<Segment, Skipped> {
    let tcp = TcpSlice::from_slice(payload).map_err(|_| Skipped::TooShort)?;
    Ok(Segment {
        time,
        source: SocketAddr::new(datagram.source, tcp.source_port()),
        destination: SocketAddr::new(datagram.destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: Bytes::copy_from_slice(tcp.payload()),
        cut,
    })
}
