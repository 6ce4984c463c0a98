//! What a dialogue needs: a server, and a client.

pub(crate) mod client;
pub(crate) mod world;
