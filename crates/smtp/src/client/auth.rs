//! A SASL exchange seen from below: lines of base64 (RFC 4954 §4). What is in them is the driver's business.

use super::output::Output;
use crate::Reply;
use crate::command::{Auth, Command, MAX_MECHANISM};
use address::Secret;
use data_encoding::BASE64;

/// Longest AUTH line with its CRLF: that of any command (RFC 5321 §4.5.3.1.4). A longer initial response
/// waits for the server's empty challenge.
const MAX_AUTH_LINE: usize = 512;

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Exchange {
    /// An initial response that did not fit on the AUTH line.
    withheld: Option<Secret<Vec<u8>>>,
    /// It is the driver's turn; a reply now is out of turn.
    challenged: bool,
    cancelled: bool,
}

/// What a 334 asks for.
pub(super) enum Step {
    /// The driver's answer.
    Challenge(Vec<u8>),
    /// Nothing: it was answered already.
    Answered,
    /// The server goes on although we cancelled, or does not wait for its answer.
    OutOfTurn,
}

impl Exchange {
    /// Sends AUTH.
    pub(super) fn begin(mechanism: &str, initial: Option<Secret<Vec<u8>>>, out: &mut Output) -> Self {
        let mechanism = mechanism.to_ascii_uppercase();
        let command = |initial| Command::Auth(Auth { mechanism: mechanism.clone(), initial }).encode();
        let mut withheld = None;
        let mut line = command(initial.clone());
        if line.len() > MAX_AUTH_LINE {
            withheld = initial;
            line = command(None);
        }
        let line = String::from_utf8_lossy(&line);
        let masked = line.split_whitespace().count() > 2;
        let shown = format!("AUTH {mechanism}{}", if masked { " [secret]" } else { "" });
        out.secret_line(line.trim_end(), &shown);
        Self { withheld, challenged: false, cancelled: false }
    }

    pub(super) fn on_challenge(&mut self, reply: &Reply, out: &mut Output) -> Step {
        if self.challenged || self.cancelled {
            return Step::OutOfTurn;
        }
        if let Some(initial) = self.withheld.take() {
            self.send(&initial, out);
            return Step::Answered;
        }
        let text = reply.lines().concat();
        // RFC 4954 §4: what is no base64 must be answered with `*`.
        let Ok(challenge) = BASE64.decode(text.trim().as_bytes()) else {
            self.cancel(out);
            return Step::Answered;
        };
        self.challenged = true;
        Step::Challenge(challenge)
    }

    /// It is the driver's turn.
    pub(super) fn is_challenged(&self) -> bool {
        self.challenged
    }

    pub(super) fn send(&mut self, response: &Secret<Vec<u8>>, out: &mut Output) {
        self.challenged = false;
        out.secret_line(&BASE64.encode(response.reveal()), "[secret]");
    }

    pub(super) fn cancel(&mut self, out: &mut Output) {
        self.challenged = false;
        self.cancelled = true;
        out.line("*");
    }
}

/// A mechanism's name by its own grammar (RFC 4422 §3.1).
pub(super) fn is_mechanism(name: &str) -> bool {
    (1..=MAX_MECHANISM).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
