//! The run loop: socket, session, store.

use super::append::Incoming;
use super::rights::Rights;
use super::stop::Stop;
use super::user::User;
use super::view::View;
use super::watch::Watch;
use super::wire::Wire;
use super::{Port, Summary};
use crate::Context;
use crate::login::{Entrance, Guest, Verdict};
use crate::socket::{FAREWELL_TIMEOUT, Unserved, handshake, is_local};
use imap::Runs;
use imap::command::Command;
use imap::response::{Code, Status};
use imap::server::{Config, Decision, Event, IDLE_TIMEOUT, Reason, Session};
use net::{Panicked, Stream};
use policy::{Gate, Outcome};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use store::Id;
use tokio::time::{sleep_until, timeout};

const STOPPING: &[u8] = b"* BYE [UNAVAILABLE] the server is stopping; connect again later\r\n";
const SHUT_OUT: &[u8] = b"* BYE [UNAVAILABLE] too many failed logins from your address; try again later\r\n";

/// The last word of a session that panicked.
const FAULT: &[u8] = b"* BYE [SERVERBUG] a fault here ends this session; connect again later\r\n";

/// One connection.
pub(super) struct Driver {
    pub(super) wire: Wire,
    pub(super) session: Session,
    pub(super) gate: Gate,
    pub(super) user: Option<User>,
    /// The folder that is selected.
    pub(super) view: Option<View>,
    /// What the user may do in it.
    pub(super) rights: Rights,
    /// Messages that the FETCH under way has marked as seen.
    pub(super) newly_seen: Runs,
    /// What NOTIFY asked for.
    pub(super) watch: Option<Box<Watch>>,
    /// Messages of an APPEND under way.
    pub(super) incoming: Option<Box<Incoming>>,
    pub(super) context: Arc<Context>,
    pub(super) id: Id,
    pub(super) summary: Summary,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("{0:?}")]
    Session(Reason),
    #[error("the server is stopping")]
    Stopping,
    #[error("the client did not read for {IDLE_TIMEOUT:?}")]
    Stuck,
    #[error(transparent)]
    Unserved(#[from] Unserved),
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// What ended the wait between two commands.
enum Woken {
    Client,
    News,
}

impl Driver {
    /// Does what comes before the greeting.
    pub(super) async fn start(
        stream: Stream,
        port: Port,
        context: Arc<Context>,
        id: Id,
    ) -> Result<Self, End> {
        let entrance = Entrance { protocol: "imap", implicit_tls: port == Port::Imaps, shut_out: SHUT_OUT };
        let Guest { stream, gate, hostname, needs_tls } = entrance.receive(stream, &context, id).await?;
        let config = Config {
            tls: stream.tls().is_some(),
            starttls: context.tls.is_some(),
            require_tls: needs_tls,
            mechanisms: gate.mechanisms(),
            append_limit: Some(context.message_size()),
            unauthenticate: context.unauthenticate.load(Ordering::Relaxed),
            id: super::identity(),
            ..Config::new(&hostname)
        };
        let session = Session::new(config, Instant::now());
        Ok(Self {
            wire: Wire::new(stream),
            session,
            gate,
            user: None,
            view: None,
            rights: Rights::NONE,
            newly_seen: Runs::default(),
            watch: None,
            incoming: None,
            context,
            id,
            summary: Summary::default(),
        })
    }

    /// Goes on to the end.
    pub(super) async fn run(mut self) -> (End, Summary) {
        let end = match net::contain(self.serve()).await {
            Ok(end) => end,
            Err(panicked) => {
                if !self.session.is_inside_fetch() {
                    let _ = timeout(FAREWELL_TIMEOUT, self.wire.say(FAULT)).await;
                }
                panicked.into()
            }
        };
        Box::pin(self.leave()).await;
        (end, self.summary)
    }

    async fn serve(&mut self) -> End {
        loop {
            let event = match self.step().await {
                Ok(Some(event)) => event,
                Ok(None) => continue,
                Err(end) => return end,
            };
            let carried_out = match event {
                Event::StartTls => self.start_tls().await,
                Event::Closed(reason) => {
                    let _ = timeout(FAREWELL_TIMEOUT, self.wire.shutdown()).await;
                    return End::Session(reason);
                }
                // On the heap for its time only, so that an idle connection is small.
                event => Box::pin(self.carry_out(event)).await,
            };
            if let Err(end) = carried_out {
                return end;
            }
        }
    }

    /// Writes what there is to write, then gives what is to be done, or waits.
    async fn step(&mut self) -> Result<Option<Event>, End> {
        self.flush().await?;
        if let Some(event) = self.session.poll_event() {
            return Ok(Some(event));
        }
        match self.listen().await? {
            Woken::Client => {}
            Woken::News => Box::pin(self.tell_unasked()).await?,
        }
        Ok(None)
    }

    /// Writes all that the session has.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let mut wrote = false;
        while let Some(bytes) = self.session.poll_transmit() {
            timeout(IDLE_TIMEOUT, self.wire.write_all(&bytes)).await.map_err(|_| End::Stuck)??;
            wrote = true;
        }
        if wrote {
            timeout(IDLE_TIMEOUT, self.wire.flush()).await.map_err(|_| End::Stuck)??;
        }
        Ok(())
    }

    /// Writes when much has gathered: to be called between two pieces of a long answer.
    pub(super) async fn relieve(&mut self) -> Result<(), End> {
        match self.session.is_output_full() {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Between two commands: the client speaks, or is silent for too long, there is news for it, or it is time to stop.
    async fn listen(&mut self) -> Result<Woken, End> {
        let shutdown = self.context.shutdown.clone();
        let deadline = self.session.poll_timeout().unwrap_or_else(|| Instant::now() + IDLE_TIMEOUT);
        let tells = self.session.may_tell() && (self.session.is_idling() || self.watch.is_some());
        let (view, watch) = (&mut self.view, &mut self.watch);
        let news = async {
            match (tells, view, watch) {
                (true, Some(view), Some(watch)) => tokio::select! {
                    () = view.changed() => {}
                    () = watch.changed() => {}
                },
                (true, Some(view), None) => view.changed().await,
                (true, None, Some(watch)) => watch.changed().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shutdown.wait() => {
                let _ = timeout(FAREWELL_TIMEOUT, self.wire.say(STOPPING)).await;
                Err(End::Stopping)
            }
            read = self.wire.read_into(&mut self.session), if self.session.wants_input() => {
                read?;
                Ok(Woken::Client)
            }
            () = news => Ok(Woken::News),
            () = sleep_until(deadline.into()) => {
                self.session.handle_timeout(Instant::now());
                Ok(Woken::Client)
            }
        }
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        self.flush().await?;
        // What came in the clear is thrown away by the session; nothing is read between here and the handshake.
        let stream = handshake(self.wire.take_stream()?, &self.context).await?;
        self.gate.connected(&stream, is_local(&stream));
        let mechanisms = self.gate.mechanisms();
        self.wire = Wire::new(stream);
        self.answer(Decision::TlsStarted { mechanisms });
        Ok(())
    }

    async fn carry_out(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Login { user, password } => {
                let outcome = self.gate.password(&user, &password).await;
                self.conclude(outcome).await
            }
            Event::Auth { mechanism, initial } => {
                let initial = initial.as_ref().map(|secret| secret.reveal().as_slice());
                let outcome = self.gate.begin(&mechanism, initial).await;
                self.conclude(outcome).await
            }
            Event::AuthResponse(response) => {
                let outcome = self.gate.respond(response.reveal()).await;
                self.conclude(outcome).await
            }
            Event::Command(Command::CompressDeflate) => {
                // The answer still goes out as it is (RFC 4978 §3).
                self.session.finish(Instant::now(), Status::ok("compression starts now"));
                self.flush().await?;
                self.wire.compress();
                Ok(())
            }
            Event::Command(command) => {
                let done = self.command(command).await;
                self.finish(done)
            }
            Event::Message { target, message } => {
                let decision = match self.begin_message(&target, message).await {
                    Ok(()) => Decision::Take,
                    Err(Stop::Answer(status)) => Decision::Refuse(status),
                    Err(Stop::End(end)) => return Err(end),
                };
                self.answer(decision);
                Ok(())
            }
            Event::MessageData(bytes) => self.message_data(bytes).await,
            Event::MessageEnd => self.end_message().await,
            Event::SearchRefused => {
                self.forget_saved();
                Ok(())
            }
            Event::MessageAborted => {
                self.incoming = None;
                Ok(())
            }
            Event::Idle => self.tell_news(true).await.or_else(ended),
            Event::IdleEnd => {
                let done = self.tell_news(true).await.map(|()| Status::ok("IDLE is over"));
                self.finish(done)
            }
            Event::CondstoreEnabled => {
                self.tell_modseq();
                Ok(())
            }
            // The session asks something that this driver has not learnt.
            other => {
                tracing::error!(protocol = %"imap", session = %self.id, ?other, "not carried out");
                self.session.bye(Status::no(Code::ServerBug, "this server has a fault"));
                Ok(())
            }
        }
    }

    pub(super) fn answer(&mut self, decision: Decision) {
        self.session.answer(Instant::now(), decision);
    }

    fn finish(&mut self, done: Result<Status, Stop>) -> Result<(), End> {
        let status = match done {
            Ok(status) | Err(Stop::Answer(status)) => status,
            Err(Stop::End(end)) => return Err(end),
        };
        self.session.finish(Instant::now(), status);
        Ok(())
    }

    /// Tells the client what came of its login.
    async fn conclude(&mut self, outcome: Outcome) -> Result<(), End> {
        match Verdict::from(outcome) {
            Verdict::Challenge(text) => self.answer(Decision::Challenge(text)),
            Verdict::LoggedIn(account) => {
                self.summary.user = account.address.to_string();
                self.user = Some(User::new(*account));
                self.answer(Decision::LoggedIn);
            }
            Verdict::Refused { why, last } => {
                self.answer(Decision::Refused(why.into()));
                if last {
                    self.flush().await?;
                    return Err(Unserved::ShutOut.into());
                }
            }
            Verdict::ShutOut => {
                let _ = timeout(FAREWELL_TIMEOUT, self.wire.say(SHUT_OUT)).await;
                return Err(Unserved::ShutOut.into());
            }
        }
        Ok(())
    }

    /// News between commands, in IDLE or as NOTIFY wants them.
    async fn tell_unasked(&mut self) -> Result<(), End> {
        self.tell_watched().await?;
        if self.session.is_idling() || self.watch.as_ref().is_some_and(|watch| watch.selected()) {
            self.tell_news(true).await.or_else(ended)?;
        }
        Ok(())
    }
}

/// What cannot be told now is told later; only a lost connection ends it.
fn ended(stop: Stop) -> Result<(), End> {
    match stop {
        Stop::Answer(_) => Ok(()),
        Stop::End(end) => Err(end),
    }
}
