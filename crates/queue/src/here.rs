//! Recipients whose mailbox is on this machine: what `delivery` plans, as messages for the store.

use crate::conclude::{Settled, Verdict};
use crate::deadline::passed_on;
use crate::sealing::Sealing;
use crate::shared::Shared;
use address::{Address, Domain, ReversePath};
use delivery::{Action, Forward, Incoming, Keep};
use smtp::Reply;
use smtp::parameter::{MailParameters, OriginalRecipient, RcptParameters};
use store::Body;
use store::queue::{NewMessage, NewRecipient, QueuedMessage, QueuedRecipient};

/// Octets of a message that are searched for its header's `Delivered-To`.
const MAX_SEARCHED: usize = 256 << 10;

/// Plans the recipients. The new messages are to be recorded in the transaction that settles them.
pub(crate) async fn deliver(
    shared: &Shared,
    message: &QueuedMessage,
    recipients: Vec<QueuedRecipient>,
) -> (Vec<Settled>, Vec<NewMessage>) {
    if recipients.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let read = async {
        let body = shared.body(message).await.map_err(|error| error.to_string())?;
        let start = body.read(MAX_SEARCHED).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((body, [&message.trace[..], &start].concat()))
    };
    let (body, header) = match read.await {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(queue = %message.id, %error, "cannot read a queued body");
            let reply = "451 4.3.0 the message cannot be read from disk now";
            let deferred = |r| Settled::here(r, Verdict::Deferred, reply);
            return (recipients.into_iter().map(deferred).collect(), Vec::new());
        }
    };
    let (mut settled, mut new) = (Vec::new(), Vec::new());
    let mut sealing = Sealing::new(shared, &message.trace, &header, body.clone());
    let mut copies = copy_of(message, body);
    let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
    let onward = passed_on(message, &parameters, shared.clock.now());
    for recipient in recipients {
        let incoming = Incoming {
            reverse_path: &message.reverse_path,
            header: &header,
            size: message.body_size + message.trace.len() as u64,
            put_aside: message::was_put_aside(&message.trace),
        };
        match delivery::plan(&shared.directory, &recipient.address, &incoming) {
            Ok(actions) => {
                let (from, before) = (recipient.address.domain().cloned(), new.len());
                settled.push(apply(shared, message, recipient, actions, &onward, &mut copies, &mut new));
                if let (Some(domain), Some(forwarded)) = (from, new.get_mut(before)) {
                    seal(shared, &mut sealing, &domain, forwarded).await;
                }
            }
            Err(error) => {
                let reply = format!("451 4.3.0 the directory cannot be read now: {error}");
                settled.push(Settled::here(recipient, Verdict::Deferred, &reply));
            }
        }
    }
    if !copies.local.is_empty() {
        new.push(copies);
    }
    (settled, new)
}

/// Seals what goes on from an address of that domain, unless all of it stays here.
async fn seal(shared: &Shared, sealing: &mut Sealing<'_>, domain: &Domain, forwarded: &mut NewMessage) {
    let rules = shared.rules();
    let stays = |to: &NewRecipient| {
        let way = rules.way(&shared.directory, &forwarded.reverse_path, &to.address, true);
        matches!(way, Ok(crate::routing::Name::Here))
    };
    if forwarded.remote.iter().all(stays) {
        return;
    }
    if let Some(set) = sealing.set(domain).await {
        forwarded.trace = [&set[..], &forwarded.trace].concat().into();
    }
}

fn apply(
    shared: &Shared,
    message: &QueuedMessage,
    recipient: QueuedRecipient,
    actions: Vec<Action>,
    onward: &str,
    copies: &mut NewMessage,
    new: &mut Vec<NewMessage>,
) -> Settled {
    let (mut kept, mut forwards): (Vec<Keep>, Vec<Forward>) = (Vec::new(), Vec::new());
    for action in actions {
        match action {
            Action::Keep(keep) => kept.push(keep),
            Action::Forward(forward) => forwards.push(forward),
            Action::Refuse(reply) => {
                let verdict = if reply.is_permanent() { Verdict::Failed } else { Verdict::Deferred };
                return Settled::here(recipient, verdict, &text(&reply));
            }
        }
    }
    copies.local.extend(kept.iter().map(|keep| keep.copy(&recipient.address)));
    let several = kept.len() + forwards.len() > 1;
    let (mut notes, mut ids) = (Vec::new(), Vec::new());
    for forwards in by_sender(forwards) {
        let again = NewMessage { id: shared.clock.id(), ..copy_of(message, copies.body.clone()) };
        let forwarded = forward(again, &recipient, &forwards, onward, several);
        notes.push(note(&recipient.address, &forwards, &forwarded));
        ids.push(forwarded.id);
        new.push(forwarded);
    }
    let verdict = match ids.is_empty() {
        true => Verdict::Kept(kept),
        false if several => Verdict::Expanded { kept, onward: ids },
        false => Verdict::Forwarded,
    };
    Settled { notes, ..Settled::here(recipient, verdict, "250 2.1.5 delivered") }
}

/// Those with one sender go on as one message.
fn by_sender(forwards: Vec<Forward>) -> Vec<Vec<Forward>> {
    let mut groups: Vec<Vec<Forward>> = Vec::new();
    for forward in forwards {
        let same = |group: &&mut Vec<Forward>| group.iter().any(|first| first.sender == forward.sender);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(forward),
            None => groups.push(vec![forward]),
        }
    }
    groups
}

/// What the trail says of it.
fn note(recipient: &Address, forwards: &[Forward], forwarded: &NewMessage) -> String {
    let to: Vec<String> = forwards.iter().map(|forward| forward.address.to_string()).collect();
    let mut words = format!("{recipient} goes on to {} as {}", to.join(", "), forwarded.id);
    if let Some(error) = forwards.first().and_then(|forward| forward.sender.unchanged.as_ref()) {
        words.push_str(&format!(" with its own sender, which SPF may not let pass: {error}"));
    }
    words
}

/// The message `again` for the addresses that an alias leads to (RFC 3461 §5.2.7).
fn forward(
    again: NewMessage,
    recipient: &QueuedRecipient,
    forwards: &[Forward],
    onward: &str,
    several: bool,
) -> NewMessage {
    let mut parameters = RcptParameters::parse(&recipient.parameters).unwrap_or_default();
    parameters.orcpt = parameters.orcpt.or_else(|| OriginalRecipient::try_from(&recipient.address).ok());
    if several && let Some(notify) = &mut parameters.notify {
        // RFC 3461 §5.2.7.3: the sender gets "expanded" instead. With nothing left it is written NEVER.
        notify.success = false;
    }
    let parameters = parameters.to_string().trim_start().to_owned();
    let trace = forwards.first().map_or(&b""[..], |forward| &forward.trace[..]);
    let sender = forwards.first().map_or(&again.reverse_path, |forward| &forward.sender.reverse_path);
    let reverse_path = sender.clone();
    let remote = forwards.iter().map(|forward| NewRecipient {
        address: forward.address.clone(),
        parameters: parameters.clone(),
        due: 0,
        held: false,
    });
    NewMessage {
        trace: [trace, &again.trace[..]].concat().into(),
        reverse_path,
        remote: remote.collect(),
        parameters: onward.to_owned(),
        ..again
    }
}

/// The message again, without recipients.
fn copy_of(message: &QueuedMessage, body: Body) -> NewMessage {
    NewMessage {
        id: message.id,
        reverse_path: message.reverse_path.clone(),
        parameters: message.parameters.clone(),
        body,
        trace: message.trace.clone(),
        origin: message.origin.clone(),
        local: Vec::new(),
        remote: Vec::new(),
    }
}

/// Puts a message of ours into the mailbox of `to` in the same transaction, if it is here and takes it; else queues it.
pub(crate) fn address_to(shared: &Shared, mut new: NewMessage, to: &Address, parameters: &str) -> NewMessage {
    let rules = shared.rules();
    let null = ReversePath::Null;
    let is_here = matches!(rules.way(&shared.directory, &null, to, true), Ok(crate::routing::Name::Here));
    let incoming = Incoming { reverse_path: &null, header: b"", size: new.body.size(), put_aside: false };
    let actions = if is_here { delivery::plan(&shared.directory, to, &incoming).ok() } else { None };
    let keeps = actions.unwrap_or_default().into_iter().map(|action| match action {
        Action::Keep(keep) => Some(keep.copy(to)),
        Action::Forward(_) | Action::Refuse(_) => None,
    });
    match keeps.collect::<Option<Vec<_>>>() {
        Some(copies) if !copies.is_empty() => new.local = copies,
        _ => {
            let parameters = parameters.to_owned();
            new.remote = vec![NewRecipient { address: to.clone(), parameters, due: 0, held: false }];
        }
    }
    new
}

fn text(reply: &Reply) -> String {
    let enhanced = reply.enhanced().map(|code| format!("{code} ")).unwrap_or_default();
    format!("{} {enhanced}{}", reply.code(), reply.lines().join(" "))
}
