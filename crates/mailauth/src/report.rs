//! Reports on what was checked, for the owners of domains: who sends in their name, and over what.

pub mod tls;
