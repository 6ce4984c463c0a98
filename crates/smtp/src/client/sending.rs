//! One transaction on its way: what may be sent next, and what a reply means.
//!
//! ```text
//! [RSET] ─ MAIL ─ RCPT… ─┬─ DATA ─ 354 ─ lines ─ lone dot ─┬─ reply (LMTP: one for each recipient)
//!                        └─ BDAT… ─ BDAT LAST ─────────────┘
//! ```
//!
//! `next` runs ahead of the replies by at most a window of commands, one without PIPELINING; `awaiting`
//! holds what was sent and not answered, oldest first (RFC 2920 §3.1: replies are matched by counting).

use super::body::BodyEncoder;
use super::output::Output;
use super::transaction::{Dropped, Fate, Outcome, RecipientOutcome, TooMany, Transaction};
use super::{Capabilities, Config, Ended, Protocol, Stage};
use crate::command::Mail;
use crate::parameter::Body;
use crate::{EnhancedCode, Reply};
use address::ForwardPath;
use bytes::BytesMut;
use std::collections::{HashSet, VecDeque};

/// Most commands without an answer: keeps what the peer must buffer, and what is wasted when it refuses
/// MAIL, small.
const WINDOW: usize = 100;
/// Most BDAT chunks without an answer, so that a refusal stops the rest soon.
const CHUNK_WINDOW: usize = 4;
/// BDAT chunks are at least this large but for the last. A chunk is in memory whole, as its length goes first.
const CHUNK: usize = 128 * 1024;
/// A body up to this many octets is sent by BDAT before the replies to RCPT are known: less than what a
/// round trip is worth, should all recipients be refused.
const EAGER_BODY: u64 = 64 * 1024;
/// A server must take this many recipients (RFC 5321 §4.5.3.1.8).
const MIN_RECIPIENTS: usize = 100;

#[derive(Debug)]
pub(super) struct Sending {
    plan: Plan,
    next: Next,
    awaiting: VecDeque<Awaited>,
    content: Content,
    recipients: Vec<Progress>,
    mail: Option<Reply>,
    /// The peer has a transaction open, or may have: RSET before the next.
    open: bool,
}

/// What was decided before MAIL.
#[derive(Debug)]
struct Plan {
    transaction: Transaction,
    mail: Mail,
    dropped: Dropped,
    rcpt_parameters: bool,
    lmtp: bool,
    pipelining: bool,
    chunking: bool,
    stop_after: Option<Stage>,
    /// RCPTMAX.
    max_recipients: usize,
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Reset,
    Mail,
    Rcpt(usize),
    Content,
    Nothing,
}

/// What the next reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// A BDAT that is not the last.
    Chunk,
    /// The end of data: of one recipient with LMTP.
    End(Option<usize>),
    /// The end of the empty data sent because no recipient was taken.
    EmptyEnd,
}

#[derive(Debug)]
enum Content {
    NotBegun,
    Flowing(Flow),
    /// All was sent.
    Sent,
    /// None will be sent (any more).
    Abandoned,
}

/// A body on its way.
#[derive(Debug)]
struct Flow {
    encoder: BodyEncoder,
    remaining: u64,
    chunk: BytesMut,
    /// The driver was asked for a piece.
    asked: bool,
}

#[derive(Debug, Default)]
struct Progress {
    rcpt: Option<Reply>,
    fate: Option<Fate>,
}

impl Progress {
    fn is_open(&self) -> bool {
        self.fate.is_none()
    }

    /// RCPT was taken and nothing was decided since.
    fn is_taken(&self) -> bool {
        self.is_open() && self.rcpt.is_some()
    }
}

impl Sending {
    /// `reset`: an earlier transaction is still open. `domains`: recipient domains of the session so far.
    pub(super) fn new(
        transaction: Transaction,
        config: &Config,
        capabilities: &Capabilities,
        reset: bool,
        domains: &mut HashSet<String>,
    ) -> Self {
        let (mail, dropped) = transaction.offered(capabilities);
        let binary = transaction.mail.parameters.body == Some(Body::BinaryMime);
        let by_hand = config.stop_after.is_some();
        let limit = capabilities.limits.recipients.and_then(|limit| usize::try_from(limit).ok());
        let mut recipients: Vec<Progress> =
            transaction.recipients.iter().map(|_| Progress::default()).collect();
        if let Some(limit) = capabilities.limits.domains {
            put_off_domains(&transaction, &mut recipients, limit, domains);
        }
        let plan = Plan {
            mail,
            dropped,
            rcpt_parameters: capabilities.dsn,
            lmtp: config.protocol == Protocol::Lmtp,
            pipelining: config.pipelining && capabilities.pipelining && !by_hand,
            chunking: capabilities.chunking && (binary || (config.chunking && !by_hand)),
            stop_after: config.stop_after,
            max_recipients: limit.unwrap_or(usize::MAX),
            transaction,
        };
        Self {
            plan,
            next: if reset { Next::Reset } else { Next::Mail },
            awaiting: VecDeque::new(),
            content: Content::NotBegun,
            recipients,
            mail: None,
            open: reset,
        }
    }

    /// Sends all that may be sent now, but for the body.
    pub(super) fn pump(&mut self, out: &mut Output) {
        let window = if self.plan.pipelining { WINDOW } else { 1 };
        while self.awaiting.len() < window && !self.is_stopping() && self.step(out) {}
    }

    /// Sends one command; false if none is due.
    fn step(&mut self, out: &mut Output) -> bool {
        if !self.recipients.iter().any(Progress::is_open) {
            self.next = Next::Nothing;
        }
        match self.next {
            Next::Reset => self.command(out, "RSET", Awaited::Reset, Next::Mail),
            Next::Mail => {
                let line = self.plan.mail.to_string();
                self.command(out, &line, Awaited::Mail, Next::Rcpt(0))
            }
            Next::Rcpt(first) => self.step_rcpt(out, first),
            Next::Content => self.begin_content(out),
            Next::Nothing => false,
        }
    }

    fn command(&mut self, out: &mut Output, line: &str, awaited: Awaited, next: Next) -> bool {
        out.line(line);
        self.awaiting.push_back(awaited);
        self.next = next;
        true
    }

    fn step_rcpt(&mut self, out: &mut Output, first: usize) -> bool {
        let due =
            (first..self.recipients.len()).find(|&i| self.recipients.get(i).is_some_and(Progress::is_open));
        let Some((i, recipient)) = due.and_then(|i| Some((i, self.plan.transaction.recipients.get(i)?)))
        else {
            self.next = Next::Content;
            return true;
        };
        if self.plan.max_recipients == 0 {
            self.put_off(i, &TooMany::Recipients);
            self.next = Next::Content;
            return true;
        }
        self.plan.max_recipients -= 1;
        let line = match self.plan.rcpt_parameters {
            true => {
                let parameters = self.plan.transaction.rcpt_parameters(recipient, self.plan.dropped);
                format!("RCPT TO:{}{parameters}", recipient.to)
            }
            false => format!("RCPT TO:{}", recipient.to),
        };
        self.command(out, &line, Awaited::Rcpt(i), Next::Rcpt(i + 1))
    }

    /// All recipients were named: DATA, or the first BDAT.
    fn begin_content(&mut self, out: &mut Output) -> bool {
        if !self.plan.chunking {
            return self.command(out, "DATA", Awaited::Data, Next::Nothing);
        }
        // LMTP must know how many replies BDAT LAST will get (RFC 2033 §4.3), and a large body for nobody is
        // a waste: then BDAT waits for the replies to RCPT.
        let eager = self.plan.pipelining && !self.plan.lmtp && self.plan.transaction.length <= EAGER_BODY;
        if !self.awaiting.is_empty() && !eager {
            return false;
        }
        self.next = Next::Nothing;
        let binary = self.plan.mail.parameters.body == Some(Body::BinaryMime);
        self.begin_body(BodyEncoder::chunks(binary), out);
        true
    }

    fn begin_body(&mut self, encoder: BodyEncoder, out: &mut Output) {
        let remaining = self.plan.transaction.length;
        self.content = Content::Flowing(Flow { encoder, remaining, chunk: BytesMut::new(), asked: false });
        if remaining == 0 {
            self.send_piece(&[], out);
        }
    }

    /// How many octets of the body are still to come, once, when a piece of them is wanted now.
    pub(super) fn ask_body(&mut self) -> Option<u64> {
        let unanswered = self.awaiting.iter().filter(|awaited| **awaited == Awaited::Chunk).count();
        let window = if self.plan.pipelining && !self.plan.lmtp { CHUNK_WINDOW } else { 1 };
        let Content::Flowing(flow) = &mut self.content else { return None };
        if flow.asked || unanswered >= window {
            return None;
        }
        flow.asked = true;
        Some(flow.remaining)
    }

    /// Takes a piece of the body; false if it is not what was asked for.
    pub(super) fn send_body(&mut self, piece: &[u8], out: &mut Output) -> bool {
        // Not flowing: the peer refused while the driver was fetching the piece.
        let Content::Flowing(flow) = &self.content else { return true };
        let fits = u64::try_from(piece.len()).is_ok_and(|length| (1..=flow.remaining).contains(&length));
        let wanted = flow.asked && fits;
        if wanted {
            self.send_piece(piece, out);
        }
        wanted
    }

    fn send_piece(&mut self, piece: &[u8], out: &mut Output) {
        let Content::Flowing(flow) = &mut self.content else { return };
        flow.asked = false;
        flow.remaining = flow.remaining.saturating_sub(piece.len() as u64);
        flow.encoder.encode(piece, &mut flow.chunk);
        let last = flow.remaining == 0;
        if last {
            flow.encoder.finish(&mut flow.chunk);
        }
        if self.plan.chunking {
            if !last && flow.chunk.len() < CHUNK {
                return;
            }
            out.line(&format!("BDAT {}{}", flow.chunk.len(), if last { " LAST" } else { "" }));
            self.open = true;
        }
        let block = flow.chunk.split().freeze();
        if !block.is_empty() {
            out.block(block);
        }
        if last {
            self.await_end();
        } else if self.plan.chunking {
            self.awaiting.push_back(Awaited::Chunk);
        }
    }

    fn await_end(&mut self) {
        self.content = Content::Sent;
        if !self.plan.lmtp {
            self.awaiting.push_back(Awaited::End(None));
            return;
        }
        let taken = self.recipients.iter().enumerate().filter(|(_, progress)| progress.is_taken());
        self.awaiting.extend(taken.map(|(i, _)| Awaited::End(Some(i))));
    }

    /// Takes a reply. An error ends the session.
    pub(super) fn on_reply(&mut self, reply: Reply, out: &mut Output) -> Result<(), Ended> {
        let Some(awaited) = self.awaiting.pop_front() else { return self.on_early_reply(reply) };
        let done = self.on_answer(awaited, reply, out);
        if done.is_err() {
            self.awaiting.push_front(awaited); // what the session ended at
        }
        done
    }

    fn on_answer(&mut self, awaited: Awaited, reply: Reply, out: &mut Output) -> Result<(), Ended> {
        // Only DATA has an intermediate reply.
        if reply.is_intermediate() && awaited != Awaited::Data {
            return Err(Ended::OutOfTurn(reply));
        }
        match awaited {
            Awaited::Reset if reply.is_positive() => self.open = false,
            Awaited::Reset => return Err(Ended::Refused { at: Stage::Reset, reply }),
            Awaited::Mail => {
                self.open |= reply.is_positive();
                if !reply.is_positive() {
                    self.refuse_all(Stage::Mail, &reply);
                }
                self.mail = Some(reply);
            }
            Awaited::Rcpt(i) => self.on_rcpt(i, reply),
            Awaited::Data => return self.on_data(reply, out),
            Awaited::Chunk if reply.is_positive() => {}
            Awaited::Chunk => self.on_refused_chunk(&reply),
            Awaited::End(None) => self.on_end(reply),
            Awaited::End(Some(i)) => self.on_recipient_end(i, reply),
            Awaited::EmptyEnd => self.open = false,
        }
        self.abandon_body_for_nobody();
        Ok(())
    }

    fn on_rcpt(&mut self, i: usize, reply: Reply) {
        let taken = self.recipients.iter().filter(|progress| progress.is_taken()).count();
        let Some(progress) = self.recipients.get_mut(i) else { return };
        progress.rcpt = Some(reply.clone());
        if reply.is_positive() || !progress.is_open() {
            return;
        }
        if !is_one_too_many(&reply, taken) {
            progress.fate = Some(Fate::Refused { at: Stage::Rcpt, reply });
            return;
        }
        let why = TooMany::Refused(reply);
        progress.fate = Some(Fate::NotTried(why.clone()));
        if let Next::Rcpt(next) = self.next {
            self.put_off(next, &why);
        }
    }

    fn on_data(&mut self, reply: Reply, out: &mut Output) -> Result<(), Ended> {
        let taken = self.recipients.iter().any(Progress::is_taken);
        if reply.is_positive() {
            return Err(Ended::OutOfTurn(reply));
        }
        if !reply.is_intermediate() {
            self.refuse_taken(Stage::Data, &reply);
            self.content = Content::Abandoned;
        } else if self.plan.stop_after == Some(Stage::Data) {
            // The body is typed by a person.
        } else if taken {
            self.begin_body(BodyEncoder::dots(), out);
        } else if self.plan.lmtp {
            // RFC 2033 §4.2: DATA must fail now. How many replies an empty message would get, nobody knows.
            return Err(Ended::OutOfTurn(reply));
        } else {
            // RFC 2920 §3.1: the client should send a single dot.
            out.line(".");
            self.content = Content::Sent;
            self.awaiting.push_back(Awaited::EmptyEnd);
        }
        Ok(())
    }

    /// RFC 3030 §2: no more chunks after one was refused.
    fn on_refused_chunk(&mut self, reply: &Reply) {
        self.refuse_taken(Stage::Body, reply);
    }

    fn on_end(&mut self, reply: Reply) {
        if reply.is_positive() {
            for progress in self.recipients.iter_mut().filter(|progress| progress.is_taken()) {
                progress.fate = Some(Fate::Accepted(reply.clone()));
            }
        } else {
            self.refuse_taken(Stage::EndOfData, &reply);
        }
        // After a failed BDAT the state is indeterminate and RSET a must (RFC 3030 §2).
        self.open = self.plan.chunking && !reply.is_positive();
    }

    fn on_recipient_end(&mut self, i: usize, reply: Reply) {
        let positive = reply.is_positive();
        if let Some(progress) = self.recipients.get_mut(i).filter(|progress| progress.is_open()) {
            let refused = |reply| Fate::Refused { at: Stage::EndOfData, reply };
            progress.fate = Some(if positive { Fate::Accepted(reply) } else { refused(reply) });
        }
        if self.awaiting.is_empty() {
            self.open = self.plan.chunking;
        }
    }

    /// A reply while nothing is to be answered: servers refuse so in the middle of DATA's lines. The lines
    /// cannot be stopped without an end, so the session must.
    fn on_early_reply(&mut self, reply: Reply) -> Result<(), Ended> {
        if matches!(self.content, Content::Flowing(_)) && (reply.is_transient() || reply.is_permanent()) {
            self.refuse_taken(Stage::Body, &reply);
            return Err(Ended::Refused { at: Stage::Body, reply });
        }
        Err(Ended::OutOfTurn(reply))
    }

    /// The body was begun before the replies to RCPT, and none was positive.
    fn abandon_body_for_nobody(&mut self) {
        let flowing = matches!(self.content, Content::Flowing(_));
        if flowing && !self.recipients.iter().any(Progress::is_open) {
            self.content = Content::Abandoned;
        }
    }

    fn refuse_taken(&mut self, at: Stage, reply: &Reply) {
        for progress in self.recipients.iter_mut().filter(|progress| progress.is_taken()) {
            progress.fate = Some(Fate::Refused { at, reply: reply.clone() });
        }
    }

    fn refuse_all(&mut self, at: Stage, reply: &Reply) {
        for progress in self.recipients.iter_mut().filter(|progress| progress.is_open()) {
            progress.fate = Some(Fate::Refused { at, reply: reply.clone() });
        }
    }

    fn put_off(&mut self, from: usize, why: &TooMany) {
        for progress in self.recipients.iter_mut().skip(from).filter(|progress| progress.is_open()) {
            progress.fate = Some(Fate::NotTried(why.clone()));
        }
    }

    /// What the session waits for: the peer's reply, or the driver's taking of the body.
    pub(super) fn stage(&self) -> Stage {
        match self.awaiting.front() {
            Some(Awaited::Reset) => Stage::Reset,
            Some(Awaited::Mail) => Stage::Mail,
            Some(Awaited::Rcpt(_)) => Stage::Rcpt,
            Some(Awaited::Data) => Stage::Data,
            Some(Awaited::End(_) | Awaited::EmptyEnd) => Stage::EndOfData,
            Some(Awaited::Chunk) | None => Stage::Body,
        }
    }

    /// Whether a 421 that comes now answers the end of data.
    pub(super) fn awaits_end(&self) -> bool {
        matches!(self.awaiting.front(), Some(Awaited::End(_)))
    }

    /// Whether all is answered and decided.
    pub(super) fn is_done(&self) -> bool {
        let undecided = self.recipients.iter().any(Progress::is_open);
        self.awaiting.is_empty() && !undecided
    }

    /// The stage to stop after has been answered.
    pub(super) fn is_stopped(&self) -> bool {
        self.awaiting.is_empty() && self.is_stopping() && self.recipients.iter().any(Progress::is_open)
    }

    /// The next command lies behind the stage to stop after.
    fn is_stopping(&self) -> bool {
        match self.plan.stop_after {
            Some(Stage::Mail) => matches!(self.next, Next::Rcpt(_) | Next::Content | Next::Nothing),
            Some(Stage::Rcpt) => matches!(self.next, Next::Content | Next::Nothing),
            Some(Stage::Data) => self.next == Next::Nothing,
            _ => false,
        }
    }

    /// The peer has a transaction open, or may have.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// What became of it, now or at the end of the session. `all_taken`: no octet waits for the driver.
    pub(super) fn into_outcome(self, ended: Option<Ended>, all_taken: bool) -> Outcome {
        let undecided = match (&self.content, all_taken) {
            (Content::Sent, true) => Fate::Unknown,
            (Content::Sent, false) => Fate::Broken { at: Stage::Body },
            _ => Fate::Broken { at: self.stage() },
        };
        let recipients = self.recipients.into_iter().map(|progress| {
            let fate = progress.fate.unwrap_or_else(|| undecided.clone());
            RecipientOutcome { rcpt: progress.rcpt, fate }
        });
        Outcome { recipients: recipients.collect(), mail: self.mail, dropped: self.plan.dropped, ended }
    }
}

/// RCPTDOMAINMAX counts the domains of a session (RFC 9422 §4.3).
fn put_off_domains(
    transaction: &Transaction,
    recipients: &mut [Progress],
    limit: u32,
    domains: &mut HashSet<String>,
) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    for (recipient, progress) in transaction.recipients.iter().zip(recipients) {
        let ForwardPath::Address(address) = &recipient.to else { continue };
        let domain = address.host().to_string();
        if domains.contains(&domain) {
            continue;
        }
        if domains.len() < limit {
            domains.insert(domain);
        } else {
            progress.fate = Some(Fate::NotTried(TooMany::Domains));
        }
    }
}

/// Whether a reply to RCPT says "too many recipients" and not something about this one: 452 4.5.3, or 452
/// without an enhanced code, or the 552 of RFC 821 (RFC 5321 §4.5.3.1.10). `taken` recipients came before;
/// with none, sending it again in a transaction of its own would change nothing.
fn is_one_too_many(reply: &Reply, taken: usize) -> bool {
    let says_so = |enhanced: EnhancedCode| (enhanced.subject, enhanced.detail) == (5, 3);
    match reply.code() {
        452 => taken > 0 && reply.enhanced().is_none_or(says_so),
        552 => taken > 0 && reply.enhanced().map_or(taken >= MIN_RECIPIENTS, says_so),
        _ => false,
    }
}
