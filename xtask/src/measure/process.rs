//! What the system tells of a running process.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Ticks of the processor time in `/proc/PID/stat`, a second: fixed for programs since Linux 2.6.
const TICKS: u64 = 100;
/// A process that used less than this in [`LOOK`] does nothing.
const IDLE_CPU: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row that must find it idle.
const IDLE_LOOKS: u32 = 3;
/// Between two looks at memory.
const SAMPLE: Duration = Duration::from_millis(200);

/// KiB of memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Pages shared with other processes counted in part.
    pub(super) pss: u64,
    pub(super) rss: u64,
}

pub(super) fn memory(process: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let read = || Some(Memory { pss: field("Pss:")?, rss: field("Rss:")? });
    read().ok_or_else(|| io::Error::other("no memory in smaps_rollup"))
}

/// The highest memory (PSS) of a process, looked at now and then.
#[derive(Debug, Default)]
pub(super) struct Peak {
    kib: AtomicU64,
    over: AtomicBool,
}

impl Peak {
    /// Looks until [`Peak::end`] is called, or the process has gone.
    pub(super) fn watch(&self, process: u32) {
        while !self.over.load(Ordering::SeqCst)
            && let Ok(memory) = memory(process)
        {
            self.kib.fetch_max(memory.pss, Ordering::SeqCst);
            std::thread::sleep(SAMPLE);
        }
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(super) fn kib(&self) -> u64 {
        self.kib.load(Ordering::SeqCst)
    }
}

/// File handles that are open.
pub(super) fn files(process: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

/// The time it spent on processors, for itself and in the kernel.
pub(super) fn cpu(process: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is a name in parentheses, which may have spaces; then the third is the first here.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// What all processes that this one started and waited for had spent when they ended, in steps of 10 ms: what wait4 tells.
pub(super) fn cpu_of_ended_children() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = rest.split(' ').skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// As [`cpu`], with all processes that come from it: those that ended as well, once their parent has noticed.
pub(super) fn cpu_of_tree(root: u32) -> io::Result<Duration> {
    let mut ticks = 0;
    for process in tree(root)? {
        // It may have ended by now, and then its parent counts it.
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        ticks += rest.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// The process, those that it started, and so on.
pub(super) fn tree(root: u32) -> io::Result<Vec<u32>> {
    let parent = |process: u32| {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let names = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let processes: Vec<(u32, u32)> =
        names.filter_map(|name| name.parse().ok()).filter_map(|id| Some((id, parent(id)?))).collect();
    let (mut tree, mut seen) = (vec![root], 0);
    while let Some(&above) = tree.get(seen) {
        tree.extend(processes.iter().filter(|(_, parent)| *parent == above).map(|(id, _)| *id));
        seen += 1;
    }
    Ok(tree)
}

/// The name of the program it runs, cut to 15 octets by the system.
pub(super) fn name(process: u32) -> io::Result<String> {
    Ok(fs::read_to_string(format!("/proc/{process}/comm"))?.trim_end().to_owned())
}

/// Waits until it has nothing more to do; `false` when that does not come within `limit`.
pub(super) fn wait_until_idle(process: u32, limit: Duration) -> io::Result<bool> {
    let until = Instant::now() + limit;
    let (mut looks, mut before) = (0, cpu(process)?);
    while looks < IDLE_LOOKS {
        if Instant::now() > until {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
        let now = cpu(process)?;
        looks = if now.saturating_sub(before) <= IDLE_CPU { looks + 1 } else { 0 };
        before = now;
    }
    Ok(true)
}

/// Whether somebody listens there. To ask by connecting would be counted by a sink.
pub(super) fn is_listening(place: std::net::SocketAddrV4) -> bool {
    const LISTEN: &str = "0A";
    let address = u32::from_ne_bytes(place.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", place.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(wanted.as_str()) && fields.nth(1) == Some(LISTEN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_a_listener() {
        let own = std::process::id();
        let memory = memory(own).unwrap();
        assert!(memory.pss > 0 && memory.rss >= memory.pss);
        assert!(files(own).unwrap() > 2);
        let before = cpu(own).unwrap();
        let began = Instant::now();
        while cpu(own).unwrap() == before {
            assert!(began.elapsed() < Duration::from_secs(60), "no processor time is counted");
        }
        assert!(cpu_of_tree(own).unwrap() >= before);
        let child = std::process::Command::new("sleep").arg("60").spawn();
        let mut child = child.unwrap();
        assert!(tree(own).unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!tree(own).unwrap().contains(&child.id()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(place) = listener.local_addr().unwrap() else { panic!("no IPv4") };
        assert!(is_listening(place));
        drop(listener);
        assert!(!is_listening(place));
    }
}
