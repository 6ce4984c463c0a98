//! A million deferred messages for 100,000 domains: does `serve` start, and work, as if they were not there?
//!
//! The queue is filled by the store's own functions (see [`fill`]), as a server would have left it, trail and all.

use super::figure::{Figure, median};
use super::fill::{self, State};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings, process, sink};
use crate::Error;
use crate::installation::Installation;
use crate::wire::Wire;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const MESSAGES: u64 = 1_000_000;
const PER_DOMAIN: u64 = 10;
/// Of the load whose rate is compared.
const LOAD: u64 = 20_000;
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let messages = context.messages(MESSAGES);
    let domains = messages.div_ceil(PER_DOMAIN);
    // The first delivery comes to a sink of ours, whose moment counts; the loads have sinks of their own after it.
    let tables = "[[route]]\ndomain = \"first.test\"\nto = \"smtp://127.0.0.1:FIRST\"";
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let first = listener.local_addr()?;
    drop(listener);
    let tables = tables.replace("FIRST", &first.port().to_string());
    let site = Site::new(context.program, "", &tables)?;
    let filling = Instant::now();
    fill::queue(context, &site.installation, messages, domains, "d{}.million.test", State::Deferred)?;
    let filled = filling.elapsed();

    context.tell("starting".to_owned());
    let SocketAddr::V4(first) = first else { return Err(Error::Stuck("127.0.0.1 is IPv4".to_owned())) };
    let arrivals = sink::start(first, Duration::ZERO)?;
    let began = Instant::now();
    let server = site.installation.serve()?;
    let ready = began.elapsed();
    let peak = process::Peak::default();
    std::thread::scope(|scope| {
        let (peak, id) = (&peak, server.id());
        scope.spawn(move || peak.watch(id));
        let result = (|| {
            send_one(site.smtp())?;
            let arrived = arrivals.recv_timeout(LIMIT).map_err(|error| Error::Stuck(error.to_string()))?;
            context.tell("waiting until the queue is read".to_owned());
            let read = process::wait_until_idle(id, LIMIT)?.then(|| began.elapsed());
            let settled = process::memory(id)?;
            let summary = seconds(&site.installation, &["queue", "summary"])?;
            let list = seconds(&site.installation, &["queue", "list"])?;
            let [with, without] = rates(context, &site)?;
            Ok(Findings::of([
                Figure::new("messages", messages as f64, "messages"),
                Figure::new("domains", domains as f64, "domains"),
                Figure::new("filled_in", filled.as_secs_f64(), "s"),
                Figure::new("ready_after", ready.as_secs_f64(), "s"),
                Figure::new("new_mail_delivered_after", (arrived - began).as_secs_f64(), "s").at_most(5.0),
                Figure::new("queue_read_after", read.map_or(f64::NAN, |read| read.as_secs_f64()), "s"),
                Figure::new("memory_settled_pss", megabytes(settled.pss), "MB"),
                Figure::new("memory_highest_pss", megabytes(peak.kib()), "MB").at_most(300.0),
                Figure::new("queue_summary", summary, "s").at_most(2.0),
                Figure::new("queue_list", list, "s").at_most(2.0),
                Figure::new("accepted_with_queue", with, "messages/s"),
                Figure::new("accepted_with_empty_queue", without, "messages/s"),
                Figure::new("with_vs_empty", with / without, "times").at_least(0.8),
            ]))
        })();
        peak.end();
        result
    })
}

/// Of 10^6 octets.
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn send_one(server: SocketAddr) -> Result<(), Error> {
    let mut wire = Wire::connect(server)?;
    wire.reply()?;
    let message = "Subject: first\r\n\r\nnew mail\r\n.\r\n";
    for text in
        ["EHLO new.test\r\n", "MAIL FROM:<a@new.test>\r\n", "RCPT TO:<b@first.test>\r\n", "DATA\r\n", message]
    {
        let reply = wire.ask(text)?;
        if !reply.is_positive() {
            return Err(Error::Stuck(format!("{}: {} {}", text.trim(), reply.code, reply.text)));
        }
    }
    Ok(())
}

fn seconds(installation: &Installation, words: &[&str]) -> Result<f64, Error> {
    let began = Instant::now();
    installation.command(words, "")?;
    Ok(began.elapsed().as_secs_f64())
}

/// Messages accepted a second with the queue, and by a server with none, in turns.
fn rates(context: &Context<'_>, full: &Site) -> Result<[f64; 2], Error> {
    let (empty, _server) = Site::serve(context.program)?;
    let load = Load { messages: LOAD.min(context.messages(LOAD)), ..Load::default() };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 1..=context.rounds {
        context.tell(format!("round {round} of {}: with the queue", context.rounds));
        with.push(relay(context, &load, full.smtp(), full.sink())?.accepted);
        context.tell(format!("round {round} of {}: without", context.rounds));
        without.push(relay(context, &load, empty.smtp(), empty.sink())?.accepted);
    }
    Ok([median(with), median(without)])
}
