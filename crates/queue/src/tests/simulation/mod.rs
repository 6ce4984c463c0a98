//! Days of retries in a blink: the queue as it is, on a real store, with a clock and a network made from a seed.
//!
//! A seed decides everything ([`plan`]): the settings, what each destination says and when ([`network`]), which letters
//! come, what an administrator does, and when the server is killed and started again. After each single thing
//! that happens, all come to rest ([`server`]), and what the schedule then holds is compared with what the rules allow
//! ([`model`]): so a mistake is found at the step that made it, and found again by its seed.
//!
//! ```text
//! cargo xtask simulate --seeds 5000 --from 1        at length
//! cargo xtask simulate --seeds 1 --from 42          one again, told step by step
//! ```

mod model;
mod network;
mod plan;
mod server;

use crate::schedule::Place;
use model::{Ending, Event, Model, Reports};
use network::Network;
use plan::{Addressee, Moment, Plan};
use server::{Server, Time};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use store::Id;

/// Steps of one seed: more is a queue that goes round in circles.
const MAX_STEPS: u64 = 200_000;
/// Seeds of the ordinary tests.
const FEW: u64 = 120;

/// What a seed came to.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
struct Tally {
    seeds: u64,
    simulated_hours: u64,
    steps: u64,
    messages: u64,
    recipients: u64,
    attempts: u64,
    deferrals: u64,
    delivered: u64,
    failed: u64,
    dropped_by_command: u64,
    held: u64,
    still_queued: u64,
    notified: u64,
    kills: u64,
    /// Taken by a destination whose answer a kill cut off: these may come twice.
    taken_unheard: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        let Self { seeds, simulated_hours, steps, messages, recipients, attempts, deferrals, .. } = other;
        self.seeds += seeds;
        self.simulated_hours += simulated_hours;
        self.steps += steps;
        self.messages += messages;
        self.recipients += recipients;
        self.attempts += attempts;
        self.deferrals += deferrals;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.dropped_by_command += other.dropped_by_command;
        self.held += other.held;
        self.still_queued += other.still_queued;
        self.notified += other.notified;
        self.kills += other.kills;
        self.taken_unheard += other.taken_unheard;
    }
}

struct Simulation<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    network: Arc<Network>,
    time: Time,
    server: Option<Server>,
    model: Model<'a>,
    /// Bodies whose reports are counted: what is sent on has the same.
    read: HashSet<Id>,
    reports: Reports,
    /// As they were when all came to rest the last time.
    windows: HashMap<Place, u32>,
    tally: Tally,
    /// What happened, a line a step, for who wants to read or compare it.
    log: Vec<String>,
}

/// Runs one seed. The error is what went wrong, after the steps before it.
fn simulate(seed: u64) -> Result<(Tally, Vec<String>), String> {
    let plan = Plan::new(seed);
    // In memory where there is such a folder: nobody cuts the power here, and a sync is only slow.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let network = Arc::new(Network::new(&plan));
    let mut simulation = Simulation {
        plan: &plan,
        folder: folder.path(),
        network,
        time: Time::default(),
        server: None,
        model: Model::new(&plan),
        read: HashSet::new(),
        reports: Reports::new(),
        windows: HashMap::new(),
        tally: Tally { seeds: 1, ..Tally::default() },
        log: Vec::new(),
    };
    match simulation.run() {
        Ok(()) => Ok((simulation.tally, simulation.log)),
        Err(problem) => {
            let last = simulation.log.len().saturating_sub(20);
            Err(format!("seed {seed}: {problem}\nbefore it:\n{}", simulation.log[last..].join("\n")))
        }
    }
}

impl Simulation<'_> {
    fn run(&mut self) -> Result<(), String> {
        let start = self.plan.start();
        self.pass_to(start);
        self.start()?;
        let mut moments = self.plan.moments.iter().peekable();
        while self.tally.steps < MAX_STEPS {
            let server = self.server();
            let moment = moments.peek().map(|(time, _)| *time);
            let (answer, due) = (self.network.next(), server.next_wakeup());
            let Some(next) = [moment, answer, due].into_iter().flatten().min() else { break };
            if next > self.plan.end() {
                break;
            }
            self.pass_to(next);
            if moment == Some(next) {
                self.moment(&moments.next().unwrap().1)?;
            } else if answer == Some(next) {
                let said = self.network.answer().unwrap();
                self.step(&Event::Said(said))?;
            } else {
                self.step(&Event::Time)?;
            }
        }
        self.end()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn pass_to(&self, time: u64) {
        let now = time.max(self.time.now());
        self.time.set(now);
        self.network.set_time(now);
    }

    fn start(&mut self) -> Result<(), String> {
        self.server = Some(Server::start(self.folder, self.plan, &self.network, &self.time));
        self.step(&Event::Started)
    }

    fn moment(&mut self, moment: &Moment) -> Result<(), String> {
        match moment {
            Moment::Accept(letter) => {
                let id = self.server().accept(letter);
                self.model.accepted(id, letter.from == "<>", false, &letter.to);
                self.tally.messages += 1;
                self.step(&Event::Accepted)
            }
            Moment::Command(action, which) => {
                let known: Vec<_> = self.model.recipients.keys().copied().collect();
                let open = known.into_iter().filter(|key| self.model.recipients[key].ending.is_none());
                let open: Vec<_> = open.collect();
                let Some(key) = open.get((*which % open.len().max(1) as u64) as usize).copied() else {
                    return Ok(());
                };
                let can = self.model.can(*action, key);
                let done = self.server().command(*action, key.message, key.position);
                let expected = (u64::from(can == Some(true)), u64::from(can.is_none()));
                if (done.changed, done.busy) != expected {
                    return Err(format!("{action:?} of {key:?} did {done:?}; possible: {can:?}"));
                }
                let event = if can == Some(true) { Event::Command(*action, key) } else { Event::Time };
                self.step(&event)
            }
            Moment::Kill(pause) => {
                self.tally.kills += 1;
                self.server = None;
                self.tally.taken_unheard += self.network.cut().len() as u64;
                self.pass_to(self.time.now() + pause);
                self.start()
            }
            Moment::Reload => {
                self.server().reload();
                self.step(&Event::Reloaded)
            }
        }
    }

    /// Lets what happened have its effects, and compares them with the model.
    fn step(&mut self, event: &Event) -> Result<(), String> {
        self.tally.steps += 1;
        if matches!(event, Event::Time) {
            self.server().wake();
        }
        self.server().settle();
        let now = self.time.now();
        self.log.push(format!("{:>9} {event:?}", now - self.plan.start()));
        let seen = self.server().seen();
        let new: Vec<Id> =
            seen.keys().filter(|key| !self.model.recipients.contains_key(key)).map(|k| k.message).collect();
        for id in new {
            self.discover(id)?;
        }
        self.model.step(now, event, &seen)?;
        let begun = self.network.listen();
        self.tally.attempts += begun.len() as u64;
        self.log.extend(begun.iter().map(|begun| format!("{:>9}   {begun:?}", "")));
        let windows = self.server().windows();
        self.model.began(&begun, |key| {
            // A notification that an attempt brings may begin before the window hears of that attempt.
            let place = self.server().place_of(&seen[&key])?;
            windows.get(&place).max(self.windows.get(&place)).copied()
        })?;
        self.windows = windows;
        let mut carrying = self.network.carrying();
        carrying.sort_unstable();
        let running =
            seen.iter().filter(|(_, seen)| seen.standing == crate::schedule::probe::Standing::Running);
        if !running.map(|(key, _)| *key).eq(carrying.iter().copied()) {
            return Err(format!("these are being attempted: {carrying:?}, as the schedule does not know"));
        }
        self.server().forgotten(&self.network).map_or(Ok(()), Err)
    }

    /// A message that the queue wrote: a notification, or one sent on.
    fn discover(&mut self, id: Id) -> Result<(), String> {
        if self.model.recipients.keys().any(|key| key.message == id) {
            return Ok(());
        }
        let Some((message, recipients)) = self.server().queued(id) else {
            return Err(format!("{id} is in the schedule and not on disk"));
        };
        let to: Vec<Addressee> = recipients
            .iter()
            .map(|r| Addressee {
                address: r.address.to_string(),
                parameters: r.parameters.clone(),
                held: r.held,
            })
            .collect();
        if !message.reverse_path.is_null() {
            return Err(format!("{id} from {} was never accepted", message.reverse_path));
        }
        self.model.accepted(id, true, crate::notice::is_double_bounce(&message), &to);
        if self.read.insert(message.body_id) {
            let text = self.server().text(&message);
            self.count(&text);
        }
        Ok(())
    }

    fn count(&mut self, notification: &str) {
        self.tally.notified += 1;
        for report in model::reports(notification) {
            *self.reports.entry(report).or_default() += 1;
        }
    }

    /// Everything must have come to an end, and everybody must have been told.
    fn end(&mut self) -> Result<(), String> {
        let mut here: HashMap<String, u32> = HashMap::new();
        for text in self.server().mailboxes() {
            let to =
                text.lines().find_map(|line| line.strip_prefix("Delivered-To: ")).unwrap_or_default().trim();
            if to.starts_with("box+") {
                *here.entry(to.to_owned()).or_default() += 1;
            } else {
                self.count(&text);
            }
        }
        let here: HashMap<&str, u32> = here.iter().map(|(to, count)| (to.as_str(), *count)).collect();
        if here != self.model.delivered_here() {
            return Err(format!("in mailboxes: {here:?}; delivered: {:?}", self.model.delivered_here()));
        }
        model::compare(&self.model.expected, &self.reports)?;
        let problems = self.server().check();
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        let ended = |ending| self.model.ended(ending);
        let (open, tally) = (self.model.open(), &mut self.tally);
        tally.simulated_hours = (self.time.now() - self.plan.start()) / (60 * 60 * 1000);
        tally.recipients = self.model.recipients.len() as u64;
        tally.deferrals = self.model.deferrals;
        tally.delivered = ended(Some(Ending::Delivered));
        tally.failed = ended(Some(Ending::Failed));
        tally.dropped_by_command = ended(Some(Ending::Dropped));
        tally.held = ended(None) - open;
        tally.still_queued = open;
        Ok(())
    }
}

/// Runs seeds, two at a time, and stops at the first that fails.
fn simulate_all(seeds: std::ops::Range<u64>) -> Result<Tally, String> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(tally);
            }
            // Its name is in the message should it panic.
            let run = std::thread::Builder::new().name(format!("seed {seed}")).spawn(move || simulate(seed));
            let done = run.unwrap().join().unwrap_or_else(|_| Err(format!("seed {seed} panicked")));
            match done {
                Ok((one, _)) => tally.add(&one),
                Err(problem) => {
                    next.store(seeds.end, Ordering::Relaxed);
                    return Err(problem);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let mut all = Tally::default();
        for worker in workers {
            all.add(&worker.join().unwrap()?);
        }
        Ok(all)
    })
}

#[test]
fn hundreds_of_seeds() {
    let tally = simulate_all(1..1 + FEW).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(tally.still_queued, 0);
    let counts =
        [tally.delivered, tally.failed, tally.dropped_by_command, tally.held, tally.notified, tally.kills];
    assert!(counts.iter().all(|count| *count > 0), "these seeds leave something out: {tally:#?}");
}

/// As many seeds as the environment says, with a report as JSON in the file that it names. A single one tells its story.
#[test]
#[ignore = "it takes as long as it is told to: cargo xtask simulate"]
fn at_length() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let from = number("WAYPOST_SIMULATE_FROM").unwrap_or(1);
    let seeds = number("WAYPOST_SIMULATE_SEEDS").unwrap_or(1_000);
    let begun = Instant::now();
    let done = if seeds == 1 {
        simulate(from).map(|(tally, log)| {
            println!("{:#?}\n{}", Plan::new(from), log.join("\n"));
            tally
        })
    } else {
        simulate_all(from..from + seeds)
    };
    let (tally, problem) = done.map_or_else(|problem| (None, Some(problem)), |tally| (Some(tally), None));
    let seconds = begun.elapsed().as_secs();
    let report = serde_json::json!({ "from": from, "seconds": seconds, "tally": tally, "failure": problem });
    if let Some(path) = std::env::var_os("WAYPOST_REPORT") {
        std::fs::write(path, format!("{report:#}")).unwrap();
    }
    assert_eq!(problem, None);
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 1..6 {
        let [(tally, log), (again, other)] = [simulate(seed).unwrap(), simulate(seed).unwrap()];
        if let Some(at) = (0..log.len().max(other.len())).find(|at| log.get(*at) != other.get(*at)) {
            let near = |log: &[String]| log[at.saturating_sub(8)..log.len().min(at + 2)].join("\n");
            panic!("seed {seed} has two stories:\n{}\n\n{}", near(&log), near(&other));
        }
        assert_eq!(tally, again, "seed {seed}");
    }
}
