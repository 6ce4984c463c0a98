//! Before login: STARTTLS, LOGIN and AUTHENTICATE (RFC 9051 §6.2, RFC 4959).

use address::Secret;
use data_encoding::BASE64;

use super::context::Context;
use super::event::{Event, Reason};
use super::state::State;
use crate::command::Tag;
use crate::response::{Code, Status};

/// `behind`: the client has sent something after it.
pub(super) fn start_tls(tag: &Tag, behind: bool, context: &mut Context) -> State {
    if context.config.tls {
        return context.bad(tag, "TLS is already active");
    }
    if !context.config.offers_starttls() {
        return context.bad(tag, "STARTTLS is not offered");
    }
    if behind {
        return context.close(Reason::InputBehind);
    }
    context.tagged(tag, &Status::ok("begin TLS negotiation"));
    context.ask(Event::StartTls, State::StartingTls)
}

pub(super) fn login(tag: Tag, user: String, password: Secret<String>, context: &mut Context) -> State {
    if !context.config.may_authenticate() {
        return needs_tls(&tag, context);
    }
    if !context.config.may_login() {
        let status = Status::no(Code::Cannot, "LOGIN is not offered; use AUTHENTICATE");
        return context.conclude(Some(&tag), &status);
    }
    context.ask(Event::Login { user, password }, State::CheckingPassword(tag))
}

pub(super) fn authenticate(
    tag: Tag,
    mechanism: &str,
    initial: Option<Secret<Vec<u8>>>,
    context: &mut Context,
) -> State {
    if !context.config.may_authenticate() {
        return needs_tls(&tag, context);
    }
    let mechanism = mechanism.to_ascii_uppercase();
    if !context.config.mechanisms.contains(&mechanism) {
        let status = Status::no(Code::Cannot, "that mechanism is not offered; see CAPABILITY");
        return context.conclude(Some(&tag), &status);
    }
    context.ask(Event::Auth { mechanism, initial }, State::SaslDeciding(tag))
}

/// Policy, not the name, is at fault, and the answer is the same for every name.
fn needs_tls(tag: &Tag, context: &mut Context) -> State {
    let text = match context.config.offers_starttls() {
        true => "logging in needs encryption: send STARTTLS first",
        false => "logging in needs encryption: connect with TLS",
    };
    context.conclude(Some(tag), &Status::no(Code::PrivacyRequired, text))
}

/// A line of the client's within an exchange. RFC 9051 §6.2.2: `*` cancels, and bad base64 ends it, too.
pub(super) fn sasl_line(tag: Tag, line: &[u8], context: &mut Context) -> State {
    if line == b"*" {
        return context.bad(&tag, "authentication cancelled");
    }
    match BASE64.decode(line) {
        Ok(response) => context.ask(Event::AuthResponse(Secret::new(response)), State::SaslDeciding(tag)),
        Err(_) => context.bad(&tag, "that is not base64"),
    }
}
