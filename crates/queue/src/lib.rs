//! What is due when: routes, schedule, retries, notifications.
//!
//! [`Queue::start`] takes the store's feed of accepted messages, finds each recipient's way ([`Settings`]), has a
//! [`transport::Carrier`] or [`delivery`] make the attempts, and records what came of them: closed, tried again, or
//! told to the sender. The decisions are those of [`Schedule`], which knows neither clock nor disk nor network. This
//! room opens no sockets and writes no SQL.
//!
//! ```no_run
//! # async fn example(store: store::Store, directory: directory::Directory,
//! #     carrier: std::sync::Arc<dyn transport::Carrier>, settings: queue::Settings) -> Result<(), store::StoreError> {
//! let queue = queue::Queue::start(store, directory, carrier, settings, queue::Clock::system())?;
//! // … the server runs; commands come …
//! queue.stop(std::time::Duration::from_secs(8)).await;
//! # Ok(()) }
//! ```

mod attempt;
mod backoff;
mod clock;
mod command;
mod conclude;
mod deadline;
mod fate;
mod forwarding;
mod here;
mod line;
mod notice;
mod rewriting;
mod routing;
mod run;
mod schedule;
mod settings;
mod shared;
mod window;

pub use backoff::Backoff;
pub use clock::Clock;
pub use command::{Action, Done};
pub use run::{Queue, QueueHandle};
pub use schedule::{Entry, Job, Key, Lane, Limits, Next, Place, Schedule, Step};
pub use settings::{
    DEFAULT_ATTEMPTS, DEFAULT_RECIPIENTS, DomainPattern, Hop, Matches, RewriteFrom, Rule, RuleAction,
    SenderPattern, Settings, next_hop,
};
pub use window::{Feedback, WindowLimits};

#[cfg(test)]
mod tests;
