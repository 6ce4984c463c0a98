//! What is due when: a machine without clock, disk or network. Times are milliseconds since 1970 and come in.
//!
//! ```text
//!              add, settle(Due)                     due
//!   (new) ───────────────────────▶ Waiting ──────────────────▶ Ready ──next()──▶ Running ──settle──▶ …
//!                                     ▲   settle(Held)           │                  │
//!                                     └──────────── Held ◀───────┴──────────────────┘
//! ```
//!
//! A recipient belongs to a lane (one route: a domain's MX hosts, say). A lane with work must be located first
//! ([`Step::Locate`]); several lanes may lead to one destination, which has a [`Window`] for all of them.
//! Destinations take turns, lanes within a destination too; first attempts go before retries, urgent before patient,
//! but every tenth turn is a retry's, so that a flood of fresh mail does not stop them.

use crate::backoff::{Backoff, Random};
use crate::window::{Feedback, Ticket, Window, WindowLimits};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use store::Id;

/// Lanes being located at once: each is a DNS look-up or two.
const MAX_LOCATING: usize = 100;
/// Every so many turns a retry goes before fresh mail.
const RETRY_TURN: u64 = 10;
/// Lanes of one place that are searched for a retry when it is a retry's turn.
const MAX_SEARCHED: usize = 16;
/// Recipients that share the fate of one attempt at a destination that is down.
pub(crate) const MAX_CONDEMNED: usize = 1_000;
/// Failed windows in a row after which a destination counts as down.
const DOWN_AFTER: u32 = 3;

/// Names a recipient: its message and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub message: Id,
    pub position: u32,
}

/// One route, as its owner numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u32);

/// Where lanes lead, as its owner numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

impl Place {
    /// This machine: no window, no look-up; only the total bounds it.
    pub const HERE: Self = Self(0);
}

/// Limits of the whole.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub window: WindowLimits,
    /// Jobs at once, of all destinations.
    pub jobs: usize,
    /// Recipients of one job.
    pub recipients: usize,
}

/// A recipient to be scheduled.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub lane: Lane,
    pub due: u64,
    pub attempts: u32,
    /// MT-PRIORITY: larger is sooner.
    pub priority: i8,
    pub held: bool,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Find out where the lane leads, then call [`Schedule::located`] or [`Schedule::lost`].
    Locate(Lane),
    /// Make an attempt, settle each recipient, then call [`Schedule::finished`].
    Attempt(Job),
}

/// An attempt for recipients of one message at one destination.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    pub message: Id,
    pub positions: Vec<u32>,
    pub place: Place,
    ticket: Ticket,
    failing: bool,
}

/// What is next for a recipient that was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Gone,
    /// After an attempt.
    Due(u64),
    /// At that time; it was no attempt.
    Later(u64),
    /// At once, perhaps on another lane; it was no attempt.
    Again(Lane),
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
    Held,
}

#[derive(Debug)]
struct Scheduled {
    due: u64,
    lane: Lane,
    attempts: u16,
    priority: i8,
    state: State,
}

/// Smaller goes first: retries after first attempts, then by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    retry: bool,
    patience: i8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Location {
    Unknown,
    Asking,
    At(Place, u64),
}

#[derive(Debug)]
struct LaneState {
    ready: BTreeSet<(Class, u64, Key)>,
    at: Location,
    turn: u64,
    /// As it stands in its place's list.
    listed: Option<(Class, u64)>,
    entries: usize,
}

#[derive(Debug)]
struct PlaceState {
    window: Window,
    lanes: BTreeSet<(Class, u64, Lane)>,
    turn: u64,
    started: u64,
    /// Attempts whose fate is being shared: until that is done there is no other, or a destination that refuses at once would be
    /// asked hundreds of times a second.
    sharing: usize,
    /// As it stands in the list of those that can go on: failing or not, then the order.
    listed: Option<(bool, Class, u64)>,
}

impl PlaceState {
    fn has_room(&self) -> bool {
        self.sharing == 0 && self.window.has_room()
    }

    fn is_idle(&self) -> bool {
        self.sharing == 0 && self.window.is_idle()
    }
}

/// The schedule. See the module's picture.
#[derive(Debug)]
pub struct Schedule {
    limits: Limits,
    random: Random,
    entries: BTreeMap<Key, Scheduled>,
    waiting: BTreeSet<(u64, Key)>,
    lanes: HashMap<Lane, LaneState>,
    places: HashMap<Place, PlaceState>,
    to_locate: VecDeque<Lane>,
    locating: usize,
    /// Places with work and room: those that answer, and those that do not.
    runnable: [BTreeSet<(Class, u64, Place)>; 2],
    jobs: usize,
    failing_jobs: usize,
    turns: u64,
}

/// Commands and questions.
impl Schedule {
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            random: Random::new(seed),
            entries: BTreeMap::new(),
            waiting: BTreeSet::new(),
            lanes: HashMap::new(),
            places: HashMap::new(),
            to_locate: VecDeque::new(),
            locating: 0,
            runnable: [BTreeSet::new(), BTreeSet::new()],
            jobs: 0,
            failing_jobs: 0,
            turns: 0,
        }
    }

    /// Schedules a recipient; one that is known already stays as it is.
    pub fn add(&mut self, key: Key, entry: Entry) {
        if self.entries.contains_key(&key) {
            return;
        }
        let state = if entry.held { State::Held } else { State::Waiting };
        let attempts = entry.attempts.min(u32::from(u16::MAX)) as u16;
        let scheduled =
            Scheduled { due: entry.due, lane: entry.lane, attempts, priority: entry.priority, state };
        self.entries.insert(key, scheduled);
        self.lane(entry.lane).entries += 1;
        if state == State::Waiting {
            self.waiting.insert((entry.due, key));
        }
    }

    /// Lays out anew what was added in order, which leaves a tree half empty: to be called when all of a long queue was added.
    /// With a million recipients some 30 MB less.
    pub(crate) fn pack(&mut self) {
        self.entries = std::mem::take(&mut self.entries).into_iter().collect();
        self.waiting = std::mem::take(&mut self.waiting).into_iter().collect();
    }

    /// When the attempt that just failed is to be repeated.
    pub fn retry_at(&mut self, backoff: &Backoff, attempts: u32, now: u64) -> u64 {
        now + backoff.pause(attempts, self.random.next())
    }

    /// The time at which [`Schedule::next`] has more, if nothing happens before.
    pub fn next_wakeup(&self) -> Option<u64> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes a recipient that is not being attempted out of the schedule until it is settled; `false` when it is
    /// being attempted, or unknown.
    pub fn claim(&mut self, key: Key) -> bool {
        match self.entries.get(&key).map(|entry| entry.state) {
            None | Some(State::Running) => false,
            Some(_) => {
                self.set_state(key, State::Running);
                true
            }
        }
    }

    /// Jobs under way.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// Recipients known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many attempts a place takes at once now.
    pub fn window_of(&self, place: Place) -> Option<u32> {
        self.places.get(&place).map(|place| place.window.size())
    }

    pub fn lane_of(&self, key: Key) -> Option<Lane> {
        self.entries.get(&key).map(|entry| entry.lane)
    }

    pub fn place_of(&self, lane: Lane) -> Option<Place> {
        match self.lanes.get(&lane)?.at {
            Location::At(place, _) => Some(place),
            Location::Unknown | Location::Asking => None,
        }
    }

    /// Whether nobody is being attempted or due.
    #[cfg(test)]
    pub(crate) fn is_quiet(&self, now: u64) -> bool {
        let rests = |entry: &Scheduled| match entry.state {
            State::Waiting => entry.due > now,
            State::Held => true,
            State::Ready | State::Running => false,
        };
        self.jobs == 0 && self.entries.values().all(rests)
    }

    /// Forgets lanes and places that nothing needs, and says which.
    pub fn prune(&mut self) -> (Vec<Lane>, Vec<Place>) {
        let unused = |lane: &LaneState| lane.entries == 0 && lane.at != Location::Asking;
        let lanes: Vec<Lane> =
            self.lanes.iter().filter(|(_, lane)| unused(lane)).map(|(id, _)| *id).collect();
        lanes.iter().for_each(|lane| drop(self.lanes.remove(lane)));
        let used: HashSet<Place> = self.lanes.keys().filter_map(|lane| self.place_of(*lane)).collect();
        let unused = |(id, place): &(&Place, &PlaceState)| {
            **id != Place::HERE && place.is_idle() && !used.contains(id)
        };
        let places: Vec<Place> = self.places.iter().filter(unused).map(|(id, _)| *id).collect();
        places.iter().for_each(|place| drop(self.places.remove(place)));
        (lanes, places)
    }
}

/// The run loop: [`Schedule::next`] until it has nothing, then wait for the wake-up, an answer or an addition.
impl Schedule {
    pub fn next(&mut self, now: u64) -> Option<Step> {
        while let Some(&(due, key)) = self.waiting.first()
            && due <= now
        {
            self.set_state(key, State::Ready);
        }
        if self.locating < MAX_LOCATING
            && let Some(lane) = self.to_locate.pop_front()
        {
            self.locating += 1;
            return Some(Step::Locate(lane));
        }
        while self.jobs < self.limits.jobs {
            let place = self.pick()?;
            if let Some(job) = self.start(place, now) {
                return Some(Step::Attempt(job));
            }
            // Its lane has to be located again.
            if self.locating < MAX_LOCATING
                && let Some(lane) = self.to_locate.pop_front()
            {
                self.locating += 1;
                return Some(Step::Locate(lane));
            }
        }
        None
    }

    /// The lane leads there until a time, when it is to be located again.
    pub fn located(&mut self, lane: Lane, place: Place, until: u64) {
        let before = std::mem::replace(&mut self.lane(lane).at, Location::At(place, until));
        // Where some lanes lead is known without asking.
        if before == Location::Asking {
            self.locating = self.locating.saturating_sub(1);
        }
        self.refresh_lane(lane);
    }

    /// The lane leads nowhere now: its ready recipients, at most so many as share a fate. They are running until
    /// they are settled. To be called until it gives nothing; then the lane can be located anew.
    pub fn lost(&mut self, lane: Lane) -> Vec<Key> {
        let keys: Vec<Key> =
            self.lane(lane).ready.iter().take(MAX_CONDEMNED).map(|(_, _, key)| *key).collect();
        keys.iter().for_each(|key| self.set_state(*key, State::Running));
        if keys.is_empty() && self.lane(lane).at == Location::Asking {
            self.locating = self.locating.saturating_sub(1);
            self.lane(lane).at = Location::Unknown;
        }
        keys
    }

    /// What is next for a recipient that was running.
    pub fn settle(&mut self, key: Key, next: Next) {
        match next {
            Next::Gone => self.remove(key),
            Next::Held => self.set_state(key, State::Held),
            Next::Due(due) | Next::Later(due) => {
                let Some(entry) = self.entries.get_mut(&key) else { return };
                entry.due = due;
                entry.attempts = entry.attempts.saturating_add(u16::from(matches!(next, Next::Due(_))));
                self.set_state(key, State::Waiting);
            }
            Next::Again(lane) => {
                let Some(entry) = self.entries.get_mut(&key) else { return };
                let before = std::mem::replace(&mut entry.lane, lane);
                self.lane(before).entries -= 1;
                self.lane(lane).entries += 1;
                self.set_state(key, State::Ready);
            }
        }
    }

    /// The job is over; its recipients are settled. When the destination seems to be down, those who wait for it share
    /// the fate of this attempt: they come back, running, at most [`MAX_CONDEMNED`] of them, to be settled alike. If there are
    /// any, the destination has no other attempt before [`Schedule::shared`].
    pub fn finished(&mut self, job: &Job, feedback: Feedback, now: u64) -> Vec<Key> {
        self.jobs = self.jobs.saturating_sub(1);
        if job.failing {
            self.failing_jobs = self.failing_jobs.saturating_sub(1);
        }
        let Some(place) = self.places.get_mut(&job.place) else { return Vec::new() };
        place.window.finish(job.ticket, feedback, now);
        let down = feedback == Feedback::Slow && place.window.failures() >= DOWN_AFTER;
        let mut condemned = Vec::new();
        if down {
            for (_, _, lane) in &place.lanes {
                let Some(lane) = self.lanes.get(lane) else { continue };
                let room = MAX_CONDEMNED - condemned.len();
                condemned.extend(lane.ready.iter().take(room).map(|(_, _, key)| *key));
            }
            place.sharing += usize::from(!condemned.is_empty());
            condemned.iter().for_each(|key| self.set_state(*key, State::Running));
        }
        self.refresh_place(job.place);
        condemned
    }

    /// All who came back from [`Schedule::finished`] for an attempt there are settled.
    pub fn shared(&mut self, place: Place) {
        if let Some(state) = self.places.get_mut(&place) {
            state.sharing = state.sharing.saturating_sub(1);
            self.refresh_place(place);
        }
    }
}

/// The lists.
impl Schedule {
    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        self.lanes.entry(lane).or_insert_with(|| LaneState {
            ready: BTreeSet::new(),
            at: Location::Unknown,
            turn: 0,
            listed: None,
            entries: 0,
        })
    }

    fn remove(&mut self, key: Key) {
        if self.entries.contains_key(&key) {
            self.set_state(key, State::Running);
        }
        if let Some(entry) = self.entries.remove(&key) {
            self.lane(entry.lane).entries -= 1;
        }
    }

    /// Takes the recipient from the list that its state has and puts it into that of the next.
    fn set_state(&mut self, key: Key, state: State) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let before = std::mem::replace(&mut entry.state, state);
        let class = Class { retry: entry.attempts > 0, patience: -entry.priority.max(-100) };
        let (due, lane) = (entry.due, entry.lane);
        match before {
            State::Waiting => {
                self.waiting.remove(&(due, key));
            }
            State::Ready => {
                self.lane(lane).ready.remove(&(class, due, key));
                self.refresh_lane(lane);
            }
            State::Running | State::Held => {}
        }
        match state {
            State::Waiting => {
                self.waiting.insert((due, key));
            }
            State::Ready => {
                self.lane(lane).ready.insert((class, due, key));
                self.refresh_lane(lane);
            }
            State::Running | State::Held => {}
        }
    }

    /// Brings the lane's place in its destination's list up to date.
    fn refresh_lane(&mut self, id: Lane) {
        let lane = self.lane(id);
        let first = lane.ready.first().map(|(class, _, _)| (*class, lane.turn));
        let place = match lane.at {
            Location::At(place, _) => place,
            Location::Asking => return,
            Location::Unknown if first.is_none() => return,
            Location::Unknown => {
                lane.at = Location::Asking;
                self.to_locate.push_back(id);
                return;
            }
        };
        let before = std::mem::replace(&mut lane.listed, first);
        if before == first {
            return;
        }
        let window = self.limits.window;
        let state = self.places.entry(place).or_insert_with(|| PlaceState {
            window: Window::new(window),
            lanes: BTreeSet::new(),
            turn: 0,
            started: 0,
            sharing: 0,
            listed: None,
        });
        if let Some((class, turn)) = before {
            state.lanes.remove(&(class, turn, id));
        }
        if let Some((class, turn)) = first {
            state.lanes.insert((class, turn, id));
        }
        self.refresh_place(place);
    }

    /// Brings the place's position among those that can go on up to date.
    fn refresh_place(&mut self, id: Place) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let room = id == Place::HERE || place.has_room();
        let first = place.lanes.first().filter(|_| room).map(|(class, _, _)| *class);
        let now = first.map(|class| (place.window.failures() > 0, class, place.turn));
        let before = std::mem::replace(&mut place.listed, now);
        if let Some((failing, class, turn)) = before {
            self.runnable[usize::from(failing)].remove(&(class, turn, id));
        }
        if let Some((failing, class, turn)) = now {
            self.runnable[usize::from(failing)].insert((class, turn, id));
        }
    }

    /// Gives somebody the next turn. A turn that nobody can take is not counted.
    fn pick(&mut self) -> Option<Place> {
        let place = self.whose(self.turns + 1)?;
        self.turns += 1;
        Some(place)
    }

    /// Whose turn it is. Destinations that fail have half of all jobs at most: each may take minutes to fail again.
    fn whose(&self, turn: u64) -> Option<Place> {
        let [healthy, failing] = &self.runnable;
        let failing = Some(failing).filter(|_| self.failing_jobs < self.limits.jobs.div_ceil(2));
        let lists = [Some(healthy), failing];
        if turn.is_multiple_of(RETRY_TURN) {
            let from = (Class { retry: true, patience: i8::MIN }, 0, Place(0));
            let retries = lists.iter().flatten().filter_map(|list| list.range(from..).next());
            if let Some((_, _, place)) = retries.min_by_key(|(_, turn, _)| turn) {
                return Some(*place);
            }
        }
        lists.iter().flatten().filter_map(|list| list.first()).min().map(|(_, _, place)| *place)
    }

    /// Takes the next message of a place. `None` when its lane has to be located again first.
    fn start(&mut self, place: Place, now: u64) -> Option<Job> {
        let (lane_id, first) = self.first_of(place)?;
        let turn = self.turns;
        let lane = self.lanes.get_mut(&lane_id)?;
        if matches!(lane.at, Location::At(_, until) if until <= now) {
            self.leave(lane_id, place);
            return None;
        }
        lane.turn = turn;
        let everyone = Key { position: 0, ..first }..=Key { position: u32::MAX, ..first };
        let together = self
            .entries
            .range(everyone)
            .filter(|(_, entry)| entry.state == State::Ready && self.place_of(entry.lane) == Some(place));
        let mut keys: Vec<Key> = together.map(|(key, _)| *key).take(self.limits.recipients).collect();
        if !keys.contains(&first) {
            keys.pop();
            keys.push(first);
        }
        keys.iter().for_each(|key| self.set_state(*key, State::Running));

        let state = self.places.get_mut(&place)?;
        state.turn = turn;
        state.started += 1;
        let failing = state.window.failures() > 0;
        let ticket = state.window.start();
        self.refresh_place(place);
        self.jobs += 1;
        self.failing_jobs += usize::from(failing);
        let positions = keys.iter().map(|key| key.position).collect();
        Some(Job { message: first.message, positions, place, ticket, failing })
    }

    /// Who goes first at a place: the first of its first lane, or now and then a retry.
    fn first_of(&self, place: Place) -> Option<(Lane, Key)> {
        let place = self.places.get(&place)?;
        if (place.started + 1).is_multiple_of(RETRY_TURN) {
            let retry = |lane: &Lane| {
                let (_, _, key) = *self.lanes.get(lane)?.ready.range(first_retry()..).next()?;
                Some((*lane, key))
            };
            let mut lanes = place.lanes.iter().take(MAX_SEARCHED).map(|(_, _, lane)| lane);
            if let Some(found) = lanes.find_map(retry) {
                return Some(found);
            }
        }
        let (_, _, lane) = *place.lanes.first()?;
        let (_, _, key) = *self.lanes.get(&lane)?.ready.first()?;
        Some((lane, key))
    }

    /// Takes a lane from its place and has it located again.
    fn leave(&mut self, id: Lane, place: Place) {
        let lane = self.lane(id);
        lane.at = Location::Asking;
        let listed = lane.listed.take();
        self.to_locate.push_back(id);
        if let (Some((class, turn)), Some(state)) = (listed, self.places.get_mut(&place)) {
            state.lanes.remove(&(class, turn, id));
        }
        self.refresh_place(place);
    }
}

/// Below every retry, above every first attempt.
fn first_retry() -> (Class, u64, Key) {
    (Class { retry: true, patience: i8::MIN }, 0, Key { message: Id::at(0), position: 0 })
}

#[cfg(test)]
mod herd;
#[cfg(test)]
pub(crate) mod probe;
#[cfg(test)]
mod tests;
