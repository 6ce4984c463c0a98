//! Calling an SMTP server: what `send`, `sendmail`, the checks and `bench` share. Calling an IMAP server is [`imap`]'s.
//!
//! The dialogue itself is [`transport::Client`]'s. Here is what only the command line has: [`Settings`] from its words, a
//! [`Transcript`] for a person to read, [`Error`]s with an exit status, and [`Here`], who calls when nobody says.
//!
//! It must not know what is sent, nor why.

mod dial;
mod error;
mod here;
pub mod imap;
mod login;
pub mod place;
mod transcript;

pub use dial::{Place, Settings, connect_any};
pub use error::Error;
pub use here::Here;
pub use login::Login;
pub use transcript::{Entry, Transcript, Who};
pub use transport::client::{Client, Content, Sent};

use crate::exit::Failure;

/// Runs a command's asynchronous part to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_again(format!("cannot begin: {error}")))?;
    runtime.block_on(work)
}

/// Random octets for message identifiers, nonces and the order of hosts.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets)
        .map_err(|_| Failure::try_again("the system gives no random numbers"))?;
    Ok(octets)
}
