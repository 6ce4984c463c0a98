//! The schedule against simulated servers: seeds, simulated time, no network.

use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What a simulated server does with an attempt: how long it takes and what it says, given how many are at it.
type Server = Box<dyn Fn(u32) -> (u64, Answer)>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Taken,
    /// One recipient's trouble.
    Later,
    /// 421, or no connection.
    Refused,
}

/// An attempt as it began.
struct Attempt {
    at: u64,
    place: Place,
    answer: Answer,
    in_use: u32,
    retry: bool,
    message: Id,
    recipients: usize,
}

struct Simulation {
    schedule: Schedule,
    backoff: Backoff,
    now: u64,
    servers: HashMap<Lane, Server>,
    in_use: HashMap<Place, u32>,
    running: BinaryHeap<Reverse<(u64, u64)>>,
    jobs: HashMap<u64, (Job, Answer)>,
    attempts: HashMap<Key, u32>,
    log: Vec<Attempt>,
    serial: u64,
    until: u64,
    look_ups: usize,
}

impl Simulation {
    fn new(seed: u64, jobs: usize) -> Self {
        let limits = Limits { window: WindowLimits::default(), jobs, recipients: 100 };
        Self {
            schedule: Schedule::new(limits, seed),
            backoff: Backoff::default(),
            now: 0,
            servers: HashMap::new(),
            in_use: HashMap::new(),
            running: BinaryHeap::new(),
            jobs: HashMap::new(),
            attempts: HashMap::new(),
            log: Vec::new(),
            serial: 0,
            until: u64::MAX,
            look_ups: 0,
        }
    }

    /// Each lane leads to the place of its number.
    fn server(&mut self, lane: u32, server: impl Fn(u32) -> (u64, Answer) + 'static) {
        self.servers.insert(Lane(lane), Box::new(server));
    }

    fn add(&mut self, message: i64, position: u32, lane: u32, due: u64) {
        self.add_urgent(message, position, lane, due, 0);
    }

    fn add_urgent(&mut self, message: i64, position: u32, lane: u32, due: u64, priority: i8) {
        let entry = Entry { lane: Lane(lane), due, attempts: 0, priority, held: false };
        self.schedule.add(key(message, position), entry);
    }

    /// Runs until a time, or until there is nothing more to do.
    fn run(&mut self, end: u64) {
        loop {
            while let Some(step) = self.schedule.next(self.now) {
                match step {
                    Step::Locate(lane) => {
                        self.look_ups += 1;
                        self.schedule.located(lane, Place(lane.0), self.now.saturating_add(self.until));
                    }
                    Step::Attempt(job) => self.begin(job),
                }
            }
            let done = self.running.peek().map(|Reverse((at, _))| *at);
            let wake = self.schedule.next_wakeup();
            let Some(next) = done.into_iter().chain(wake).min().filter(|next| *next <= end) else { break };
            self.now = next;
            while let Some(Reverse((at, serial))) = self.running.peek().copied()
                && at <= self.now
            {
                self.running.pop();
                self.end(serial);
            }
        }
        self.now = end;
    }

    fn begin(&mut self, job: Job) {
        let in_use = self.in_use.entry(job.place).or_default();
        *in_use += 1;
        let (takes, answer) = self.servers[&Lane(job.place.0)](*in_use);
        let first = key_of(&job, job.positions[0]);
        self.log.push(Attempt {
            at: self.now,
            place: job.place,
            answer,
            in_use: *in_use,
            retry: self.attempts.contains_key(&first),
            message: job.message,
            recipients: job.positions.len(),
        });
        self.serial += 1;
        self.running.push(Reverse((self.now + takes, self.serial)));
        self.jobs.insert(self.serial, (job, answer));
    }

    fn end(&mut self, serial: u64) {
        let (job, answer) = self.jobs.remove(&serial).unwrap();
        *self.in_use.get_mut(&job.place).unwrap() -= 1;
        let keys: Vec<Key> = job.positions.iter().map(|position| key_of(&job, *position)).collect();
        self.settle(keys, answer);
        let feedback = if answer == Answer::Refused { Feedback::Slow } else { Feedback::Clean };
        let condemned = self.schedule.finished(&job, feedback, self.now);
        if !condemned.is_empty() {
            self.settle(condemned, Answer::Later);
            self.schedule.shared(job.place);
        }
    }

    fn settle(&mut self, keys: Vec<Key>, answer: Answer) {
        for key in keys {
            let attempts = self.attempts.entry(key).or_default();
            let next = match answer {
                Answer::Taken => Next::Gone,
                Answer::Later | Answer::Refused => {
                    let due = self.schedule.retry_at(&self.backoff, *attempts, self.now);
                    *attempts += 1;
                    Next::Due(due)
                }
            };
            self.schedule.settle(key, next);
        }
    }

    fn attempts_at(&self, lane: u32) -> impl Iterator<Item = &Attempt> {
        self.log.iter().filter(move |attempt| attempt.place == Place(lane))
    }
}

fn key(message: i64, position: u32) -> Key {
    Key { message: Id::at(1_577_836_800_000 + message), position }
}

fn key_of(job: &Job, position: u32) -> Key {
    Key { message: job.message, position }
}

fn takes(duration: u64) -> impl Fn(u32) -> (u64, Answer) {
    move |_| (duration, Answer::Taken)
}

fn down(_: u32) -> (u64, Answer) {
    (30 * SECOND, Answer::Refused)
}

#[test]
fn a_server_that_allows_ten_connections_is_filled_and_hardly_ever_refuses() {
    for seed in 0..3 {
        for duration in [200, SECOND, 5 * SECOND] {
            let mut simulation = Simulation::new(seed, 500);
            let jitter = std::cell::Cell::new(seed);
            simulation.server(1, move |in_use| {
                jitter.set(jitter.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                let takes = duration / 2 + (jitter.get() >> 33) % duration;
                if in_use > 10 { (20, Answer::Refused) } else { (takes, Answer::Taken) }
            });
            (0..20_000).for_each(|message| simulation.add(message, 0, 1, 0));
            simulation.run(10 * MINUTE);
            let refused = simulation.attempts_at(1).filter(|a| a.answer == Answer::Refused).count();
            let all = simulation.attempts_at(1).count();
            assert!(refused * 100 <= all * 5, "seed {seed}, {duration} ms: {refused} of {all} refused");
            let busy = simulation.attempts_at(1).filter(|a| a.at <= MINUTE).map(|a| a.in_use.min(10)).max();
            assert!(busy >= Some(8), "seed {seed}, {duration} ms: only {busy:?} in use within 60 s");
            // And it stays so: over the fifth minute the mean is near the limit.
            let late: Vec<u32> = simulation
                .attempts_at(1)
                .filter(|a| (4 * MINUTE..5 * MINUTE).contains(&a.at))
                .map(|a| a.in_use.min(10))
                .collect();
            let mean = late.iter().sum::<u32>() as f64 / late.len() as f64;
            assert!(late.is_empty() || mean >= 7.0, "seed {seed}, {duration} ms: mean {mean}");
        }
    }
}

#[test]
fn a_dead_destination_with_a_hundred_thousand_messages_slows_nobody() {
    let mut simulation = Simulation::new(1, 500);
    simulation.server(1, down);
    simulation.server(2, takes(SECOND));
    (0..100_000).for_each(|message| simulation.add(message, 0, 1, 0));
    (0..1_000).for_each(|message| simulation.add(200_000 + message, 0, 2, MINUTE));
    simulation.run(MINUTE + 90 * SECOND);
    assert_eq!(simulation.attempts_at(2).count(), 1_000, "not all were served within 90 s");
    // All that wait for the dead one are soon known to be late, without an attempt each.
    simulation.run(2 * HOUR);
    let tried = simulation.attempts_at(1).count();
    assert!(tried < 2_000, "{tried} attempts at a dead destination");
    assert!(simulation.attempts.len() >= 101_000, "{} of them heard of it", simulation.attempts.len());
}

#[test]
fn many_dead_destinations_leave_half_of_all_jobs_to_the_others() {
    let mut simulation = Simulation::new(2, 100);
    for lane in 1..=300 {
        simulation.server(lane, |_| (5 * MINUTE, Answer::Refused));
        (0..20).for_each(|message| simulation.add(i64::from(lane) * 100 + message, 0, lane, 0));
    }
    simulation.run(30 * MINUTE);
    simulation.server(1_000, takes(SECOND));
    let start = simulation.now;
    (0..500).for_each(|message| simulation.add(1_000_000 + message, 0, 1_000, start));
    simulation.run(start + 10 * MINUTE);
    let waited = simulation.attempts_at(1_000).map(|a| a.at - start).max().unwrap();
    assert_eq!(simulation.attempts_at(1_000).count(), 500);
    assert!(waited <= 7 * MINUTE, "the last waited {waited} ms");
}

#[test]
fn days_of_retries_come_without_a_herd() {
    for seed in 0..2 {
        let mut simulation = Simulation::new(seed, 500);
        simulation.server(1, |_| (SECOND, Answer::Later));
        // A day's mail for somebody who always says "later".
        (0..6_000).for_each(|message| simulation.add(message, 0, 1, message as u64 * DAY / 6_000));
        simulation.run(4 * DAY);
        let mut minutes: HashMap<u64, usize> = HashMap::new();
        for attempt in simulation.attempts_at(1).filter(|a| a.at >= 2 * DAY) {
            *minutes.entry(attempt.at / MINUTE).or_default() += 1;
        }
        let mean = minutes.values().sum::<usize>() / (2 * DAY / MINUTE) as usize;
        let highest = minutes.values().max().copied().unwrap();
        assert!(highest <= 2 * mean, "seed {seed}: {highest} in one minute, {mean} in the mean");
    }
}

#[test]
fn a_backlog_that_was_due_at_once_spreads() {
    let mut simulation = Simulation::new(7, 500);
    simulation.server(1, |_| (100, Answer::Later));
    (0..10_000).for_each(|message| simulation.add(message, 0, 1, 0));
    simulation.run(2 * DAY);
    let mut minutes = vec![0_usize; (2 * DAY / MINUTE) as usize + 1];
    simulation
        .attempts_at(1)
        .filter(|a| a.at >= 30 * HOUR)
        .for_each(|a| minutes[(a.at / MINUTE) as usize] += 1);
    let mean = minutes.iter().sum::<usize>() / (18 * HOUR / MINUTE) as usize;
    let highest = minutes.iter().max().copied().unwrap();
    assert!(highest <= 2 * mean, "{highest} in one minute, {mean} in the mean");
}

#[test]
fn first_attempts_go_before_retries_and_urgent_before_patient() {
    let mut simulation = Simulation::new(3, 500);
    simulation.schedule.limits.window = WindowLimits { initial: 1, min: 1, max: 1 };
    simulation.server(1, takes(SECOND));
    let retry =
        |message| (key(message, 0), Entry { lane: Lane(1), due: 0, attempts: 1, priority: 0, held: false });
    for (key, entry) in (0..5).map(retry) {
        simulation.schedule.add(key, entry);
    }
    (10..13).for_each(|message| simulation.add(message, 0, 1, 0));
    simulation.add_urgent(20, 0, 1, 0, 5);
    simulation.run(MINUTE);
    let order: Vec<Id> = simulation.attempts_at(1).map(|a| a.message).collect();
    let expected: Vec<Id> = [20, 10, 11, 12, 0, 1, 2, 3, 4].map(|message| key(message, 0).message).into();
    assert_eq!(order, expected);
}

#[test]
fn a_flood_of_fresh_mail_does_not_stop_retries() {
    let mut simulation = Simulation::new(3, 500);
    simulation.server(1, takes(SECOND));
    let entry = Entry { lane: Lane(1), due: 0, attempts: 1, priority: 0, held: false };
    simulation.schedule.add(key(0, 0), entry);
    (1..10_000).for_each(|message| simulation.add(message, 0, 1, 0));
    simulation.run(MINUTE);
    assert!(simulation.attempts_at(1).any(|a| a.message == key(0, 0).message));
}

#[test]
fn one_transaction_carries_many_recipients_of_a_message() {
    let mut simulation = Simulation::new(4, 500);
    simulation.server(1, takes(SECOND));
    (0..250).for_each(|position| simulation.add(1, position, 1, 0));
    (0..3).for_each(|position| simulation.add(2, position, 1, 0));
    simulation.run(MINUTE);
    let mut sizes: Vec<usize> = simulation.attempts_at(1).map(|a| a.recipients).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 50, 100, 100]);
    assert!(simulation.schedule.is_empty());
}

#[test]
fn a_location_is_asked_for_once_and_again_when_it_is_old() {
    let mut simulation = Simulation::new(5, 500);
    simulation.until = 5 * MINUTE;
    simulation.server(1, takes(SECOND));
    (0..100).for_each(|message| simulation.add(message, 0, 1, 0));
    simulation.run(MINUTE);
    assert_eq!(simulation.look_ups, 1);
    simulation.add(200, 0, 1, 10 * MINUTE);
    simulation.run(11 * MINUTE);
    assert_eq!(simulation.look_ups, 2);
    assert!(simulation.schedule.is_empty());
    let (lanes, places) = simulation.schedule.prune();
    assert_eq!((lanes.len(), places.len()), (1, 1));
}

#[test]
fn who_is_held_or_claimed_is_not_attempted() {
    let mut simulation = Simulation::new(6, 500);
    simulation.server(1, takes(SECOND));
    let held = Entry { lane: Lane(1), due: 0, attempts: 0, priority: 0, held: true };
    simulation.schedule.add(key(1, 0), held);
    simulation.add(2, 0, 1, 10 * SECOND);
    assert!(simulation.schedule.claim(key(2, 0)));
    assert!(!simulation.schedule.claim(key(2, 0)), "claimed already");
    simulation.run(MINUTE);
    assert_eq!(simulation.log.len(), 0);
    assert!(simulation.schedule.claim(key(1, 0)));
    simulation.schedule.settle(key(1, 0), Next::Later(2 * MINUTE));
    simulation.schedule.settle(key(2, 0), Next::Gone);
    simulation.run(3 * MINUTE);
    assert_eq!(simulation.log.iter().map(|a| a.at).collect::<Vec<_>>(), [2 * MINUTE]);
    assert!(simulation.log.iter().all(|a| !a.retry) && simulation.schedule.is_empty());
}

#[test]
fn those_who_wait_for_a_lane_that_leads_nowhere_come_back_in_parts() {
    let limits = Limits { window: WindowLimits::default(), jobs: 10, recipients: 100 };
    let mut schedule = Schedule::new(limits, 1);
    for message in 0..MAX_CONDEMNED as i64 + 1 {
        schedule.add(key(message, 0), Entry { lane: Lane(1), due: 0, attempts: 0, priority: 0, held: false });
    }
    assert_eq!(schedule.next(0), Some(Step::Locate(Lane(1))));
    assert_eq!(schedule.next(0), None);
    for expected in [MAX_CONDEMNED, 1, 0] {
        let lost = schedule.lost(Lane(1));
        assert_eq!(lost.len(), expected);
        lost.into_iter().for_each(|key| schedule.settle(key, Next::Due(MINUTE)));
    }
    assert_eq!(schedule.next(MINUTE), Some(Step::Locate(Lane(1))));
}

#[test]
fn packing_it_in_the_midst_of_its_work_changes_nothing() {
    let log = |pack: bool| {
        let mut simulation = Simulation::new(7, 50);
        simulation.server(1, takes(SECOND));
        simulation.server(2, down);
        (0..500)
            .for_each(|message| simulation.add(message, 0, 1 + (message % 2) as u32, message as u64 * 100));
        simulation.run(20 * SECOND);
        if pack {
            simulation.schedule.pack();
        }
        simulation.run(HOUR);
        simulation.log.iter().map(|a| (a.at, a.place, a.message)).collect::<Vec<_>>()
    };
    assert_eq!(log(true), log(false));
}
