//! From the octets of a capture file to dialogues: all layers, one above the other.

mod connection;
mod table;

use crate::dialogue::{Dialogue, Secrets};
use crate::file::{FileError, Item, Link, Packet, Reader};
use crate::packet::{Dissector, Segment, Skipped};
use crate::tls::KeyLog;
use bytes::Bytes;
use ipnet::IpNet;
use std::collections::{BTreeMap, VecDeque};
use table::Table;
pub use table::{MAX_CONNECTIONS, MAX_MEMORY};

/// Where SMTP and LMTP are spoken as a rule: a connection to one of these is told of whatever is said on it. On other
/// ports it must look like SMTP.
pub const SMTP_PORTS: [u16; 5] = [24, 25, 465, 587, 2525];
/// Most link types that are told apart in the summary.
const MAX_LINKS: usize = 16;

/// What is to be told, and how.
#[derive(Debug, Default)]
pub struct Settings {
    /// Only connections of which an end has one of these ports; they count as SMTP. Empty: any.
    pub ports: Vec<u16>,
    /// Only connections of which an end is in one of these networks. Empty: any.
    pub networks: Vec<IpNet>,
    pub secrets: Secrets,
    pub keys: KeyLog,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Content of a message, in its order. [`Event::MessageEnd`] follows, and the [`Event::Dialogue`] of this number
    /// after that.
    MessageOctets { dialogue: u64, message: u64, octets: Bytes },
    /// No more content of this message comes.
    MessageEnd { dialogue: u64, message: u64 },
    /// All of a dialogue.
    Dialogue(Box<Dialogue>),
}

/// What was seen, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub packets: u64,
    /// TCP segments between the ends that were asked for.
    pub segments: u64,
    /// Packets of link types that are not known here.
    pub unknown_links: BTreeMap<Link, u64>,
    /// Packets cut off before their TCP header ends, by too short a snapshot length.
    pub too_short: u64,
    /// Datagrams of which fragments are missing.
    pub incomplete_datagrams: u64,
    pub connections: u64,
    pub dialogues: u64,
    /// Connections that were given up for lack of room, or after a long silence.
    pub evicted: u64,
    /// The capture ends in the middle of a packet: so many octets of it.
    pub unfinished: usize,
}

/// Takes a capture file piece by piece. See the crate's run loop.
#[derive(Debug)]
pub struct Decoder {
    reader: Reader,
    dissector: Dissector,
    table: Table,
    settings: Settings,
    events: VecDeque<Event>,
    summary: Summary,
}

impl Decoder {
    pub fn new(settings: Settings) -> Self {
        Self {
            reader: Reader::default(),
            dissector: Dissector::default(),
            table: Table::default(),
            settings,
            events: VecDeque::new(),
            summary: Summary::default(),
        }
    }

    /// Takes the next octets of the file.
    ///
    /// # Errors
    /// The file is no capture, or damaged; what was read before stays good.
    pub fn push(&mut self, octets: &[u8]) -> Result<(), FileError> {
        self.reader.push(octets);
        while let Some(item) = self.reader.next_item()? {
            match item {
                Item::KeyLog(text) => {
                    self.settings.keys.add(&text);
                }
                Item::Packet(packet) => self.packet(&packet),
            }
        }
        Ok(())
    }

    /// The file has ended: what is still open is told of.
    pub fn finish(&mut self) {
        self.summary.unfinished = self.reader.unfinished();
        self.summary.incomplete_datagrams = self.dissector.incomplete();
        self.table.finish(&self.settings, &mut self.events);
        self.count();
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn packet(&mut self, packet: &Packet) {
        self.summary.packets += 1;
        match self.dissector.segment(packet) {
            Ok(segment) if self.settings.wants(&segment) => {
                self.summary.segments += 1;
                self.table.add(&segment, &self.settings, &mut self.events);
                self.count();
            }
            Err(Skipped::Link(link)) => {
                let links = &mut self.summary.unknown_links;
                if links.len() < MAX_LINKS || links.contains_key(&link) {
                    *links.entry(link).or_default() += 1;
                }
            }
            Err(Skipped::TooShort) => self.summary.too_short += 1,
            Ok(_) | Err(Skipped::NotTcp | Skipped::Fragment) => {}
        }
    }

    fn count(&mut self) {
        self.summary.connections = self.table.connections;
        self.summary.dialogues = self.table.dialogues;
        self.summary.evicted = self.table.evicted;
    }
}

impl Settings {
    fn wants(&self, segment: &Segment) -> bool {
        let ends = [segment.source, segment.destination];
        let port = self.ports.is_empty() || ends.iter().any(|end| self.ports.contains(&end.port()));
        let network = self.networks.is_empty()
            || ends.iter().any(|end| self.networks.iter().any(|network| network.contains(&end.ip())));
        port && network
    }

    /// Whether a server on this port is believed to speak SMTP.
    fn is_smtp_port(&self, port: u16) -> bool {
        if self.ports.is_empty() { SMTP_PORTS.contains(&port) } else { self.ports.contains(&port) }
    }
}
