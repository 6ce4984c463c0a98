//! One connection: who is there, and the answers to what the dialogue asks.

use crate::envelope::Transaction;
use crate::forwarded::Forwarded;
use crate::listener::Role;
use crate::permit::Authenticated;
use crate::{Intake, Listener, Settings};
use address::Domain;
use directory::Login;
use message::Greeting;
use net::{Endpoint, Peer, Stream};
use policy::arrival::{Pending, ReverseName, Visit};
use policy::{Gate, SessionMisses, Visitor};
use smtp::command::{Attribute, AttributeName, AttributeValue, Hello, HelloVerb};
use smtp::reply::Reply;
use smtp::server::{Abort, Closed, Decision, Event};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Id;
use store::trail::Origin;

/// How long the client's name may take: it is looked up while the client talks.
const NAME_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Session {
    pub(crate) id: Id,
    pub(crate) smtp: smtp::server::Session,
    pub(crate) intake: Arc<Intake>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Client,
    pub(crate) login: Option<Login>,
    pub(crate) gate: Gate,
    /// In a box, as most connections have none most of the time.
    pub(crate) transaction: Option<Box<Transaction>>,
    pub(crate) forwarded: Forwarded,
    pub(crate) misses: SessionMisses,
    /// Of a stranger, whose mail is looked at. In a box, as with the transaction.
    pub(crate) visit: Option<Box<Visit>>,
    closed: Option<Closed>,
    began: Instant,
}

/// Who is at the other end, as far as it is known.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    local: Endpoint,
    /// The address that counts: of the socket, of PROXY, or of XCLIENT.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) helo: Option<Hello>,
    pub(crate) tls: Option<(String, String)>,
    /// The name of its address; `None`: nobody asked.
    name: Option<Pending<ReverseName>>,
}

impl Session {
    pub(crate) fn new(intake: Arc<Intake>, listener: Arc<Listener>, stream: &Stream) -> Self {
        let settings = intake.settings();
        let peer = stream.peer();
        let address = match peer {
            Peer::Ip(address) => Some(address),
            Peer::Unix(_) => None,
        };
        let config = listener.config(&settings, intake.tls.is_some(), peer.ip());
        let (local, name) = (stream.local().clone(), None);
        let client = Client { peer, local, address, helo: None, tls: None, name };
        let id = Id::generate();
        let (address, hostname) = (peer.ip(), settings.hostname.to_string());
        let visitor = Visitor { protocol: "smtp", session: id, address, hostname };
        let guard = Arc::clone(&intake.auth_guard);
        let gate = Gate::new(intake.directory.clone(), guard, intake.shutdown.clone(), visitor);
        tracing::info!(session = %id, via = listener.via(), peer = %client.peer, local = %client.local, "connected");
        Self {
            id,
            smtp: smtp::server::Session::new(config, Instant::now()),
            intake,
            listener,
            settings,
            client,
            login: None,
            gate,
            transaction: None,
            forwarded: Forwarded::default(),
            misses: SessionMisses::default(),
            visit: None,
            closed: None,
            began: Instant::now(),
        }
    }

    /// The connection is as it will be for now: in the clear, or in TLS. What was known of the client is void.
    pub(crate) fn connected(&mut self, stream: &Stream) {
        self.forget();
        self.client.tls = stream.tls().map(|tls| (tls.version.to_owned(), tls.cipher.clone()));
        self.gate.connected(stream, self.listener.clear_login);
        if let Some(tls) = stream.tls() {
            tracing::info!(session = %self.id, version = tls.version, cipher = %tls.cipher, sni = tls.sni.as_deref(), "tls");
        }
        let logs_in = self.listener.logs_in();
        self.smtp.config_mut().mechanisms = if logs_in { self.gate.mechanisms() } else { Vec::new() };
    }

    /// STARTTLS and XCLIENT: the dialogue begins anew, and every permit with it.
    fn forget(&mut self) {
        self.login = None;
        self.gate.cancel();
        self.transaction = None;
        self.client.helo = None;
        self.forwarded = Forwarded::default();
        if let Some(visit) = &mut self.visit {
            visit.forget();
        }
    }

    pub(crate) fn greeting_delay(&self) -> Duration {
        let waits = self.listener.role == Role::Relay && !self.is_spared();
        if waits { self.settings.greeting_delay } else { Duration::ZERO }
    }

    /// Whether the client shall be served at all.
    pub(crate) fn greet(&mut self, talked_early: bool) -> Decision {
        let now = Instant::now();
        if talked_early {
            tracing::warn!(session = %self.id, peer = %self.client.peer, "talked before it was greeted");
            return Decision::Close(Reply::new(554, (5, 5, 0), "you spoke before you were greeted"));
        }
        let ip = self.client_ip();
        if let Some(reply) = self.shut_out(now) {
            return Decision::Close(reply);
        }
        // What is left of the connections is for people here, and for those who are named in the settings.
        let scarce = self.intake.limits.as_ref().is_some_and(net::Limits::under_pressure);
        if scarce && self.listener.role == Role::Relay && !self.is_trusted() && !self.is_exempt() {
            tracing::warn!(session = %self.id, peer = %self.client.peer, "put off: connections are scarce");
            return Decision::Close(Reply::new(421, (4, 3, 2), "busy, come back later"));
        }
        if let (false, Some(ip), Some(rate)) = (self.is_spared(), ip, &self.intake.connection_rate)
            && rate.check(policy::Network::of(ip), 1, now).is_err()
        {
            return Decision::Close(Reply::new(421, (4, 7, 0), "too many connections, come back later"));
        }
        self.begin_visit();
        Decision::Accept
    }

    /// Everything but the connection itself. `None`: nothing was asked.
    pub(crate) async fn handle(&mut self, event: Event) -> Option<Decision> {
        match event {
            Event::Hello(hello) => {
                self.transaction = None;
                self.forwarded = Forwarded::default();
                let esmtp = hello.verb != HelloVerb::Helo;
                tracing::debug!(session = %self.id, helo = hello.name.as_str(), esmtp, "hello");
                if let Some(visit) = &mut self.visit {
                    visit.hello(hello.name.as_str());
                }
                self.client.helo = Some(hello);
                Some(Decision::Accept)
            }
            Event::Auth(auth) => Some(self.auth(auth).await),
            Event::AuthResponse(response) => Some(self.auth_response(response).await),
            Event::AuthEnded => {
                self.gate.cancel();
                None
            }
            Event::Mail(mail) => Some(self.mail(mail).await),
            Event::Rcpt(rcpt) => Some(self.rcpt(rcpt).await),
            Event::Data(_) => Some(self.data()),
            Event::Body(piece) => {
                self.body(piece).await;
                None
            }
            // In a box: it happens once a message, and every idle connection would keep its room.
            Event::EndOfMessage(facts) => Some(Box::pin(self.end_for_those_with_room(facts)).await),
            Event::Aborted(abort) => {
                self.aborted(abort);
                None
            }
            Event::Xclient(attributes) => Some(self.xclient(&attributes)),
            Event::Xforward(attributes) => {
                self.forwarded.add(attributes);
                let forwarded = self.forwarded.shown().unwrap_or_default();
                tracing::info!(session = %self.id, forwarded, "xforward");
                Some(Decision::Accept)
            }
            Event::Closed(reason) => {
                self.transaction = None;
                self.closed = Some(reason);
                None
            }
            // The driver has dealt with these.
            Event::Connect | Event::StartTls => Some(Decision::Accept),
        }
    }

    fn aborted(&mut self, abort: Abort) {
        if let Some(transaction) = self.transaction.take()
            && abort != Abort::Reset
        {
            let reason = match abort {
                Abort::Reset => "reset",
                Abort::Sequence => "commands out of order",
                Abort::TooLarge => "552 5.3.4 larger than the limit",
                Abort::BareNewline => "550 5.6.0 a bare CR or LF",
                Abort::LongLine => "a line longer than the limit",
            };
            self.tell_refused(&transaction, reason);
        }
    }

    /// A listed host speaks for another client (XCLIENT). Whatever was known of the session is void.
    fn xclient(&mut self, attributes: &[Attribute]) -> Decision {
        self.forget();
        let (mut ip, mut port, mut name) = (self.client_ip(), 0, None);
        for attribute in attributes {
            match (attribute.name, &attribute.value) {
                (AttributeName::Addr, _) => ip = attribute.value.ip(),
                (AttributeName::Port, AttributeValue::Known(text)) => port = text.parse().unwrap_or(0),
                (AttributeName::Name, AttributeValue::Known(text)) => {
                    name = Some(text.parse().map_or(ReverseName::None, ReverseName::Confirmed));
                }
                (AttributeName::Name, _) => name = Some(ReverseName::None),
                _ => {}
            }
        }
        self.gate.speaks_for(ip);
        self.client.address = ip.map(|ip| SocketAddr::new(ip, port));
        self.client.name = name.map(Pending::known);
        self.begin_visit();
        tracing::info!(session = %self.id, client = ?self.client.address, "xclient");
        Decision::Accept
    }

    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        self.client.address.map(|address| address.ip())
    }

    /// Whether the client's network may relay; such clients are not looked up either.
    pub(crate) fn is_trusted(&self) -> bool {
        self.client_ip().is_some_and(|ip| self.settings.trusted.iter().any(|network| network.contains(&ip)))
    }

    fn is_exempt(&self) -> bool {
        self.client_ip().is_some_and(|ip| self.settings.is_exempt(ip))
    }

    /// Whether neither delays nor rates are for the client: it is on this machine, trusted or exempt.
    fn is_spared(&self) -> bool {
        self.client_ip().is_none_or(|ip| ip.is_loopback()) || self.is_trusted() || self.is_exempt()
    }

    /// What permits relaying, if anything does but the recipient and the address.
    pub(crate) fn authenticated(&self) -> Option<Authenticated<'_>> {
        match (&self.login, self.listener.role) {
            (Some(login), _) => Some(Authenticated::Account(login)),
            (None, Role::Local) => Some(Authenticated::LocalUser(self.client.peer)),
            (None, _) => None,
        }
    }

    /// A stranger's mail is looked at from here on.
    fn begin_visit(&mut self) {
        let stranger = self.stranger().filter(|_| self.listener.role == Role::Relay);
        self.visit = stranger.map(|ip| Box::new(self.intake.arrival.visit(ip)));
    }

    /// The address of a client about whom the DNS is asked: never one on loopback or in a trusted network (DESIGN.md, DNS).
    fn stranger(&self) -> Option<IpAddr> {
        self.client_ip().filter(|ip| !ip.is_loopback() && !self.is_trusted())
    }

    /// Looks the client's address up beside the dialogue, once. A client that has not said MAIL may never do so, and a look-up
    /// holds more than an idle connection.
    pub(crate) fn look_up_name(&mut self) {
        if let (None, Some(ip)) = (&self.client.name, self.stranger()) {
            let resolver = Arc::clone(&self.intake.resolver);
            let name = async move { ReverseName::look_up(&*resolver, ip).await };
            self.client.name = Some(Pending::begin(NAME_WAIT, name));
        }
    }

    /// What the DNS says of the client's address.
    pub(crate) async fn reverse_name(&mut self) -> ReverseName {
        self.look_up_name();
        let late = || ReverseName::Unknown("no answer in time".into());
        match &mut self.client.name {
            Some(name) => name.get().await.cloned().unwrap_or_else(late),
            None => ReverseName::None,
        }
    }

    /// The name that the client's address has and that leads back to it.
    pub(crate) async fn client_name(&mut self) -> Option<Domain> {
        self.reverse_name().await.confirmed().cloned()
    }

    pub(crate) fn greeting(&self) -> Greeting {
        match self.client.helo.as_ref().map(|hello| hello.verb) {
            Some(HelloVerb::Ehlo) => Greeting::Ehlo,
            Some(HelloVerb::Lhlo) => Greeting::Lhlo,
            Some(HelloVerb::Helo) | None => Greeting::Helo,
        }
    }

    /// Where what comes in this session comes from, for the trail.
    pub(crate) fn origin(&self) -> Origin {
        let account = self.login.as_ref().map(|login| login.account.address.to_string());
        let local_user = self.client.peer.uid().filter(|_| self.listener.role == Role::Local);
        Origin {
            session: self.id.to_string(),
            via: self.listener.via().to_owned(),
            client: self.client.address,
            helo: self.client.helo.as_ref().map(|hello| hello.name.to_string()).unwrap_or_default(),
            protocol: String::new(),
            tls: self.client.tls.as_ref().map(|(version, cipher)| format!("{version} {cipher}")),
            account: account.or_else(|| local_user.map(|uid| format!("uid {uid}"))),
            forwarded: self.forwarded.shown(),
            message_id: None,
        }
    }

    pub(crate) fn end_reason(&self) -> String {
        self.closed.map_or_else(|| "closed".into(), |reason| format!("{reason:?}").to_lowercase())
    }

    pub(crate) fn log_panic(&self, panicked: &net::Panicked) {
        let peer = &self.client.peer;
        tracing::error!(
            session = %self.id, %peer, %panicked, "a session panicked and was ended; please report this"
        );
    }

    pub(crate) fn log_end(&self, reason: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        tracing::info!(session = %self.id, peer = %self.client.peer, reason, seconds, "disconnected");
    }
}
