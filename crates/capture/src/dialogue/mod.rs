//! What was said: commands, replies and messages of one connection.
//!
//! [`Machine`] is fed what each side said, in the order of its causes, and writes it down. The content of messages
//! is counted and given to the caller piece by piece, never kept. What is missing is noted, and the thread taken up
//! again with the next line that is a command or a reply beyond doubt.

mod client;
mod machine;
mod server;
mod transcript;

pub(crate) use machine::{Machine, Nature, Signal};
pub use transcript::{
    Dialogue, Ending, Entry, MAX_LINE_SHOWN, MAX_MESSAGES, MAX_RECIPIENTS, MAX_TRANSCRIPT, Message, Protocol,
    Via, What,
};

/// Whether what AUTH carries is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    #[default]
    Hide,
    Show,
}
