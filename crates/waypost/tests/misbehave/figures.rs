//! What a process holds, as the kernel counts it.

use crate::{LIMIT, until};
use std::fs;
use std::time::Instant;

/// Files that are open now and then, and may be kept open: SQLite's readers, three files each.
const SPARE_FILES: usize = 60;
/// Threads for blocking work come and go.
const SPARE_THREADS: usize = 2;
/// What an allocator keeps for later.
const SPARE_KIB: u64 = 12 << 10;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) sockets: usize,
    files: usize,
    threads: usize,
    resident_kib: u64,
}

impl Figures {
    pub(crate) fn of(process: u32) -> Self {
        let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        // An entry may be closed between being listed and being read.
        let open: Vec<_> = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
        let sockets = open.iter().filter(|open| open.to_string_lossy().starts_with("socket:")).count();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        Self {
            sockets,
            files: open.len() - sockets,
            threads: usize::try_from(number("Threads:")).unwrap(),
            resident_kib: number("VmRSS:"),
        }
    }

    /// Waits until the process holds no more than this, and says how long that took. Memory is for [`Figures::grew_little`].
    #[track_caller]
    pub(crate) fn return_to(self, process: u32) {
        let began = Instant::now();
        let mut now = Self::of(process);
        until(&format!("{now:?} should return to {self:?}"), || {
            now = Self::of(process);
            now.sockets <= self.sockets
                && now.files <= self.files + SPARE_FILES
                && now.threads <= self.threads + SPARE_THREADS
        });
        eprintln!("returned after {:.1?} (of at most {LIMIT:?}): {now:?}, from {self:?}", began.elapsed());
    }

    /// That doing the same again took no more memory than doing it once.
    #[track_caller]
    pub(crate) fn grew_little(self, before: Self) {
        let most = before.resident_kib + before.resident_kib / 5 + SPARE_KIB;
        assert!(self.resident_kib <= most, "memory grew from {before:?} to {self:?}");
    }
}
