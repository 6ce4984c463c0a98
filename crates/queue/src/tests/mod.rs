//! The queue on a real store with a simulated network and a clock that the tests move.

mod commands;
mod delivery;
mod forwarding;
mod notifications;
mod simulation;
mod world;
