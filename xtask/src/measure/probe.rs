//! How long the 250 takes, asked at a steady pace while something else goes on.

use crate::Error;
use crate::wire::Wire;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Sessions, and the pause between the messages of each: 200 messages a second, far from what would be load.
const SESSIONS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// Milliseconds from the moment a message was due to be sent to its 250: one that waits for another counts its waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    pub(super) count: usize,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// Sends messages of 4 KiB to `recipient` from now until `work` is done.
pub(super) fn during<T>(
    server: SocketAddr,
    recipient: &str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Latency), Error> {
    let wires = (0..SESSIONS).map(|_| greet(server)).collect::<Result<Vec<_>, _>>()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = &over;
        let began = Instant::now();
        let sessions: Vec<_> = (0..SESSIONS)
            .zip(wires)
            .map(|(number, wire)| {
                let first = began + PAUSE / SESSIONS * number;
                scope.spawn(move || session(wire, recipient, first, over))
            })
            .collect();
        let done = work();
        over.store(true, Ordering::SeqCst);
        let mut times = Vec::new();
        for session in sessions {
            let ended = session.join().map_err(|_| Error::Stuck("a session panicked".to_owned()))?;
            times.extend(ended?);
        }
        Ok((done?, latency(times)))
    })
}

fn greet(server: SocketAddr) -> Result<Wire, Error> {
    let mut wire = Wire::connect(server)?;
    wire.reply()?;
    wire.ask("EHLO probe.test\r\n")?;
    Ok(wire)
}

fn session(
    mut wire: Wire,
    recipient: &str,
    first: Instant,
    over: &AtomicBool,
) -> Result<Vec<Duration>, Error> {
    let envelope = format!("MAIL FROM:<probe@source.test>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
    let message = format!("Subject: probe\r\n\r\n{}.\r\n", format!("{}\r\n", "x".repeat(76)).repeat(52));
    let (mut due, mut times) = (first, Vec::new());
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        wire.send(envelope.as_bytes())?;
        for _ in 0..3 {
            wire.reply()?;
        }
        let reply = wire.ask(&message)?;
        if reply.code != 250 {
            return Err(Error::Stuck(format!("a message was not accepted: {} {}", reply.code, reply.text)));
        }
        times.push(due.elapsed());
        due += PAUSE;
    }
    Ok(times)
}

pub(super) fn latency(mut times: Vec<Duration>) -> Latency {
    times.sort_unstable();
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(rank).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    Latency { count: times.len(), p50: at(50), p99: at(99), max: at(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_times() {
        let found = latency((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!((found.count, found.p50, found.p99, found.max), (200, 100.0, 198.0, 200.0));
        assert!(latency(Vec::new()).p99.is_nan());
    }
}
