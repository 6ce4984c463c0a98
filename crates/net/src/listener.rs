//! Sockets that accept.

use crate::{Endpoint, NetError, Stream};
use rustix::fs::{FileType, stat};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// Connections that the kernel holds until they are accepted; it lowers this to its own limit (`somaxconn`).
const BACKLOG: i32 = 1024;
/// Access to a Unix socket when nothing else is asked for: owner and group.
const UNIX_MODE: u32 = 0o660;

/// Octets of the path of a Unix socket: `sun_path` has 108, the last of them for a NUL (unix(7)).
pub const MAX_SOCKET_PATH: usize = 107;

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: Accepting,
    local: Endpoint,
}

#[derive(Debug)]
enum Accepting {
    Tcp(TcpListener),
    Unix { listener: UnixListener, file: Option<SocketFile> },
}

impl Listener {
    /// Opens a socket. `[::]` is both families, or IPv4 alone where there is no IPv6. A Unix socket that nobody
    /// answers at is replaced; `unix_mode` is its access (default 0660). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`NetError::Bind`] with what to do about it.
    pub fn bind(endpoint: &Endpoint, unix_mode: Option<u32>) -> Result<Self, NetError> {
        let bound = match endpoint {
            Endpoint::Tcp(address) => bind_tcp(*address).and_then(Self::from_tcp),
            Endpoint::Unix(path) => bind_unix(path, unix_mode.unwrap_or(UNIX_MODE)),
        };
        bound.map_err(|error| NetError::Bind { endpoint: endpoint.clone(), reason: advise(&error) })
    }

    pub(crate) fn from_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let local = Endpoint::Tcp(listener.local_addr()?);
        Ok(Self { socket: Accepting::Tcp(TcpListener::from_std(listener)?), local })
    }

    /// A socket that somebody else made, and whose file is theirs to remove.
    pub(crate) fn from_unix(listener: std::os::unix::net::UnixListener, path: PathBuf) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { socket: Accepting::Unix { listener, file: None }, local: Endpoint::Unix(path) })
    }

    /// Where it listens, with the real port where port 0 was asked for.
    pub fn local(&self) -> &Endpoint {
        &self.local
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// Those of accept(2): about this one connection, or that there are no handles left. [`crate::serve`] knows
    /// what to do.
    pub async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Accepting::Tcp(listener) => Stream::from_tcp(listener.accept().await?.0),
            Accepting::Unix { listener, .. } => {
                Stream::from_unix(listener.accept().await?.0, self.local.clone())
            }
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    match bind_one_tcp(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && no_ipv6(&error) => {
            tracing::info!(port = address.port(), "no IPv6 here, listening on IPv4 alone");
            bind_one_tcp((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        done => done,
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn bind_one_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        let text = format!(
            "its path has {length} octets, and a socket's may have {MAX_SOCKET_PATH}; choose a shorter one"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::new(path);
    // Before listen: until then nobody can connect, whatever the umask left open.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    let mut listener = Listener::from_unix(socket.into(), path.to_owned())?;
    if let Accepting::Unix { file: slot, .. } = &mut listener.socket {
        *slot = Some(file?);
    }
    Ok(listener)
}

/// Removes the socket of a process that is gone; never a file of another kind, nor one somebody answers at.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match stat(path) {
        Ok(found) => found,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in the way"));
    }
    // Without blocking: a full backlog means that somebody is there.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// The file of a socket we made; removed with it, unless another took its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let found = stat(path)?;
        Ok(Self { path: path.to_owned(), identity: (found.st_dev, found.st_ino) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if stat(&self.path).is_ok_and(|found| (found.st_dev, found.st_ino) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn advise(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{error}; another server is using it"),
        io::ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 need root, CAP_NET_BIND_SERVICE or socket activation")
        }
        io::ErrorKind::AddrNotAvailable => format!("{error}; this machine does not have the address"),
        io::ErrorKind::NotFound => format!("{error}; make the folder of the socket first"),
        _ => error.to_string(),
    }
}
