//! From a recipient to what is to be done.

use address::{Address, ReversePath};
use bytes::Bytes;
use directory::{Directory, DirectoryError, Onward, Resolution, Target};
use message::{Header, delivered_to, return_path};
use smtp::Reply;
use store::Id;
use store::directory::AccountRecord;
use store::mailbox::{INBOX, JUNK};
use store::queue::LocalCopy;

/// What is known of the message. Before there is one (at RCPT) the header is empty and the size what MAIL declared.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    pub reverse_path: &'a ReversePath,
    /// The message, or at least its header, trace fields included.
    pub header: &'a [u8],
    /// Octets.
    pub size: u64,
    /// It was put aside when it arrived: into the folder for that.
    pub put_aside: bool,
}

/// One thing to do for a recipient.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Keep(Keep),
    Forward(Forward),
    /// Nothing can be done, now (4xx) or ever (5xx). It is then the only action.
    Refuse(Reply),
}

/// A copy for a mailbox here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    pub account: Id,
    /// The account's own address, for the trail.
    pub address: Address,
    pub mailbox: String,
    /// `Return-Path` and `Delivered-To`.
    pub prefix: Bytes,
}

/// A copy for another address, which the queue passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub address: Address,
    /// Its sender from here on ([`Directory::onward`]).
    pub sender: Onward,
    /// `Delivered-To`: to be put above the trace fields, so that a loop is found.
    pub trace: Bytes,
}

impl Keep {
    /// What the store needs of it.
    pub fn copy(&self, recipient: &Address) -> LocalCopy {
        LocalCopy {
            recipient: recipient.clone(),
            account: self.account,
            mailbox: self.mailbox.clone(),
            prefix: self.prefix.clone(),
            flags: 0,
        }
    }
}

/// Decides what is done for `recipient`. Never empty. Of several targets of an alias those that cannot take the
/// message now become recipients of their own ([`Action::Forward`]), so that the others need not wait for them.
pub fn plan(
    directory: &Directory,
    recipient: &Address,
    message: &Incoming<'_>,
) -> Result<Vec<Action>, DirectoryError> {
    if Header::parse(message.header).was_delivered_to(recipient) {
        let text = format!("loop: the message was delivered to {recipient} before");
        return Ok(refused(554, (5, 4, 6), &text));
    }
    let targets = match directory.resolve(recipient)? {
        Resolution::Here(targets) => targets,
        Resolution::Relay(_) => return Ok(vec![forward(recipient, recipient, message.reverse_path.into())]),
        Resolution::Returned(sender) if message.reverse_path.is_null() => {
            return Ok(vec![forward(recipient, &sender, message.reverse_path.into())]);
        }
        Resolution::Returned(_) => {
            return Ok(refused(550, (5, 7, 1), &format!("{recipient} takes notifications only")));
        }
        Resolution::Unknown => return Ok(refused(550, (5, 1, 1), &format!("no such address: {recipient}"))),
        Resolution::Disabled => {
            return Ok(refused(550, (5, 2, 1), &format!("{recipient} takes no mail now")));
        }
        Resolution::Elsewhere => {
            return Ok(refused(550, (5, 1, 2), &format!("the domain of {recipient} is not served here")));
        }
    };
    let mut actions = Vec::with_capacity(targets.len());
    let mut full = Vec::new();
    for target in targets {
        match target {
            Target::Address(address) => {
                let sender = directory.onward(message.reverse_path, recipient, &address)?;
                actions.push(forward(recipient, &address, sender));
            }
            Target::Account { account, .. } if directory.is_over_quota(&account, message.size)? => {
                full.push(account.address);
            }
            Target::Account { account, .. } => actions.push(keep(directory, recipient, message, &account)?),
        }
    }
    if actions.is_empty() {
        return Ok(refused(452, (4, 2, 2), &format!("the mailbox of {recipient} is full")));
    }
    actions.extend(full.iter().map(|address| forward(recipient, address, message.reverse_path.into())));
    Ok(actions)
}

fn refused(code: u16, enhanced: (u8, u16, u16), text: &str) -> Vec<Action> {
    vec![Action::Refuse(Reply::new(code, enhanced, text))]
}

fn keep(
    directory: &Directory,
    recipient: &Address,
    message: &Incoming<'_>,
    account: &AccountRecord,
) -> Result<Action, DirectoryError> {
    let mailbox = match message.put_aside {
        true => directory.store().folder_for(account.id, JUNK)?,
        false => INBOX.to_owned(),
    };
    let prefix = format!("{}{}", return_path(message.reverse_path), delivered_to(recipient));
    let (account, address) = (account.id, account.address.clone());
    Ok(Action::Keep(Keep { account, address, mailbox, prefix: prefix.into() }))
}

fn forward(recipient: &Address, to: &Address, sender: Onward) -> Action {
    let trace = delivered_to(recipient).to_string().into();
    Action::Forward(Forward { address: to.clone(), sender, trace })
}
