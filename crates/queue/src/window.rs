//! How many attempts a destination takes at once: additive increase, multiplicative decrease.
//!
//! A window grows by one after a clean round (as many good attempts as it is wide) and is halved when the
//! destination pushes back. What pushed back at 11 will do so again, so growth then stops at 10 for a while: a
//! server that allows 10 connections refuses one in many, not one in ten.

/// The bounds of every window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimits {
    pub initial: u32,
    pub min: u32,
    pub max: u32,
}

impl Default for WindowLimits {
    fn default() -> Self {
        Self { initial: 5, min: 1, max: 20 }
    }
}

/// For how long growth stops below where a destination pushed back.
const CEILING_MS: u64 = 10 * 60 * 1000;

/// What one attempt said about its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    Clean,
    /// 421, a failed connection, MAIL refused.
    Slow,
    /// Nothing: the attempt did not come that far.
    Neutral,
}

#[derive(Debug)]
pub(crate) struct Window {
    limits: WindowLimits,
    size: u32,
    in_flight: u32,
    /// Good attempts of this round.
    clean: u32,
    /// Pushes back since the last good attempt; one a window of attempts that began together.
    failures: u32,
    /// Largest size until a time.
    ceiling: Option<(u32, u64)>,
    /// Halvings so far: an attempt that began before the last one does not halve again.
    epoch: u32,
}

/// The epoch in which an attempt began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

impl Window {
    pub(crate) fn new(limits: WindowLimits) -> Self {
        let size = limits.initial.clamp(limits.min.max(1), limits.max.max(1));
        Self { limits, size, in_flight: 0, clean: 0, failures: 0, ceiling: None, epoch: 0 }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.in_flight < self.size
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Halvings without a good attempt since.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn start(&mut self) -> Ticket {
        self.in_flight += 1;
        Ticket(self.epoch)
    }

    pub(crate) fn finish(&mut self, ticket: Ticket, feedback: Feedback, now: u64) {
        match feedback {
            Feedback::Clean => self.grow(now),
            Feedback::Slow if ticket == Ticket(self.epoch) => self.halve(now),
            Feedback::Slow | Feedback::Neutral => {}
        }
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn grow(&mut self, now: u64) {
        self.failures = 0;
        self.clean += 1;
        if self.clean < self.size {
            return;
        }
        self.clean = 0;
        self.ceiling = self.ceiling.filter(|(_, until)| now < *until);
        let ceiling = self.ceiling.map_or(self.limits.max, |(ceiling, _)| ceiling);
        if self.size < ceiling.min(self.limits.max) {
            self.size += 1;
        }
    }

    fn halve(&mut self, now: u64) {
        // Amid success, and with many at once, it was too many; anything else is about something else.
        let too_many = self.failures == 0 && self.in_flight > self.size / 2;
        let below = self.in_flight.saturating_sub(1).max(self.limits.min).max(1);
        self.ceiling = too_many.then_some((below, now + CEILING_MS));
        self.failures += 1;
        self.epoch += 1;
        self.clean = 0;
        self.size = (self.size / 2).max(self.limits.min).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(window: &mut Window, feedback: Feedback) {
        let tickets: Vec<_> = (0..window.size()).map(|_| window.start()).collect();
        tickets.into_iter().for_each(|ticket| window.finish(ticket, feedback, 0));
    }

    #[test]
    fn a_clean_round_widens_by_one_up_to_the_limit() {
        let mut window = Window::new(WindowLimits::default());
        let sizes: Vec<u32> = (0..17)
            .map(|_| {
                round(&mut window, Feedback::Clean);
                window.size()
            })
            .collect();
        assert_eq!(sizes[..3], [6, 7, 8]);
        assert_eq!(sizes[14..], [20, 20, 20]);
    }

    #[test]
    fn a_push_back_halves_once_a_round() {
        let mut window = Window::new(WindowLimits { initial: 16, min: 1, max: 20 });
        let sizes: Vec<u32> = (0..5)
            .map(|_| {
                round(&mut window, Feedback::Slow);
                window.size()
            })
            .collect();
        assert_eq!(sizes, [8, 4, 2, 1, 1]);
        assert_eq!(window.failures(), 5);
        round(&mut window, Feedback::Neutral);
        assert_eq!(window.size(), 1);
    }
}
