//! Lines on their way to the log: those of a few milliseconds are one write, as a write costs more than all else about a line.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a line may wait for others.
const LONGEST: Duration = Duration::from_millis(5);
/// Octets that may wait. Whoever adds the next writes them all, and so is as slow as the log.
const MOST: usize = 64 << 10;

pub(super) struct Lines {
    waiting: Mutex<Vec<u8>>,
    /// A line waits, or the gathering ends.
    wake: Condvar,
    gathering: AtomicBool,
    /// Locked before `waiting`, so that lines are written in the order in which they came.
    output: Mutex<Output>,
}

struct Output {
    to: Box<dyn Write + Send>,
    /// What is written, and then room for what waits.
    lines: Vec<u8>,
}

impl Lines {
    pub(super) fn new(to: Box<dyn Write + Send>) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            gathering: AtomicBool::new(false),
            output: Mutex::new(Output { to, lines: Vec::new() }),
        }
    }

    /// Writes the line when it is urgent, or when nothing is gathered; otherwise [`Lines::write_gathered`] does.
    pub(super) fn add(&self, line: &[u8], urgent: bool) -> io::Result<()> {
        let mut waiting = lock(&self.waiting);
        waiting.extend_from_slice(line);
        let (first, full) = (waiting.len() == line.len(), waiting.len() > MOST);
        drop(waiting);
        if urgent || full || !self.gathering.load(Ordering::SeqCst) {
            return self.write();
        }
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// From now on lines wait for [`Lines::write_gathered`].
    pub(super) fn gather(&self) {
        self.gathering.store(true, Ordering::SeqCst);
    }

    /// Writes what waits, now and then, until the gathering ends.
    pub(super) fn write_gathered(&self) {
        let to_do = |waiting: &mut Vec<u8>| waiting.is_empty() && self.gathering.load(Ordering::SeqCst);
        while self.gathering.load(Ordering::SeqCst) {
            let waited = self.wake.wait_while(lock(&self.waiting), to_do);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            std::thread::sleep(LONGEST);
            // A log that cannot be written can nowhere be told of.
            let _ = self.write();
        }
    }

    /// From now on nothing waits.
    pub(super) fn end_gathering(&self) {
        let waiting = lock(&self.waiting);
        self.gathering.store(false, Ordering::SeqCst);
        drop(waiting);
        self.wake.notify_one();
        let _ = self.write();
    }

    pub(super) fn change_output(&self, to: Box<dyn Write + Send>) {
        let _ = self.write();
        lock(&self.output).to = to;
    }

    fn write(&self) -> io::Result<()> {
        let mut output = lock(&self.output);
        let Output { to, lines } = &mut *output;
        lines.clear();
        mem::swap(lines, &mut lock(&self.waiting));
        to.write_all(lines)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Each write as it came.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            lock(&self.0).push(String::from_utf8_lossy(octets).into_owned());
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Writes {
        fn take(&self) -> Vec<String> {
            mem::take(&mut *lock(&self.0))
        }
    }

    fn lines() -> (Lines, Writes) {
        let writes = Writes::default();
        (Lines::new(Box::new(writes.clone())), writes)
    }

    #[test]
    fn without_gathering_each_line_is_a_write() {
        let (lines, writes) = lines();
        lines.add(b"one\n", false).unwrap();
        lines.add(b"two\n", false).unwrap();
        assert_eq!(writes.take(), ["one\n", "two\n"]);
    }

    #[test]
    fn lines_wait_for_one_that_is_urgent_and_keep_their_order() {
        let (lines, writes) = lines();
        lines.gather();
        lines.add(b"one\n", false).unwrap();
        lines.add(b"two\n", false).unwrap();
        assert!(writes.take().is_empty());
        lines.add(b"trouble\n", true).unwrap();
        assert_eq!(writes.take(), ["one\ntwo\ntrouble\n"]);
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let (lines, writes) = lines();
        lines.gather();
        for _ in 0..2000 {
            lines.add(&[b'x'; 100], false).unwrap();
        }
        let lengths: Vec<usize> = writes.take().iter().map(String::len).collect();
        assert!(!lengths.is_empty() && lengths.iter().all(|length| *length <= MOST + 100), "{lengths:?}");
        assert!(lock(&lines.waiting).len() <= MOST);
    }

    #[test]
    fn what_waits_is_written_to_the_file_that_was_open_and_at_the_end() {
        let (lines, before) = lines();
        lines.gather();
        lines.add(b"one\n", false).unwrap();
        let after = Writes::default();
        lines.change_output(Box::new(after.clone()));
        lines.add(b"two\n", false).unwrap();
        assert_eq!(before.take(), ["one\n"]);
        lines.end_gathering();
        assert_eq!(after.take(), ["two\n"]);
    }

    #[test]
    fn the_thread_writes_what_waits_and_ends_with_the_gathering() {
        let (lines, writes) = lines();
        let lines = Arc::new(lines);
        lines.gather();
        let thread = std::thread::spawn({
            let lines = Arc::clone(&lines);
            move || lines.write_gathered()
        });
        lines.add(b"one\n", false).unwrap();
        while lock(&writes.0).is_empty() {
            std::thread::yield_now();
        }
        lines.end_gathering();
        thread.join().unwrap();
        assert_eq!(writes.take().concat(), "one\n");
    }
}
