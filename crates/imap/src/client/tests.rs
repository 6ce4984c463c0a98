//! What servers say: as the RFCs show it, as servers deviate, and whatever this crate's server can say.

mod arbitrary;
mod commands;
mod responses;
mod sessions;
