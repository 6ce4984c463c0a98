//! The run loop of a connection: octets in, replies out, questions to the session.

use crate::session::Session;
use crate::{Intake, Listener};
use net::{Connection, Stream};
use smtp::server::{Decision, Event};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

/// Octets read at once. The buffer is the thread's, so that an idle connection holds none.
const READ: usize = 32 << 10;
/// How long a peer may take to read our replies (RFC 5321 §4.5.3.2.7).
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a last word and the end of TLS may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// The last word of a session that panicked (RFC 5321 §3.8: whatever was not answered was not taken).
const FAULT: &[u8] = b"421 4.3.0 a fault here ends this session, please try again later\r\n";

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// What the loop waited for.
enum Wakeup {
    Input,
    End,
    Timeout,
    Stop,
}

/// Why a conversation stops.
enum Pause {
    /// For a handshake, which needs the stream.
    StartTls,
    /// The connection has ended, for this reason.
    End(String),
}

pub(crate) async fn run(intake: Arc<Intake>, listener: Arc<Listener>, connection: Connection) {
    let Connection { stream, guard: _guard } = connection;
    let mut session = Session::new(Arc::clone(&intake), Arc::clone(&listener), &stream);
    let stream = match (listener.implicit_tls, &intake.tls) {
        (false, _) => Ok(stream),
        // Handshakes are in boxes: they are short, and large.
        (true, Some(tls)) => Box::pin(stream.start_tls(&listener.handshake(tls))).await,
        (true, None) => return session.log_end("no certificate for a listener with TLS"),
    };
    match stream {
        Ok(stream) => {
            session.connected(&stream);
            let reason =
                attend(&intake, &mut session, stream).await.unwrap_or_else(|error| error.to_string());
            session.log_end(&reason);
        }
        Err(error) => session.log_end(&error.to_string()),
    }
}

/// Returns why the connection ended. The stream is held outside of what may panic, so that the client can be told.
async fn attend(intake: &Intake, session: &mut Session, mut stream: Stream) -> io::Result<String> {
    loop {
        match net::contain(converse(intake, session, &mut stream)).await {
            Ok(Ok(Pause::StartTls)) => stream = Box::pin(start_tls(intake, session, stream)).await?,
            Ok(Ok(Pause::End(reason))) => return Ok(reason),
            Ok(Err(error)) => return Err(error),
            Err(panicked) => {
                session.log_panic(&panicked);
                let farewell = async {
                    stream.write_all(FAULT).await?;
                    stream.shutdown().await
                };
                let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
                return Ok(panicked.to_string());
            }
        }
    }
}

async fn converse(intake: &Intake, session: &mut Session, stream: &mut Stream) -> io::Result<Pause> {
    let mut stopping = false;
    loop {
        let Some(event) = session.smtp.poll_event() else {
            if let Some(bytes) = session.smtp.poll_transmit() {
                write(stream, &bytes).await?;
                continue;
            }
            if session.smtp.is_closed() {
                let _ = timeout(FAREWELL_TIMEOUT, stream.shutdown()).await;
                return Ok(Pause::End(session.end_reason()));
            }
            match wait(intake, session, stream, stopping).await? {
                Wakeup::Input => {}
                Wakeup::End => session.smtp.handle_disconnect(),
                Wakeup::Timeout => session.smtp.handle_timeout(Instant::now()),
                Wakeup::Stop => {
                    stopping = true;
                    session.smtp.shut_down();
                }
            }
            continue;
        };
        match event {
            Event::Connect => {
                let early = greeting_delay(session, stream).await?;
                let decision = session.greet(early);
                session.smtp.answer(decision);
            }
            Event::StartTls => return Ok(Pause::StartTls),
            // In a box: an event and its answer take room for a moment, and every idle connection would keep it.
            event => {
                if let Some(decision) = Box::pin(session.handle(event)).await {
                    session.smtp.answer(decision);
                }
            }
        }
    }
}

/// Says 220 and does the handshake. What came before it is thrown away by the machine.
async fn start_tls(intake: &Intake, session: &mut Session, mut stream: Stream) -> io::Result<Stream> {
    let Some(tls) = &intake.tls else {
        session.smtp.answer(Decision::Refuse(smtp::reply::Reply::new(
            454,
            (4, 7, 0),
            "TLS is not available now",
        )));
        return Ok(stream);
    };
    session.smtp.answer(Decision::Accept);
    if let Some(bytes) = session.smtp.poll_transmit() {
        write(&mut stream, &bytes).await?;
    }
    // It was refused: a command had come with it (RFC 3207 §4).
    if session.smtp.is_closed() {
        return Ok(stream);
    }
    let stream = stream.start_tls(&session.listener.handshake(tls)).await.map_err(io::Error::other)?;
    session.smtp.tls_started(Instant::now());
    session.connected(&stream);
    Ok(stream)
}

/// Whether the client spoke before it was greeted.
async fn greeting_delay(session: &mut Session, stream: &mut Stream) -> io::Result<bool> {
    let delay = session.greeting_delay();
    if delay.is_zero() {
        return Ok(false);
    }
    match timeout(delay, read(stream, session)).await {
        Err(_) => Ok(false),
        Ok(read) => read.map(|octets| octets > 0),
    }
}

async fn wait(
    intake: &Intake,
    session: &mut Session,
    stream: &mut Stream,
    stopping: bool,
) -> io::Result<Wakeup> {
    let deadline = session.smtp.poll_timeout();
    let expiry = async {
        match deadline {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        octets = read(stream, session) => Ok(if octets? == 0 { Wakeup::End } else { Wakeup::Input }),
        () = expiry => Ok(Wakeup::Timeout),
        () = intake.shutdown.wait(), if !stopping => Ok(Wakeup::Stop),
    }
}

/// Reads into the thread's buffer and gives it to the machine in the same breath.
async fn read(stream: &mut Stream, session: &mut Session) -> io::Result<usize> {
    std::future::poll_fn(|context| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            session.smtp.handle_input(Instant::now(), buffer.filled());
            io::Result::Ok(buffer.filled().len()).into()
        })
    })
    .await
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let slow = |_| io::Error::new(io::ErrorKind::TimedOut, "the client does not read its replies");
    timeout(WRITE_TIMEOUT, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    })
    .await
    .map_err(slow)?
}
