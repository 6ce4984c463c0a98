//! `shim.c`: compiled once, put below the program, and told what to do.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The kinds of calls, as in `shim.c`.
pub(crate) const WRITE: u32 = 1;
pub(crate) const SYNC: u32 = 2;
pub(crate) const OPEN: u32 = 4;
pub(crate) const NAME: u32 = 8;
pub(crate) const ALL: u32 = WRITE | SYNC | OPEN | NAME;

pub(crate) const EIO: u32 = 5;
pub(crate) const ENOSPC: u32 = 28;
pub(crate) const EROFS: u32 = 30;

/// Where the parts of `struct control` are.
const FAILS: u64 = 0;
const ERROR: u64 = 4;
const SKIP: u64 = 8;
const COUNT: u64 = 16;
const SLOW: u64 = 24;
const DELAY: u64 = 28;
const SEEN: u64 = 32;
const FAILED: u64 = 40;
const ONLY: u64 = 48;
const LENGTH: u64 = 112;

/// What fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault<'a> {
    pub(crate) kinds: u32,
    pub(crate) error: u32,
    /// So many pass first.
    pub(crate) skip: u64,
    pub(crate) count: u64,
    /// Only on paths that have these words; empty: on all.
    pub(crate) only: &'a str,
}

impl Fault<'_> {
    /// All of these fail until told otherwise.
    pub(crate) fn lasting(kinds: u32, error: u32) -> Self {
        Self { kinds, error, skip: 0, count: u64::MAX, only: "" }
    }
}

/// The page that the shim and the test share.
#[derive(Debug)]
pub(crate) struct Control(File);

impl Control {
    pub(crate) fn new(path: &Path) -> Self {
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        file.set_len(LENGTH).unwrap();
        Self(file)
    }

    pub(crate) fn fail(&self, fault: Fault<'_>) {
        self.pass();
        let mut only = [0; 64];
        only[..fault.only.len()].copy_from_slice(fault.only.as_bytes());
        for (place, bytes) in [
            (ONLY, &only[..]),
            (SEEN, &0u64.to_le_bytes()),
            (FAILED, &0u64.to_le_bytes()),
            (ERROR, &fault.error.to_le_bytes()),
            (SKIP, &fault.skip.to_le_bytes()),
            (COUNT, &fault.count.to_le_bytes()),
            // Last, because it is what makes the rest count.
            (FAILS, &fault.kinds.to_le_bytes()),
        ] {
            self.0.write_all_at(bytes, place).unwrap();
        }
    }

    /// Nothing fails any more.
    pub(crate) fn pass(&self) {
        self.0.write_all_at(&0u32.to_le_bytes(), FAILS).unwrap();
        self.0.write_all_at(&[0; 64], ONLY).unwrap();
    }

    /// Calls of these kinds take so much longer.
    pub(crate) fn slow(&self, kinds: u32, microseconds: u32) {
        self.0.write_all_at(&microseconds.to_le_bytes(), DELAY).unwrap();
        self.0.write_all_at(&kinds.to_le_bytes(), SLOW).unwrap();
    }

    /// Calls that failed since the last [`Control::fail`].
    pub(crate) fn failed(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, FAILED).unwrap();
        u64::from_le_bytes(bytes)
    }
}

/// The library, compiled by the system's C compiler the first time.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_folder, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let words = ["-shared", "-fPIC", "-O1", "-Wall", "-o"];
        let status = Command::new(compiler).args(words).arg(&path).arg(source).arg("-ldl").status();
        assert!(status.expect("a C compiler").success(), "shim.c does not compile");
        (folder, path)
    });
    path
}
