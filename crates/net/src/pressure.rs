//! Whether something runs short, without fluttering at the edge.

use std::sync::atomic::{AtomicBool, Ordering};

/// A level that begins at [`Pressure::BEGINS`] of a budget and ends at [`Pressure::ENDS`]; between the two it stays
/// as it was, so that it does not come and go with every single use.
#[derive(Debug, Default)]
pub struct Pressure(AtomicBool);

impl Pressure {
    /// Per cent of a budget.
    pub const BEGINS: u8 = 90;
    /// Per cent of a budget.
    pub const ENDS: u8 = 80;

    pub fn new() -> Self {
        Self::default()
    }

    /// Tells what is used of a budget; returns whether there is pressure now.
    pub fn update(&self, used: usize, budget: usize) -> bool {
        let (used, budget) = (used as u128 * 100, budget as u128);
        self.turn(used >= budget * u128::from(Self::BEGINS), used <= budget * u128::from(Self::ENDS))
    }

    /// Tells what is free where a reserve is kept; returns whether there is pressure now. It begins when the reserve
    /// is touched and ends when half as much again is free.
    pub fn update_free(&self, free: u64, reserve: u64) -> bool {
        self.turn(free < reserve, free >= reserve.saturating_add(reserve / 2))
    }

    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn turn(&self, begins: bool, ends: bool) -> bool {
        if begins {
            self.0.store(true, Ordering::Relaxed);
        } else if ends {
            self.0.store(false, Ordering::Relaxed);
        }
        self.is_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_begins_at_90_percent_and_ends_at_80() {
        let pressure = Pressure::new();
        for (used, on) in [(0, false), (89, false), (90, true), (81, true), (80, false), (89, false)] {
            assert_eq!((pressure.update(used, 100), pressure.is_on()), (on, on), "{used}");
        }
        // Where there is nothing to use, there is nothing to give.
        assert!(pressure.update(0, 0));
    }

    #[test]
    fn a_reserve_is_left_when_half_as_much_again_is_free() {
        let pressure = Pressure::new();
        for (free, on) in [(100, false), (99, true), (100, true), (149, true), (150, false), (100, false)] {
            assert_eq!(pressure.update_free(free, 100), on, "{free}");
        }
        // Nobody asked for a reserve.
        assert!(!pressure.update_free(0, 0));
    }

    proptest! {
        /// Wherever it comes from: on from 90 %, off up to 80 %, unchanged between.
        #[test]
        fn what_was_holds_between_the_two(steps in proptest::collection::vec((0..=usize::MAX, 1..=usize::MAX), 1..50)) {
            let pressure = Pressure::new();
            let mut before = false;
            for (used, budget) in steps {
                let share = used as f64 / budget as f64;
                let now = pressure.update(used, budget);
                // The edges are those of whole numbers, which the test above has.
                match share {
                    _ if share > 0.9001 => prop_assert!(now),
                    _ if share < 0.7999 => prop_assert!(!now),
                    _ if (0.8001..0.8999).contains(&share) => prop_assert_eq!(now, before),
                    _ => {}
                }
                before = now;
            }
        }

        /// However much is used, one more never ends the pressure, and one less never begins it.
        #[test]
        fn more_use_never_relieves(used in 0..10_000_usize, budget in 1..10_000_usize, was_on: bool) {
            let after = |used| {
                let pressure = Pressure::new();
                pressure.turn(was_on, !was_on);
                pressure.update(used, budget)
            };
            prop_assert!(after(used + 1) >= after(used));
        }
    }
}
