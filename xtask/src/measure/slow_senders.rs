//! Ten thousand clients, idle, of which a thousand begin to send slowly, beside one that is fast: does it notice?

use super::figure::{Figure, median};
use super::idle::{OTHER_FILES, allowed, open};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings};
use crate::Error;
use crate::wire::Wire;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// All of them, but for the fast one.
const CONNECTIONS: u64 = 10_000;
/// Of these, or all if there are fewer.
const SENDERS: u64 = 1_000;
const MESSAGES: u64 = 5_000;
/// Each slow sender sends a line in that time: somewhat faster than what is cut off.
const PAUSE: Duration = Duration::from_secs(1);
/// Octets of a line, with its end.
const LINE: usize = 160;

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let connections = allowed(context.connections.unwrap_or(CONNECTIONS))?;
    let count = connections.min(SENDERS);
    let limits = format!("connections = {}\nidle = \"1 h\"", connections + OTHER_FILES);
    let site = Site::new(context.program, &limits, "")?;
    let _server = site.installation.serve()?;
    let idle = (0..connections - count)
        .map(|number| open(&site.installation, site.smtp(), number, false))
        .collect::<Result<Vec<_>, _>>()?;
    let load = Load { connections: 1, messages: context.messages(MESSAGES), ..Load::default() };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=context.rounds {
        context.tell(format!("round {round} of {}: alone", context.rounds));
        alone.push(relay(context, &load, site.smtp(), site.sink())?.accepted);
        context.tell(format!("round {round} of {}: beside {count} slow senders", context.rounds));
        beside.push(with_slow_senders(site.smtp(), count, || {
            Ok(relay(context, &load, site.smtp(), site.sink())?.accepted)
        })?);
    }
    let (alone, beside) = (median(alone), median(beside));
    Ok(Findings::of([
        Figure::new("idle", idle.len() as f64, "connections"),
        Figure::new("slow_senders", count as f64, "connections"),
        Figure::new("alone", alone, "messages/s"),
        Figure::new("beside_slow_senders", beside, "messages/s"),
        Figure::new("beside_vs_alone", beside / alone, "times").at_least(0.9),
    ]))
}

/// Does `work` while so many are in the middle of their messages; says an error when one of them was cut off.
fn with_slow_senders<T>(
    server: SocketAddr,
    count: u64,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let senders = (0..count).map(|_| begin(server)).collect::<Result<Vec<_>, _>>()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let dripping = scope.spawn(|| drip(&senders, &over));
        let done = work();
        over.store(true, Ordering::SeqCst);
        match dripping.join() {
            Ok(Ok(())) => done,
            Ok(Err(error)) => Err(Error::Stuck(format!("a slow sender was cut off: {error}"))),
            Err(_) => Err(Error::Stuck("the slow senders panicked".to_owned())),
        }
    })
}

/// A connection in the middle of a message.
fn begin(server: SocketAddr) -> Result<TcpStream, Error> {
    let mut wire = Wire::connect(server)?;
    wire.reply()?;
    for line in ["EHLO slow.test", "MAIL FROM:<slow@source.test>", "RCPT TO:<rcpt@sink.test>", "DATA"] {
        let reply = wire.ask(format!("{line}\r\n"))?;
        if !reply.is_positive() {
            return Err(Error::Stuck(format!("{line}: {} {}", reply.code, reply.text)));
        }
    }
    Ok(wire.socket().try_clone()?)
}

/// A line from each in turn, evenly over the time.
fn drip(senders: &[TcpStream], over: &AtomicBool) -> std::io::Result<()> {
    let pause = PAUSE / u32::try_from(senders.len().max(1)).unwrap_or(u32::MAX);
    let line = format!("{}\r\n", "x".repeat(LINE - 2));
    let mut due = Instant::now();
    for mut sender in senders.iter().cycle() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        sender.write_all(line.as_bytes())?;
        due += pause;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
