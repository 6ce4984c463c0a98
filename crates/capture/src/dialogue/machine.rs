//! Both sides' octets to a transcript.
//!
//! ```text
//!               DATA, AUTH, STARTTLS
//!  Resync ──▶ Command ─────────────▶ Waiting ──354──▶ Content ──▶ Command
//!                │ ▲                  │ ▲  └──334──▶ Response ──▶ Waiting
//!           BDAT ▼ │ end of chunk     │ │other        220: TLS, and all begins anew
//!               Chunk                 └▶Command
//! ```

use super::Secrets;
use super::transcript::{Entries, Entry, MAX_MESSAGES, Message, Protocol, Via, What};
use crate::Time;
use crate::stream::Side;
use bytes::{Bytes, BytesMut};
use smtp::server::{BareNewline, BodyDecoder, Framing};
use std::collections::VecDeque;

/// Longest line of either side, in octets: AUTH has the longest (12,288; RFC 4954 §4).
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Most octets of the client's that wait for a reply which is not in the capture.
const MAX_WAITING: usize = 64 * 1024;
/// Most commands whose reply is awaited; real clients pipeline some hundred.
const MAX_AWAITED: usize = 10_000;

/// What the caller has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// From here on both sides speak TLS; the octets are what was already taken of them.
    StartTls { client: Bytes, server: Bytes },
    /// Content of a message.
    Octets { message: u64, octets: Bytes },
    /// The message ends here.
    End { message: u64 },
}

/// What was written down.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) protocol: Protocol,
    pub(crate) entries: Vec<Entry>,
    pub(crate) left_out: u64,
    pub(crate) messages: Vec<Message>,
    pub(crate) more_messages: u64,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) secrets: Secrets,
    pub(super) client: BytesMut,
    pub(super) server: BytesMut,
    pub(super) mode: Mode,
    pub(super) awaiting: VecDeque<Awaited>,
    pub(super) entries: Entries,
    pub(super) signals: Vec<Signal>,
    pub(super) protocol: Protocol,
    pub(super) envelope: Envelope,
    pub(super) messages: Messages,
    /// Octets of the client's in the middle of something whose beginning is not known.
    pub(super) unknown: u64,
    /// Replies are read from the next beginning of a line on.
    pub(super) server_resync: bool,
    pub(super) nature: Nature,
    /// AUTH was the last command that is known: what looks like none may be a response sent too early.
    pub(super) after_auth: bool,
}

/// Whether it is SMTP at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Unknown,
    Smtp,
    Other,
}

/// What the client's next octets are.
#[derive(Debug)]
pub(super) enum Mode {
    Command,
    /// In the middle of something: nothing is believed until a line is a command beyond doubt.
    Resync,
    /// The last command's reply decides what follows it.
    Waiting(Sync),
    /// A line of a SASL exchange.
    Response,
    Content(BodyDecoder),
    Chunk {
        left: u64,
        last: bool,
    },
}

/// Commands behind which a client waits (RFC 2920 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Data,
    Auth,
    StartTls,
}

/// A command, or the beginning, whose reply is to come.
#[derive(Debug)]
pub(super) enum Awaited {
    Greeting,
    Mail(String),
    Rcpt(String),
    Sync(Sync),
    /// The end of a message.
    Message(u64),
    /// HELO, EHLO, RSET: they end a transaction.
    Reset,
    Other,
}

/// The transaction, as far as it was accepted.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) more: u64,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) list: Vec<Message>,
    /// The one whose content is being read.
    pub(super) current: Option<Message>,
    pub(super) count: u64,
}

impl Machine {
    /// `from_the_start`: the connection's first octet is in the capture. `known`: it is SMTP, whatever it looks like.
    pub(crate) fn new(secrets: Secrets, from_the_start: bool, known: bool) -> Self {
        let awaiting = if from_the_start { VecDeque::from([Awaited::Greeting]) } else { VecDeque::new() };
        Self {
            secrets,
            client: BytesMut::new(),
            server: BytesMut::new(),
            mode: if from_the_start { Mode::Command } else { Mode::Resync },
            awaiting,
            entries: Entries::default(),
            signals: Vec::new(),
            protocol: Protocol::Smtp,
            envelope: Envelope::default(),
            messages: Messages::default(),
            unknown: 0,
            server_resync: !from_the_start,
            nature: if known { Nature::Smtp } else { Nature::Unknown },
            after_auth: false,
        }
    }

    /// Takes what one side said; what is to be done is added to `signals`.
    pub(crate) fn push(&mut self, side: Side, time: Time, octets: &[u8], signals: &mut Vec<Signal>) {
        if self.nature == Nature::Other {
            return;
        }
        match side {
            Side::Client => self.client.extend_from_slice(octets),
            Side::Server => self.server.extend_from_slice(octets),
        }
        match side {
            Side::Client => self.read_client(time),
            Side::Server => self.read_server(time),
        }
        if matches!(self.mode, Mode::Waiting(_)) && self.client.len() > MAX_WAITING {
            self.assume_reply(time);
        }
        signals.append(&mut self.signals);
    }

    /// So many octets of a side are not in the capture.
    pub(crate) fn gap(&mut self, side: Side, time: Time, octets: u64, signals: &mut Vec<Signal>) {
        if self.nature == Nature::Other {
            return;
        }
        let whose = if side == Side::Client { "client" } else { "server" };
        self.entries.note(time, format!("{octets} octets of the {whose}'s missing"));
        match side {
            Side::Client => self.client_gap(time, octets),
            Side::Server => {
                self.server.clear();
                self.server_resync = true;
                self.awaiting.clear();
                if matches!(self.mode, Mode::Waiting(_)) {
                    self.assume_reply(time);
                }
            }
        }
        signals.append(&mut self.signals);
    }

    /// A remark of the layers below.
    pub(crate) fn note(&mut self, time: Time, text: impl Into<String>) {
        self.entries.note(time, text);
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, time: Time, signals: &mut Vec<Signal>) {
        if matches!(self.mode, Mode::Waiting(_)) && !self.client.is_empty() {
            self.assume_reply(time);
        }
        self.tell_unknown(time);
        self.finish_message(time, false);
        for (side, rest) in [(Side::Client, self.client.split()), (Side::Server, self.server.split())] {
            if !rest.is_empty() && self.nature == Nature::Smtp {
                let whose = if side == Side::Client { "client" } else { "server" };
                self.entries.note(
                    time,
                    format!("{} octets of the {whose}'s without the end of their line", rest.len()),
                );
            }
        }
        signals.append(&mut self.signals);
    }

    pub(crate) fn nature(&self) -> Nature {
        self.nature
    }

    /// All that was written down; nothing stays here.
    pub(crate) fn told(&mut self) -> Told {
        let entries = std::mem::take(&mut self.entries);
        let messages = std::mem::take(&mut self.messages);
        Told {
            protocol: self.protocol,
            entries: entries.list,
            left_out: entries.left_out,
            more_messages: messages.count - messages.list.len() as u64,
            messages: messages.list,
        }
    }

    /// What is held, in octets of memory.
    pub(crate) fn weight(&self) -> usize {
        self.client.len() + self.server.len() + self.entries.weight
    }

    /// Begins anew inside TLS: the client knows nothing of the server yet (RFC 3207 §4.2).
    pub(super) fn start_tls(&mut self, time: Time) {
        self.entries.note(time, "TLS begins here (STARTTLS)");
        self.awaiting.clear();
        self.envelope = Envelope::default();
        self.mode = Mode::Command;
        let (client, server) = (self.client.split().freeze(), self.server.split().freeze());
        self.signals.push(Signal::StartTls { client, server });
    }

    /// The reply to the command that the client waits behind is not in the capture: what follows tells.
    fn assume_reply(&mut self, time: Time) {
        let Mode::Waiting(sync) = self.mode else { return };
        self.awaiting.clear();
        if sync == Sync::StartTls && crate::tls::begins(&self.client) {
            return self.start_tls(time);
        }
        self.mode = match sync {
            _ if self.client_says_command() => Mode::Command,
            Sync::Data => return self.begin_content(time),
            Sync::Auth => Mode::Response,
            Sync::StartTls => Mode::Command,
        };
        self.read_client(time);
    }

    pub(super) fn begin_content(&mut self, time: Time) {
        self.mode = Mode::Content(BodyDecoder::new(Framing::Dot, BareNewline::Normalise));
        self.open_message(Via::Data);
        self.read_client(time);
    }

    pub(super) fn open_message(&mut self, via: Via) {
        if self.messages.current.is_some() {
            return;
        }
        self.messages.count += 1;
        let envelope = &self.envelope;
        self.messages.current = Some(Message {
            number: self.messages.count,
            from: envelope.from.clone(),
            to: envelope.to.clone(),
            more_recipients: envelope.more,
            via,
            octets: 0,
            missing: 0,
            complete: false,
            reply: None,
        });
    }

    /// Content of the current message came.
    pub(super) fn pass_content(&mut self, octets: Bytes) {
        if let Some(message) = self.messages.current.as_mut().filter(|_| !octets.is_empty()) {
            message.octets += octets.len() as u64;
            self.signals.push(Signal::Octets { message: message.number, octets });
        }
    }

    /// The current message has come to its end, or nothing more is known of it.
    pub(super) fn finish_message(&mut self, time: Time, seen: bool) {
        let Some(mut message) = self.messages.current.take() else { return };
        message.complete = seen && message.missing == 0;
        if message.via == Via::Data {
            self.entries.add(time, What::Content { message: message.number, octets: message.octets });
        }
        if !message.complete {
            self.entries.note(time, format!("message {} is not complete in this capture", message.number));
        }
        let number = message.number;
        self.signals.push(Signal::End { message: number });
        if seen {
            // LMTP replies for each recipient that was accepted (RFC 2033 §4.2).
            let recipients = message.to.len() + usize::try_from(message.more_recipients).unwrap_or(0);
            let replies = if self.protocol == Protocol::Lmtp { recipients.max(1) } else { 1 };
            for _ in 0..replies {
                self.expect(Awaited::Message(number));
            }
        }
        self.envelope = Envelope::default();
        if self.messages.list.len() < MAX_MESSAGES {
            self.messages.list.push(message);
        }
    }

    pub(super) fn expect(&mut self, awaited: Awaited) {
        if self.awaiting.len() < MAX_AWAITED {
            self.awaiting.push_back(awaited);
        }
    }
}
