//! How a message leaves: connections to hosts, their reuse, TLS policy, SMTP and LMTP out.
//!
//! This room finds the hosts of a route ([`dns`]), calls them ([`net`]) and speaks with them ([`smtp::client`],
//! [`sasl::client`]). It must not know the schedule, the store's tables or the configuration: the queue hands it a
//! message and a [`Route`] through the trait [`Carrier`], and is told what became of each recipient.
//!
//! - [`Transport`]: the carrier, and [`Transport::verify`].
//! - [`client`]: one connection to one server, for whoever wants to talk to it alone.
//! - [`https`]: one request to a web server.
//!
//! ```
//! use transport::client::{Call, Client};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let call = Call::new("127.0.0.1:1".parse()?, "localhost".parse()?, smtp::command::HelloName::new("me.example").unwrap());
//! let watcher = std::sync::Arc::new(|seen| println!("{seen:?}"));
//! match Client::open(&call, &net::tls::TlsClient::new(), Some(watcher)).await {
//!     Ok(client) => client.quit().await,
//!     Err(error) => assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:1")),
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod adapt;
mod answers;
mod attempt;
pub mod client;
mod decide;
mod errand;
pub mod https;
mod locate;
mod open;
mod places;
mod pool;
mod security;
mod settings;
mod silent;
mod sts;
mod transport;
mod verify;

pub use client::Client;
pub use errand::{
    Boxed, Carried, Carrier, Credentials, Destination, DestinationKey, Errand, ErrandRecipient, NamedHost,
    NextHop, Outcome, Outgoing, Place, Proof, Route, Terms, TlsLevel, Unreachable,
};
pub use security::{Published, TlsLog, TlsaRecords, tlsa};
pub use settings::Settings;
pub use sts::{Sts, StsMode, StsPolicy, Trouble as StsTrouble, record_id as sts_record_id};
pub use transport::{Signer, Transport};
pub use verify::VerifyResult;
