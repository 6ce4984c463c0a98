//! Waypost and Dovecot at the same task, in turns, so that what else the machine does hits both alike.

use super::dovecot::{self, Dovecot};
use super::figure::{Figure, median};
use super::process;
use super::site::Site;
use super::{Context, Findings};
use crate::Error;
use crate::imap::Imap;
use crate::installation::{HOSTNAME, IMAPS, LMTP, PASSWORD, Server};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One of the two, running.
#[derive(Debug)]
pub(super) struct Side {
    /// In the names of figures.
    pub(super) name: &'static str,
    /// TLS is there from the start.
    pub(super) imap: SocketAddr,
    /// For its certificate.
    pub(super) tls: Arc<ClientConfig>,
    pub(super) lmtp: SocketAddr,
    /// Of each account.
    pub(super) password: &'static str,
    /// The process that all others of the server come from.
    pub(super) process: u32,
}

impl Side {
    pub(super) fn log_in(&self, user: &str) -> Result<Imap, Error> {
        let mut imap = Imap::connect(self.imap, &self.tls, HOSTNAME)?;
        imap.log_in(user, self.password)?;
        Ok(imap)
    }

    /// What `work` on so many messages takes.
    pub(super) fn timed(
        &self,
        messages: u64,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Took, Error> {
        let (before, began) = (process::cpu_of_tree(self.process)?, Instant::now());
        work()?;
        let time = began.elapsed();
        let cpu = process::cpu_of_tree(self.process)?.saturating_sub(before);
        Ok(Took { messages, time, cpu })
    }
}

/// What a piece of work took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    messages: u64,
    time: Duration,
    /// Of all the server's processes, until the answer came.
    cpu: Duration,
}

impl Took {
    pub(super) fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }

    fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds()
    }

    /// Microseconds for each message.
    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }
}

/// How the time of a task is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Messages a second.
    Rate,
    /// Seconds for all.
    Time,
}

/// Both servers; the other one is left out where nothing is to be compared.
pub(super) struct Versus<'a> {
    context: &'a Context<'a>,
    pub(super) site: Site,
    server: Option<Server>,
    _dovecot: Option<Dovecot>,
    pub(super) ours: Side,
    pub(super) theirs: Option<Side>,
}

impl<'a> Versus<'a> {
    /// Starts both, with these accounts; the keys are those of [`Site::new`].
    pub(super) fn start(context: &'a Context<'a>, limits: &str, accounts: &[&str]) -> Result<Self, Error> {
        let site = Site::new(context.program, limits, "")?;
        site.installation.populate(accounts)?;
        let server = site.installation.serve()?;
        let ours = Side {
            name: "waypost",
            imap: site.installation.place(IMAPS),
            tls: Arc::clone(site.installation.tls()),
            lmtp: site.installation.place(LMTP),
            password: PASSWORD,
            process: server.id(),
        };
        let dovecot = if context.alone { None } else { Some(Dovecot::start(context)?) };
        let theirs = dovecot.as_ref().map(|dovecot| {
            Ok::<_, Error>(Side {
                name: "dovecot",
                imap: dovecot.imap.into(),
                tls: dovecot::any_certificate()?,
                lmtp: dovecot.lmtp.into(),
                password: dovecot::PASSWORD,
                process: dovecot.id()?,
            })
        });
        let theirs = theirs.transpose()?;
        Ok(Self { context, site, server: Some(server), _dovecot: dovecot, ours, theirs })
    }

    /// Starts Waypost anew: what it did before is then no longer in its memory.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        let server = self.site.installation.serve()?;
        self.ours.process = server.id();
        self.server = Some(server);
        Ok(())
    }

    /// Who has a turn in this round, and in which order: the other one first every second time, and in the last round
    /// Waypost last, so that what follows finds it just after its work.
    fn turns(&self, round: u32) -> impl Iterator<Item = &Side> {
        let theirs_first = (self.context.rounds - round).is_multiple_of(2);
        let (first, last) = (self.theirs.as_ref().filter(|_| theirs_first), &self.ours);
        first.into_iter().chain([last]).chain(self.theirs.as_ref().filter(|_| !theirs_first))
    }

    /// Lets both do the task in turns, and adds what came of it; `target` is how many times as fast Waypost should be.
    pub(super) fn compare(
        &self,
        findings: &mut Findings,
        name: &str,
        shown: As,
        target: f64,
        mut task: impl FnMut(&Side, u32) -> Result<Took, Error>,
    ) -> Result<(), Error> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=self.context.rounds {
            for side in self.turns(round) {
                let Side { name: who, .. } = side;
                self.context.tell(format!("{name}, round {round} of {}: {who}", self.context.rounds));
                let took =
                    task(side, round).map_err(|error| Error::Stuck(format!("{who}, {name}: {error}")))?;
                if std::ptr::eq(side, &self.ours) { ours.push(took) } else { theirs.push(took) }
            }
        }
        findings.figures.extend(figures(name, shown, target, &ours, &theirs));
        Ok(())
    }

    /// As [`Versus::compare`], once and without a target: what is cold is so only once.
    pub(super) fn once(
        &self,
        findings: &mut Findings,
        name: &str,
        task: impl Fn(&Side) -> Result<Took, Error>,
    ) -> Result<(), Error> {
        for side in self.turns(self.context.rounds) {
            self.context.tell(format!("{name}: {}", side.name));
            let seconds = task(side)?.seconds();
            findings.figures.push(Figure::new(format!("{name}_{}", side.name), seconds, "s"));
        }
        Ok(())
    }
}

fn figures(name: &str, shown: As, target: f64, ours: &[Took], theirs: &[Took]) -> Vec<Figure> {
    let of = |side: &[Took], pick: fn(&Took) -> f64| median(side.iter().map(pick));
    let time = |side: &[Took]| of(side, Took::seconds);
    let mut figures = Vec::new();
    for (who, side) in [("waypost", ours), ("dovecot", theirs)] {
        if side.is_empty() {
            continue;
        }
        figures.push(match shown {
            As::Rate => Figure::new(format!("{name}_{who}"), of(side, Took::rate), "messages/s"),
            As::Time => Figure::new(format!("{name}_{who}"), time(side), "s"),
        });
        figures.push(Figure::new(format!("{name}_cpu_{who}"), of(side, Took::cpu_each), "µs a message"));
    }
    if !theirs.is_empty() {
        let times = match shown {
            As::Rate => of(ours, Took::rate) / of(theirs, Took::rate),
            As::Time => time(theirs) / time(ours),
        };
        figures.push(Figure::new(format!("{name}_vs_dovecot"), times, "times").at_least(target));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(milliseconds: u64) -> Took {
        let time = Duration::from_millis(milliseconds);
        Took { messages: 100, time, cpu: time / 2 }
    }

    #[test]
    fn who_takes_half_the_time_is_twice_as_fast() {
        let found = figures("x", As::Rate, 2.0, &[took(100), took(500), took(200)], &[took(400)]);
        let shown: Vec<String> =
            found.iter().map(|figure| format!("{} {} {}", figure.name, figure.value, figure.unit)).collect();
        assert_eq!(
            shown,
            [
                "x_waypost 500 messages/s",
                "x_cpu_waypost 1000 µs a message",
                "x_dovecot 250 messages/s",
                "x_cpu_dovecot 2000 µs a message",
                "x_vs_dovecot 2 times",
            ]
        );
        assert_eq!(found.last().and_then(|figure| figure.reached), Some(true));
        assert_eq!(figures("x", As::Time, 2.0, &[took(100)], &[])[0].value, 0.1);
    }
}
