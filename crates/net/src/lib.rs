//! Sockets: listeners, TLS, PROXY protocol, limits, graceful stop.
//!
//! The only crate that opens sockets (DNS queries apart), and it knows nothing of what is said over them.
//! [`Endpoint`] names a place to listen or to call; [`Listener::bind`] and [`connect`] give a [`Stream`], which is
//! the same type over TCP or a Unix socket, in the clear or in TLS. [`serve`] runs one listener: it accepts, reads
//! a PROXY header where one is due, holds connections to the [`Limits`], and hands each [`Connection`] to a session
//! of its own, until [`Shutdown`] is triggered.
//!
//! ```
//! use net::{Connection, Endpoint, Limits, Listener, ServeOptions, Shutdown};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let listener = Listener::bind(&"127.0.0.1:0".parse()?, None)?;
//! let place = listener.local().clone(); // with the real port
//! let (limits, shutdown) = (Limits::default(), Shutdown::new());
//! let greet = |mut connection: Connection| async move {
//!     let _ = connection.stream.write_all(b"220 hello\r\n").await;
//! };
//! let serving = tokio::spawn(net::serve(listener, ServeOptions::new(limits, shutdown.clone()), greet));
//!
//! let mut stream = net::connect(&place, None, std::time::Duration::from_secs(5)).await?;
//! let mut line = String::new();
//! stream.read_to_string(&mut line).await?;
//! assert_eq!(line, "220 hello\r\n");
//! shutdown.trigger();
//! serving.await?;
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod adopt;
mod connect;
mod contain;
mod endpoint;
mod error;
mod files;
mod limits;
mod listener;
mod pressure;
pub mod proxy;
mod public;
mod serve;
mod shutdown;
mod socket;
mod stream;
pub mod tls;

pub use adopt::Adopted;
pub use connect::connect;
pub use contain::{Panicked, contain};
pub use endpoint::{Endpoint, EndpointError};
pub use error::NetError;
pub use files::{FileLimit, raise_file_limit};
pub use limits::{Guard, LimitSettings, Limits, OverLimit};
pub use listener::{Listener, MAX_SOCKET_PATH};
pub use pressure::Pressure;
pub use public::{is_for_documentation, is_public};
pub use serve::{Connection, ServeOptions, serve};
pub use shutdown::{Shutdown, Tracked};
pub use stream::{Credentials, Peer, Stream};
