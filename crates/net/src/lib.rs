//! Sockets: listeners, TLS, PROXY protocol, limits, graceful stop.
