//! The project's long tests and measurements, which `cargo xtask` runs at length and the ordinary tests run briefly.
//!
//! This crate stands outside the program: it treats `waypost` as a stranger would, by its command line, its configuration and
//! its ports. So what it proves holds for what is shipped. One room it does know: what is on a disk after a power
//! cut it reads with `store`, because a stranger does not see what waits in the queue.
//!
//! - [`crash`]: `serve` is killed again and again under load, and every 250 must have been kept.
//! - [`power_cut`]: its disk is built anew as a power cut would have left it, again and again, and likewise.
//! - [`faults`]: the layer below the program's file calls that records them or makes them fail.
//! - [`measure`]: the figures of speed and scale, each with what it should be.
//! - [`installation`]: a folder with a configuration, and the real program in it.
//! - [`imap`]: the folders of an account, over IMAP.
//! - [`maildrop`]: a mailbox, read and emptied over POP3.
//! - [`wire`]: one end of a dialogue in lines, with or without TLS.
//! - [`random`]: numbers from a seed.
//!
//! ```no_run
//! use xtask::crash::{self, Settings};
//!
//! let settings = Settings { rounds: 20, ..Settings::new("target/debug/waypost".into()) };
//! let report = crash::run(&settings, |_round| {})?;
//! assert!(report.failures.is_empty(), "{report:#?}");
//! # Ok::<(), xtask::Error>(())
//! ```

pub mod crash;
mod error;
pub mod faults;
pub mod imap;
pub mod installation;
pub mod maildrop;
pub mod measure;
mod port;
pub mod power_cut;
pub mod random;
pub mod wire;

pub use error::Error;
pub use port::free_port;
