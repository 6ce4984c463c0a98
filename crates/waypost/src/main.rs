//! A complete mail system in one program.
fn main() {}
