//! The MDA: what is done with a message for one recipient, as typed actions.
//!
//! [`plan`] asks the directory who the recipient is and answers with [`Action`]s; it changes nothing. `intake`
//! calls it when a recipient is named and again when the message is there, `queue` when a recipient is due. Who
//! calls carries the actions out, in one transaction of the store. This room knows no protocol state, socket or
//! schedule.
//!
//! ```no_run
//! # fn example(directory: &directory::Directory) -> Result<(), directory::DirectoryError> {
//! use delivery::{Action, Incoming, plan};
//! let message = Incoming { reverse_path: &address::ReversePath::Null, header: b"Subject: x\r\n", size: 100, put_aside: false };
//! for action in plan(directory, &"me@example.org".parse().unwrap(), &message)? {
//!     match action {
//!         Action::Keep(copy) => println!("into {} of {}", copy.mailbox, copy.account),
//!         Action::Forward(forward) => println!("on to {}", forward.address),
//!         Action::Refuse(reply) => println!("{}", reply.code()),
//!     }
//! }
//! # Ok(()) }
//! ```

mod plan;

pub use plan::{Action, Forward, Incoming, Keep, plan};

#[cfg(test)]
mod tests;
