//! Stands in for `message::structure` until that has landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope;
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part;
