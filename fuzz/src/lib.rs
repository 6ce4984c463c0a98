//! What is fuzzed: a function a target, from octets to a panic or none. `fuzz_targets` hands them to libFuzzer;
//! `crates/waypost/tests/corpus.rs` includes the same files and replays `corpus/` with every `cargo test`.

#![forbid(unsafe_code)]

pub mod targets;
