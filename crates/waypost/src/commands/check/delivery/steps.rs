//! The steps of the way, and why it may end.

use crate::client::Error;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use address::Address;
use dns::DnsError;
use serde::Serialize;
use smtp::Reply;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    address: String,
    /// Whether the address would be taken.
    ok: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    result: Outcome,
    text: String,
    /// What to do about it.
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Good,
    /// It goes on, but somebody should look at it.
    Warning,
    /// It may work later.
    Later,
    Failed,
}

/// Why the way ends here.
pub(super) struct Stopped {
    step: &'static str,
    pub(super) text: String,
    hint: String,
    later: bool,
}

impl Stopped {
    pub(super) fn no(step: &'static str, text: String, hint: &str) -> Self {
        Self { step, text, hint: hint.to_owned(), later: false }
    }

    pub(super) fn later(step: &'static str, text: String, hint: &str) -> Self {
        Self { step, text, hint: hint.to_owned(), later: true }
    }

    pub(super) fn dns(step: &'static str, error: &DnsError) -> Self {
        let hint = match error {
            DnsError::NoSuchName(_) => "is the domain spelt right?",
            DnsError::NoRecords { .. } => "the domain has no mail host: its owner must publish one",
            DnsError::NoUsableMx { .. } => "the owner of the domain must correct its MX records",
            DnsError::Bogus { .. } => "whoever runs the zone has to sign it anew (DNSSEC)",
            DnsError::Temporary { .. } => "is the name server up? Another can be asked with --dns",
        };
        Self { step, text: error.to_string(), hint: hint.to_owned(), later: error.is_temporary() }
    }

    pub(super) fn of(step: &'static str, error: &Error) -> Self {
        match error {
            Error::Ended(smtp::client::Ended::Refused { reply, .. }) => {
                Self::refused(step, "the server will not talk to us", reply)
            }
            error => Self {
                step,
                text: error.to_string(),
                hint: String::new(),
                later: error.exit() == Exit::TryAgain,
            },
        }
    }

    pub(super) fn refused(step: &'static str, what: &str, reply: &Reply) -> Self {
        Self {
            step,
            text: format!("{what}: {reply}"),
            hint: advice(reply).to_owned(),
            later: !reply.is_permanent(),
        }
    }
}

/// What a reply usually means, by its enhanced code (RFC 3463), else by its own.
fn advice(reply: &Reply) -> &'static str {
    let Some(code) = reply.enhanced() else {
        return match reply.code() {
            421 => "the server is busy or going down: try later",
            450 | 451 => "often greylisting: the same attempt succeeds some minutes later",
            452 | 552 => "the mailbox or the server is full",
            550 => {
                "most often there is no such mailbox, or this machine is not trusted: see the server's words"
            }
            554 => {
                "this machine's address is not trusted: look it up in blocklists, and check its PTR record"
            }
            _ => "",
        };
    };
    match (code.class, code.subject, code.detail) {
        (_, 1, 1) | (_, 1, 10) => "there is no such mailbox",
        (_, 1, 7 | 8) => "the server does not believe in the sender's address: try another with --from",
        (_, 2, 1) => "the mailbox is disabled",
        (_, 2, 2) => "the mailbox is full",
        (4, 7, _) => "often greylisting or a rate limit: try again some minutes later",
        (5, 7, 25) => "this machine's address needs a PTR record that leads back to it",
        (5, 7, 1) => "the server does not relay for us, or does not trust this machine",
        (_, 7, _) => "a matter of trust: blocklists, the PTR record, SPF of the sender's domain",
        (4, _, _) => "try again later",
        _ => "",
    }
}

impl Report {
    pub(super) fn new(address: &Address) -> Self {
        Self { address: address.to_string(), ok: false, steps: Vec::new() }
    }

    pub(super) fn good(&mut self, step: &'static str, text: String) {
        self.steps.push(Step { step, result: Outcome::Good, text, hint: None });
    }

    pub(super) fn doubt(&mut self, step: &'static str, text: String) {
        self.steps.push(Step { step, result: Outcome::Warning, text, hint: None });
    }

    pub(super) fn finish(mut self, outcome: Result<(), Stopped>, json: bool) -> Result<Exit, Failure> {
        let exit = match outcome {
            Ok(()) => Exit::Done,
            Err(stopped) => {
                let result = if stopped.later { Outcome::Later } else { Outcome::Failed };
                let hint = (!stopped.hint.is_empty()).then_some(stopped.hint);
                self.steps.push(Step { step: stopped.step, result, text: stopped.text, hint });
                if stopped.later { Exit::TryAgain } else { Exit::No }
            }
        };
        self.ok = exit == Exit::Done;
        if json {
            output::json(&self)?;
        } else {
            self.print(exit)?;
        }
        Ok(exit)
    }

    fn print(&self, exit: Exit) -> Result<(), Failure> {
        for step in &self.steps {
            let (mark, tone) = match step.result {
                Outcome::Good => ("ok   ", Tone::Good),
                Outcome::Warning => ("note ", Tone::Warning),
                Outcome::Later => ("later", Tone::Warning),
                Outcome::Failed => ("no   ", Tone::Bad),
            };
            let text = output::printable(&step.text);
            output::line(&format!("{} {:9} {text}", output::tinted(mark, tone), step.step))?;
            if let Some(hint) = &step.hint {
                output::line(&format!("{:15} {hint}", ""))?;
            }
        }
        output::line(&match exit {
            Exit::Done => format!("{} would be taken; no message was sent", self.address),
            Exit::TryAgain => {
                format!("{} cannot be reached now; a message would be tried again", self.address)
            }
            _ => format!("{} cannot be reached; a message would come back", self.address),
        })
    }
}
