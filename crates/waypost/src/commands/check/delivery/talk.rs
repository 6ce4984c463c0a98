//! The dialogue with the mail host, up to RCPT.

use super::{Candidate, Question, Report, Stopped};
use crate::cli::values::Tls;
use crate::client::{Client, Error, Here, Login, Place, Settings, Transcript};
use crate::config::{Delivery, Target, TlsLevel};
use address::Address;
use net::Endpoint;
use smtp::Reply;
use smtp::client::{Ended, Protocol, Stage};
use std::net::{IpAddr, SocketAddr};
use transport::client::OpenError;

pub(super) struct Talk<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) here: &'a Here,
    pub(super) delivery: &'a Delivery,
}

impl Talk<'_> {
    /// With the first that answers, as the queue takes it.
    pub(super) async fn with(&self, candidates: Vec<Candidate>, report: &mut Report) -> Result<(), Stopped> {
        let mut client = self.open(candidates, report).await?;
        let done = self.ask(&mut client, report).await;
        client.quit().await;
        done
    }

    async fn open(&self, candidates: Vec<Candidate>, report: &mut Report) -> Result<Client, Stopped> {
        let mut last = None;
        for Candidate { place, addresses } in candidates {
            let settings = self.settings(&place)?;
            for (endpoint, source) in self.endpoints(&place, &addresses, report) {
                let target = endpoint.to_string();
                match settings.open_at(endpoint.clone(), source, &Transcript::silent()).await {
                    Err(OpenError::Connect(error)) => {
                        report.doubt("connect", error.to_string());
                        last = Some(error.to_string());
                    }
                    opened => {
                        let host = match &place {
                            Place::Tcp(peer) => peer.host.to_string(),
                            Place::Unix(_) => "the server".to_owned(),
                        };
                        report.good("connect", format!("{host} answers at {target}"));
                        return match opened {
                            Ok(client) => Ok(client),
                            Err(error) => self.without_tls(&settings, endpoint, source, error, report).await,
                        };
                    }
                }
            }
        }
        let why = last.unwrap_or_else(|| "there is no address to call".to_owned());
        let hint = match self.delivery.to {
            Target::Lmtp(_) | Target::LmtpSocket(_) => "is the LMTP server up?",
            _ => "many networks block port 25 on the way out: ask the provider, or send through a smart host",
        };
        Err(Stopped::later("connect", format!("no mail host answers; the last: {why}"), hint))
    }

    /// Where to call, and from which own address.
    fn endpoints(
        &self,
        place: &Place,
        addresses: &[IpAddr],
        report: &mut Report,
    ) -> Vec<(Endpoint, Option<IpAddr>)> {
        let peer = match place {
            Place::Unix(path) => return vec![(Endpoint::Unix(path.clone()), None)],
            Place::Tcp(peer) => peer,
        };
        let own = &self.delivery.source;
        let mut endpoints = Vec::new();
        for ip in addresses {
            let source = own.iter().find(|own| own.is_ipv4() == ip.is_ipv4()).copied();
            if source.is_none() && !own.is_empty() {
                report
                    .doubt("connect", format!("{ip} is not called: delivery.source has none of its family"));
                continue;
            }
            endpoints.push((Endpoint::Tcp(SocketAddr::new(*ip, peer.port)), source));
        }
        endpoints
    }

    fn settings(&self, place: &Place) -> Result<Settings, Stopped> {
        let delivery = self.delivery;
        let mut settings = Settings::new(place.clone(), self.here.helo(delivery.helo.as_ref()));
        settings.implicit_tls = matches!(delivery.to, Target::Smtp { implicit_tls: true, .. });
        settings.verified = delivery.tls == TlsLevel::Verified;
        if matches!(place, Place::Tcp(_)) && delivery.tls >= TlsLevel::Required && !settings.implicit_tls {
            settings.tls = Tls::Starttls;
        }
        if matches!(delivery.to, Target::Lmtp(_) | Target::LmtpSocket(_)) {
            settings.protocol = Protocol::Lmtp;
        }
        if let Some(known) = &delivery.credentials {
            let secret = known.read_password();
            let secret = secret.map_err(|error| Stopped::no("auth", error.to_string(), ""))?;
            let user = known.username.clone();
            settings.login = Some(Login { user, secret, mechanism: None, server: None });
        }
        Ok(settings)
    }

    /// Where TLS is optional and its handshake fails, the queue calls once more without (RFC 7435).
    async fn without_tls(
        &self,
        settings: &Settings,
        endpoint: Endpoint,
        source: Option<IpAddr>,
        error: OpenError,
        report: &mut Report,
    ) -> Result<Client, Stopped> {
        let optional = settings.tls == Tls::Auto && !settings.implicit_tls;
        if !optional || !matches!(error, OpenError::Handshake(_)) {
            return Err(self.not_opened(settings, error));
        }
        report.doubt("tls", format!("the TLS handshake fails: {error}"));
        let plain = Settings { tls: Tls::None, ..settings.clone() };
        let opened = plain.open_at(endpoint, source, &Transcript::silent()).await;
        opened.map_err(|error| self.not_opened(&plain, error))
    }

    fn not_opened(&self, settings: &Settings, error: OpenError) -> Stopped {
        let step = match &error {
            error if error.is_tls() => "tls",
            OpenError::AuthNotOffered | OpenError::AuthRefused(_) => "auth",
            OpenError::TokenRefused { .. } | OpenError::Auth(_) => "auth",
            OpenError::Ended(Ended::Lost(Stage::Auth) | Ended::Timeout(Stage::Auth)) => "auth",
            _ => "greeting",
        };
        if matches!(error, OpenError::TlsNotOffered) {
            let text = "the server offers no TLS, which the configuration requires".to_owned();
            return Stopped::no(step, text, "see delivery.tls, or make a [[route]] for the domain");
        }
        Stopped::of(step, &settings.explain(error))
    }

    async fn ask(&self, client: &mut Client, report: &mut Report) -> Result<(), Stopped> {
        let greets = client.hello().and_then(|hello| hello.lines().first()).cloned().unwrap_or_default();
        let ours = self.here.helo(self.delivery.helo.as_ref());
        report.good("greeting", format!("it greets us and takes our name {ours} (its own: {greets})"));
        self.tell_tls(client, report)?;
        if let Some(known) = &self.delivery.credentials {
            report.good("auth", format!("it takes the password of {}", known.username));
        }
        let (from, address) = (self.question.from, self.question.address);
        if address.needs_smtputf8() && !client.capabilities().smtputf8 {
            let text = "the server does not know SMTPUTF8, which this address needs".to_owned();
            return Err(Stopped::no("mail", text, "ask the recipient for an address in ASCII"));
        }
        let utf8 = if address.needs_smtputf8() || from.address().is_some_and(Address::needs_smtputf8) {
            " SMTPUTF8"
        } else {
            ""
        };
        let reply = say(client, "mail", &format!("MAIL FROM:{from}{utf8}")).await?;
        if !reply.is_positive() {
            return Err(Stopped::refused("mail", &format!("the sender {from} is refused"), &reply));
        }
        report.good("mail", format!("the sender {from} is taken: {reply}"));
        let reply = say(client, "rcpt", &format!("RCPT TO:<{address}>")).await?;
        if !reply.is_positive() {
            return Err(Stopped::refused("rcpt", &format!("the recipient {address} is refused"), &reply));
        }
        report.good("rcpt", format!("the recipient {address} is taken: {reply}"));
        Ok(())
    }

    fn tell_tls(&self, client: &Client, report: &mut Report) -> Result<(), Stopped> {
        if let Some(reply) = client.starttls_refused() {
            report.doubt("tls", format!("STARTTLS is offered and refused: {reply}"));
        }
        let Some(tls) = client.tls() else {
            if !matches!(self.delivery.to, Target::LmtpSocket(_)) {
                report.doubt("tls", "there is no TLS: mail goes to it in the clear".to_owned());
            }
            return Ok(());
        };
        let verified = tls.peer_certificate.as_ref().is_some_and(|certificate| certificate.verified);
        if !verified && self.delivery.tls == TlsLevel::Verified {
            let text =
                "its certificate is not valid for its name, which the configuration requires".to_owned();
            return Err(Stopped::no("tls", text, "`waypost check tls` says what is wrong with it"));
        }
        let certificate = if verified { "a valid" } else { "an unverified" };
        report.good("tls", format!("{} {}, {certificate} certificate", tls.version, tls.cipher));
        Ok(())
    }
}

async fn say(client: &mut Client, step: &'static str, line: &str) -> Result<Reply, Stopped> {
    client.raw_line(line).map_err(|misuse| Stopped::of(step, &Error::from(misuse)))?;
    client.next_reply().await.map_err(|ended| Stopped::of(step, &Error::from(ended)))
}
