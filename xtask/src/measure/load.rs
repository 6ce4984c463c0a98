//! `waypost bench`, sending and taking.

use super::{Context, process};
use crate::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::Read as _;
use std::net::{SocketAddr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a program to begin to listen.
const START_LIMIT: Duration = Duration::from_secs(20);
/// For the sink to get the last message after the last was accepted.
const SINK_LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(5);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) messages: u64,
    /// Octets of each.
    pub(super) size: u32,
    pub(super) to: &'static str,
    /// Many messages over each connection.
    pub(super) keep: bool,
    pub(super) starttls: bool,
    /// Messages a second at most.
    pub(super) rate: Option<u32>,
    pub(super) recipients: u32,
}

impl Default for Load {
    /// What `relay-bench` sends: 4 KiB over 50 connections.
    fn default() -> Self {
        Self {
            connections: 50,
            messages: 20_000,
            size: 4096,
            to: "rcpt@sink.test",
            keep: true,
            starttls: false,
            rate: None,
            recipients: 1,
        }
    }
}

/// The generator's report, as far as it is of use here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sent {
    pub(super) messages_per_second: f64,
    pub(super) seconds: f64,
    accepted: u64,
    ok: bool,
    problems: Vec<Problem>,
}

#[derive(Debug, Clone, Deserialize)]
struct Problem {
    text: String,
    count: u64,
}

impl Load {
    /// Sends all, and is content only when all was accepted.
    pub(super) fn send(&self, context: &Context<'_>, server: SocketAddr) -> Result<Sent, Error> {
        let mut command = Command::new(context.program);
        command.args(["bench", "--json", "--from", "sender@source.test", "--to", self.to]);
        command.args(["--server", &format!("smtp://{server}")]);
        let numbers: [(&str, u64); 4] = [
            ("--connections", self.connections.into()),
            ("--messages", self.messages),
            ("--size", self.size.into()),
            ("--recipients", self.recipients.into()),
        ];
        for (flag, value) in numbers {
            command.args([flag, &value.to_string()]);
        }
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if self.keep {
            command.arg("--keep");
        }
        let tls: &[&str] =
            if self.starttls { &["--tls", "starttls", "--insecure"] } else { &["--tls", "none"] };
        let mut child = spawn(command.args(tls))?;
        let sent: Sent = report(&mut child)?;
        child.wait()?;
        if sent.ok {
            return Ok(sent);
        }
        let problems: Vec<String> =
            sent.problems.iter().map(|problem| format!("{} x {}", problem.count, problem.text)).collect();
        let Self { messages, .. } = self;
        Err(Error::Stuck(format!("{} of {messages} accepted: {}", sent.accepted, problems.join("; "))))
    }
}

/// `waypost bench sink` for so many messages.
#[derive(Debug)]
pub(super) struct Sink {
    child: Child,
}

/// The sink's report, as far as it is of use here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Taken {
    /// From its first connection to its last message.
    pub(super) messages_per_second: f64,
}

impl Sink {
    /// Returns when it listens.
    pub(super) fn start(context: &Context<'_>, place: SocketAddrV4, messages: u64) -> Result<Self, Error> {
        // Whoever listened there before must have gone, or it would be taken for this one.
        wait("the port of the last sink to be free", || !process::is_listening(place))?;
        let mut command = Command::new(context.program);
        let (listen, messages) = (place.to_string(), messages.to_string());
        command.args(["bench", "sink", "--json", "--listen", &listen, "--messages", &messages]);
        let sink = Self { child: spawn(&mut command)? };
        wait("the sink to listen", || process::is_listening(place))?;
        Ok(sink)
    }

    /// Waits for the last message.
    pub(super) fn finish(mut self) -> Result<Taken, Error> {
        let until = Instant::now() + SINK_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err(Error::Stuck("not all messages came to the sink".to_owned()));
            }
            std::thread::sleep(LOOK);
        }
        report(&mut self.child)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Messages a second through a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relayed {
    /// Answered 250.
    pub(super) accepted: f64,
    /// Arrived at the sink.
    pub(super) delivered: f64,
}

/// Sends through `server`, which passes everything on to `sink`.
pub(super) fn relay(
    context: &Context<'_>,
    load: &Load,
    server: SocketAddr,
    sink: SocketAddrV4,
) -> Result<Relayed, Error> {
    let sink = Sink::start(context, sink, load.messages)?;
    let sent = load.send(context, server)?;
    let taken = sink.finish()?;
    Ok(Relayed { accepted: sent.messages_per_second, delivered: taken.messages_per_second })
}

fn spawn(command: &mut Command) -> Result<Child, Error> {
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?)
}

/// What the program prints, to its end.
fn report<T: DeserializeOwned>(child: &mut Child) -> Result<T, Error> {
    let mut text = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut text)?;
    }
    serde_json::from_str(&text)
        .map_err(|error| Error::NoReport { program: "waypost bench".to_owned(), error })
}

pub(super) fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), Error> {
    let until = Instant::now() + START_LIMIT;
    while !done() {
        if Instant::now() > until {
            return Err(Error::Stuck(format!("waited too long for {what}")));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
