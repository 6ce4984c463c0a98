//! A 250 is a promise: the power goes at any point of a run, and what was answered 250 before is there when it comes back.
//!
//! A run under load is recorded below the program's file calls: set-up, a first server that is killed, a second that is
//! stopped; in every second run a sync fails in between, and the disk recovers. Then, for many points of the record,
//! the data folder is built that a disk may have after a power cut there (see `disk.rs` for what that is),
//! the server is started on it and killed, and all that the store has is held against what was answered by that point. At one
//! point in four the power goes again while that server starts.
//!
//! The seed decides where the power goes and what the disk keeps; the record itself is another each time.

mod disk;
mod luck;
mod record;
mod run;

pub use luck::Damage;

use crate::faults::{Control, Kept, Mark, Site, broken};
use crate::random::Random;
use crate::{Error, free_port};
use disk::{Disk, Held};
use luck::Luck;
use record::{Call, Record};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// At one point in so many the power goes twice.
const ONE_IN_AGAIN: u64 = 4;
/// Failures that are told in words.
const MAX_FAILURES: usize = 20;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The `waypost` whose power goes.
    pub program: PathBuf,
    /// Where it goes.
    pub points: u32,
    /// So many of them in one record; then another is made.
    pub points_per_record: u32,
    pub seed: u64,
    /// Messages of a record that are answered 250 before the first server is killed, and by the second.
    pub promises: [u64; 2],
    /// Syncs of these paths, relative to the disk, are left out of the record, as if the program had forgotten them: promises
    /// must be found broken then.
    pub forgotten: Option<fn(&Path) -> bool>,
}

impl Settings {
    pub fn new(program: PathBuf) -> Self {
        Self { program, points: 1000, points_per_record: 50, seed: 1, promises: [40, 60], forgotten: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    pub points: u32,
    pub seed: u64,
    pub seconds: f64,
    /// Runs that were recorded.
    pub records: u32,
    /// File calls in them, and the syncs among these.
    pub calls: u64,
    pub syncs: u64,
    /// Syncs that were made to fail.
    pub syncs_failed: u64,
    /// Points at which the power went again during the start.
    pub cut_again: u32,
    /// Messages answered 250 before a cut, looked for after it: each counts at each point.
    pub promises: u64,
    /// Messages found though they had not been answered 250 yet. They are whole, and may be there.
    pub unanswered: u64,
    #[serde(flatten)]
    pub damage: Damage,
    /// How many things were wrong.
    pub failed: u64,
    /// The first of them in words.
    pub failures: Vec<String>,
    /// The folder of the first, when something was wrong.
    pub kept: Option<PathBuf>,
}

/// Cuts the power at all points; `progress` hears of each.
///
/// # Errors
/// When the runs cannot be made. That a promise was broken is in the report.
pub fn run(settings: &Settings, mut progress: impl FnMut(u32)) -> Result<Report, Error> {
    let began = Instant::now();
    let random = Random::new(settings.seed);
    let mut report = Report { seed: settings.seed, ..Report::default() };
    while report.points < settings.points {
        let mut random = random.branch(u64::from(report.records) + 1);
        let fails = report.records % 2 == 1;
        let mut record = run::record(settings, fails, &mut random, &mut report)?;
        if let Some(forgotten) = settings.forgotten {
            record.forget_syncs(forgotten);
        }
        report.records += 1;
        report.calls += record.calls.len() as u64;
        report.syncs += record.syncs() as u64;
        let points = settings.points_per_record.min(settings.points - report.points);
        cut_all(settings, &record, points, &mut random, &mut report, &mut progress)?;
    }
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Cuts the power at so many points of a record.
fn cut_all(
    settings: &Settings,
    record: &Record,
    points: u32,
    random: &mut Random,
    report: &mut Report,
    progress: &mut impl FnMut(u32),
) -> Result<(), Error> {
    // Nothing listens where it delivers: what was in the queue stays there to be found.
    let mut site = Site::new(&settings.program, free_port()?)?;
    for number in 0..points {
        let point = point(record, number, random);
        let cut = Cut { record, point, seed: random.next_u64(), again: random.one_in(ONE_IN_AGAIN) };
        report.cut_again += u32::from(cut.again);
        match cut.check(&site, report) {
            Ok(kept) => {
                report.promises += kept.promised;
                report.unanswered += kept.unanswered;
            }
            Err(what) => {
                let calls = record.calls.len();
                report.fail(format!("record {}, {cut}, call {point} of {calls}: {what}", report.records));
                if report.kept.is_none() {
                    let next = Site::new(&settings.program, free_port()?)?;
                    report.kept = Some(std::mem::replace(&mut site, next).keep());
                }
            }
        }
        report.points += 1;
        progress(report.points);
    }
    Ok(())
}

/// Half of the points are just after a promise, the others anywhere.
fn point(record: &Record, number: u32, random: &mut Random) -> usize {
    let is_promise = |call: &Call| matches!(call, Call::Mark(Mark::Promised, _));
    let promises: Vec<usize> = record
        .calls
        .iter()
        .enumerate()
        .filter(|(_, call)| is_promise(call))
        .map(|(place, _)| place)
        .collect();
    match promises.get(random.place(promises.len())) {
        Some(place) if number % 2 == 1 => place + 1,
        _ => random.place(record.calls.len() + 1),
    }
}

/// One cut.
struct Cut<'a> {
    record: &'a Record,
    point: usize,
    seed: u64,
    again: bool,
}

impl std::fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "luck {:#x}{}", self.seed, if self.again { ", and again" } else { "" })
    }
}

impl Cut<'_> {
    /// What the disk has is built, and looked at after a start; the text says what is wrong with it.
    fn check(&self, site: &Site, report: &mut Report) -> Result<Kept, String> {
        let luck = Luck::Seed(self.seed);
        let mut cut = || -> Result<(), Error> {
            let disk = Disk::new(self.record).play(self.point, luck)?;
            site.replace_disk(|root| disk.build(root, luck).map(|damage| report.damage += damage))?;
            if self.again {
                report.damage += self.cut_again(site)?;
            }
            site.start()?.kill()
        };
        cut().map_err(|error| error.to_string())?;
        // A database that was set aside was lost, also where what it held can be made anew.
        if ["damaged", "panicked"].iter().any(|word| site.log().contains(word)) {
            return Err(site.complaints());
        }
        broken(site, &self.record.marks(self.point))
    }

    /// Starts the server on what is there, and has the power go at any point of that.
    fn cut_again(&self, site: &Site) -> Result<Damage, Error> {
        let held = Held::read(&site.root())?;
        std::fs::write(site.trace(), "")?;
        let control = Control::new(&site.control())?;
        let server = site.start()?;
        control.halt()?;
        server.kill()?;
        let record = Record::read(&site.trace(), &site.root().canonicalize()?)?;
        let mut random = Random::new(self.seed).branch(2);
        let luck = Luck::Seed(random.next_u64());
        let point = random.place(record.calls.len() + 1);
        let disk = Disk::holding(held, &record).play(point, luck)?;
        let mut damage = Damage::default();
        site.replace_disk(|root| disk.build(root, luck).map(|did| damage = did))?;
        Ok(damage)
    }
}

impl Report {
    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(what);
        }
    }
}
