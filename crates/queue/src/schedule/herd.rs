//! A day of retries for as many messages as one likes, all of them put off: does anybody come in a herd?
//!
//! The schedule alone, with its clock moved from event to event. Half of the destinations put every recipient off, the
//! other half cannot be reached; an attempt takes 0.1 to 2 seconds, and 500 are made at once, as by default. Ten messages
//! wait for each destination. What is counted are attempts a minute.

use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The highest minute may have so many times the mean.
const TARGET: f64 = 2.0;
/// After so many attempts the pauses are the longest.
const OLD: u32 = 6;

/// How the messages come to be in the queue, and which day is looked at.
#[derive(Debug, Clone, Copy)]
enum Story {
    /// They arrive evenly over the day that is looked at.
    Arriving,
    /// They arrived evenly over the day before.
    Standing,
    /// All of them in one minute, the day before.
    Burst,
    /// Old ones, all overdue at once: the server was off. Looked at from when each had its turn.
    Overdue,
}

#[derive(Debug, serde::Serialize)]
struct Reading {
    story: String,
    attempts: u64,
    mean_per_minute: f64,
    highest_minute: u64,
    ratio: f64,
    /// Whether that is no more than [`TARGET`].
    reached: bool,
    /// From when an attempt was due until it began, at most.
    latest_seconds: f64,
}

struct Day {
    schedule: Schedule,
    backoff: Backoff,
    random: Random,
    attempts: HashMap<Key, (u64, u32)>,
    running: BinaryHeap<Reverse<(u64, u64)>>,
    jobs: HashMap<u64, Job>,
    minutes: Vec<u64>,
    latest: u64,
    looked_at: std::ops::Range<u64>,
}

/// The pause after an attempt that failed, as it is documented: 5 minutes, doubled up to 4 hours, a fifth more or less.
fn allowed(attempts_before: u32) -> RangeInclusive<u64> {
    let minutes = [5, 10, 20, 40, 80, 160].get(attempts_before as usize).unwrap_or(&240);
    minutes * MINUTE * 4 / 5..=minutes * MINUTE * 6 / 5
}

fn key(message: u64) -> Key {
    Key { message: Id::at(message as i64 + 1_600_000_000_000), position: 0 }
}

impl Day {
    fn run(story: Story, messages: u64, seed: u64) -> Reading {
        let limits = Limits { window: WindowLimits::default(), jobs: 500, recipients: 100 };
        let looked_at = match story {
            Story::Arriving => 0..DAY,
            Story::Standing | Story::Burst => DAY..2 * DAY,
            Story::Overdue => 4 * HOUR..4 * HOUR + DAY,
        };
        let mut day = Self {
            schedule: Schedule::new(limits, seed),
            backoff: Backoff::default(),
            random: Random::new(seed),
            attempts: HashMap::new(),
            running: BinaryHeap::new(),
            jobs: HashMap::new(),
            minutes: vec![0; (DAY / MINUTE) as usize],
            latest: 0,
            looked_at,
        };
        for message in 0..messages {
            let (due, attempts) = match story {
                Story::Arriving | Story::Standing => (message * DAY / messages, 0),
                Story::Burst => (message * MINUTE / messages, 0),
                Story::Overdue => (0, OLD),
            };
            let lane = Lane((message % (messages / 10).max(1)) as u32);
            day.attempts.insert(key(message), (due, attempts));
            day.schedule.add(key(message), Entry { lane, due, attempts, priority: 0, held: false });
        }
        day.pass();
        day.reading(story)
    }

    fn pass(&mut self) {
        let mut now = 0;
        while now < self.looked_at.end {
            while let Some(step) = self.schedule.next(now) {
                match step {
                    Step::Locate(lane) => self.schedule.located(lane, Place(lane.0 + 1), now + 5 * MINUTE),
                    Step::Attempt(job) => self.begin(job, now),
                }
            }
            let done = self.running.peek().map(|Reverse((time, _))| *time);
            let Some(next) = done.into_iter().chain(self.schedule.next_wakeup()).min() else { break };
            now = next;
            while let Some(Reverse((time, serial))) = self.running.peek().copied()
                && time <= now
            {
                self.running.pop();
                self.end(serial, now);
            }
        }
    }

    fn begin(&mut self, job: Job, now: u64) {
        let key = Key { message: job.message, position: job.positions[0] };
        if self.looked_at.contains(&now) {
            self.minutes[((now - self.looked_at.start) / MINUTE) as usize] += 1;
            self.latest = self.latest.max(now - self.attempts[&key].0);
        }
        let serial = self.random.next();
        self.running.push(Reverse((now + 100 + serial % 1_900, serial)));
        self.jobs.insert(serial, job);
    }

    fn end(&mut self, serial: u64, now: u64) {
        let job = self.jobs.remove(&serial).unwrap();
        self.put_off(Key { message: job.message, position: job.positions[0] }, now);
        let feedback = if job.place.0.is_multiple_of(2) { Feedback::Slow } else { Feedback::Clean };
        let condemned = self.schedule.finished(&job, feedback, now);
        if !condemned.is_empty() {
            condemned.into_iter().for_each(|key| self.put_off(key, now));
            self.schedule.shared(job.place);
        }
    }

    fn put_off(&mut self, key: Key, now: u64) {
        let (due, attempts) = self.attempts.get_mut(&key).unwrap();
        *due = self.schedule.retry_at(&self.backoff, *attempts, now);
        let pause = *due - now;
        assert!(allowed(*attempts).contains(&pause), "{pause} ms after {attempts} attempts before");
        *attempts += 1;
        self.schedule.settle(key, Next::Due(*due));
    }

    fn reading(&self, story: Story) -> Reading {
        let attempts = self.minutes.iter().sum::<u64>();
        let mean = attempts as f64 / self.minutes.len() as f64;
        let highest = self.minutes.iter().max().copied().unwrap_or_default();
        let rounded = |number: f64| (number * 100.0).round() / 100.0;
        Reading {
            story: format!("{story:?}").to_lowercase(),
            attempts,
            mean_per_minute: rounded(mean),
            highest_minute: highest,
            ratio: rounded(highest as f64 / mean),
            reached: highest as f64 <= mean * TARGET,
            latest_seconds: rounded(self.latest as f64 / 1000.0),
        }
    }
}

#[test]
fn no_minute_has_twice_the_mean() {
    let reading = Day::run(Story::Arriving, 10_000, 1);
    assert!(reading.reached, "{reading:?}");
}

/// As many messages as the environment says, with a report as JSON in the file that it names. The target is for mail that comes
/// as mail does; what comes all at once is told (docs/reliability.md).
#[test]
#[ignore = "it takes minutes: cargo xtask herd"]
fn at_length() {
    let messages = std::env::var("WAYPOST_HERD_MESSAGES").ok().and_then(|text| text.parse().ok());
    let messages = messages.unwrap_or(1_000_000);
    let stories = [Story::Arriving, Story::Standing, Story::Burst, Story::Overdue];
    let readings: Vec<Reading> = stories.into_iter().map(|story| Day::run(story, messages, 1)).collect();
    let report = serde_json::json!({ "messages": messages, "domains": messages / 10, "hours": 24,
        "target_ratio": TARGET, "readings": readings });
    if let Some(path) = std::env::var_os("WAYPOST_REPORT") {
        std::fs::write(path, format!("{report:#}")).unwrap();
    }
    println!("{report:#}");
    for reading in &readings[..2] {
        assert!(reading.reached, "{reading:?}");
    }
}
