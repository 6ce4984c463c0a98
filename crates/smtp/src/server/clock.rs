//! When a silent or slow peer is given up.

use super::config::{MinimumRate, Timeouts};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Clock {
    /// As the driver last said it.
    now: Instant,
    deadline: Instant,
    /// The driver thought since `now`, who knows how long: the first deadline after it does not count.
    thought: bool,
    window: Option<Window>,
    timeouts: Timeouts,
}

/// Octets of a message, counted over a time.
#[derive(Debug)]
struct Window {
    rate: MinimumRate,
    end: Instant,
    octets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    Silent,
    Slow,
}

impl Clock {
    pub(super) fn new(now: Instant, timeouts: Timeouts) -> Self {
        Self { now, deadline: now + timeouts.command, thought: false, window: None, timeouts }
    }

    /// As the driver last said it.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Octets came. While a message comes, any will do; a command must be whole, see [`Clock::command`].
    pub(super) fn input(&mut self, now: Instant, octets: usize) {
        self.now = now;
        if std::mem::take(&mut self.thought) {
            self.deadline = now + self.timeouts.command;
        }
        if let Some(window) = self.window.as_mut().filter(|_| octets > 0) {
            window.octets += octets as u64;
            self.deadline = now + self.timeouts.data;
        }
    }

    /// A command was read.
    pub(super) fn command(&mut self) {
        self.deadline = self.now + self.timeouts.command;
    }

    pub(super) fn answered(&mut self) {
        self.command();
        self.thought = true;
    }

    pub(super) fn begin_message(&mut self, rate: Option<MinimumRate>) {
        // Without a minimum the window is one that everybody meets.
        let rate = rate.unwrap_or(MinimumRate { octets: 0, window: Duration::from_secs(3600) });
        self.window = Some(Window { rate, end: self.now + rate.window, octets: 0 });
        self.deadline = self.now + self.timeouts.data;
    }

    pub(super) fn end_message(&mut self) {
        self.window = None;
        self.command();
    }

    pub(super) fn next(&self) -> Instant {
        self.window.as_ref().map_or(self.deadline, |window| window.end.min(self.deadline))
    }

    pub(super) fn expired(&mut self, now: Instant) -> Option<Expired> {
        self.now = now;
        let (thought, timeouts) = (std::mem::take(&mut self.thought), &self.timeouts);
        if let Some(window) = &mut self.window
            && now >= window.end
        {
            // A driver that comes late was busy itself (a slow disk, say) and did not read.
            let late = thought || now > window.end + window.rate.window / 4;
            if window.octets < window.rate.octets && !late {
                return Some(Expired::Slow);
            }
            (window.end, window.octets) = (now + window.rate.window, 0);
        }
        if now < self.deadline {
            self.thought = thought;
            return None;
        }
        if thought {
            let wait = if self.window.is_some() { timeouts.data } else { timeouts.command };
            self.deadline = now + wait;
            return None;
        }
        Some(Expired::Silent)
    }
}
