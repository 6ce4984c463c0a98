//! Servers for the commands to call: on loopback, on free ports, made from `smtp::server`.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]
#![allow(dead_code, unused_imports, reason = "each test file uses a part of them")]

pub(crate) mod names;
mod program;

pub(crate) use program::{Program, Ran, Running};

use address::Secret;
use net::tls::{ChannelBindings, KeyPair, TlsServer, TlsServerSettings};
use net::{Listener, Stream};
use sasl::server::{Context, Decoy, Step};
use sasl::{Bindings, Channel, Mechanism, Nonce, ScramKeys};
use smtp::Reply;
use smtp::command::{Mail, Rcpt};
use smtp::server::{Config, Decision, Event, Protocol, Session};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The one account there is.
pub(crate) const USER: &str = "ann@example.org";
pub(crate) const PASSWORD: &str = "correct horse";

/// A message that a server took.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) mail: Mail,
    pub(crate) recipients: Vec<Rcpt>,
    pub(crate) message: String,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
}

/// How a server behaves.
#[derive(Clone)]
pub(crate) struct Behaviour {
    pub(crate) config: Config,
    /// STARTTLS is offered, or TLS is spoken from the start where `config.tls` says so.
    pub(crate) tls: bool,
    /// What is said to a recipient, by the text between its brackets; `None`: taken.
    pub(crate) rcpt: fn(&Rcpt) -> Option<Reply>,
    /// What is said at the end of data; `None`: taken.
    pub(crate) end: fn() -> Option<Reply>,
    pub(crate) greeting: fn() -> Option<Reply>,
}

impl Behaviour {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let mut config = Config::new("mx.test".parse().unwrap(), protocol);
        config.extensions.starttls = false;
        Self { config, tls: false, rcpt: |_| None, end: || None, greeting: || None }
    }

    /// With STARTTLS and all of our mechanisms.
    pub(crate) fn submission() -> Self {
        let mut behaviour = Self::new(Protocol::Submission);
        behaviour.config.mechanisms = mechanisms(false);
        behaviour.config.extensions.starttls = true;
        behaviour.tls = true;
        behaviour
    }
}

fn mechanisms(tls: bool) -> Vec<String> {
    let all = Mechanism::ALL.into_iter().filter(|mechanism| {
        !matches!(mechanism, Mechanism::OAuthBearer | Mechanism::XOAuth2 | Mechanism::External)
            && (tls || !mechanism.is_plus())
    });
    all.map(|mechanism| mechanism.name().to_owned()).collect()
}

/// A server that runs until the test's process ends.
pub(crate) struct Server {
    /// `127.0.0.1:PORT`, or `unix:/path`.
    pub(crate) place: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        Self::start_at("127.0.0.1:0", behaviour)
    }

    pub(crate) fn start_at(place: &str, behaviour: Behaviour) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let (told, tell) = std::sync::mpsc::channel();
        let (kept, place) = (Arc::clone(&received), place.to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = Listener::bind(&place.parse().unwrap(), None).unwrap();
                told.send(listener.local().to_string()).unwrap();
                let tls = tls_server();
                loop {
                    let stream = listener.accept().await.unwrap();
                    let (behaviour, tls, kept) = (behaviour.clone(), tls.clone(), Arc::clone(&kept));
                    tokio::spawn(async move { Serving::new(behaviour, tls, kept).run(stream).await });
                }
            });
        });
        Self { place: tell.recv().unwrap(), received }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.place.parse().unwrap()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only message taken.
    #[track_caller]
    pub(crate) fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }
}

pub(crate) fn tls_server() -> TlsServer {
    let names = vec!["mx.test".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let pair = KeyPair::Pem {
        certificate: made.cert.pem().into_bytes(),
        key: Secret::new(made.signing_key.serialize_pem().into_bytes()),
    };
    TlsServer::new(TlsServerSettings { certificates: vec![pair], ..Default::default() }).unwrap()
}

/// One connection.
struct Serving {
    behaviour: Behaviour,
    tls: TlsServer,
    kept: Arc<Mutex<Vec<Received>>>,
    exchange: Option<sasl::server::Exchange>,
    bindings: Option<ChannelBindings>,
    user: Option<String>,
    mail: Option<Mail>,
    recipients: Vec<Rcpt>,
    message: Vec<u8>,
}

impl Serving {
    fn new(behaviour: Behaviour, tls: TlsServer, kept: Arc<Mutex<Vec<Received>>>) -> Self {
        Self {
            behaviour,
            tls,
            kept,
            exchange: None,
            bindings: None,
            user: None,
            mail: None,
            recipients: Vec::new(),
            message: Vec::new(),
        }
    }

    async fn run(mut self, mut stream: Stream) {
        if self.behaviour.config.tls {
            let Ok(done) = stream.start_tls(&self.tls).await else { return };
            stream = done;
            self.bindings = stream.tls().map(|info| info.bindings.clone());
            self.behaviour.config.mechanisms = offered(&self.behaviour.config, self.bindings.as_ref());
        }
        let mut session = Session::new(self.behaviour.config.clone(), Instant::now());
        loop {
            let mut handshake = false;
            while let Some(event) = session.poll_event() {
                if matches!(event, Event::StartTls) {
                    session.answer(Decision::Accept);
                    handshake = true;
                    break;
                }
                if let Some(decision) = self.decide(event, session.is_tls()) {
                    session.answer(decision);
                }
            }
            while let Some(bytes) = session.poll_transmit() {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            if session.is_closed() {
                let _ = stream.shutdown().await;
                return;
            }
            if handshake {
                let Ok(done) = stream.start_tls(&self.tls).await else { return };
                stream = done;
                self.bindings = stream.tls().map(|info| info.bindings.clone());
                session.config_mut().mechanisms = offered(&self.behaviour.config, self.bindings.as_ref());
                session.tls_started(Instant::now());
                continue;
            }
            let mut input = [0; 4096];
            match stream.read(&mut input).await {
                Ok(0) | Err(_) => session.handle_disconnect(),
                Ok(count) => session.handle_input(Instant::now(), &input[..count]),
            }
        }
    }

    fn decide(&mut self, event: Event, tls: bool) -> Option<Decision> {
        let or_refuse = |refusal: Option<Reply>| refusal.map_or(Decision::Accept, Decision::Refuse);
        Some(match event {
            Event::Connect => or_refuse((self.behaviour.greeting)()),
            Event::Auth(auth) => {
                let mechanism: Mechanism = auth.mechanism.parse().unwrap();
                let initial = auth.initial.as_ref().map(|initial| initial.reveal().as_slice());
                let step = sasl::server::begin(mechanism, self.context(), initial);
                self.answer(step)
            }
            Event::AuthResponse(response) => {
                let step = self.exchange.take().unwrap().respond(response.reveal());
                self.answer(step)
            }
            Event::Mail(mail) => {
                self.mail = Some(mail);
                self.recipients.clear();
                Decision::Accept
            }
            Event::Rcpt(rcpt) => match (self.behaviour.rcpt)(&rcpt) {
                Some(refusal) => Decision::Refuse(refusal),
                None => {
                    self.recipients.push(rcpt);
                    Decision::Accept
                }
            },
            Event::Body(piece) => {
                self.message.extend_from_slice(&piece);
                return None;
            }
            Event::EndOfMessage(_) => {
                let message = String::from_utf8(std::mem::take(&mut self.message)).unwrap();
                if let Some(refusal) = (self.behaviour.end)() {
                    return Some(Decision::Refuse(refusal));
                }
                self.kept.lock().unwrap().push(Received {
                    mail: self.mail.clone().unwrap(),
                    recipients: self.recipients.clone(),
                    message,
                    tls,
                    user: self.user.clone(),
                });
                if self.behaviour.config.protocol == Protocol::Lmtp {
                    let yes = Reply::new(250, (2, 0, 0), "kept");
                    return Some(Decision::Recipients(vec![yes; self.recipients.len()]));
                }
                Decision::AcceptWith(Reply::new(250, (2, 0, 0), "kept as 1"))
            }
            Event::AuthEnded | Event::Closed(_) => return None,
            Event::Aborted(_) => {
                self.message.clear();
                return None;
            }
            _ => Decision::Accept,
        })
    }

    fn context(&self) -> Context {
        let channel = match &self.bindings {
            Some(bindings) => Channel::Tls(Bindings {
                exporter: bindings.exporter,
                server_end_point: bindings.server_end_point.clone(),
            }),
            None => Channel::Local,
        };
        Context {
            channel,
            nonce: Nonce::new([7; 18]),
            decoy: Decoy::new(Secret::new([1; 32])),
            host: "mx.test".to_owned(),
            unix_time: 0,
            certificate: None,
        }
    }

    fn answer(&mut self, mut step: Step) -> Decision {
        loop {
            step = match step {
                Step::Challenge { text, next } => {
                    self.exchange = Some(next);
                    return Decision::Challenge(text);
                }
                Step::VerifyPassword(lookup) => {
                    let right = lookup.authcid() == USER && lookup.password().reveal() == PASSWORD;
                    lookup.answer(right)
                }
                Step::FindScramKeys(lookup) if lookup.authcid() == USER => {
                    let password = Secret::new(PASSWORD.to_owned());
                    let keys =
                        ScramKeys::derive(lookup.hash(), &password, &[3; 16], sasl::DEFAULT_ITERATIONS);
                    lookup.found(keys.unwrap())
                }
                Step::FindScramKeys(lookup) => lookup.unknown(),
                Step::FindCramSecret(lookup) => lookup.found(&Secret::new(PASSWORD.to_owned())),
                Step::Authorize(question) => question.refuse(),
                Step::Done(identity) => {
                    self.user = Some(identity.authcid);
                    return Decision::Accept;
                }
                Step::Failed(_) => {
                    return Decision::Refuse(Reply::new(535, (5, 7, 8), "wrong user or password"));
                }
            };
        }
    }
}

fn offered(config: &Config, bindings: Option<&ChannelBindings>) -> Vec<String> {
    if config.mechanisms.is_empty() { Vec::new() } else { mechanisms(bindings.is_some()) }
}
