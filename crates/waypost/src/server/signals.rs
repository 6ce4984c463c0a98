//! What the system asks of us.

use crate::exit::Failure;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

pub(super) enum Signal {
    /// SIGHUP.
    Reload,
    /// SIGTERM, SIGINT.
    Stop,
}

pub(super) struct Signals {
    hangup: Stream,
    terminate: Stream,
    interrupt: Stream,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let open = |kind| signal(kind).map_err(|e| Failure::no(format!("signals cannot be handled: {e}")));
        Ok(Self {
            hangup: open(SignalKind::hangup())?,
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
        }
    }
}
