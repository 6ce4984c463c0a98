//! Destinations that are dead, each in its own way: does mail to others go on?
//!
//! Servers run at once and have their turns: one with an empty queue, one for each of the dead destinations.

use super::figure::{Figure, median};
use super::fill::{self, State};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings, sink};
use crate::Error;
use crate::installation::{NEXT, Server};
use sink::BlackHole;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

const MESSAGES: u64 = 100_000;
/// For the destination that answers late, which takes a few at a time.
const SLOW_MESSAGES: u64 = 1_000;
const LOAD: u64 = 20_000;
const PAUSE: Duration = Duration::from_secs(30);
/// Often enough that retries fall into what is measured: five times as often as they come by default.
const RETRY: &str = "[queue]\nfirst-retry = \"1 min\"";

/// What is wrong with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// It refuses connections.
    Refuses,
    /// Each of its answers takes [`PAUSE`].
    Late,
    /// It answers no SYN.
    Silent,
}

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let messages = context.messages(MESSAGES);
    let load = Load { messages: LOAD, ..Load::default() };
    let (empty, _empty) = Site::serve(context.program)?;
    let dead = Scene::new(context, messages, Flaw::Refuses)?;
    // While the queue is still being read and all of it is attempted for the first time.
    context.tell("with the dead destination, from its start".to_owned());
    let at_start = relay(context, &load, dead.site.smtp(), dead.site.sink())?.delivered;
    let slow = Scene::new(context, messages.min(SLOW_MESSAGES), Flaw::Late)?;
    let silent = Scene::new(context, messages, Flaw::Silent)?;
    let sites = [
        ("an empty queue", &empty),
        ("the dead destination", &dead.site),
        ("the slow one", &slow.site),
        ("the silent one", &silent.site),
    ];
    let mut rates = [const { Vec::new() }; 4];
    for round in 1..=context.rounds {
        for ((name, site), rates) in sites.into_iter().zip(&mut rates) {
            context.tell(format!("round {round} of {}: with {name}", context.rounds));
            rates.push(relay(context, &load, site.smtp(), site.sink())?.delivered);
        }
    }
    let [without, with_dead, with_slow, with_silent] = rates.map(median);
    Ok(Findings::of([
        Figure::new("messages", messages as f64, "messages"),
        Figure::new("without", without, "messages/s"),
        Figure::new("with_dead", with_dead, "messages/s"),
        Figure::new("with_slow", with_slow, "messages/s"),
        Figure::new("with_silent", with_silent, "messages/s"),
        Figure::new("with_dead_vs_without", with_dead / without, "times").at_least(0.9),
        Figure::new("with_slow_vs_without", with_slow / without, "times").at_least(0.9),
        Figure::new("with_silent_vs_without", with_silent / without, "times").at_least(0.9),
        Figure::new("with_dead_at_start", at_start, "messages/s"),
        Figure::new("with_dead_at_start_vs_without", at_start / without, "times"),
    ]))
}

/// A server with messages for such a destination, and the destination.
struct Scene {
    site: Site,
    _server: Server,
    _hole: Option<BlackHole>,
}

impl Scene {
    fn new(context: &Context<'_>, messages: u64, flaw: Flaw) -> Result<Self, Error> {
        // Its address is known only once it is there: what is routed by a relay domain does not need it before.
        let site = Site::new(context.program, "", RETRY)?;
        let SocketAddr::V4(place) = site.installation.place(NEXT + 2) else {
            return Err(Error::Stuck("an installation has an address of 127/8".to_owned()));
        };
        let hole = destination(place, flaw)?;
        let url = format!("smtp://{place}");
        site.installation.command(&["domain", "add", "other.test", "--relay-to", &url], "")?;
        fill::queue(context, &site.installation, messages, 1, "other.test", State::Fresh)?;
        let server = site.installation.serve()?;
        Ok(Self { site, _server: server, _hole: hole })
    }
}

fn destination(place: SocketAddrV4, flaw: Flaw) -> Result<Option<BlackHole>, Error> {
    match flaw {
        Flaw::Refuses => Ok(None),
        Flaw::Late => {
            sink::start(place, PAUSE)?;
            Ok(None)
        }
        Flaw::Silent => Ok(Some(BlackHole::open(place)?)),
    }
}
