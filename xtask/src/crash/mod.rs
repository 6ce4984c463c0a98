//! A 250 is a promise: `waypost serve` is killed in the middle of its work, again and again.
//!
//! Sessions bring mail in every way there is (SMTP with DATA and BDAT, LMTP, submission with TLS and a login), small and
//! large, for mailboxes here and for a next server, which is a sink of ours. At a random instant comes SIGKILL, and the
//! next round. In the end every message that was answered 250 must have arrived at every recipient, octet for octet:
//! exactly once in a mailbox here, and more than once elsewhere only where the kill fell between the sink's 250 and
//! its recording. Nothing that was refused, or never ended, may have arrived at all.
//!
//! The seed decides what is sent and when the kill comes; how far the server is by then, it does not.

mod ledger;
mod letter;
mod sender;
mod sink;

use crate::installation::{Extra, Installation, NEXT};
use crate::random::Random;
use crate::{Error, maildrop};
use ledger::Ledger;
pub use ledger::Tally;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Once in so many rounds the kill comes while the server starts.
const ONE_IN_EARLY: u64 = 10;
const EARLY: std::ops::Range<Duration> = Duration::ZERO..Duration::from_millis(150);
/// For a queue that a loaded machine has to empty.
const QUEUE_LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone)]
pub struct Settings {
    /// The `waypost` to be killed.
    pub program: PathBuf,
    pub rounds: u32,
    pub seed: u64,
    pub sessions: usize,
    /// After so many rounds the queue is left to get empty, and the mailboxes are read and emptied. The kill of such a round
    /// waits until a message of 5 MB is answered.
    pub settle_every: u32,
    /// How long the sessions may work before the kill, at most.
    pub longest: Duration,
}

impl Settings {
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            rounds: 1000,
            seed: 1,
            sessions: 8,
            settle_every: 10,
            longest: Duration::from_millis(500),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    pub rounds: u32,
    pub seed: u64,
    pub seconds: f64,
    /// Kills before the server was ready.
    pub killed_early: u32,
    /// Octets of messages sent, or begun.
    pub octets: u64,
    /// Notifications that arrived; they are load, and not looked into.
    pub notifications: u64,
    #[serde(flatten)]
    pub tally: Tally,
    /// How many things were wrong.
    pub failed: u64,
    /// The first of them in words.
    pub failures: Vec<String>,
    /// The folder, when something was wrong.
    pub kept: Option<PathBuf>,
}

/// What senders, sink and mailboxes share.
#[derive(Debug, Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    killed: AtomicBool,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }
}

/// Runs all rounds; `progress` hears of each.
///
/// # Errors
/// When the rounds cannot be run. That a promise was broken is in the report.
pub fn run(settings: &Settings, mut progress: impl FnMut(u32)) -> Result<Report, Error> {
    let began = Instant::now();
    let random = Random::new(settings.seed);
    let installation = Installation::new(&settings.program)?;
    configure(&installation, 0)?;
    installation.populate(&["ann", "bob"])?;
    let shared = Arc::new(Shared::default());
    sink::start(installation.place(NEXT), Arc::clone(&shared), &random.branch(u64::MAX))?;
    let mut harness = Harness { settings, installation, shared, killed_early: 0 };
    let result = (1..=settings.rounds).try_for_each(|round| {
        harness.round(round, &mut random.branch(round.into()))?;
        progress(round);
        Ok(())
    });
    if let Err(error) = result.and_then(|()| harness.finish()) {
        harness.shared.ledger().fail(error.to_string());
    }
    Ok(harness.report(began))
}

/// Each start has its own name in EHLO, so that the sink knows which one brought a message.
fn configure(installation: &Installation, start: u32) -> Result<(), Error> {
    let delivery = format!("helo = \"start{start}.crash.example\"");
    installation.configure(&Extra {
        delivery: &delivery,
        tables: "[log]\nlevel = \"warn\"",
        ..Extra::default()
    })
}

struct Harness<'a> {
    settings: &'a Settings,
    installation: Installation,
    shared: Arc<Shared>,
    killed_early: u32,
}

impl Harness<'_> {
    fn round(&mut self, round: u32, random: &mut Random) -> Result<(), Error> {
        configure(&self.installation, round)?;
        let settles = round.is_multiple_of(self.settings.settle_every);
        if !settles && random.one_in(ONE_IN_EARLY) {
            let server = self.installation.spawn()?;
            std::thread::sleep(random.duration(EARLY));
            self.shared.ledger().killed(round);
            self.killed_early += 1;
            return server.kill();
        }
        let mut server = self.installation.serve()?;
        if settles {
            self.settle()?;
        }
        self.shared.killed.store(false, Ordering::SeqCst);
        std::thread::scope(|scope| {
            for session in 0..self.settings.sessions {
                let (installation, shared, random) = (&self.installation, &*self.shared, &*random);
                scope.spawn(move || sender::run(installation, shared, round, session, random));
            }
            if settles {
                let turn = round / self.settings.settle_every;
                sender::large(&self.installation, &self.shared, round, turn, random);
            }
            std::thread::sleep(random.clone().duration(Duration::ZERO..self.settings.longest));
            if !server.is_alive() {
                self.shared.ledger().fail(format!("round {round}: the server ended by itself"));
            }
            self.shared.killed.store(true, Ordering::SeqCst);
            self.shared.ledger().killed(round);
            server.kill()
        })
    }

    /// The queue gets empty, and so do the mailboxes.
    fn settle(&self) -> Result<(), Error> {
        self.installation.wait_for_empty_queue(QUEUE_LIMIT)?;
        letter::LOCAL.into_iter().try_for_each(|address| {
            maildrop::empty(&self.installation, address, |message| {
                self.shared.ledger().arrive(message, address, 0)
            })
        })
    }

    /// Whatever is still on its way arrives, and the store is whole.
    fn finish(&mut self) -> Result<(), Error> {
        configure(&self.installation, self.settings.rounds + 1)?;
        let server = self.installation.serve()?;
        self.settle()?;
        server.kill()?;
        self.installation.command(&["check", "store"], "")?;
        Ok(())
    }

    fn report(self, began: Instant) -> Report {
        let Self { settings, installation, shared, killed_early } = self;
        let mut ledger = shared.ledger();
        let tally = ledger.judge();
        if settings.rounds >= settings.settle_every && tally.promised_large == 0 {
            ledger.fail("no message of 5 MB was answered 250, so none was tried".to_owned());
        }
        for line in installation.logged().lines().filter(|line| line.contains("panicked")) {
            ledger.fail(line.to_owned());
        }
        let failed = ledger.failed;
        Report {
            rounds: settings.rounds,
            seed: settings.seed,
            seconds: began.elapsed().as_secs_f64(),
            killed_early,
            octets: ledger.octets,
            notifications: ledger.notifications,
            tally,
            failed,
            failures: ledger.failures.clone(),
            kept: (failed > 0).then(|| installation.keep()),
        }
    }
}
