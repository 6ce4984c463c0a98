//! The control socket: how a command reaches a running server.
//!
//! One line of JSON asks, one answers, many times a connection. The client speaks first and says which
//! [`PROTOCOL`] it knows: `{"protocol":1}`, which is answered with the server's; then come [`Request`](crate::Request)s and
//! [`Response`](crate::Response)s. The socket is in the data folder, for its owner alone; besides the owner only root is
//! answered.

mod client;
mod server;

pub use client::Client;
#[cfg(test)]
pub(crate) use server::session;
pub use server::{bind, serve};

use crate::AdminError;
use net::{Endpoint, Stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// Changes when an old client would misunderstand a new server.
pub const PROTOCOL: u32 = 1;
/// The socket's file in the data folder.
pub const SOCKET: &str = "control.sock";
/// Octets of a line: a listing of 10,000 messages fits.
pub const MAX_LINE: usize = 16 << 20;
/// How long a peer may take to read a line, or to write one once it has begun.
const LINE_TIMEOUT: Duration = Duration::from_secs(30);

/// The first line in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
}

fn endpoint(data: &Path) -> Endpoint {
    Endpoint::Unix(data.join(SOCKET))
}

/// Lines of JSON over a stream.
#[derive(Debug)]
pub(crate) struct Lines {
    stream: BufReader<Stream>,
}

impl Lines {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Waits for the peer to begin a line; `false` when it has closed the connection instead.
    async fn wait(&mut self) -> Result<bool, AdminError> {
        let begun = self.stream.fill_buf().await;
        Ok(!begun.map_err(|error| broken(&error))?.is_empty())
    }

    /// Reads a line that has begun.
    async fn read<T: DeserializeOwned>(&mut self) -> Result<T, AdminError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_LINE as u64 + 1);
        let read = tokio::time::timeout(LINE_TIMEOUT, bounded.read_until(b'\n', &mut line)).await;
        read.map_err(|_| silent())?.map_err(|error| broken(&error))?;
        if line.len() > MAX_LINE {
            return Err(AdminError::Refused(format!("a line of more than {MAX_LINE} octets")));
        }
        if line.pop() != Some(b'\n') {
            return Err(AdminError::Temporary("the control connection was closed".to_owned()));
        }
        let garbled = |error| AdminError::Refused(format!("not what the control socket speaks: {error}"));
        serde_json::from_slice(&line).map_err(garbled)
    }

    async fn write(&mut self, value: &impl Serialize) -> Result<(), AdminError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|error| AdminError::Failed(format!("cannot write JSON: {error}")))?;
        line.push(b'\n');
        if line.len() > MAX_LINE {
            let text = "the answer is too long for the control socket: ask for less at once";
            return Err(AdminError::Refused(text.to_owned()));
        }
        let written = tokio::time::timeout(LINE_TIMEOUT, async {
            self.stream.write_all(&line).await?;
            self.stream.flush().await
        });
        written.await.map_err(|_| silent())?.map_err(|error| broken(&error))
    }
}

fn broken(error: &std::io::Error) -> AdminError {
    AdminError::Temporary(format!("the control connection failed: {error}"))
}

fn silent() -> AdminError {
    AdminError::Temporary(format!("the other end of the control socket was silent for {LINE_TIMEOUT:?}"))
}
