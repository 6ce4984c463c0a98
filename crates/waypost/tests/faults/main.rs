//! A 250 is a promise, whatever the disk does. A layer in C below the program's file calls (`shim.c`) plays the disk:
//! it makes calls fail while mail comes in (`trouble`, `each`), or records them, so that the data folder can be built as a
//! power cut would have left it (`power`, `disk`). docs/reliability.md says what is promised and what the model of the disk is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod disk;
mod each;

mod load;
mod oracle;
mod power;
mod random;
mod record;
mod server;
mod shim;
mod sink;
mod trouble;
