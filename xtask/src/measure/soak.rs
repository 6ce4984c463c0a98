//! Twenty minutes at half the highest rate: what grows?

use super::figure::Figure;
use super::load::{Load, Sink, relay};
use super::site::Site;
use super::{Context, Findings, process};
use crate::Error;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MINUTES: u64 = 20;
/// To find the highest rate.
const TRIAL: u64 = 20_000;
/// Samples of the whole time.
const SAMPLES: u32 = 60;
/// The trail is kept for this part of the time, so that what is removed has caught up with what comes in the second quarter.
const TRAIL_KEPT: u64 = 10;
/// Of the time: at first memory grows into its size, so that growth is counted from there.
const BEGINNING: usize = 4;

/// What the server has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Sample {
    seconds: u64,
    pss_mib: u64,
    rss_mib: u64,
    files: usize,
    main_mib: u64,
    main_wal_mib: u64,
    bodies_mib: u64,
    bodies_wal_mib: u64,
    trail_mib: u64,
    trail_wal_mib: u64,
}

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let minutes = context.minutes.unwrap_or(MINUTES);
    let kept = (minutes * 60 / TRAIL_KEPT).max(1);
    let site = Site::new(context.program, &format!("trail = \"{kept} s\""), "")?;
    let server = site.installation.serve()?;
    context.tell("finding the highest rate".to_owned());
    let trial = Load { messages: TRIAL, ..Load::default() };
    let highest = relay(context, &trial, site.smtp(), site.sink())?.delivered;
    let rate = (highest / 2.0) as u32;
    let load = Load { messages: u64::from(rate) * minutes * 60, rate: Some(rate), ..Load::default() };
    let every = Duration::from_secs(minutes * 60) / SAMPLES;
    let over = AtomicBool::new(false);
    let (sent, samples) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(context, &site.installation.data(), server.id(), every, &over));
        let sent = Sink::start(context, site.sink(), load.messages).and_then(|sink| {
            let sent = load.send(context, site.smtp())?;
            sink.finish().map(|_| sent)
        });
        over.store(true, Ordering::SeqCst);
        (sent, watching.join())
    });
    let sent = sent?;
    let samples = samples.map_err(|_| Error::Stuck("the watch panicked".to_owned()))??;
    let mut findings = figures(&samples, rate, sent.seconds);
    findings.series = Some(serde_json::to_value(&samples).unwrap_or_default());
    Ok(findings)
}

fn watch(
    context: &Context<'_>,
    data: &Path,
    process: u32,
    every: Duration,
    over: &AtomicBool,
) -> Result<Vec<Sample>, Error> {
    let (began, mut samples) = (Instant::now(), Vec::new());
    while !over.load(Ordering::SeqCst) {
        let sample = look(data, process, began.elapsed().as_secs())?;
        let Sample { seconds, pss_mib, files, .. } = sample;
        context.tell(format!("{seconds} s: {pss_mib} MiB, {files} files"));
        samples.push(sample);
        let next = began + every * u32::try_from(samples.len()).unwrap_or(u32::MAX);
        while Instant::now() < next && !over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(samples)
}

fn look(data: &Path, process: u32, seconds: u64) -> Result<Sample, Error> {
    let memory = process::memory(process)?;
    let mib = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len() >> 20);
    Ok(Sample {
        seconds,
        pss_mib: memory.pss >> 10,
        rss_mib: memory.rss >> 10,
        files: process::files(process)?,
        main_mib: mib("waypost.db"),
        main_wal_mib: mib("waypost.db-wal"),
        bodies_mib: mib("bodies.db"),
        bodies_wal_mib: mib("bodies.db-wal"),
        trail_mib: mib("trail.db"),
        trail_wal_mib: mib("trail.db-wal"),
    })
}

/// Growth is that of the last quarter's highest over the second quarter's.
fn figures(samples: &[Sample], rate: u32, seconds: f64) -> Findings {
    let quarter = samples.len() / BEGINNING;
    let growth = |pick: fn(&Sample) -> u64| {
        let highest = |part: &[Sample]| part.iter().map(pick).max().unwrap_or(0) as f64;
        let early = samples.get(quarter..quarter * 2).map_or(f64::NAN, highest);
        highest(samples.get(quarter * 3..).unwrap_or_default()) / early.max(1.0)
    };
    let highest = |pick: fn(&Sample) -> u64| samples.iter().map(pick).max().unwrap_or(0) as f64;
    Findings::of([
        Figure::new("rate", rate.into(), "messages/s"),
        Figure::new("time", seconds, "s"),
        Figure::new("memory_highest", highest(|sample| sample.pss_mib), "MiB"),
        Figure::new("memory_growth", growth(|sample| sample.pss_mib), "times").at_most(1.1),
        Figure::new("files_growth", growth(|sample| sample.files as u64), "times").at_most(1.1),
        Figure::new("main_highest", highest(|sample| sample.main_mib), "MiB"),
        Figure::new("main_growth", growth(|sample| sample.main_mib), "times").at_most(1.1),
        Figure::new("bodies_highest", highest(|sample| sample.bodies_mib), "MiB"),
        Figure::new("bodies_growth", growth(|sample| sample.bodies_mib), "times").at_most(1.1),
        Figure::new("main_wal_highest", highest(|sample| sample.main_wal_mib), "MiB").at_most(512.0),
        Figure::new("bodies_wal_highest", highest(|sample| sample.bodies_wal_mib), "MiB").at_most(512.0),
        Figure::new("trail_wal_highest", highest(|sample| sample.trail_wal_mib), "MiB").at_most(512.0),
        Figure::new("trail_highest", highest(|sample| sample.trail_mib), "MiB"),
        Figure::new("trail_growth", growth(|sample| sample.trail_mib), "times").at_most(1.1),
    ])
}
