//! What the simulation may look at.

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Waiting,
    Ready,
    Running,
    Held,
}

/// A recipient as the schedule has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) due: u64,
    pub(crate) attempts: u32,
    pub(crate) lane: Lane,
}

impl Schedule {
    pub(crate) fn seen(&self) -> BTreeMap<Key, Seen> {
        let see = |entry: &Scheduled| Seen {
            standing: match entry.state {
                State::Waiting => Standing::Waiting,
                State::Ready => Standing::Ready,
                State::Running => Standing::Running,
                State::Held => Standing::Held,
            },
            due: entry.due,
            attempts: entry.attempts.into(),
            lane: entry.lane,
        };
        self.entries.iter().map(|(key, entry)| (*key, see(entry))).collect()
    }

    pub(crate) fn locating(&self) -> usize {
        self.locating
    }

    /// How many attempts each place takes at once now.
    pub(crate) fn windows(&self) -> HashMap<Place, u32> {
        self.places.iter().map(|(id, place)| (*id, place.window.size())).collect()
    }

    /// A recipient that is due and has neither to wait for its destination, nor for its turn.
    pub(crate) fn forgotten(&self, now: u64) -> Option<(Key, &'static str)> {
        self.entries.iter().find_map(|(key, entry)| Some((*key, self.why_not(entry, now)?)))
    }

    fn why_not(&self, entry: &Scheduled, now: u64) -> Option<&'static str> {
        match entry.state {
            State::Running | State::Held => return None,
            State::Waiting => return (entry.due <= now).then_some("due, and waits"),
            State::Ready => {}
        }
        let place = match self.lanes.get(&entry.lane).map(|lane| lane.at) {
            Some(Location::Asking) => return None,
            Some(Location::At(place, _)) => place,
            Some(Location::Unknown) | None => return Some("ready, and nobody looks for its destination"),
        };
        let full = self.jobs >= self.limits.jobs;
        let kept_back = match self.places.get(&place) {
            _ if place == Place::HERE => full,
            Some(state) => {
                let failing =
                    state.window.failures() > 0 && self.failing_jobs >= self.limits.jobs.div_ceil(2);
                full || failing || !state.has_room()
            }
            None => false,
        };
        (!kept_back).then_some("ready, and its destination has room")
    }
}
