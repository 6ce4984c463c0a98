//! A 250 is a promise, whatever the disk does. A layer in C below the program's file calls ([`xtask::faults`]) plays the
//! disk: it makes calls fail while mail comes in (`trouble`, `each`), or records them, so that the data folder can be built as
//! a power cut would have left it (`power`). docs/reliability.md says what is promised and what the model of the disk is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod each;
mod power;
mod trouble;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_waypost");
