//! Takes every message, forgets it, and counts.

use super::plan::MAX_RECIPIENTS;
use super::report::{SinkReport, Taken, cpu_time};
use crate::exit::Failure;
use address::Domain;
use net::{Endpoint, LimitSettings, Limits, Listener, NetError, ServeOptions, Shutdown, Stream};
use smtp::server::{BareNewline, Config, Decision, Event, Protocol, Session};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Connections at the same time.
const MAX_CONNECTIONS: usize = 50_000;
/// Octets read at once.
const READ: usize = 16 * 1024;
/// How long a client may take to read our replies.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long sessions may take to end when it is over.
const GRACE: Duration = Duration::from_secs(1);

/// A sink that listens.
pub(super) struct Sink {
    listener: Listener,
    hostname: Domain,
}

struct Shared {
    hostname: Domain,
    /// Messages after which it is over.
    enough: Option<u64>,
    shutdown: Shutdown,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    taken: Taken,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Sink {
    pub(super) fn bind(listen: SocketAddr) -> Result<Self, Failure> {
        let listener =
            Listener::bind(&listen.into(), None).map_err(|error: NetError| Failure::no(error.to_string()))?;
        Ok(Self { listener, hostname: crate::client::Here::new(None).host })
    }

    pub(super) fn local(&self) -> &Endpoint {
        self.listener.local()
    }

    /// Takes messages until there are `enough` or `stop` comes.
    pub(super) async fn run(self, enough: Option<u64>, stop: impl Future<Output = ()>) -> SinkReport {
        let (cpu, listen) = (cpu_time(), self.local().to_string());
        let shutdown = Shutdown::new();
        let shared = Arc::new(Shared {
            hostname: self.hostname,
            enough,
            shutdown: shutdown.clone(),
            count: Mutex::default(),
        });
        let total = net::raise_file_limit().connections(MAX_CONNECTIONS);
        let limits = Limits::new(LimitSettings { total, per_address: total, exempt: Vec::new() });
        let handler = {
            let shared = Arc::clone(&shared);
            move |connection: net::Connection| serve(Arc::clone(&shared), connection)
        };
        let mut serving =
            tokio::spawn(net::serve(self.listener, ServeOptions::new(limits, shutdown.clone()), handler));
        tokio::select! {
            () = stop => shutdown.trigger(),
            () = shutdown.wait() => {}
        }
        if timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
        let count = shared.count();
        let took = count.first.zip(count.last).map(|(first, last)| last.saturating_duration_since(first));
        SinkReport::new(listen, count.taken, took.unwrap_or_default(), cpu_time().saturating_sub(cpu))
    }
}

impl Shared {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) {
        let mut count = self.count();
        count.taken.connections += 1;
        count.first.get_or_insert_with(Instant::now);
    }

    fn took(&self, recipients: u64, octets: u64) {
        let mut count = self.count();
        count.taken.messages += 1;
        count.taken.recipients += recipients;
        count.taken.octets += octets;
        count.last = Some(Instant::now());
        if self.enough.is_some_and(|enough| count.taken.messages >= enough) {
            self.shutdown.trigger();
        }
    }
}

async fn serve(shared: Arc<Shared>, connection: net::Connection) {
    shared.connected();
    // How a connection ends is the client's affair.
    let _ = converse(&shared, connection.stream).await;
}

async fn converse(shared: &Shared, mut stream: Stream) -> io::Result<()> {
    let mut session = Session::new(config(shared, &stream), Instant::now());
    let mut buffer = vec![0; READ];
    let (mut recipients, mut stopping) = (0, false);
    loop {
        if let Some(event) = session.poll_event() {
            if let Some(decision) = decide(shared, event, &mut recipients) {
                session.answer(decision);
            }
            continue;
        }
        if let Some(replies) = session.poll_transmit() {
            timeout(WRITE_TIMEOUT, stream.write_all(&replies)).await??;
            continue;
        }
        if session.is_closed() {
            return stream.shutdown().await;
        }
        let deadline = session.poll_timeout().unwrap_or_else(|| Instant::now() + WRITE_TIMEOUT);
        tokio::select! {
            biased;
            read = stream.read(&mut buffer) => match buffer.get(..read?) {
                Some(octets @ [_, ..]) => session.handle_input(Instant::now(), octets),
                _ => session.handle_disconnect(),
            },
            () = tokio::time::sleep_until(deadline.into()) => session.handle_timeout(Instant::now()),
            () = shared.shutdown.wait(), if !stopping => {
                stopping = true;
                session.shut_down();
            }
        }
    }
}

/// As little as possible is refused, and nothing is too much that costs nothing to forget.
fn config(shared: &Shared, stream: &Stream) -> Config {
    let mut config = Config::new(shared.hostname.clone(), Protocol::Smtp);
    config.bare_newline = BareNewline::Normalise;
    config.extensions.limits = false;
    config.limits.message_size = 0;
    config.limits.messages = usize::MAX;
    config.limits.recipients = MAX_RECIPIENTS as usize;
    config.limits.rate = None;
    // Any password will do; none shall cross a network for that.
    if stream.peer().ip().is_some_and(|ip| ip.is_loopback()) {
        config.mechanisms = vec!["PLAIN".to_owned()];
    }
    config
}

/// Yes to everything.
fn decide(shared: &Shared, event: Event, recipients: &mut u64) -> Option<Decision> {
    match event {
        Event::Mail(_) => *recipients = 0,
        Event::Rcpt(_) => *recipients += 1,
        Event::EndOfMessage(facts) => shared.took(*recipients, facts.octets),
        Event::Auth(auth) if auth.initial.is_none() => return Some(Decision::Challenge(Vec::new())),
        Event::Body(_) | Event::AuthEnded | Event::Aborted(_) | Event::Closed(_) => return None,
        _ => {}
    }
    Some(Decision::Accept)
}
