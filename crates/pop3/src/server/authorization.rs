//! The AUTHORIZATION state (RFC 1939 §4 and §7, RFC 2595 §4, RFC 5034 §4).

use data_encoding::BASE64;

use super::command::{Command, response};
use super::context::Context;
use super::decision::{Event, Reason};
use super::state::State;
use crate::ResponseCode;

/// How far a USER and PASS login has come.
#[derive(Debug)]
pub(super) enum Login {
    Anonymous,
    /// USER was given and PASS may follow.
    Named(String),
}

impl Login {
    pub(super) fn command(self, command: Command, pipelined: bool, context: &mut Context) -> State {
        match (command, self) {
            (Command::Capa, login) => {
                let lines = context.config.capabilities(false);
                context.multi_line("capability list follows", &lines);
                State::Authorization(login)
            }
            (Command::Utf8, login) => {
                context.utf8 = true;
                context.ok("UTF-8 mode");
                State::Authorization(login)
            }
            (Command::Stls, login) => login.stls(pipelined, context),
            (Command::User(_) | Command::Pass(_) | Command::Auth { .. }, _) if !context.config.may_login() => {
                needs_tls(context)
            }
            (Command::User(name), _) => {
                // The same for everybody: whether the name exists is not told.
                context.ok("send PASS");
                State::Authorization(Self::Named(name))
            }
            (Command::Pass(password), Self::Named(user)) => {
                context.ask(Event::Login { user, password }, State::CheckingPassword)
            }
            (Command::Pass(_), login) => context.bad("send USER first", State::Authorization(login)),
            (Command::Auth { mechanism, initial }, login) => {
                if !context.config.mechanisms.contains(&mechanism) {
                    return context.bad("that mechanism is not offered; see CAPA", State::Authorization(login));
                }
                context.ask(Event::Auth { mechanism, initial }, State::SaslDeciding)
            }
            (Command::Apop, login) => context.bad(
                "APOP is not offered: it rests on MD5 and passwords stored in the clear; use USER and PASS under TLS, or AUTH",
                State::Authorization(login),
            ),
            (Command::Quit, _) => quit(context),
            (_, login) => context.bad("log in first", State::Authorization(login)),
        }
    }

    fn stls(self, pipelined: bool, context: &mut Context) -> State {
        let back = State::Authorization(self);
        if context.config.tls {
            return context.bad("TLS is already active", back);
        }
        if !context.config.offers_stls() {
            return context.bad("STLS is not offered", back);
        }
        if context.utf8 {
            return context.bad("STLS must come before UTF8", back);
        }
        if pipelined {
            return context.close(Reason::InputAfterStls);
        }
        context.ok("begin TLS negotiation");
        context.ask(Event::StartTls, State::StartingTls)
    }
}

/// Policy, not the name, is at fault, and the reply is the same for every name: RFC 3206 §5 gives AUTH for both, and
/// its warning about USER does not apply.
fn needs_tls(context: &mut Context) -> State {
    let text = if context.config.offers_stls() {
        "logging in needs encryption: send STLS first"
    } else {
        "logging in needs encryption: connect with TLS"
    };
    context.err(Some(ResponseCode::Auth), text);
    State::start()
}

/// `continue-req = "+" SP [base64] CRLF` (RFC 5034 §5).
pub(super) fn challenge(challenge: &[u8], context: &mut Context) -> State {
    context.output.extend_from_slice(b"+ ");
    context.output.extend_from_slice(BASE64.encode(challenge).as_bytes());
    context.output.extend_from_slice(b"\r\n");
    State::SaslListening
}

/// A line of the client's within an exchange.
pub(super) fn sasl_line(line: &[u8], context: &mut Context) -> State {
    if line == b"*" {
        context.err(None, "authentication cancelled");
        return State::start();
    }
    match response(line) {
        Ok(response) => context.ask(Event::AuthResponse(response), State::SaslDeciding),
        Err(fault) => context.bad(fault, State::start()),
    }
}

pub(super) fn quit(context: &mut Context) -> State {
    let text = format!("{} signing off", context.config.hostname);
    context.ok(text);
    State::Closing(Reason::Quit)
}
