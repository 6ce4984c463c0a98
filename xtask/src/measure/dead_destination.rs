//! Destinations that are dead, each in its own way: does mail to others go on?
//!
//! Servers run at once and have their turns: one with an empty queue, one for each of the dead destinations.

use super::figure::{Figure, median};
use super::fill::{self, State};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings, sink};
use crate::Error;
use crate::installation::{Installation, NEXT, Server};
use sink::BlackHole;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

const MESSAGES: u64 = 100_000;
/// For the destination that answers late, which takes a few at a time.
const SLOW_MESSAGES: u64 = 1_000;
/// Of the load that finds out how many make one of [`LASTS`].
const TRIAL: u64 = 20_000;
const PAUSE: Duration = Duration::from_secs(30);
/// Twenty times as often as they come by default, and always as often: each recipient is tried again in every round.
const RETRY: &str = "[queue]\nfirst-retry = \"15 s\"\nmax-retry = \"15 s\"";
/// Of each turn: two times that, with its jitter, and some.
const LASTS: Duration = Duration::from_secs(40);

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
    let (empty, _empty) = Site::serve(context.program)?;
    let load = load(context, &empty)?;
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
    let mut retries = f64::INFINITY;
    for round in 1..=context.rounds {
        for ((name, site), rates) in sites.into_iter().zip(&mut rates) {
            context.tell(format!("round {round} of {}: with {name}", context.rounds));
            let before = attempts(&dead.site.installation)?;
            rates.push(relay(context, &load, site.smtp(), site.sink())?.delivered);
            if std::ptr::eq(site, &dead.site) {
                retries = retries.min(attempts(&dead.site.installation)? - before);
            }
        }
    }
    let [without, with_dead, with_slow, with_silent] = rates.map(median);
    Ok(Findings::of([
        Figure::new("messages", messages as f64, "messages"),
        Figure::new("load", load.messages as f64, "messages a turn"),
        Figure::new("without", without, "messages/s"),
        Figure::new("with_dead", with_dead, "messages/s"),
        Figure::new("with_slow", with_slow, "messages/s"),
        Figure::new("with_silent", with_silent, "messages/s"),
        // Of the dead destination's first message, in that turn which has the fewest.
        Figure::new("retries_in_a_turn", retries, "attempts").at_least(1.0),
        Figure::new("with_dead_vs_without", with_dead / without, "times").at_least(0.9),
        Figure::new("with_slow_vs_without", with_slow / without, "times").at_least(0.9),
        Figure::new("with_silent_vs_without", with_silent / without, "times").at_least(0.9),
        Figure::new("with_dead_at_start", at_start, "messages/s"),
        Figure::new("with_dead_at_start_vs_without", at_start / without, "times").at_least(0.9),
    ]))
}

/// As many messages as an undisturbed server takes for [`LASTS`]; no more than the queue has, where that is said to be small.
fn load(context: &Context<'_>, empty: &Site) -> Result<Load, Error> {
    if let Some(messages) = context.messages {
        return Ok(Load { messages, ..Load::default() });
    }
    context.tell("with an empty queue, to know how many there can be".to_owned());
    let trial = Load { messages: TRIAL, ..Load::default() };
    let rate = relay(context, &trial, empty.smtp(), empty.sink())?.delivered;
    Ok(Load { messages: (rate * LASTS.as_secs_f64()) as u64, ..trial })
}

/// How often the first message that waits was attempted.
fn attempts(installation: &Installation) -> Result<f64, Error> {
    let list = installation.command(&["queue", "list", "--limit", "1", "--json"], "")?;
    let list: serde_json::Value = serde_json::from_str(&list)
        .map_err(|error| Error::NoReport { program: "waypost queue".to_owned(), error })?;
    let attempts = list[0]["recipients"][0]["attempts"].as_f64();
    attempts.ok_or_else(|| Error::Stuck("nothing waits for the dead destination".to_owned()))
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
        // Before it is known where its mail goes: recipients of a relay domain would be verified there.
        fill::queue(context, &site.installation, messages, 1, "other.test", State::Fresh)?;
        site.installation.command(&["domain", "add", "other.test", "--relay-to", &url], "")?;
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
