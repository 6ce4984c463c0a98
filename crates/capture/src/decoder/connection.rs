//! One TCP connection, from its segments to what is told of it.

use super::{Event, Settings};
use crate::Time;
use crate::dialogue::{Dialogue, Ending, Machine, Nature, Signal};
use crate::packet::Segment;
use crate::stream::{Piece, Reassembly, Side};
use crate::tls::{self, Output, Session};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What a connection needs of its surroundings.
pub(super) struct Around<'a> {
    pub(super) settings: &'a Settings,
    /// How many dialogues there are so far.
    pub(super) dialogues: &'a mut u64,
    pub(super) events: &'a mut VecDeque<Event>,
}

#[derive(Debug)]
pub(super) struct Connection {
    ends: [SocketAddr; 2],
    began: Time,
    stream: Reassembly,
    /// Both sides speak TLS.
    tls: Option<Box<Session>>,
    /// Made with the first octets, when it is known who is who.
    machine: Option<Machine>,
    number: Option<u64>,
    octets: [u64; 2],
    missing: [u64; 2],
}

impl Connection {
    pub(super) fn new(ends: [SocketAddr; 2], began: Time) -> Self {
        Self {
            ends,
            began,
            stream: Reassembly::default(),
            tls: None,
            machine: None,
            number: None,
            octets: [0; 2],
            missing: [0; 2],
        }
    }

    /// Takes a segment; false when it is not of this connection.
    pub(super) fn add(&mut self, from: usize, segment: &Segment, around: &mut Around<'_>) -> bool {
        if !self.stream.add(from, segment) {
            return false;
        }
        self.began = self.began.min(segment.time);
        self.drain(around);
        true
    }

    /// Nothing more comes: all that is held is told of. Gives the stream back, to know late segments by.
    pub(super) fn end(mut self, ending: Ending, around: &mut Around<'_>) -> Reassembly {
        self.stream.end();
        self.drain(around);
        let ended = self.stream.last_seen();
        self.tell_sealed(ended);
        let mut signals = Vec::new();
        self.machine(around.settings).end(ended, &mut signals);
        self.carry_out(ended, signals, around);
        let closed = self.stream.is_closed();
        let ending = match ending {
            _ if closed => Ending::Closed,
            _ if self.stream.is_reset() => Ending::Reset,
            other => other,
        };
        if let Some(number) = self.number(around) {
            let dialogue = self.dialogue(number, ended, ending, around.settings);
            around.events.push_back(Event::Dialogue(Box::new(dialogue)));
        }
        self.stream
    }

    pub(super) fn began(&self) -> Time {
        self.began
    }

    pub(super) fn last_seen(&self) -> Time {
        self.stream.last_seen()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    pub(super) fn is_reset(&self) -> bool {
        self.stream.is_reset()
    }

    /// What it holds, in octets of memory.
    pub(super) fn weight(&self) -> usize {
        let tls = self.tls.as_ref().map_or(0, |session| session.weight());
        size_of::<Self>() + self.stream.weight() + tls + self.machine.as_ref().map_or(0, Machine::weight)
    }

    fn drain(&mut self, around: &mut Around<'_>) {
        let (ends, settings) = (self.ends, around.settings);
        let is_server = |at: usize| ends.get(at).is_some_and(|end| settings.is_smtp_port(end.port()));
        while let Some(piece) = self.stream.poll(is_server) {
            match piece {
                Piece::Octets { side, time, octets } => {
                    count(&mut self.octets, side, octets.len() as u64);
                    self.take_octets(side, time, &octets, around);
                }
                Piece::Gap { side, time, octets } => {
                    count(&mut self.missing, side, octets);
                    self.take_gap(side, time, octets, around);
                }
                Piece::Closed { .. } => {}
            }
        }
    }

    fn take_octets(&mut self, side: Side, time: Time, octets: &[u8], around: &mut Around<'_>) {
        let first = self.machine.is_none();
        let machine = self.machine(around.settings);
        if machine.nature() == Nature::Other {
            return;
        }
        if first && side == Side::Client && tls::begins(octets) {
            machine.note(time, "TLS from the first octet");
            self.tls = Some(Box::default());
        }
        let mut signals = Vec::new();
        match &mut self.tls {
            None => self.machine(around.settings).push(side, time, octets, &mut signals),
            Some(_) => self.take_sealed(side, time, octets, around, &mut signals),
        }
        self.carry_out(time, signals, around);
    }

    fn take_gap(&mut self, side: Side, time: Time, octets: u64, around: &mut Around<'_>) {
        let mut signals = Vec::new();
        match &mut self.tls {
            None => self.machine(around.settings).gap(side, time, octets, &mut signals),
            Some(session) => {
                let mut outputs = Vec::new();
                session.gap(side, time, octets, &mut outputs);
                self.take_outputs(outputs, around, &mut signals);
            }
        }
        self.carry_out(time, signals, around);
    }

    fn take_sealed(
        &mut self,
        side: Side,
        time: Time,
        octets: &[u8],
        around: &mut Around<'_>,
        signals: &mut Vec<Signal>,
    ) {
        let mut outputs = Vec::new();
        if let Some(session) = &mut self.tls {
            session.push(side, time, octets, &around.settings.keys, &mut outputs);
        }
        self.take_outputs(outputs, around, signals);
    }

    fn take_outputs(&mut self, outputs: Vec<Output>, around: &mut Around<'_>, signals: &mut Vec<Signal>) {
        let machine = self.machine(around.settings);
        for output in outputs {
            match output {
                Output::Plain(side, time, octets) => machine.push(side, time, &octets, signals),
                Output::Gap(side, time, octets) => machine.gap(side, time, octets, signals),
                Output::Note(time, text) => machine.note(time, text),
            }
        }
    }

    fn carry_out(&mut self, time: Time, signals: Vec<Signal>, around: &mut Around<'_>) {
        let Some(dialogue) = self.number(around) else { return };
        for signal in signals {
            match signal {
                Signal::Octets { message, octets } => {
                    around.events.push_back(Event::MessageOctets { dialogue, message, octets });
                }
                Signal::End { message } => around.events.push_back(Event::MessageEnd { dialogue, message }),
                Signal::StartTls { client, server } => self.start_tls(time, &client, &server, around),
            }
        }
    }

    fn start_tls(&mut self, time: Time, client: &Bytes, server: &Bytes, around: &mut Around<'_>) {
        if self.tls.is_some() {
            self.machine(around.settings).note(time, "STARTTLS within TLS: what follows cannot be read");
            return;
        }
        self.tls = Some(Box::default());
        for (side, octets) in [(Side::Client, client), (Side::Server, server)] {
            if !octets.is_empty() {
                self.take_octets(side, time, octets, around);
            }
        }
    }

    /// What stayed sealed is at least counted.
    fn tell_sealed(&mut self, time: Time) {
        if let (Some(session), Some(machine)) = (&self.tls, &mut self.machine) {
            let [client, server] = session.sealed();
            if client + server > 0 {
                let text = format!("encrypted: {client} octets of the client's, {server} of the server's");
                machine.note(time, text);
            }
        }
    }

    fn machine(&mut self, settings: &Settings) -> &mut Machine {
        let (_, server) = self.roles(settings);
        let begun = self.stream.has_beginning();
        let new = || Machine::new(settings.secrets, begun, settings.is_smtp_port(server.port()));
        self.machine.get_or_insert_with(new)
    }

    /// Its number, once it is known to be SMTP.
    fn number(&mut self, around: &mut Around<'_>) -> Option<u64> {
        if self.number.is_none() && self.machine(around.settings).nature() == Nature::Smtp {
            *around.dialogues += 1;
            self.number = Some(*around.dialogues);
        }
        self.number
    }

    /// The client and the server.
    fn roles(&self, settings: &Settings) -> (SocketAddr, SocketAddr) {
        let [first, second] = self.ends;
        let is_server = |at: usize| settings.is_smtp_port(if at == 0 { first } else { second }.port());
        match self.stream.likely_client(is_server) {
            0 => (first, second),
            _ => (second, first),
        }
    }

    fn dialogue(&mut self, number: u64, ended: Time, ending: Ending, settings: &Settings) -> Dialogue {
        let (client, server) = self.roles(settings);
        let told = self.machine(settings).told();
        Dialogue {
            number,
            client,
            server,
            began: self.began,
            ended,
            ending,
            protocol: told.protocol,
            tls: self.tls.as_ref().map(|session| session.summary().clone()),
            entries: told.entries,
            left_out: told.left_out,
            messages: told.messages,
            more_messages: told.more_messages,
            octets: self.octets,
            missing: self.missing,
        }
    }
}

fn count(counts: &mut [u64; 2], side: Side, octets: u64) {
    let [client, server] = counts;
    match side {
        Side::Client => *client += octets,
        Side::Server => *server += octets,
    }
}
