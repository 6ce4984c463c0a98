//! What became of it: for a person, for a program, and for the shell.

use crate::client::{Entry, Who};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::ForwardPath;
use net::tls::TlsInfo;
use serde::Serialize;
use smtp::client::{Fate, TooMany};

/// The document of `--json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) server: String,
    /// Whether every recipient was taken, or the stage of `--quit-after` reached.
    pub(super) ok: bool,
    pub(super) error: Option<String>,
    pub(super) tls: Option<Tls>,
    /// The stage of `--quit-after`.
    pub(super) stopped_after: Option<&'static str>,
    pub(super) messages: Vec<MessageReport>,
    /// With `--trace`.
    pub(super) trace: Vec<Entry>,
    #[serde(skip)]
    pub(super) exit: Option<Exit>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tls {
    version: &'static str,
    cipher: String,
    /// Whether the certificate is valid for the server's name.
    verified: bool,
}

impl From<&TlsInfo> for Tls {
    fn from(info: &TlsInfo) -> Self {
        let verified = info.peer_certificate.as_ref().is_some_and(|certificate| certificate.verified);
        Self { version: info.version, cipher: info.cipher.clone(), verified }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct MessageReport {
    /// Without angle brackets.
    pub(super) message_id: Option<String>,
    pub(super) recipients: Vec<RecipientReport>,
}

/// What became of one recipient.
#[derive(Debug, Serialize)]
pub(super) struct RecipientReport {
    pub(super) address: String,
    pub(super) status: Status,
    /// Which command was answered so.
    pub(super) stage: Option<String>,
    pub(super) code: Option<u16>,
    /// The server's words, or why there are none.
    pub(super) reply: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Accepted,
    Refused,
    /// Not now.
    Deferred,
    /// The connection was lost after the message was sent: it may have arrived.
    Unknown,
}

impl Status {
    fn of_code(code: u16) -> Self {
        match code {
            200..=399 => Self::Accepted,
            400..=499 => Self::Deferred,
            _ => Self::Refused,
        }
    }
}

impl RecipientReport {
    pub(super) fn new(to: &ForwardPath, fate: &Fate, ended: Option<&str>) -> Self {
        let address = to.to_string().trim_matches(['<', '>']).to_owned();
        let lost = |text: &str| ended.map_or_else(|| text.to_owned(), str::to_owned);
        let (status, stage, code, reply) = match fate {
            Fate::Accepted(reply) => (Status::Accepted, None, Some(reply.code()), reply.to_string()),
            Fate::Refused { at, reply } => {
                (Status::of_code(reply.code()), Some(at.to_string()), Some(reply.code()), reply.to_string())
            }
            Fate::NotTried(TooMany::Refused(reply)) => {
                (Status::Deferred, None, Some(reply.code()), reply.to_string())
            }
            Fate::NotTried(_) => {
                (Status::Deferred, None, None, "the server takes no more recipients".to_owned())
            }
            Fate::Broken { at } => {
                (Status::Deferred, Some(at.to_string()), None, lost("the connection was lost"))
            }
            Fate::Unknown => {
                let text = lost("the connection was lost");
                (Status::Unknown, None, None, format!("{text}; the message was sent and may have arrived"))
            }
        };
        Self { address, status, stage, code, reply }
    }
}

impl Report {
    fn statuses(&self) -> impl Iterator<Item = Status> + '_ {
        self.messages.iter().flat_map(|message| message.recipients.iter().map(|recipient| recipient.status))
    }

    /// 1 when anything was refused for good, 75 when anything may work later, else 0.
    pub(super) fn exit(&self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        if self.statuses().any(|status| status == Status::Refused) {
            Exit::No
        } else if self.statuses().all(|status| status == Status::Accepted) {
            Exit::Done
        } else {
            Exit::TryAgain
        }
    }

    /// For a person: a line for each thing that the server said of somebody.
    pub(super) fn print(&self) -> Result<(), Failure> {
        for message in &self.messages {
            let mut told: Vec<(&RecipientReport, Vec<&str>)> = Vec::new();
            for recipient in &message.recipients {
                match told.iter_mut().find(|(first, _)| first.says_as(recipient)) {
                    Some((_, addresses)) => addresses.push(&recipient.address),
                    None => told.push((recipient, vec![&recipient.address])),
                }
            }
            for (recipient, addresses) in told {
                output::line(&self.sentence(recipient, &addresses.join(", ")))?;
            }
        }
        if let Some(stage) = self.stopped_after {
            output::line(&format!("stopped after {stage}, as asked; no message was sent"))?;
        }
        Ok(())
    }

    fn sentence(&self, recipient: &RecipientReport, addresses: &str) -> String {
        let (tone, word) = match (recipient.status, self.stopped_after) {
            (Status::Accepted, Some(_)) => (Tone::Good, "would take the message for"),
            (Status::Accepted, None) => (Tone::Good, "took the message for"),
            (Status::Refused, _) => (Tone::Bad, "refused the message for"),
            (Status::Deferred, _) => (Tone::Warning, "did not take the message now for"),
            (Status::Unknown, _) => (Tone::Warning, "may have the message for"),
        };
        let stage = recipient.stage.as_deref().map(|stage| format!(" (at {stage})")).unwrap_or_default();
        let (addresses, reply) = (output::printable(addresses), output::printable(&recipient.reply));
        format!("{} {} {addresses}{stage}: {reply}", self.server, output::tinted(word, tone))
    }
}

impl RecipientReport {
    fn says_as(&self, other: &Self) -> bool {
        self.status == other.status && self.reply == other.reply && self.stage == other.stage
    }
}

/// The replies to RCPT of a dialogue that was stopped, which nobody else has kept.
pub(super) fn replies_to_rcpt(lines: &[Entry]) -> Vec<RecipientReport> {
    let mut found = Vec::new();
    let mut asked: Option<String> = None;
    for line in lines {
        match (line.who, &asked) {
            (Who::Client, _) => {
                let path = line.text.strip_prefix("RCPT TO:").and_then(|rest| rest.split('>').next());
                asked = path.map(|path| path.trim_start_matches('<').to_owned());
            }
            // The last line of a reply has no hyphen after its code (RFC 5321 §4.2).
            (Who::Server, Some(address)) if line.text.as_bytes().get(3) != Some(&b'-') => {
                let code = line.text.get(..3).and_then(|code| code.parse().ok());
                found.push(RecipientReport {
                    address: address.clone(),
                    status: Status::of_code(code.unwrap_or(500)),
                    stage: code.is_none_or(|code| code >= 400).then(|| "RCPT".to_owned()),
                    code,
                    reply: line.text.clone(),
                });
                asked = None;
            }
            _ => {}
        }
    }
    found
}
