//! AUTH: what the gate says, in SMTP's words (RFC 4954 §4 and §6).

use crate::session::Session;
use address::Secret;
use policy::{Outcome, Refused, ShutOut};
use sasl::server::Failure;
use smtp::command::Auth;
use smtp::reply::Reply;
use smtp::server::Decision;
use std::time::Instant;

impl Session {
    pub(crate) async fn auth(&mut self, auth: Auth) -> Decision {
        let initial = auth.initial.as_ref().map(|secret| secret.reveal().as_slice());
        let outcome = self.gate.begin(&auth.mechanism, initial).await;
        self.conclude(outcome)
    }

    pub(crate) async fn auth_response(&mut self, response: Secret<Vec<u8>>) -> Decision {
        let outcome = self.gate.respond(response.reveal()).await;
        self.conclude(outcome)
    }

    fn conclude(&mut self, outcome: Outcome) -> Decision {
        match outcome {
            Outcome::Challenge(text) => Decision::Challenge(text),
            Outcome::LoggedIn(login) => {
                self.login = Some(*login);
                Decision::Accept
            }
            Outcome::Refused(Refused::Credentials { shut_out: None }) => {
                Decision::Refuse(Reply::new(535, (5, 7, 8), "authentication failed"))
            }
            Outcome::Refused(Refused::Credentials { shut_out: Some(_) }) => {
                Decision::Close(Reply::new(421, (4, 7, 0), "too many failed logins"))
            }
            Outcome::Refused(Refused::ShutOut(out)) => Decision::Close(come_back(out, Instant::now())),
            Outcome::Refused(Refused::NotUnderstood(failure)) => Decision::Refuse(not_understood(failure)),
            Outcome::Refused(Refused::Unavailable { .. }) => {
                Decision::Refuse(Reply::new(454, (4, 7, 0), "temporary authentication failure"))
            }
        }
    }

    /// The words for a client that has guessed too many passwords.
    pub(crate) fn shut_out(&self, now: Instant) -> Option<Reply> {
        self.gate.check(now).err().map(|out| come_back(out, now))
    }
}

fn come_back(out: ShutOut, now: Instant) -> Reply {
    let minutes = out.until.saturating_duration_since(now).as_secs() / 60 + 1;
    Reply::new(421, (4, 7, 0), format!("too many failed logins, come back in {minutes} minutes"))
}

fn not_understood(failure: Failure) -> Reply {
    let (code, enhanced, words) = match failure {
        Failure::Malformed(what) => (501, (5, 5, 2), what),
        Failure::TooLong => (500, (5, 5, 6), "the response is too long"),
        Failure::EncryptionRequired => (538, (5, 7, 11), "encryption is required for this mechanism"),
        Failure::Unavailable => (504, (5, 5, 4), "this mechanism is not offered here"),
        Failure::Credentials | Failure::NotAuthorized | Failure::ChannelBinding => {
            (535, (5, 7, 8), "authentication failed")
        }
    };
    Reply::new(code, enhanced, words)
}
