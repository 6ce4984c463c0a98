//! What a process holds, as the kernel counts it, and its tasks, as it tells them itself.

use crate::{LIMIT, until};
use admin::control::Client;
use admin::system::Status;
use std::fs;
use std::time::{Duration, Instant};
use xtask::installation::{Installation, Server};

/// How many more files of databases than at the start there may be: readers are kept, up to 8 of each of four databases, each with a
/// file and its log, and how many there are goes with how many happened to read at once. In nine rounds it was two more.
const MORE_DATABASE_FILES: usize = 24;
/// How much more memory than at the start there may be after a round: what an allocator has in pieces, some more connections
/// to the databases (2 MiB of pages each), and threads with heaps of their own. In nine rounds it went up and down by 4 MiB.
const MOST_MORE_KIB: u64 = 16 << 10;
/// How much more each round may leave: 2 KiB for each of the 500 clients of a round.
const MOST_A_ROUND_KIB: f64 = 1024.0;
/// Threads for blocking work come and go.
const SPARE_THREADS: usize = 2;
/// What is seen at rest is the least of so many looks: a connection that was just closed may not be gone at the first.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    sockets: usize,
    databases: usize,
    /// All others.
    files: usize,
    tasks: u64,
    threads: usize,
    /// Memory that is no file's.
    anonymous_kib: u64,
}

impl Figures {
    /// Of a server that has nothing to do.
    pub(crate) fn at_rest(installation: &Installation, server: &Server) -> Self {
        let mut least = Self::of(installation, server);
        for _ in 1..LOOKS {
            std::thread::sleep(BETWEEN_LOOKS);
            let now = Self::of(installation, server);
            least.sockets = least.sockets.min(now.sockets);
            least.files = least.files.min(now.files);
            least.tasks = least.tasks.min(now.tasks);
            least.threads = least.threads.min(now.threads);
            least.anonymous_kib = least.anonymous_kib.min(now.anonymous_kib);
        }
        least
    }

    fn of(installation: &Installation, server: &Server) -> Self {
        let process = server.id();
        let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        // An entry may be closed between being listed and being read.
        let open: Vec<String> = entries
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|open| open.to_string_lossy().into_owned())
            .collect();
        let count = |is: fn(&str) -> bool| open.iter().filter(|open| is(open)).count();
        let sockets = count(|open| open.starts_with("socket:"));
        let databases = count(|open| [".db", "-wal", "-shm"].iter().any(|end| open.ends_with(end)));
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        Self {
            sockets,
            databases,
            files: open.len() - sockets - databases,
            tasks: tasks(installation),
            threads: usize::try_from(number("Threads:")).unwrap(),
            anonymous_kib: number("RssAnon:"),
        }
    }

    /// Waits until the process holds no more than this, for `within` at most: sockets, other files and tasks exactly, memory
    /// within [`MOST_MORE_KIB`]. Threads that did something blocking stay for a while and have [`LIMIT`]. What there is then.
    #[track_caller]
    pub(crate) fn return_to(self, installation: &Installation, server: &Server, within: Duration) -> Self {
        let began = Instant::now();
        let mut now = Self::of(installation, server);
        until(
            within,
            || format!("return to {self:?}"),
            || {
                now = Self::of(installation, server);
                now.sockets <= self.sockets
                    && now.files <= self.files
                    && now.tasks <= self.tasks
                    && now.anonymous_kib <= self.anonymous_kib + MOST_MORE_KIB
            },
        );
        let took = began.elapsed();
        assert!(now.databases <= self.databases + MORE_DATABASE_FILES, "{now:?}, from {self:?}");
        until(
            LIMIT,
            || format!("threads to return to {self:?}"),
            || {
                now = Self::of(installation, server);
                now.threads <= self.threads + SPARE_THREADS
            },
        );
        eprintln!("returned after {took:.1?} (of at most {within:?}): {now:?}, from {self:?}");
        now
    }
}

/// Memory at the start, and after each round.
#[derive(Debug)]
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    pub(crate) fn new(start: Figures) -> Self {
        Self(vec![start.anonymous_kib])
    }

    pub(crate) fn note(&mut self, after: Figures) {
        self.0.push(after.anonymous_kib);
    }

    /// That it does not grow with each round, by the line of least squares: a slow leak is below [`MOST_MORE_KIB`] for long.
    /// Of few rounds nothing can be said.
    #[track_caller]
    pub(crate) fn assert_flat(&self) {
        const ENOUGH: usize = 8;
        let slope = self.slope();
        eprintln!("memory {:?} KiB, {slope:.0} KiB a round", self.0);
        assert!(
            self.0.len() < ENOUGH || slope <= MOST_A_ROUND_KIB,
            "memory grows: {self:?}, {slope:.0} a round"
        );
    }

    fn slope(&self) -> f64 {
        let count = self.0.len() as f64;
        let points = || (0_u32..).map(f64::from).zip(self.0.iter().map(|kib| *kib as f64));
        let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let (products, squares) = points().fold((0.0, 0.0), |(products, squares), point| {
            (products + (point.0 - x) * (point.1 - y), squares + (point.0 - x).powi(2))
        });
        products / squares
    }
}

/// By the control socket, so one of them serves this question.
fn tasks(installation: &Installation) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::open(&installation.data()).await.unwrap();
        client.call(Status {}).await.unwrap().tasks.unwrap()
    })
}
