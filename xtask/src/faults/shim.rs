//! `shim.c`: compiled, put below the program, and told what to do.

use crate::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The kinds of calls, as in `shim.c`.
pub const WRITE: u32 = 1;
pub const SYNC: u32 = 2;
pub const OPEN: u32 = 4;
pub const NAME: u32 = 8;
pub const ALL: u32 = WRITE | SYNC | OPEN | NAME;

pub const EIO: u32 = 5;
pub const ENOSPC: u32 = 28;
pub const EROFS: u32 = 30;

/// Where the parts of `struct control` are; numbers are the machine's own, which here is little-endian.
const FAILS: u64 = 0;
const ERROR: u64 = 4;
const SKIP: u64 = 8;
const COUNT: u64 = 16;
const SLOW: u64 = 24;
const DELAY: u64 = 28;
const SEEN: u64 = 32;
const FAILED: u64 = 40;
const ONLY: u64 = 48;
const ONLY_LENGTH: usize = 64;
const HALT: u64 = ONLY + ONLY_LENGTH as u64;
const HALTED: u64 = HALT + 4;
const LENGTH: u64 = HALTED + 4;

/// A call that was under way when the program was halted is over by then; one that makes none is between two anyway.
const HALT_WAIT: Duration = Duration::from_millis(100);

/// What fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    pub kinds: u32,
    pub error: u32,
    /// So many pass first.
    pub skip: u64,
    pub count: u64,
    /// Only on paths that have these words; empty: on all.
    pub only: &'a str,
}

impl Fault<'_> {
    /// All of these fail until told otherwise.
    pub fn lasting(kinds: u32, error: u32) -> Self {
        Self { kinds, error, skip: 0, count: u64::MAX, only: "" }
    }
}

/// The page that the shim and the test share.
#[derive(Debug)]
pub struct Control(File);

impl Control {
    /// # Errors
    /// When the file cannot be made, or is there already.
    pub fn new(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.set_len(LENGTH)?;
        Ok(Self(file))
    }

    /// # Errors
    /// Here and below: when the file cannot be written or read.
    pub fn fail(&self, fault: Fault<'_>) -> io::Result<()> {
        self.pass()?;
        let mut only = [0; ONLY_LENGTH];
        // The shim reads up to the first NUL, so one octet stays.
        for (place, octet) in only.iter_mut().take(ONLY_LENGTH - 1).zip(fault.only.bytes()) {
            *place = octet;
        }
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
            self.0.write_all_at(bytes, place)?;
        }
        Ok(())
    }

    /// Nothing fails any more.
    pub fn pass(&self) -> io::Result<()> {
        self.0.write_all_at(&0u32.to_le_bytes(), FAILS)?;
        self.0.write_all_at(&[0; ONLY_LENGTH], ONLY)
    }

    /// Calls of these kinds take so much longer.
    pub fn slow(&self, kinds: u32, microseconds: u32) -> io::Result<()> {
        self.0.write_all_at(&microseconds.to_le_bytes(), DELAY)?;
        self.0.write_all_at(&kinds.to_le_bytes(), SLOW)
    }

    /// The program makes no further call: between two of them it can be killed, so that the record of what it did has all of
    /// it. To be called while nothing is slow.
    pub fn halt(&self) -> io::Result<()> {
        self.0.write_all_at(&1u32.to_le_bytes(), HALT)?;
        let until = Instant::now() + HALT_WAIT;
        let mut halted = [0; 4];
        while halted == [0; 4] && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
            self.0.read_exact_at(&mut halted, HALTED)?;
        }
        Ok(())
    }

    /// The next program that is started is not halted.
    pub fn release(&self) -> io::Result<()> {
        self.0.write_all_at(&[0; 8], HALT)
    }

    /// Calls that failed since the last [`Control::fail`].
    pub fn failed(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, FAILED)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// Compiles the library with the system's C compiler (`CC`, else `cc`).
pub(crate) fn compile(folder: &Path) -> Result<PathBuf, Error> {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    std::fs::write(&source, include_str!("shim.c"))?;
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // It may bring words of its own, as in `ccache cc`.
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("cc"));
    command.args(words).args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]);
    let output = command.arg(&library).arg(&source).arg("-ldl").output().map_err(|error| {
        Error::Compiler(format!("no C compiler: {compiler}: {error}; install one, or name it in CC"))
    })?;
    if !output.status.success() {
        return Err(Error::Compiler(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(library)
}
