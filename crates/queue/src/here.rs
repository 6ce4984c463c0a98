//! Recipients whose mailbox is on this machine: what `delivery` plans, as messages for the store.

use crate::conclude::{Settled, Verdict};
use crate::deadline::passed_on;
use crate::forwarding::Forwarding;
use crate::shared::Shared;
use address::{Address, ReversePath};
use delivery::{Action, Forward, Incoming, Keep};
use smtp::Reply;
use smtp::parameter::{MailParameters, OriginalRecipient, RcptParameters};
use store::queue::{NewMessage, NewRecipient, QueuedMessage, QueuedRecipient};
use store::{Body, StoreError};

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
        Ok::<_, String>((body, start))
    };
    let (body, start) = match read.await {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(queue = %message.id, %error, "cannot read a queued body");
            let reply = "451 4.3.0 the message cannot be read from disk now";
            let deferred = |r| Settled::here(r, Verdict::Deferred, reply);
            return (recipients.into_iter().map(deferred).collect(), Vec::new());
        }
    };
    let header = [&message.trace[..], &start].concat();
    let parameters = MailParameters::parse(&message.parameters).unwrap_or_default();
    let mut round = Round {
        shared,
        message,
        parameters: passed_on(message, &parameters, shared.clock.now()),
        forwarding: Forwarding::new(shared, &message.trace, &start, body.clone()),
        copies: copy_of(message, body),
        new: Vec::new(),
    };
    let mut settled = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let incoming = Incoming {
            reverse_path: &message.reverse_path,
            header: &header,
            size: message.body_size + message.trace.len() as u64,
            put_aside: message::was_put_aside(&message.trace),
        };
        settled.push(match delivery::plan(&shared.directory, &recipient.address, &incoming) {
            Ok(actions) => round.serve(recipient, actions).await,
            Err(error) => {
                let reply = format!("451 4.3.0 the directory cannot be read now: {error}");
                Settled::here(recipient, Verdict::Deferred, &reply)
            }
        });
    }
    (settled, round.finish())
}

/// Recipients of one message who are served together.
struct Round<'a> {
    shared: &'a Shared,
    message: &'a QueuedMessage,
    /// Of MAIL, for what goes on.
    parameters: String,
    forwarding: Forwarding<'a>,
    /// The message for the mailboxes here.
    copies: NewMessage,
    /// What goes on.
    new: Vec<NewMessage>,
}

impl Round<'_> {
    async fn serve(&mut self, recipient: QueuedRecipient, actions: Vec<Action>) -> Settled {
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
        let several = kept.len() + forwards.len() > 1;
        let (mut notes, mut going) = (Vec::new(), Vec::new());
        for forwards in by_sender(forwards) {
            let again =
                NewMessage { id: self.shared.clock.id(), ..copy_of(self.message, self.copies.body.clone()) };
            let mut forwarded = forward(again, &recipient, &forwards, &self.parameters, several);
            notes.push(note(&recipient.address, &forwards, &forwarded));
            match self.prepare(&recipient.address, &forwards, &mut forwarded).await {
                Ok(said) => notes.extend(said),
                Err(error) => {
                    tracing::error!(queue = %self.message.id, %error, "cannot store a message that goes on");
                    let reply = "451 4.3.0 the message that goes on cannot be stored now";
                    return Settled::here(recipient, Verdict::Deferred, reply);
                }
            }
            going.push(forwarded);
        }
        self.copies.local.extend(kept.iter().map(|keep| keep.copy(&recipient.address)));
        let ids: Vec<_> = going.iter().map(|forwarded| forwarded.id).collect();
        self.new.extend(going);
        let verdict = match ids.is_empty() {
            true => Verdict::Kept(kept),
            false if several => Verdict::Expanded { kept, onward: ids },
            false => Verdict::Forwarded,
        };
        Settled { notes, ..Settled::here(recipient, verdict, "250 2.1.5 delivered") }
    }

    /// Remembers and writes what there must be before the message goes on. What there is to say of it.
    async fn prepare(
        &mut self,
        alias: &Address,
        forwards: &[Forward],
        forwarded: &mut NewMessage,
    ) -> Result<Option<String>, StoreError> {
        let Some(Forward { sender, .. }) = forwards.first() else { return Ok(None) };
        if let Some(remembered) = &sender.remembered {
            self.shared.directory.remember(remembered.clone()).await?;
        }
        self.forwarding.prepare(alias, sender.leaves, forwarded).await
    }

    fn finish(mut self) -> Vec<NewMessage> {
        if !self.copies.local.is_empty() {
            self.new.push(self.copies);
        }
        self.new
    }
}

/// Those with one sender, who leave or stay alike, go on as one message.
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
