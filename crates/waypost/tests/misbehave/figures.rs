//! What a process holds, as the kernel counts it, and its tasks, as it tells them itself.

use crate::{LIMIT, until};
use admin::control::Client;
use admin::system::Status;
use std::fs;
use std::time::{Duration, Instant};
use xtask::installation::{Installation, Server};

/// Files of databases are opened by readers, some of which are kept: of each of the four databases at most 8 and a writer,
/// with its log and what they share of it.
const MOST_DATABASE_FILES: usize = 4 * (8 + 1) * 3;
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

    /// Waits until the process holds no more than this, for `within` at most; threads that did something blocking stay for a
    /// while and have [`LIMIT`]. Memory is for [`Figures::grew_little`]. What there is then.
    #[track_caller]
    pub(crate) fn return_to(self, installation: &Installation, server: &Server, within: Duration) -> Self {
        let began = Instant::now();
        let mut now = Self::of(installation, server);
        until(
            within,
            || format!("return to {self:?}"),
            || {
                now = Self::of(installation, server);
                now.sockets <= self.sockets && now.files <= self.files && now.tasks <= self.tasks
            },
        );
        let took = began.elapsed();
        assert!(now.databases <= MOST_DATABASE_FILES, "{now:?}");
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

    /// That doing the same again took hardly more memory than doing it before: by a tenth, and what an allocator has in
    /// pieces, with some more connections to the databases (2 MiB of pages each) and threads with heaps of their own. In
    /// nine rounds it went up and down between 36 and 57 MiB.
    #[track_caller]
    pub(crate) fn grew_little(self, before: Self) {
        const PIECES_KIB: u64 = 20 << 10;
        let most = before.anonymous_kib + before.anonymous_kib / 10 + PIECES_KIB;
        assert!(self.anonymous_kib <= most, "memory grew from {before:?} to {self:?}");
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
