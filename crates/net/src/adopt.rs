//! Sockets that the service manager opened for us (sd_listen_fds(3)).

use crate::{Endpoint, Listener};
use listenfd::ListenFd;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixListener;

/// The inherited listening sockets, waiting to be claimed by address.
#[derive(Debug, Default)]
pub struct Adopted {
    sockets: Vec<(Endpoint, Inherited)>,
}

#[derive(Debug)]
enum Inherited {
    Tcp(std::net::TcpListener),
    Unix(UnixListener),
}

impl Adopted {
    /// Takes what was passed by `LISTEN_FDS`; nothing if there is none. To be called once.
    pub fn from_env() -> Self {
        let mut passed = ListenFd::from_env();
        let sockets = (0..passed.len()).filter_map(|index| take(&mut passed, index)).collect();
        Self { sockets }
    }

    /// The inherited socket for this place, if there is one. `[::]` and `0.0.0.0` stand for each other, as the
    /// administrator of a machine without IPv6 may have written either.
    pub fn claim(&mut self, endpoint: &Endpoint) -> Option<std::io::Result<Listener>> {
        let exact = self.sockets.iter().position(|(at, _)| at == endpoint);
        let index =
            exact.or_else(|| self.sockets.iter().position(|(at, _)| unspecified_alike(at, endpoint)))?;
        let (at, socket) = self.sockets.swap_remove(index);
        Some(match (socket, at) {
            (Inherited::Tcp(socket), _) => Listener::from_tcp(socket),
            (Inherited::Unix(socket), Endpoint::Unix(path)) => Listener::from_unix(socket, path),
            (Inherited::Unix(_), Endpoint::Tcp(_)) => return None,
        })
    }

    /// What nobody claimed: a mistake in the socket unit or in the configuration.
    pub fn unclaimed(&self) -> impl Iterator<Item = &Endpoint> {
        self.sockets.iter().map(|(endpoint, _)| endpoint)
    }

    #[cfg(test)]
    pub(crate) fn of_tcp(socket: std::net::TcpListener) -> Self {
        let at = Endpoint::Tcp(socket.local_addr().unwrap());
        Self { sockets: vec![(at, Inherited::Tcp(socket))] }
    }
}

fn take(passed: &mut ListenFd, index: usize) -> Option<(Endpoint, Inherited)> {
    if let Ok(Some(socket)) = passed.take_unix_listener(index) {
        let path = socket.local_addr().ok()?.as_pathname()?.to_owned();
        return Some((Endpoint::Unix(path), Inherited::Unix(socket)));
    }
    let socket = passed.take_tcp_listener(index).ok()??;
    let at = Endpoint::Tcp(socket.local_addr().ok()?);
    Some((at, Inherited::Tcp(socket)))
}

fn unspecified_alike(one: &Endpoint, other: &Endpoint) -> bool {
    let any =
        |address: &SocketAddr| address.ip() == Ipv4Addr::UNSPECIFIED || address.ip() == Ipv6Addr::UNSPECIFIED;
    match (one, other) {
        (Endpoint::Tcp(one), Endpoint::Tcp(other)) => one.port() == other.port() && any(one) && any(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn inherited_sockets_are_claimed_by_address_once() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = Endpoint::Tcp(socket.local_addr().unwrap());
        let mut adopted = Adopted::of_tcp(socket);
        assert!(adopted.claim(&"127.0.0.2:25".parse().unwrap()).is_none());
        assert_eq!(adopted.unclaimed().collect::<Vec<_>>(), [&at]);
        assert_eq!(adopted.claim(&at).unwrap().unwrap().local(), &at);
        assert!(adopted.claim(&at).is_none());
    }

    #[test]
    fn both_ways_to_write_every_address_match() {
        let alike = |a: &str, b: &str| unspecified_alike(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(alike("[::]:25", "0.0.0.0:25"));
        assert!(!alike("[::]:25", "0.0.0.0:26"));
        assert!(!alike("[::]:25", "127.0.0.1:25"));
    }
}
