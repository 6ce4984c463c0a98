//! `waypost bench` beside Postfix's smtp-source, both into Postfix's smtp-sink: which fills it, and with how much CPU?

use super::figure::{Figure, median};
use super::load::wait;
use super::postfix::free_place;
use super::{Context, Findings, process};
use crate::Error;
use std::net::SocketAddrV4;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So many that what starting takes does not count.
const MESSAGES: u64 = 40_000;
const SESSIONS: &str = "50";
/// Octets of a message.
const SIZE: &str = "4096";
/// A sink that is busy for so much of the time takes no more.
const SATURATED: f64 = 0.9;
/// Connections that the sink takes, and that may wait for it.
const ROOM: &str = "1000";

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    for (name, keep) in [("new", false), ("kept", true)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=context.rounds {
            context.tell(format!("{name}, round {round} of {}: waypost bench", context.rounds));
            ours.push(turn(context, |sink| waypost_bench(context, sink, keep))?);
            context.tell(format!("{name}, round {round} of {}: smtp-source", context.rounds));
            theirs.push(turn(context, |sink| smtp_source(context, sink, keep))?);
        }
        findings.figures.extend(figures(name, &ours, &theirs));
    }
    Ok(findings)
}

/// What a generator took for its messages, from its start to its end.
#[derive(Debug, Clone, Copy)]
struct Turn {
    messages: u64,
    time: Duration,
    cpu: Duration,
    /// Of the sink.
    sink_cpu: Duration,
}

impl Turn {
    fn rate(&self) -> f64 {
        self.messages as f64 / self.time.as_secs_f64()
    }

    /// Microseconds for each message.
    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }

    /// How much of the time the sink had work; it has one thread.
    fn sink_busy(&self) -> f64 {
        self.sink_cpu.as_secs_f64() / self.time.as_secs_f64()
    }
}

fn turn(context: &Context<'_>, generator: impl FnOnce(SocketAddrV4) -> Command) -> Result<Turn, Error> {
    let sink = Sink::start()?;
    let (before, sink_before) = (process::cpu_of_ended_children()?, process::cpu(sink.child.id())?);
    let mut command = generator(sink.place);
    let program = command.get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut child = start(&mut command)?;
    let status = child.wait()?;
    let time = began.elapsed();
    if !status.success() {
        return Err(Error::Stuck(format!("{program}: {status}")));
    }
    Ok(Turn {
        messages: context.messages(MESSAGES),
        time,
        cpu: process::cpu_of_ended_children()?.saturating_sub(before),
        sink_cpu: process::cpu(sink.child.id())?.saturating_sub(sink_before),
    })
}

fn waypost_bench(context: &Context<'_>, sink: SocketAddrV4, keep: bool) -> Command {
    let mut command = Command::new(context.program);
    command.args([
        "bench",
        "--json",
        "--tls",
        "none",
        "--from",
        "sender@source.test",
        "--to",
        "rcpt@sink.test",
    ]);
    command.args(["--server", &format!("smtp://{sink}"), "--connections", SESSIONS, "--size", SIZE]);
    command.args(["--messages", &context.messages(MESSAGES).to_string()]).args(keep.then_some("--keep"));
    command
}

fn smtp_source(context: &Context<'_>, sink: SocketAddrV4, keep: bool) -> Command {
    let mut command = Command::new("smtp-source");
    command.args(["-s", SESSIONS, "-l", SIZE, "-m", &context.messages(MESSAGES).to_string()]);
    command.args(["-f", "sender@source.test", "-t", "rcpt@sink.test"]).args(keep.then_some("-d"));
    command.arg(sink.to_string());
    command
}

/// Postfix's smtp-sink; dropped, it is killed.
#[derive(Debug)]
struct Sink {
    child: Child,
    place: SocketAddrV4,
}

impl Sink {
    /// Returns when it listens.
    fn start() -> Result<Self, Error> {
        let place = free_place()?;
        let mut command = Command::new("smtp-sink");
        // Root may not run it as root; others cannot become somebody else.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.args(["-m", ROOM, &place.to_string(), ROOM]);
        let sink = Self { child: start(&mut command)?, place };
        wait("smtp-sink to listen", || process::is_listening(place))?;
        Ok(sink)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(command: &mut Command) -> Result<Child, Error> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    started.map_err(|error| {
        let program = command.get_program().to_string_lossy();
        Error::Stuck(format!("{program}: {error}; smtp-source and smtp-sink are in Debian's postfix"))
    })
}

fn figures(name: &str, ours: &[Turn], theirs: &[Turn]) -> Vec<Figure> {
    let of = |turns: &[Turn], pick: fn(&Turn) -> f64| median(turns.iter().map(pick));
    let mut figures = Vec::new();
    for (who, turns) in [("waypost", ours), ("smtp_source", theirs)] {
        figures.extend([
            Figure::new(format!("{name}_rate_{who}"), of(turns, Turn::rate), "messages/s"),
            Figure::new(format!("{name}_cpu_{who}"), of(turns, Turn::cpu_each), "µs a message"),
            saturated(
                who,
                Figure::new(format!("{name}_sink_busy_{who}"), of(turns, Turn::sink_busy), "of the time"),
            ),
        ]);
    }
    let ratio = |pick: fn(&Turn) -> f64| of(ours, pick) / of(theirs, pick);
    let vs = format!("{name}_rate_vs_smtp_source");
    figures.push(Figure::new(vs, ratio(Turn::rate), "times").at_least(1.0));
    let vs = format!("{name}_cpu_vs_smtp_source");
    figures.push(Figure::new(vs, ratio(Turn::cpu_each), "times").at_most(1.0));
    figures
}

/// That our generator should leave the sink no time to wait.
fn saturated(who: &str, busy: Figure) -> Figure {
    if who == "waypost" { busy.at_least(SATURATED) } else { busy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_processor_times_are_held_against_smtp_source() {
        let turn = |time, cpu| {
            let milliseconds = Duration::from_millis;
            let sink_cpu = milliseconds(time / 2);
            Turn { messages: 1_000, time: milliseconds(time), cpu: milliseconds(cpu), sink_cpu }
        };
        let found = figures("new", &[turn(100, 30), turn(200, 40), turn(400, 50)], &[turn(250, 32)]);
        let shown: Vec<_> =
            found.iter().map(|figure| (figure.name.as_str(), figure.value, figure.reached)).collect();
        assert_eq!(
            shown,
            [
                ("new_rate_waypost", 5_000.0, None),
                ("new_cpu_waypost", 40.0, None),
                ("new_sink_busy_waypost", 0.5, Some(false)),
                ("new_rate_smtp_source", 4_000.0, None),
                ("new_cpu_smtp_source", 32.0, None),
                ("new_sink_busy_smtp_source", 0.5, None),
                ("new_rate_vs_smtp_source", 1.25, Some(true)),
                ("new_cpu_vs_smtp_source", 1.25, Some(false)),
            ]
        );
    }
}
