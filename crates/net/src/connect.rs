//! Calling others.

use crate::{Endpoint, NetError, Stream};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// Connects to `target`, from the own address `source` if one is given (it must be of the target's family).
///
/// # Errors
/// [`NetError::Connect`], or [`NetError::Timeout`] when nobody answered within `timeout`.
pub async fn connect(
    target: &Endpoint,
    source: Option<IpAddr>,
    timeout: Duration,
) -> Result<Stream, NetError> {
    let connecting = async {
        match target {
            Endpoint::Tcp(address) => Stream::from_tcp(connect_tcp(*address, source).await?),
            Endpoint::Unix(path) => Stream::from_unix(UnixStream::connect(path).await?, target.clone()),
        }
    };
    match tokio::time::timeout(timeout, connecting).await {
        Ok(done) => done.map_err(|source| NetError::Connect { target: target.clone(), source }),
        Err(_) => Err(NetError::Timeout { what: "connecting", after: timeout }),
    }
}

async fn connect_tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source {
        socket.bind((source, 0).into()).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot call from the source address {source}: {error}"))
        })?;
    }
    socket.connect(address).await
}
