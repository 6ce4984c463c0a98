//! The socket, with or without compression (RFC 4978).

use super::deflate::Deflate;
use imap::server::Session;
use net::Stream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

/// Octets taken from the socket at once. They pass over the stack, so that an idle connection holds no buffer.
const READ: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Wire {
    /// `None` only while TLS starts.
    stream: Option<Stream>,
    deflate: Option<Box<Deflate>>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream: Some(stream), deflate: None }
    }

    /// For a handshake: what is left is closed.
    pub(super) fn take_stream(&mut self) -> io::Result<Stream> {
        self.stream.take().ok_or_else(closed)
    }

    /// From the next octet on, in both directions.
    pub(super) fn compress(&mut self) {
        self.deflate = Some(Box::default());
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { stream: Some(stream), deflate } = self else { return Err(closed()) };
        match deflate {
            None => stream.write_all(bytes).await,
            Some(deflate) => stream.write_all(&deflate.deflate(bytes)?).await,
        }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let Self { stream: Some(stream), deflate } = self else { return Err(closed()) };
        if let Some(deflate) = deflate {
            stream.write_all(&deflate.flush()?).await?;
        }
        stream.flush().await
    }

    /// A last word.
    pub(super) async fn say(&mut self, words: &[u8]) -> io::Result<()> {
        self.write_all(words).await?;
        self.flush().await?;
        self.shutdown().await
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.as_mut().ok_or_else(closed)?.shutdown().await
    }

    /// Reads once. The buffer is on the stack while there is something to read, and nowhere while there is not.
    pub(super) async fn read_into(&mut self, session: &mut Session) -> io::Result<()> {
        if let Some(deflate) = &mut self.deflate
            && let Some(plain) = deflate.inflate()?
        {
            session.handle_input(Instant::now(), &plain);
            return Ok(());
        }
        poll_fn(|cx| {
            let Self { stream: Some(stream), deflate } = &mut *self else {
                return Poll::Ready(Err(closed()));
            };
            let mut buffer = [0; READ];
            let mut buffer = ReadBuf::new(&mut buffer);
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            match (buffer.filled(), deflate) {
                ([], _) => session.handle_end(),
                (bytes, None) => session.handle_input(Instant::now(), bytes),
                (packed, Some(deflate)) => deflate.take(packed),
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

fn closed() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
