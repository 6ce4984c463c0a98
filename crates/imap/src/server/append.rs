//! Messages that come with APPEND and REPLACE, in pieces (RFC 9051 §6.3.12, RFC 3502, RFC 8508, RFC 6855 §4).

use memchr::memchr;

use super::MAX_MESSAGES;
use super::command::{When, hand_over};
use super::context::Context;
use super::event::Event;
use super::state::{Incoming, State};
use crate::command::{AppendTarget, Command, Tag};
use crate::framing::{Frame, Framer, Message};
use crate::response::{Code, Status};

/// A message wants in; `earlier` messages of its command are there.
pub(super) fn offered(message: Message, earlier: u32, framer: &mut Framer, context: &mut Context) -> State {
    if let Some(status) = refusal(&message, earlier, context) {
        if earlier > 0 {
            context.tell(Event::MessageAborted);
        }
        return refuse(status, framer);
    }
    let binary = message.message.binary;
    let incoming = Incoming { number: earlier + 1, binary, synchronizing: message.synchronizing };
    let Message { target, message, .. } = message;
    context.ask(Event::Message { target, message }, State::Asking(incoming))
}

/// What the session itself has against it.
fn refusal(message: &Message, earlier: u32, context: &Context) -> Option<Status> {
    let (name, when) = match message.target {
        AppendTarget::Append(_) => ("APPEND", When::LoggedIn),
        AppendTarget::Replace { .. } => ("REPLACE", When::Selected),
    };
    let too_big = context.config.append_limit.filter(|limit| message.message.size > *limit);
    Some(match message.message.size {
        _ if !when.allows(context.level) => Status::bad(when.complaint(name, context.level)),
        _ if message.message.utf8 && !context.enabled.utf8 => {
            Status::bad("UTF8 is used before ENABLE UTF8=ACCEPT")
        }
        // RFC 3502 §6.3.11: how a client calls the whole of it off.
        0 => Status::no(None, "a message without octets: nothing was stored"),
        _ if earlier >= MAX_MESSAGES => {
            Status::no(Code::Limit, format!("more than {MAX_MESSAGES} messages at once"))
        }
        size => {
            let limit = too_big?;
            Status::no(Code::TooBig, format!("the message has {size} octets, at most {limit} are taken"))
        }
    })
}

pub(super) fn take(incoming: Incoming, framer: &mut Framer, context: &mut Context) -> State {
    framer.take_message();
    if incoming.synchronizing {
        context.encoder().continuation("send the message");
    }
    State::Appending(incoming)
}

pub(super) fn refuse(status: Status, framer: &mut Framer) -> State {
    framer.refuse_message();
    State::Refusing(Box::new(status))
}

/// A piece of a command of which a message was taken.
pub(super) fn frame(incoming: Incoming, frame: Frame, framer: &mut Framer, context: &mut Context) -> State {
    match frame {
        // RFC 9051 §9: CHAR8, of which a literal is made, is no NUL; literal8 has OCTETs.
        Frame::MessageData(data) if !incoming.binary && memchr(0, &data).is_some() => {
            context.tell(Event::MessageAborted);
            let text = "the message holds a NUL, which only a literal8 may";
            State::Refusing(Box::new(Status::no(Code::UnknownCte, text)))
        }
        Frame::MessageData(data) => context.ask(Event::MessageData(data), State::Appending(incoming)),
        Frame::MessageEnd => context.ask(Event::MessageEnd, State::Appending(incoming)),
        Frame::Message(message) => offered(message, incoming.number, framer, context),
        Frame::Appended { tag, target } => appended(tag, target, context),
        Frame::Refused(refused) => {
            context.tell(Event::MessageAborted);
            context.conclude(refused.tag.as_ref(), &refused.status())
        }
        Frame::Continue | Frame::Line(_) | Frame::MessageRefused { .. } | Frame::Lost(_) => {
            State::Appending(incoming)
        }
    }
}

fn appended(tag: Tag, target: AppendTarget, context: &mut Context) -> State {
    let command = match target {
        AppendTarget::Append(mailbox) => Command::Append(mailbox),
        AppendTarget::Replace { uid, number, to } => Command::Replace { uid, number, to },
    };
    hand_over(tag, command, context)
}

/// A piece of a command that is refused already, and that the client goes on sending.
pub(super) fn unwanted(
    status: Box<Status>,
    frame: Frame,
    framer: &mut Framer,
    context: &mut Context,
) -> State {
    match frame {
        Frame::Message(_) => {
            framer.refuse_message();
            State::Refusing(status)
        }
        Frame::MessageRefused { tag } | Frame::Appended { tag, .. } => context.conclude(Some(&tag), &status),
        Frame::Refused(refused) => context.conclude(refused.tag.as_ref(), &refused.status()),
        _ => State::Refusing(status),
    }
}
