//! DMARC and TLS reports, in and out.
//!
//! Out: whoever checks a message or makes a connection tells [`Reports`] what came of it ([`Reports::count_message`],
//! [`Reports::count_session`]). Like facts are counted up, in memory for a minute and then in the store, and the day after,
//! at a time that differs by domain, each domain that asks for it is sent one report: as signed mail, by the queue, and TLS
//! reports also by HTTPS, where that is what the domain names.
//!
//! Where it is allowed, a domain that asks for it is told of single messages that fail, at once ([`Reports::report_failure`]).
//!
//! In: the mailboxes behind the addresses that our domains name for reports are read as mail arrives there; what is a report
//! is kept for tables ([`view`]).
//!
//! This room opens no socket (what is posted goes by [`transport::https`]) and reads no configuration. It knows the formats from
//! [`mailauth::report`].
//!
//! ```no_run
//! # async fn example(directory: directory::Directory, dns: std::sync::Arc<dyn dns::Lookup>, shutdown: net::Shutdown) {
//! let sign: reports::Sign = std::sync::Arc::new(|_domain, _message| None);
//! let tls = net::tls::TlsClient::new();
//! let reports = reports::Reports::new(directory, dns, tls, sign, reports::Settings::default());
//! // … who checks mail calls reports.count_message(…); this counts, sends and reads until the server stops:
//! reports.run(shutdown).await;
//! reports.flush().await;
//! # }
//! ```

mod arrived;
mod day;
mod dmarc;
mod error;
mod failure;
mod https;
mod inbox;
mod keep;
mod pending;
mod post;
mod run;
mod settings;
mod tls;
pub mod view;

#[cfg(test)]
mod tests;

pub use arrived::Arrived;
pub use error::ReportError;
pub use post::Sign;
pub use run::Reports;
pub use settings::Settings;
