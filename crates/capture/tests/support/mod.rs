//! A small writer of captures: a conversation becomes TCP segments, packets of any link type, and a file.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use capture::dialogue::{Dialogue, What};
use capture::stream::Side;
use capture::{Decoder, Event, Settings};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub const MSS: usize = 1460;
/// When the first packet is sent, in nanoseconds.
pub const BEGAN: u64 = 1_700_000_000_000_000_000;
/// Between two packets: a millisecond.
const STEP: u64 = 1_000_000;

/// One TCP segment.
#[derive(Debug, Clone)]
pub struct Frame {
    pub time: u64,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub sequence: u32,
    pub acknowledgement: Option<u32>,
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub payload: Vec<u8>,
}

/// Both sides of a connection, in lockstep: each acknowledges all that the other has sent.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub frames: Vec<Frame>,
    ends: [SocketAddr; 2],
    sent: [u32; 2],
    time: u64,
    mss: usize,
}

impl Conversation {
    /// A connection between these ends, from its handshake on.
    pub fn new(client: &str, server: &str) -> Self {
        Self::with_numbers(client, server, [1000, 5000])
    }

    /// With the initial sequence numbers of client and server.
    pub fn with_numbers(client: &str, server: &str, numbers: [u32; 2]) -> Self {
        let mut new = Self {
            frames: Vec::new(),
            ends: [client.parse().unwrap(), server.parse().unwrap()],
            sent: numbers,
            time: BEGAN,
            mss: MSS,
        };
        new.frame(Side::Client, b"", |frame| (frame.syn, frame.acknowledgement) = (true, None));
        new.frame(Side::Server, b"", |frame| frame.syn = true);
        new.frame(Side::Client, b"", |_| {});
        new
    }

    pub fn smtp() -> Self {
        Self::new("192.0.2.1:40000", "192.0.2.25:25")
    }

    pub fn mss(mut self, mss: usize) -> Self {
        self.mss = mss;
        self
    }

    pub fn client(self, octets: impl AsRef<[u8]>) -> Self {
        self.says(Side::Client, octets.as_ref())
    }

    pub fn server(self, octets: impl AsRef<[u8]>) -> Self {
        self.says(Side::Server, octets.as_ref())
    }

    pub fn says(mut self, side: Side, octets: &[u8]) -> Self {
        for piece in octets.chunks(self.mss) {
            self.frame(side, piece, |_| {});
        }
        self
    }

    /// Both close.
    pub fn close(mut self) -> Self {
        self.frame(Side::Client, b"", |frame| frame.fin = true);
        self.frame(Side::Server, b"", |frame| frame.fin = true);
        self.frame(Side::Client, b"", |_| {});
        self
    }

    pub fn reset(mut self, side: Side) -> Self {
        self.frame(side, b"", |frame| frame.rst = true);
        self
    }

    fn frame(&mut self, side: Side, payload: &[u8], change: impl Fn(&mut Frame)) {
        let (own, other) = if side == Side::Client { (0, 1) } else { (1, 0) };
        let mut frame = Frame {
            time: self.time,
            source: self.ends[own],
            destination: self.ends[other],
            sequence: self.sent[own],
            acknowledgement: Some(self.sent[other]),
            syn: false,
            fin: false,
            rst: false,
            payload: payload.to_vec(),
        };
        change(&mut frame);
        let length = payload.len() as u32 + u32::from(frame.syn) + u32::from(frame.fin);
        self.sent[own] = self.sent[own].wrapping_add(length);
        self.time += STEP;
        self.frames.push(frame);
    }
}

impl Frame {
    pub fn is_from_server(&self) -> bool {
        self.source.port() < self.destination.port()
    }

    fn tcp(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        octets.extend_from_slice(&self.source.port().to_be_bytes());
        octets.extend_from_slice(&self.destination.port().to_be_bytes());
        octets.extend_from_slice(&self.sequence.to_be_bytes());
        octets.extend_from_slice(&self.acknowledgement.unwrap_or(0).to_be_bytes());
        let flags = u8::from(self.fin) | (u8::from(self.syn) << 1) | (u8::from(self.rst) << 2);
        octets.extend_from_slice(&[5 << 4, flags | (u8::from(self.acknowledgement.is_some()) << 4)]);
        octets.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        octets.extend_from_slice(&self.payload);
        octets
    }

    /// The IP packet.
    pub fn ip(&self) -> Vec<u8> {
        ip(self.source.ip(), self.destination.ip(), 6, &[], &self.tcp())
    }

    /// The packet in two fragments.
    pub fn fragments(&self) -> [Vec<u8>; 2] {
        let tcp = self.tcp();
        let (first, second) = tcp.split_at(tcp.len() / 2 / 8 * 8);
        let id = self.sequence.to_be_bytes();
        [(first, 0, true), (second, first.len() as u16, false)].map(|(octets, offset, more)| {
            match self.source {
                SocketAddr::V4(_) => {
                    let mut packet = ip(self.source.ip(), self.destination.ip(), 6, &[], octets);
                    packet[4..6].copy_from_slice(&id[2..]);
                    packet[6..8].copy_from_slice(&((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
                    packet
                }
                SocketAddr::V6(_) => {
                    let place = (offset | u16::from(more)).to_be_bytes();
                    let header = [6, 0, place[0], place[1], id[0], id[1], id[2], id[3]];
                    ip(self.source.ip(), self.destination.ip(), 44, &header, octets)
                }
            }
        })
    }

    /// The IPv6 packet with hop-by-hop and destination options.
    pub fn with_extensions(&self) -> Vec<u8> {
        let headers = [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
        ip(self.source.ip(), self.destination.ip(), 0, &headers, &self.tcp())
    }
}

fn ip(source: IpAddr, destination: IpAddr, next: u8, extensions: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let length = extensions.len() + payload.len();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            octets.extend_from_slice(&[0x45, 0]);
            octets.extend_from_slice(&(20 + length as u16).to_be_bytes());
            octets.extend_from_slice(&[0, 0, 0, 0, 64, next, 0, 0]);
            octets.extend_from_slice(&source.octets());
            octets.extend_from_slice(&destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            octets.extend_from_slice(&[0x60, 0, 0, 0]);
            octets.extend_from_slice(&(length as u16).to_be_bytes());
            octets.extend_from_slice(&[next, 64]);
            octets.extend_from_slice(&source.octets());
            octets.extend_from_slice(&destination.octets());
        }
        _ => panic!("two families"),
    }
    octets.extend_from_slice(extensions);
    octets.extend_from_slice(payload);
    octets
}

/// What stands before IP: the number of its link type, and how it is written.
pub type LinkType = (u16, fn(&[u8]) -> Vec<u8>);

pub const ETHERNET: LinkType = (1, |ip| [&[2; 12], ether_type(ip).as_slice(), ip].concat());
pub const VLAN: LinkType = (1, |ip| [&[2; 12][..], &[0x81, 0, 0, 5], ether_type(ip).as_slice(), ip].concat());
pub const TWO_VLANS: LinkType =
    (1, |ip| [&[2; 12][..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 5], ether_type(ip).as_slice(), ip].concat());
pub const NULL: LinkType = (0, |ip| [&[if ip[0] >> 4 == 4 { 2 } else { 30 }, 0, 0, 0], ip].concat());
pub const LOOP: LinkType = (108, |ip| [&[0, 0, 0, if ip[0] >> 4 == 4 { 2 } else { 24 }], ip].concat());
pub const RAW: LinkType = (101, <[u8]>::to_vec);
pub const COOKED: LinkType =
    (113, |ip| [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], ether_type(ip).as_slice(), ip].concat());
pub const COOKED_2: LinkType = (276, |ip| {
    [ether_type(ip).as_slice(), &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], ip].concat()
});

fn ether_type(ip: &[u8]) -> Vec<u8> {
    if ip[0] >> 4 == 4 { vec![0x08, 0x00] } else { vec![0x86, 0xdd] }
}

/// A packet for a file.
#[derive(Debug, Clone)]
pub struct Captured {
    pub time: u64,
    pub data: Vec<u8>,
}

pub fn captured(frames: &[Frame], link: LinkType) -> Vec<Captured> {
    frames.iter().map(|frame| Captured { time: frame.time, data: (link.1)(&frame.ip()) }).collect()
}

/// How numbers are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Big,
    Little,
}

impl Order {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self == Self::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self == Self::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// A pcap file; `unit` is 1000 (microseconds) or 1 (nanoseconds).
pub fn pcap(order: Order, unit: u64, link: u16, packets: &[Captured]) -> Vec<u8> {
    let magic = if unit == 1 { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut file = Vec::new();
    file.extend_from_slice(&order.u32(magic));
    file.extend_from_slice(&order.u16(2));
    file.extend_from_slice(&order.u16(4));
    for number in [0, 0, 262_144, link.into()] {
        file.extend_from_slice(&order.u32(number));
    }
    for packet in packets {
        let length = packet.data.len() as u32;
        let (seconds, rest) = (packet.time / 1_000_000_000, packet.time % 1_000_000_000);
        for number in [seconds as u32, (rest / unit) as u32, length, length] {
            file.extend_from_slice(&order.u32(number));
        }
        file.extend_from_slice(&packet.data);
    }
    file
}

/// The ordinary file of the other tests.
pub fn file(frames: &[Frame]) -> Vec<u8> {
    pcap(Order::Little, 1000, ETHERNET.0, &captured(frames, ETHERNET))
}

/// A block of a pcapng file.
pub fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let mut octets = order.u32(kind).to_vec();
    octets.extend_from_slice(&order.u32(padded as u32 + 12));
    octets.extend_from_slice(body);
    octets.resize(8 + padded, 0);
    octets.extend_from_slice(&order.u32(padded as u32 + 12));
    octets
}

pub fn section_header(order: Order) -> Vec<u8> {
    block(
        order,
        0x0a0d_0d0a,
        &[&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat(),
    )
}

/// An interface; `resolution` is the option if_tsresol, if any.
pub fn interface(order: Order, link: u16, resolution: Option<u8>) -> Vec<u8> {
    let mut body = [&order.u16(link)[..], &order.u16(0), &order.u32(0)].concat();
    if let Some(octet) = resolution {
        body.extend_from_slice(&[&order.u16(9)[..], &order.u16(1), &[octet, 0, 0, 0], &[0; 4]].concat());
    }
    block(order, 1, &body)
}

/// An Enhanced Packet Block; `unit` is how many nanoseconds the interface counts in one.
pub fn enhanced(order: Order, interface: u32, unit: u64, packet: &Captured) -> Vec<u8> {
    let units = packet.time / unit;
    let length = packet.data.len() as u32;
    let mut body = Vec::new();
    for number in [interface, (units >> 32) as u32, units as u32, length, length] {
        body.extend_from_slice(&order.u32(number));
    }
    body.extend_from_slice(&packet.data);
    block(order, 6, &body)
}

pub fn simple(order: Order, packet: &Captured) -> Vec<u8> {
    block(order, 3, &[&order.u32(packet.data.len() as u32)[..], &packet.data].concat())
}

/// What came out of a capture.
#[derive(Debug, Default)]
pub struct Told {
    pub dialogues: Vec<Dialogue>,
    /// Content of messages by dialogue and number.
    pub messages: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Told {
    pub fn only(&self) -> &Dialogue {
        assert_eq!(self.dialogues.len(), 1, "{:#?}", self.dialogues);
        &self.dialogues[0]
    }

    pub fn take(&mut self, decoder: &mut Decoder) {
        while let Some(event) = decoder.poll_event() {
            match event {
                Event::MessageOctets { dialogue, message, octets } => {
                    self.messages.entry((dialogue, message)).or_default().extend_from_slice(&octets);
                }
                Event::MessageEnd { .. } => {}
                Event::Dialogue(dialogue) => self.dialogues.push(*dialogue),
            }
        }
    }
}

pub fn decode(settings: Settings, file: &[u8]) -> Told {
    let mut decoder = Decoder::new(settings);
    let mut told = Told::default();
    // In pieces of an odd size: where they are cut makes no difference.
    for piece in file.chunks(777) {
        decoder.push(piece).unwrap();
        told.take(&mut decoder);
    }
    decoder.finish();
    told.take(&mut decoder);
    told
}

/// A dialogue without its times: `C:`, `S:`, `--` for notes and `==` for content.
pub fn text(dialogue: &Dialogue) -> String {
    let mut text = String::new();
    for entry in &dialogue.entries {
        let line = match &entry.what {
            What::Line { side: Side::Client, text } => format!("C: {text}"),
            What::Line { side: Side::Server, text } => format!("S: {text}"),
            What::Content { message, octets } => format!("== message {message}: {octets} octets"),
            What::Note(text) => format!("-- {text}"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// `C:` and `S:` lines to a conversation; a line of `C:` or `S:` goes on with the same side's lines in one piece.
/// `C+` and `S+` are without an end of line, with the escapes of Rust.
pub fn script(text: &str) -> Vec<(Side, Vec<u8>)> {
    let mut turns: Vec<(Side, Vec<u8>)> = Vec::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_at(2);
        let side = if mark.starts_with('C') { Side::Client } else { Side::Server };
        let end = if mark.ends_with('+') { "" } else { "\r\n" };
        let octets = format!("{}{end}", rest.strip_prefix(' ').unwrap_or(rest));
        match turns.last_mut() {
            Some((last, turn)) if *last == side => turn.extend_from_slice(octets.as_bytes()),
            _ => turns.push((side, octets.into_bytes())),
        }
    }
    turns
}

pub fn conversation(text: &str) -> Conversation {
    script(text)
        .into_iter()
        .fold(Conversation::smtp(), |talk, (side, octets)| talk.says(side, &octets))
        .close()
}

/// A transaction of two recipients, pipelined, with a message of some lines.
pub const TRANSACTION: &str = "
    S: 220 mx.example ESMTP
    C: EHLO client.example
    S: 250-mx.example
    S: 250-PIPELINING
    S: 250 SIZE 1000000
    C: MAIL FROM:<a@client.example> SIZE=60
    C: RCPT TO:<b@mx.example>
    C: RCPT TO:<nobody@mx.example>
    C: DATA
    S: 250 2.1.0 ok
    S: 250 2.1.5 ok
    S: 550 5.1.1 nobody of that name
    S: 354 go on
    C: Subject: test
    C:
    C: MAIL FROM:<not@a.command>
    C: ..a dot
    C: .
    S: 250 2.0.0 queued as 1
    C: QUIT
    S: 221 2.0.0 bye
";

/// What is told of it.
pub const TOLD: &str = "\
S: 220 mx.example ESMTP
C: EHLO client.example
S: 250-mx.example
S: 250-PIPELINING
S: 250 SIZE 1000000
C: MAIL FROM:<a@client.example> SIZE=60
C: RCPT TO:<b@mx.example>
C: RCPT TO:<nobody@mx.example>
C: DATA
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 550 5.1.1 nobody of that name
S: 354 go on
== message 1: 52 octets
S: 250 2.0.0 queued as 1
C: QUIT
S: 221 2.0.0 bye
";

pub const MESSAGE: &[u8] = b"Subject: test\r\n\r\nMAIL FROM:<not@a.command>\r\n.a dot\r\n";
