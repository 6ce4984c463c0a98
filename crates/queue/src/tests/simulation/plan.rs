//! What happens in a simulation, from its seed: settings, destinations and their ways, letters, commands, kills.

use crate::backoff::Random;
use crate::tests::world::{DAY, HOUR, MINUTE};
use crate::{Action, Backoff, WindowLimits};
use std::ops::Range;

/// 2030-01-01, far from the ids that the machine's own clock makes.
const EPOCH: u64 = 1_893_456_000_000;

/// Numbers from a seed.
pub(super) struct Dice(Random);

impl Dice {
    /// Equal questions get equal numbers, whoever asks first.
    pub(super) fn of(parts: &[u64]) -> Self {
        Self(Random::new(parts.iter().fold(0, |seed, part| Random::new(seed ^ part).next())))
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.next() % bound.max(1)
    }

    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) backoff: Backoff,
    pub(super) window: WindowLimits,
    pub(super) jobs: usize,
    pub(super) recipients: usize,
    /// He reads his mail at the first destination.
    pub(super) postmaster_elsewhere: bool,
    pub(super) domains: Vec<Domain>,
    /// By time.
    pub(super) moments: Vec<(u64, Moment)>,
}

/// A destination's ways. Chances in per cent.
#[derive(Debug, Clone, Default)]
pub(super) struct Domain {
    /// Domains of one number are served by the same hosts.
    pub(super) hosts: u64,
    /// From then on others serve it.
    pub(super) moves: Option<(u64, u64)>,
    pub(super) null_mx: bool,
    pub(super) no_dns: Vec<Range<u64>>,
    pub(super) down: Vec<Range<u64>>,
    /// When it is down it says nothing, for minutes.
    pub(super) silent: bool,
    /// Says 421 to those above it.
    pub(super) connections: Option<usize>,
    /// Recipients of one transaction; the others are for another.
    pub(super) room: Option<usize>,
    /// 451 to a recipient that it sees for the first time.
    pub(super) greylists: bool,
    pub(super) later: u64,
    pub(super) never: u64,
    pub(super) hangs_up: u64,
    /// Takes over the duty to notify.
    pub(super) dsn: bool,
    /// Milliseconds that a conversation takes at most.
    pub(super) takes: u64,
}

#[derive(Debug)]
pub(super) enum Moment {
    Accept(Letter),
    /// What an administrator does to some recipients; the number says which.
    Command(Action, u64),
    /// The server is killed, and started again after that time.
    Kill(u64),
    /// The settings are read again.
    Reload,
}

#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) from: String,
    pub(super) to: Vec<Addressee>,
}

#[derive(Debug, Clone)]
pub(super) struct Addressee {
    pub(super) address: String,
    pub(super) parameters: String,
    pub(super) held: bool,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::of(&[seed, 1]);
        let start = EPOCH + dice.below(DAY);
        let backoff = backoff(&mut dice);
        let days = start..start + backoff.lifetime + DAY;
        let domains: Vec<Domain> = (0..dice.within(2..6)).map(|n| Domain::new(n, &mut dice, &days)).collect();
        let max = dice.one_of(&[1, 2, 5, 20]);
        Self {
            seed,
            backoff,
            window: WindowLimits { initial: dice.one_of(&[1, 5]).min(max), min: 1, max },
            jobs: dice.one_of(&[2, 5, 50, 500]),
            recipients: dice.one_of(&[1, 3, 100]),
            postmaster_elsewhere: dice.percent(20),
            moments: moments(&mut dice, start, domains.len() as u64),
            domains,
        }
    }

    pub(super) fn start(&self) -> u64 {
        self.moments.first().map_or(EPOCH, |(time, _)| *time)
    }

    /// By then everything has been given up, notifications and what became of them too.
    pub(super) fn end(&self) -> u64 {
        let last = self.moments.last().map_or(EPOCH, |(time, _)| *time);
        last + self.backoff.lifetime + 3 * self.backoff.lifetime_null + 2 * DAY
    }
}

fn backoff(dice: &mut Dice) -> Backoff {
    if dice.percent(30) {
        return Backoff::default();
    }
    let lifetime = dice.within(2 * HOUR..3 * DAY);
    Backoff {
        first: dice.within(MINUTE..20 * MINUTE),
        longest: dice.within(30 * MINUTE..5 * HOUR),
        jitter_percent: dice.one_of(&[0, 5, 20, 50]),
        lifetime,
        lifetime_null: lifetime / dice.within(1..4),
        delay_notice: dice.within(10 * MINUTE..6 * HOUR),
    }
}

impl Domain {
    fn new(number: u64, dice: &mut Dice, days: &Range<u64>) -> Self {
        let good = Self {
            hosts: if dice.percent(20) { 0 } else { number },
            dsn: dice.percent(30),
            takes: dice.one_of(&[20, 2_000, 60_000]),
            ..Self::default()
        };
        let ever = std::iter::once(0..u64::MAX).collect();
        match dice.below(12) {
            0 | 1 => good,
            2 => Self { later: 30, never: 10, hangs_up: 10, ..good },
            3 => Self { greylists: true, ..good },
            4 => Self { down: ever, silent: dice.percent(50), ..good },
            5 => Self { later: 100, ..good },
            6 => Self { never: 100, ..good },
            7 => Self { down: periods(dice, days), silent: dice.percent(30), ..good },
            8 => Self { no_dns: periods(dice, days), later: 20, ..good },
            9 => Self { null_mx: dice.percent(50), never: 30, later: 30, ..good },
            10 => {
                let connections = Some(dice.within(1..8) as usize);
                Self { connections, takes: 60_000, later: 20, ..good }
            }
            _ => {
                let room = Some(dice.within(1..4) as usize);
                let moves = Some((dice.within(days.clone()), 100 + number));
                Self { room, moves, down: periods(dice, days), hangs_up: 20, ..good }
            }
        }
    }
}

/// Hours and hours in which something does not work.
fn periods(dice: &mut Dice, days: &Range<u64>) -> Vec<Range<u64>> {
    let period = |dice: &mut Dice| {
        let from = dice.within(days.clone());
        from..from + dice.within(MINUTE..30 * HOUR)
    };
    let from_the_start = days.start..days.start + dice.within(MINUTE..10 * HOUR);
    let further = dice.below(4);
    std::iter::once(from_the_start).chain((0..further).map(|_| period(dice))).collect()
}

fn moments(dice: &mut Dice, start: u64, domains: u64) -> Vec<(u64, Moment)> {
    let span = dice.one_of(&[HOUR, 10 * HOUR, DAY]);
    let mut moments = Vec::new();
    for serial in 0..dice.within(1..9) {
        let letter = Letter::new(dice, serial, domains);
        // A list's mail, or a flood: the same again and again, within a minute.
        let copies = if dice.percent(8) { dice.within(5..30) } else { 1 };
        let time = start + dice.below(span);
        for copy in 0..copies {
            let to = letter.to.iter().map(|to| Addressee {
                address: to.address.replacen('@', &format!("c{copy}@"), 1),
                ..to.clone()
            });
            let letter =
                if copy == 0 { letter.clone() } else { Letter { to: to.collect(), ..letter.clone() } };
            moments.push((time + dice.below(MINUTE), Moment::Accept(letter)));
        }
    }
    for _ in 0..dice.below(4) {
        let actions = [Action::Retry, Action::Hold, Action::Release, Action::Bounce, Action::Drop];
        let command = Moment::Command(dice.one_of(&actions), dice.below(u64::MAX));
        moments.push((start + dice.below(span + DAY), command));
    }
    for _ in 0..dice.below(4) {
        // At once, after a reboot, or after a night.
        let pause = dice.one_of(&[1, 30_000, 9 * HOUR]);
        // Half of them in the middle of something.
        let busy = moments[dice.below(moments.len() as u64) as usize].0 + dice.below(20_000);
        let time = if dice.percent(50) { busy } else { start + dice.below(span + DAY) };
        moments.push((time, Moment::Kill(pause)));
    }
    if dice.percent(20) {
        moments.push((start + dice.below(span + HOUR), Moment::Reload));
    }
    moments.sort_by_key(|(time, _)| *time);
    moments
}

impl Letter {
    /// Every recipient has an address of its own, and so has every sender elsewhere: notifications are told apart by them.
    fn new(dice: &mut Dice, serial: u64, domains: u64) -> Self {
        let from = match dice.below(10) {
            0..5 => "me@example.org".to_owned(),
            5..8 => format!("s{serial}@d{}.example", dice.below(domains)),
            _ => "<>".to_owned(),
        };
        let many = if dice.percent(10) { dice.within(5..25) } else { dice.within(1..5) };
        let together = dice.percent(50);
        let first = dice.below(domains);
        let to = (0..many).map(|position| {
            let domain = if together { first } else { dice.below(domains) };
            let address = if dice.percent(8) {
                format!("box+r{serial}x{position}@example.org")
            } else {
                format!("r{serial}x{position}@d{domain}.example")
            };
            let notify =
                ["", "", "", "NOTIFY=NEVER", "NOTIFY=SUCCESS,FAILURE", "NOTIFY=DELAY", "NOTIFY=FAILURE"];
            Addressee { address, parameters: dice.one_of(&notify).to_owned(), held: dice.percent(3) }
        });
        Self { to: to.collect(), from }
    }
}
