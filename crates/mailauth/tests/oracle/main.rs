//! Held against another implementation: mail-auth 0.13.3 verifies what we sign and seal, and we what it does; both are
//! asked the same about the same DNS.
//!
//! Where the two differ, the case stands in a table of its own with the section of the RFC that says who is right.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod arc;
mod dkim;
mod dmarc;
mod keys;
mod spf;
mod theirs;
#[path = "../zone/mod.rs"]
mod zone;
