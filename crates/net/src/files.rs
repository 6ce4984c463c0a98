//! File handles: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Handles kept for databases, logs, DNS and the like.
const RESERVED: u64 = 256;
/// A connection may have a body on disk open beside its socket.
const PER_CONNECTION: u64 = 2;

/// How many files the process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimit(u64);

/// Raises the soft limit to the hard one and returns what holds now.
pub fn raise_file_limit() -> FileLimit {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        raised.current
    } else {
        limit.current
    };
    FileLimit(current.unwrap_or(u64::MAX))
}

impl FileLimit {
    /// The number of files.
    pub fn files(self) -> u64 {
        self.0
    }

    /// How many of the `wanted` connections the handles suffice for (at least one). Fewer than wanted calls for
    /// a warning.
    pub fn connections(self, wanted: usize) -> usize {
        let reserved = RESERVED.min(self.0 / 4);
        let possible = (self.0 - reserved) / PER_CONNECTION;
        wanted.min(usize::try_from(possible).unwrap_or(usize::MAX)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_what_the_handles_suffice_for() {
        let check = |files, expected| assert_eq!(FileLimit(files).connections(10_000), expected, "{files}");
        check(u64::MAX, 10_000);
        check(524_288, 10_000);
        check(4_096, 1_920);
        check(1_024, 384);
        check(0, 1);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_file_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised.files());
        assert_eq!(getrlimit(Resource::Nofile).current, getrlimit(Resource::Nofile).maximum);
    }
}
