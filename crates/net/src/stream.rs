//! One type for every connection.

use crate::proxy::{self, Header, ReadError};
use crate::socket::{Kind, Socket};
use crate::tls::{TlsClient, TlsInfo, TlsPolicy, TlsServer};
use crate::{Endpoint, NetError};
use address::Host;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection over TCP or a Unix socket, in the clear or in TLS.
pub struct Stream(Box<Inner>);

/// In a box, as the task of a connection has room for its stream in each of the functions that hand it on.
struct Inner {
    io: Io,
    ends: Ends,
    tls: Option<Box<TlsInfo>>,
}

struct Ends {
    peer: Peer,
    local: Endpoint,
    proxied_by: Option<SocketAddr>,
}

enum Io {
    Plain(Socket),
    Server(Box<tokio_rustls::server::TlsStream<Socket>>),
    Client(Box<tokio_rustls::client::TlsStream<Socket>>),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Never an IPv4-mapped IPv6 address: those are shown as what they are.
    Ip(SocketAddr),
    /// A process of this machine; what the kernel says of it.
    Unix(Option<Credentials>),
}

/// The owner of the process at the other end of a Unix socket, when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub pid: Option<i32>,
}

impl Peer {
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    pub fn uid(&self) -> Option<u32> {
        match self {
            Self::Ip(_) => None,
            Self::Unix(credentials) => credentials.map(|credentials| credentials.uid),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(Some(credentials)) => write!(f, "unix (uid {})", credentials.uid),
            Self::Unix(None) => f.write_str("unix"),
        }
    }
}

impl Stream {
    pub(crate) fn from_tcp(stream: TcpStream) -> io::Result<Self> {
        // Replies are written whole; waiting to join small ones would only add delay to a dialogue.
        stream.set_nodelay(true)?;
        let (peer, local) = (canonical(stream.peer_addr()?), canonical(stream.local_addr()?));
        Ok(Self::new(Socket::new(Kind::Tcp(stream)), Peer::Ip(peer), Endpoint::Tcp(local)))
    }

    pub(crate) fn from_unix(stream: UnixStream, local: Endpoint) -> io::Result<Self> {
        let credentials = stream.peer_cred().ok().map(|found| Credentials {
            uid: found.uid(),
            gid: found.gid(),
            pid: found.pid(),
        });
        Ok(Self::new(Socket::new(Kind::Unix(stream)), Peer::Unix(credentials), local))
    }

    fn new(socket: Socket, peer: Peer, local: Endpoint) -> Self {
        Self::plain(socket, Ends { peer, local, proxied_by: None })
    }

    fn plain(socket: Socket, ends: Ends) -> Self {
        Self(Box::new(Inner { io: Io::Plain(socket), ends, tls: None }))
    }

    fn secured(io: Io, ends: Ends, info: TlsInfo) -> Self {
        Self(Box::new(Inner { io, ends, tls: Some(Box::new(info)) }))
    }

    /// Two connected ends, for tests. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the process has no handles left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        let unnamed = || Endpoint::Unix(PathBuf::new());
        Ok((Self::from_unix(one, unnamed())?, Self::from_unix(other, unnamed())?))
    }

    /// The client, also behind a proxy that names it.
    pub fn peer(&self) -> Peer {
        self.0.ends.peer
    }

    /// Our end, as the client sees it.
    pub fn local(&self) -> &Endpoint {
        &self.0.ends.local
    }

    /// The proxy that the connection came through, if it named another peer than itself.
    pub fn proxied_by(&self) -> Option<SocketAddr> {
        self.0.ends.proxied_by
    }

    /// What was agreed in the TLS handshake; `None` in the clear.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.0.tls.as_deref()
    }

    /// Does the server's part of a TLS handshake. Whatever the caller read before and has not acted on must be
    /// thrown away (RFC 3207 §4.2).
    ///
    /// # Errors
    /// [`NetError::Handshake`] or [`NetError::Timeout`]; the connection is closed then.
    pub async fn start_tls(self, server: &TlsServer) -> Result<Self, NetError> {
        let (socket, ends) = self.into_plain()?;
        let (stream, info) = server.accept(socket, ends.peer).await?;
        Ok(Self::secured(Io::Server(Box::new(stream)), ends, info))
    }

    /// Does the client's part of a TLS handshake, calling the server `name` (SNI, and what its certificate is
    /// checked against where `policy` checks it).
    ///
    /// # Errors
    /// [`NetError::Handshake`], [`NetError::Timeout`], or [`NetError::TlsSetup`] when the system has no roots to verify with.
    pub async fn connect_tls(
        self,
        client: &TlsClient,
        name: &Host,
        policy: &TlsPolicy,
    ) -> Result<Self, NetError> {
        let (socket, ends) = self.into_plain()?;
        let (stream, info) = client.connect(socket, ends.peer, name, policy).await?;
        Ok(Self::secured(Io::Client(Box::new(stream)), ends, info))
    }

    /// Reads the PROXY header with which a proxy must begin, and takes the peer it names.
    ///
    /// # Errors
    /// [`NetError::Proxy`] or [`NetError::Timeout`]; the connection is closed then.
    pub async fn accept_proxy(self, timeout: Duration) -> Result<Self, NetError> {
        let (mut socket, mut ends) = self.into_plain()?;
        let header = proxy::read_header(&mut socket, timeout).await.map_err(|error| match error {
            ReadError::Timeout => NetError::Timeout { what: "the PROXY header", after: timeout },
            ReadError::Header(source) => NetError::Proxy { peer: ends.peer.to_string(), source },
            ReadError::Io(error) => NetError::Io(error),
        })?;
        if let (Header::Proxied { source, destination }, Peer::Ip(proxy)) = (header, ends.peer) {
            let (peer, local) = (Peer::Ip(canonical(source)), Endpoint::Tcp(canonical(destination)));
            ends = Ends { peer, local, proxied_by: Some(proxy) };
        }
        Ok(Self::plain(socket, ends))
    }

    /// Writes what the kernel takes at once: a last word to one who is not let in. Nothing in TLS.
    pub(crate) fn try_write(&self, bytes: &[u8]) {
        if let Io::Plain(socket) = &self.0.io {
            let _ = socket.try_write(bytes);
        }
    }

    fn into_plain(self) -> Result<(Socket, Ends), NetError> {
        let Inner { io, ends, .. } = *self.0;
        match io {
            Io::Plain(socket) => Ok((socket, ends)),
            Io::Server(_) | Io::Client(_) => {
                Err(NetError::TlsSetup("the connection is in TLS already".to_owned()))
            }
        }
    }
}

/// A client of a socket for both families comes as `::ffff:192.0.2.1`.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ends { peer, local, proxied_by } = &self.0.ends;
        f.debug_struct("Stream")
            .field("peer", peer)
            .field("local", local)
            .field("proxied_by", proxied_by)
            .field("tls", &self.0.tls)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Server(stream) => Pin::new(stream).poll_read(cx, buf).map(end_without_notice),
            Io::Client(stream) => Pin::new(stream).poll_read(cx, buf).map(end_without_notice),
        }
    }
}

/// Half of the world's mail programs close without TLS's close_notify. Every protocol here marks the end of
/// what counts (CRLF.CRLF, QUIT, a length), so that a cut connection is seen without it.
fn end_without_notice(read: io::Result<()>) -> io::Result<()> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        other => other,
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Server(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Client(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Io::Server(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Io::Client(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Server(stream) => Pin::new(stream).poll_flush(cx),
            Io::Client(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Server(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Client(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
