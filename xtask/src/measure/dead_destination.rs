//! A destination that is dead, with 100,000 messages, and one that answers after 30 s: does mail to others go on?
//!
//! Three servers run at once and have their turns: one with an empty queue, one with each of the two.

use super::figure::{Figure, median};
use super::fill::{self, State};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings, sink};
use crate::Error;
use crate::installation::{NEXT, Server};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::Duration;

const MESSAGES: u64 = 100_000;
/// For the destination that answers late, which takes a few at a time.
const SLOW_MESSAGES: u64 = 1_000;
const LOAD: u64 = 20_000;
const PAUSE: Duration = Duration::from_secs(30);
/// Often enough that retries fall into what is measured: five times as often as they come by default.
const RETRY: &str = "[queue]\nfirst-retry = \"1 min\"";

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let messages = context.messages(MESSAGES);
    let load = Load { messages: LOAD, ..Load::default() };
    let (empty, _empty) = Site::serve(context.program)?;
    let (dead, _dead) = site(context, messages, None)?;
    // While the queue is still being read and all of it is attempted for the first time.
    context.tell("with the dead destination, from its start".to_owned());
    let at_start = relay(context, &load, dead.smtp(), dead.sink())?.delivered;
    let (slow, _slow) = site(context, messages.min(SLOW_MESSAGES), Some(PAUSE))?;
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 1..=context.rounds {
        let sites = [("an empty queue", &empty), ("the dead destination", &dead), ("the slow one", &slow)];
        for ((name, site), rates) in sites.into_iter().zip(&mut rates) {
            context.tell(format!("round {round} of {}: with {name}", context.rounds));
            rates.push(relay(context, &load, site.smtp(), site.sink())?.delivered);
        }
    }
    let [without, with_dead, with_slow] = rates.map(median);
    Ok(Findings::of([
        Figure::new("messages", messages as f64, "messages"),
        Figure::new("without", without, "messages/s"),
        Figure::new("with_dead", with_dead, "messages/s"),
        Figure::new("with_slow", with_slow, "messages/s"),
        Figure::new("with_dead_vs_without", with_dead / without, "times").at_least(0.9),
        Figure::new("with_slow_vs_without", with_slow / without, "times").at_least(0.9),
        Figure::new("with_dead_at_start", at_start, "messages/s"),
        Figure::new("with_dead_at_start_vs_without", at_start / without, "times"),
    ]))
}

/// A server with messages for a place where nobody listens, or where each answer takes that long.
fn site(
    context: &Context<'_>,
    messages: u64,
    answers_after: Option<Duration>,
) -> Result<(Site, Server), Error> {
    // Its address is known only once it is there: what is routed by a relay domain does not need it before.
    let site = Site::new(context.program, "", RETRY)?;
    let SocketAddr::V4(place) = site.installation.place(NEXT + 2) else {
        return Err(Error::Stuck("an installation has an address of 127/8".to_owned()));
    };
    if let Some(pause) = answers_after {
        sink::start(SocketAddrV4::new(*place.ip(), place.port()), pause)?;
    }
    let url = format!("smtp://{}:{}", IpAddr::V4(*place.ip()), place.port());
    site.installation.command(&["domain", "add", "other.test", "--relay-to", &url], "")?;
    fill::queue(context, &site.installation, messages, 1, "other.test", State::Fresh)?;
    let server = site.installation.serve()?;
    Ok((site, server))
}
