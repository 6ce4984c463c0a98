//! From a call to a server that is ready for a message: connect, greeting, EHLO, STARTTLS, AUTH.

use super::{Call, Client, OpenError, Seen, TlsUse, Watcher, now};
use bytes::Bytes;
use net::tls::{TlsClient, TlsPolicy};
use net::{Endpoint, Peer, Stream};
use smtp::client::{Config, Event, Session};

impl Client {
    /// Calls, and does what `call` says up to the point where a message can be sent, or to the stage to stop after.
    ///
    /// # Errors
    /// The stage that failed; whether another address or a call without TLS is worth a try is the caller's to say.
    pub async fn open(call: &Call, tls: &TlsClient, watcher: Option<Watcher>) -> Result<Self, OpenError> {
        let connecting = net::connect(&call.endpoint, call.source, call.connect_timeout);
        let mut stream = connecting.await.map_err(OpenError::Connect)?;
        if let Some(watcher) = &watcher {
            watcher(Seen::Connected { local: stream.local().clone(), peer: call.endpoint.clone() });
        }
        if call.implicit_tls {
            stream = handshake(stream, call, tls, watcher.as_ref()).await?;
        }
        let mut client = Self::new(stream, call, watcher);
        client.until_ready().await?;
        if client.stopped.is_none() && !call.implicit_tls && call.tls != TlsUse::Never {
            client = client.secure(call, tls).await?;
        }
        if let (None, Some(credentials)) = (client.stopped, &call.credentials) {
            client.login(credentials, call.mechanism).await?;
        }
        Ok(client)
    }

    fn new(stream: Stream, call: &Call, watcher: Option<Watcher>) -> Self {
        let trace = watcher.is_some();
        let config = Config { tls: call.implicit_tls, trace, ..call.session.clone() };
        Self {
            session: Session::new(config, now()),
            stream,
            pending: Bytes::new(),
            flushing: false,
            write_failed: false,
            watcher,
            greeting: None,
            hello: None,
            starttls_refused: None,
            stopped: None,
            ended: None,
            messages: 0,
        }
    }

    /// Greeting and EHLO.
    async fn until_ready(&mut self) -> Result<(), OpenError> {
        loop {
            match self.next().await {
                Event::Greeting(reply) => self.greeting = Some(reply),
                Event::Ready { reply, .. } => {
                    self.hello = Some(reply);
                    return Ok(());
                }
                Event::Stopped(stage) => {
                    self.stopped = Some(stage);
                    return Ok(());
                }
                Event::Ended(why) => return Err(why.into()),
                _ => {}
            }
        }
    }

    /// STARTTLS, if there is and as far as it must be.
    async fn secure(mut self, call: &Call, tls: &TlsClient) -> Result<Self, OpenError> {
        let optional = call.tls == TlsUse::Opportunistic;
        if !self.capabilities().starttls {
            if optional {
                return Ok(self);
            }
            self.dismiss();
            return Err(OpenError::TlsNotOffered);
        }
        self.session.starttls(now())?;
        loop {
            match self.next().await {
                Event::StartTls => break,
                // The session stands as before (RFC 3207 §4): who may do without TLS goes on with it.
                Event::Refused { reply, .. } if optional => {
                    self.starttls_refused = Some(reply);
                    return Ok(self);
                }
                Event::Refused { reply, .. } => {
                    self.dismiss();
                    return Err(OpenError::TlsRefused(reply));
                }
                Event::Ended(why) => return Err(why.into()),
                _ => {}
            }
        }
        self = self.handshake(call, tls).await?;
        self.until_ready().await?;
        Ok(self)
    }

    /// What [`Event::StartTls`] asks for.
    pub(super) async fn handshake(mut self, call: &Call, tls: &TlsClient) -> Result<Self, OpenError> {
        let Self { stream, .. } = self;
        self = Self { stream: handshake(stream, call, tls, self.watcher.as_ref()).await?, ..self };
        self.session.tls_started(now())?;
        Ok(self)
    }

    /// Whether both ends are this machine: no network lies between.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.stream.local(), Endpoint::Unix(_))
            || matches!(self.stream.peer(), Peer::Ip(address) if address.ip().is_loopback())
    }
}

async fn handshake(
    stream: Stream,
    call: &Call,
    tls: &TlsClient,
    watcher: Option<&Watcher>,
) -> Result<Stream, OpenError> {
    let policy = match (&call.certificate, call.tls) {
        (Some(policy), _) => policy.clone(),
        (None, TlsUse::Verified) => TlsPolicy::Verified,
        (None, TlsUse::Never | TlsUse::Opportunistic | TlsUse::Required) => TlsPolicy::Opportunistic,
    };
    let stream = stream.connect_tls(tls, &call.name, &policy).await.map_err(OpenError::Handshake)?;
    if let (Some(watcher), Some(info)) = (watcher, stream.tls()) {
        watcher(Seen::Secured(Box::new(info.clone())));
    }
    Ok(stream)
}
