//! The run that is recorded.

use super::disk::Disk;
use super::luck::Luck;
use super::record::Record;
use super::{Report, Settings};
use crate::Error;
use crate::faults::{Control, EIO, Fault, Journal, Mark, SYNC, Session, Sink, Site, files};
use crate::random::Random;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SESSIONS: usize = 6;
/// How long a client that was refused waits.
const BACK_OFF: Duration = Duration::from_millis(20);
/// A sync takes so many microseconds, long enough that several sessions meet in one transaction.
const SYNC_TIME: u32 = 500;
/// For so many messages, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// The files one of whose syncs fails.
const FAILING: [&str; 4] = [".db-wal", "/bodies/", "bodies.db", ""];

/// Records a run; in it a sync `fails`, or nothing does.
pub(super) fn record(
    settings: &Settings,
    fails: bool,
    random: &mut Random,
    report: &mut Report,
) -> Result<Record, Error> {
    let sink = Sink::new()?;
    let site = Site::new(&settings.program, sink.port())?;
    let journal = Arc::new(Journal::recording(&site.trace())?);
    sink.serve(Arc::clone(&journal));
    let control = Control::new(&site.control())?;
    control.slow(SYNC, SYNC_TIME)?;
    site.set_up()?;
    journal.note(Mark::Ready, "");
    let [first, second] = settings.promises;
    let server = site.start()?;
    load(&site, &journal, "first", first, || {
        control.halt()?;
        server.kill()
    })?;
    control.release()?;
    let server = site.start()?;
    if fails {
        load(&site, &journal, "second", second / 2, || Ok(()))?;
        let (skip, only) = (random.below(8), random.one_of(FAILING));
        control.fail(Fault { kinds: SYNC, error: EIO, skip, count: 1, only })?;
    }
    load(&site, &journal, "third", second, || server.stop())?;
    report.syncs_failed += if fails { control.failed()? } else { 0 };
    journal.failures().into_iter().for_each(|what| report.fail(what));
    // One who takes mail may still be at it, so what is in the record may be more.
    let noted = journal.marks().len();
    let record = Record::read(&site.trace(), &site.root().canonicalize()?)?;
    let marks = record.marks(record.calls.len()).len();
    if marks < noted {
        return Err(Error::Record(format!("it has {marks} marks of {noted}")));
    }
    if !fails {
        whole(&record, &site.root())?;
    }
    Ok(record)
}

/// Sends in several sessions until so many more were answered 250; then calls `end`, and waits for the sessions.
fn load(
    site: &Site,
    journal: &Journal,
    name: &str,
    promises: u64,
    end: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let goal = journal.count(Mark::Promised) + usize::try_from(promises).unwrap_or(usize::MAX);
    let until = Instant::now() + PATIENCE;
    let enough = || journal.count(Mark::Promised) >= goal;
    std::thread::scope(|scope| {
        let send = |session| send(site.port(), journal, &format!("{name}{session}"), &enough, until);
        let sessions: Vec<_> = (0..SESSIONS).map(|session| scope.spawn(move || send(session))).collect();
        while !enough() && !sessions.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(2));
        }
        end()
    })?;
    if enough() {
        return Ok(());
    }
    Err(Error::Stuck(format!("the sessions ended before their time: {}", site.complaints())))
}

/// Sends one message after another, also past refusals, as long as there is a server.
fn send(
    port: u16,
    journal: &Journal,
    name: &str,
    enough: &impl Fn() -> bool,
    until: Instant,
) -> std::io::Result<()> {
    let mut session = Session::open(port)?;
    for number in 0.. {
        let reply = session.send(&format!("{name}-{number}"), journal)?;
        if !reply.is_positive() {
            if reply.code != 451 {
                journal.fail(format!("{name}-{number} was answered {reply:?}"));
            }
            std::thread::sleep(BACK_OFF);
            session = Session::open(port)?;
        }
        // A few more than asked for, so that the end comes in the middle of some.
        if enough() && number % 3 == 2 || Instant::now() > until {
            break;
        }
    }
    Ok(())
}

/// Nothing passed beside the shim: with every call kept, the record makes exactly what the run left.
fn whole(record: &Record, root: &Path) -> Result<(), Error> {
    let made = tempfile::tempdir()?;
    Disk::new(record).play(record.calls.len(), Luck::All)?.build(made.path(), Luck::All)?;
    let (found, left) = (files(made.path())?, files(root)?);
    if let Some(path) = found.symmetric_difference(&left).next() {
        return Err(Error::Record(format!("{} is on one side only", path.display())));
    }
    for path in &left {
        // What processes share in memory is not for the disk.
        let shared = path.to_string_lossy().ends_with("-shm");
        if !shared && std::fs::read(made.path().join(path))? != std::fs::read(root.join(path))? {
            return Err(Error::Record(format!("{} differs from what was written to it", path.display())));
        }
    }
    Ok(())
}
