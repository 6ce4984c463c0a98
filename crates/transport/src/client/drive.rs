//! Octets between session and socket.

use super::{Client, Seen, now};
use bytes::Buf;
use smtp::client::Event;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{timeout, timeout_at};

/// Octets read at once: a reply rarely has more.
const READ: usize = 4096;
/// How long the last octets of a session that is over may take; nothing depends on them.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Client {
    /// Runs the dialogue up to the next event that asks something of the caller. Can be given up and called again.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.next_event() {
                if let Event::Ended(why) = &event {
                    self.ended = Some(why.clone());
                    self.say_last_words().await;
                }
                return event;
            }
            if self.pending.is_empty() {
                self.pending = self.session.poll_transmit().unwrap_or_default();
            }
            match self.session.poll_timeout() {
                None => self.exchange().await,
                Some(deadline) => {
                    if timeout_at(deadline.into(), self.exchange()).await.is_err() {
                        self.session.handle_timeout(now());
                    }
                }
            }
        }
    }

    /// Shows what is for showing.
    fn next_event(&mut self) -> Option<Event> {
        loop {
            match self.session.poll_event()? {
                Event::Sent(line) => self.show(Seen::Sent(line)),
                Event::Received(line) => self.show(Seen::Received(line)),
                event => return Some(event),
            }
        }
    }

    pub(super) fn show(&self, seen: Seen) {
        if let Some(watcher) = &self.watcher {
            watcher(seen);
        }
    }

    /// Writes and reads, until something was moved.
    async fn exchange(&mut self) {
        poll_fn(|cx| self.poll_exchange(cx)).await;
    }

    /// Both directions at once: a server that cannot get rid of its replies stops reading.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wrote = self.poll_write(cx);
        let mut space = [0; READ];
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.session.handle_input(now(), buffer.filled());
                Poll::Ready(())
            }
            Poll::Ready(_) => {
                self.session.handle_closed(now());
                Poll::Ready(())
            }
            Poll::Pending if self.write_failed => {
                self.session.handle_closed(now());
                Poll::Ready(())
            }
            Poll::Pending if wrote => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether anything left.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.pending.len();
        while !self.pending.is_empty() && !self.write_failed {
            match Pin::new(&mut self.stream).poll_write(cx, &self.pending) {
                Poll::Ready(Ok(count @ 1..)) => self.pending.advance(count),
                Poll::Ready(_) => self.write_failed = true,
                Poll::Pending => break,
            }
            self.flushing = true;
        }
        if self.pending.is_empty() && self.flushing && !self.write_failed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushing = false,
                Poll::Ready(Err(_)) => self.write_failed = true,
                Poll::Pending => {}
            }
        }
        self.pending.len() < before
    }

    /// RFC 5321 §3.1 asks for QUIT also after a refusal.
    async fn say_last_words(&mut self) {
        let writing = async {
            while let Some(block) = self.session.poll_transmit() {
                self.stream.write_all(&block).await?;
            }
            self.stream.shutdown().await
        };
        let _ = timeout(LAST_WORDS, writing).await;
    }

    /// Whether an idle connection still stands: the peer has neither closed it nor said anything (a 421, most likely).
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut space = [0; 1];
        let mut buffer = ReadBuf::new(&mut space);
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer).is_pending()
    }
}
