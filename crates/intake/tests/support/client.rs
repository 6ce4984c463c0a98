//! The other end of a connection.

use net::Stream;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

/// Only a failing test waits so long.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    /// `None` once it has hung up.
    stream: Option<Stream>,
    unread: Vec<u8>,
    /// The server's session is over.
    ended: oneshot::Receiver<()>,
}

impl Client {
    pub(crate) fn new(stream: Stream, ended: oneshot::Receiver<()>) -> Self {
        Self { stream: Some(stream), unread: Vec::new(), ended }
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        let stream = self.stream.as_mut().expect("the client has hung up");
        stream.write_all(octets).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// The next line without its CRLF.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).unwrap();
            }
            let unread = String::from_utf8_lossy(&self.unread).into_owned();
            assert_ne!(self.read().await, 0, "the connection ended at {unread:?}");
        }
    }

    /// The lines of one reply.
    pub(crate) async fn reply(&mut self) -> Vec<String> {
        let mut lines = vec![self.line().await];
        while lines.last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-')) {
            lines.push(self.line().await);
        }
        lines
    }

    /// The server says no more, and has done with us.
    pub(crate) async fn expect_end(&mut self) {
        while self.read().await != 0 {}
        assert_eq!(String::from_utf8_lossy(&self.unread), "", "before the end");
        self.hang_up().await;
    }

    /// Returns when the server has noticed.
    pub(crate) async fn hang_up(&mut self) {
        self.stream = None;
        let ended = tokio::time::timeout(SOON, &mut self.ended).await;
        ended.expect("the session does not end").expect("the session panicked");
    }

    /// The stream, for a handshake. Nothing may have come that was not read.
    pub(crate) fn take(&mut self) -> Stream {
        self.expect_silence();
        self.stream.take().expect("the client has hung up")
    }

    pub(crate) fn put(&mut self, stream: Stream) {
        self.stream = Some(stream);
    }

    pub(crate) fn expect_silence(&self) {
        assert_eq!(String::from_utf8_lossy(&self.unread), "", "the server said more than was expected");
    }

    async fn read(&mut self) -> usize {
        let stream = self.stream.as_mut().expect("the client has hung up");
        let read = stream.read_buf(&mut self.unread);
        tokio::time::timeout(SOON, read).await.expect("the server is silent").unwrap_or(0)
    }
}
