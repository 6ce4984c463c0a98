//! The power goes, at any point of a run: what was answered 250 before is there when it comes back.

use crate::disk::{Disk, Luck, files};
use crate::load::Session;
use crate::oracle;
use crate::random::Random;
use crate::record::{Call, Journal, Mark, Record};
use crate::server::{Site, free_port};
use crate::shim::{Control, EIO, Fault, SYNC};
use crate::sink::Sink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The points of the ordinary tests; `WAYPOST_POWER_CUTS` has others cut more often.
const POINTS: usize = 12;
const SESSIONS: usize = 6;

/// How long a client that was refused waits.
const BACK_OFF: Duration = Duration::from_millis(20);

/// What is recorded.
struct Plan {
    /// Messages answered 250 before the server is killed the first time, and after.
    promises: [usize; 2],
    /// A sync fails in the second half, and the disk recovers.
    fails: bool,
}

/// A run under load, recorded: set-up, a first server that is killed, a second that is stopped. Returns what is left too.
fn record(site: &Site, journal: &Arc<Journal>, sink: Sink, plan: &Plan) -> Record {
    sink.serve(Arc::clone(journal));
    let control = Control::new(&site.control());
    // Long enough that several sessions meet in one transaction.
    control.slow(SYNC, 500);
    site.set_up();
    journal.note(Mark::Ready, "");
    let server = site.start().unwrap();
    load(site, journal, "first", plan.promises[0], || server.kill());
    let server = site.start().unwrap();
    if plan.fails {
        load(site, journal, "second", plan.promises[1] / 2, || {});
        control.fail(Fault { kinds: SYNC, error: EIO, skip: 3, count: 1, only: ".db-wal" });
    }
    load(site, journal, "third", plan.promises[1], || server.stop());
    Record::read(&site.trace(), &site.root().canonicalize().unwrap())
}

/// Sends in several sessions until so many more were answered 250; then calls `end`, and waits for the sessions.
fn load(site: &Site, journal: &Arc<Journal>, name: &str, promises: usize, end: impl FnOnce()) {
    let before = journal.count(Mark::Promised);
    let enough = move |journal: &Journal| journal.count(Mark::Promised) >= before + promises;
    std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|session| {
                scope.spawn(move || {
                    let name = format!("{name}{session}");
                    if let Err(error) = send(site.port, journal, &name, &enough) {
                        println!("{name}: {error}");
                    }
                })
            })
            .collect();
        while !enough(journal) && !sessions.iter().all(|session| session.is_finished()) {
            std::thread::sleep(Duration::from_millis(2));
        }
        end();
    });
    assert!(enough(journal), "the sessions ended before: {}", site.complaints());
}

/// Sends one message after another, also past refusals, as long as there is a server.
fn send(port: u16, journal: &Journal, name: &str, enough: &impl Fn(&Journal) -> bool) -> std::io::Result<()> {
    let mut session = Session::open(port)?;
    for number in 0.. {
        let reply = session.send(&format!("{name}-{number}"), journal)?;
        if !reply.starts_with("250") {
            assert!(reply.starts_with("451"), "{reply}");
            std::thread::sleep(BACK_OFF);
            session = Session::open(port)?;
        }
        // A few more than asked for, so that the end comes in the middle of some.
        if enough(journal) && number % 3 == 2 {
            break;
        }
    }
    Ok(())
}

/// Cuts the power after call `point` of the record, and looks at what comes back.
fn cut(site: &Site, record: &Record, point: usize, seed: u64) -> Result<(), String> {
    let luck = Luck::Seed(seed);
    site.replace_disk(|root| Disk::after(record, point, luck).build(root, luck));
    site.start()?.kill();
    if site.log().contains("damaged") {
        return Err(site.complaints());
    }
    oracle::broken(&site.data(), &record.marks(point)).map(|_| ())
}

/// Points of the record, the more the later a call that makes something safe: half of them just before or after a promise.
fn points(record: &Record, count: usize, random: &mut Random) -> Vec<usize> {
    let promises: Vec<usize> = (0..record.calls.len())
        .filter(|place| matches!(record.calls[*place], Call::Mark(Mark::Promised, _)))
        .collect();
    let point = |number: usize| match number % 2 {
        0 => random.below(record.calls.len() + 1),
        _ => promises[random.below(promises.len())] + 1,
    };
    (0..count).map(point).collect()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}: a number")))
}

/// Records a run by `plan` and cuts it at `count` points.
fn cuts(plan: &Plan, count: usize) {
    let seed = setting("WAYPOST_SEED").unwrap_or(4);
    let sink = Sink::new();
    let site = Site::new(sink.port(), true);
    let journal = Arc::new(Journal::recording(&site.trace()));
    let record = record(&site, &journal, sink, plan);
    if !plan.fails {
        whole(&record, &site.root());
    }
    // Where nothing is delivered any more: what was in the queue stays there to be found.
    let site = Site::new(free_port(), false);
    let mut failed = Vec::new();
    let mut random = Random::new(seed);
    for (number, point) in points(&record, count, &mut random).into_iter().enumerate() {
        if let Err(what) = cut(&site, &record, point, seed.wrapping_add(number as u64)) {
            failed.push(format!("cut {number} after call {point} of {}: {what}", record.calls.len()));
        }
    }
    assert!(failed.is_empty(), "seed {seed}, {} of {count}:\n{}", failed.len(), failed.join("\n"));
}

/// Nothing passed beside the shim: with every call kept, the record makes exactly what the run left.
fn whole(record: &Record, root: &Path) {
    let made = tempfile::tempdir().unwrap();
    Disk::after(record, record.calls.len(), Luck::All).build(made.path(), Luck::All);
    let (made, left) = (files(made.path()), files(root));
    assert_eq!(made.keys().collect::<Vec<_>>(), left.keys().collect::<Vec<_>>());
    for (path, content) in &made {
        // What processes share in memory is not for the disk.
        let shared = path.to_string_lossy().ends_with("-shm");
        assert!(shared || *content == left[path], "{} differs from its record", path.display());
    }
}

#[test]
fn what_was_answered_250_survives_a_power_cut() {
    cuts(&Plan { promises: [40, 60], fails: false }, POINTS);
}

/// What a sync that failed was to make safe may be lost however often the file is synced later: a disk that recovers
/// must not take it for safe.
#[test]
fn what_was_answered_250_survives_a_power_cut_after_a_sync_failed() {
    cuts(&Plan { promises: [20, 60], fails: true }, POINTS);
}

/// `WAYPOST_POWER_CUTS=500 cargo test -p waypost --test faults -- --ignored power_cuts`
#[test]
#[ignore = "takes minutes"]
fn hundreds_of_power_cuts() {
    let count = setting("WAYPOST_POWER_CUTS").unwrap_or(500) as usize;
    cuts(&Plan { promises: [300, 700], fails: false }, count / 2);
    cuts(&Plan { promises: [300, 700], fails: true }, count - count / 2);
}
