//! Ports for servers that are started, killed and started again.

use crate::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the system gives to whoever asks for any (from 32768 on): a port from there may be the end of somebody's
/// connection by the time that a server wants it again.
const PORTS: Range<u16> = 15_000..32_000;
/// Processes that are started one after another begin so far apart.
const APART: u32 = 769;

/// A port of 127.0.0.1 at which nobody listens, and which no other call of this process has given or will.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, Error> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(APART);
    for _ in PORTS {
        let place = first.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(place).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Stuck(format!("all ports from {} to {} are in use", PORTS.start, PORTS.end - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_not_when_somebody_listens_there() {
        let first = free_port().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let others: Vec<u16> = (0..5).map(|_| free_port().unwrap()).collect();
        assert!(others.iter().all(|port| *port != first && PORTS.contains(port)), "{first} {others:?}");
    }
}
