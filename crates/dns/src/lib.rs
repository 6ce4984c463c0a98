//! Resolver, cache, MX look-ups.
