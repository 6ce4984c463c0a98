//! The words made ready: whom to call, how often, with what.

use super::Load;
use super::letter::Letter;
use crate::cli::values::{Server, Tls};
use crate::client::{Here, Login, Place, Settings, place_of, random};
use crate::config::{SMTP_PORT, SMTPS_PORT};
use crate::exit::Failure;
use crate::output;
use address::{Address, ForwardPath, LocalPart, ReversePath};
use smtp::client::{Protocol, Transaction};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{Body, MailParameters, RcptParameters};

/// The port of submission (RFC 6409 §3.1), for whoever logs in.
const SUBMISSION_PORT: u16 = 587;
/// Connections at the same time: about what one address has ports for.
const MAX_CONNECTIONS: u32 = 50_000;
/// Files that are open besides connections.
const OTHER_FILES: u64 = 64;
/// Recipients of a message: a hundred times what every server must take (RFC 5321 §4.5.3.1.8).
pub(super) const MAX_RECIPIENTS: u32 = 10_000;
/// Octets of a message: it is held in memory.
const MAX_SIZE: u64 = 1 << 30;

/// Everything that is known before the first connection.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) login: Option<Login>,
    pub(super) mail: Mail,
    pub(super) recipients: Vec<Rcpt>,
    pub(super) letter: Letter,
    pub(super) connections: u32,
    pub(super) messages: u64,
    /// Messages a second.
    pub(super) rate: Option<u32>,
    pub(super) keep: bool,
}

impl Plan {
    /// Checks the words, asks for the password, looks up the server's addresses.
    pub(super) async fn new(load: &Load) -> Result<Self, Failure> {
        check(load)?;
        let mut settings = settings(load)?;
        settings.look_up().await?;
        let login = load.auth.as_deref().map(|user| login(load, user, &settings.place)).transpose()?;
        let size = usize::try_from(load.size).unwrap_or(usize::MAX);
        let run = u64::from_ne_bytes(random()?);
        let utf8 = load.from.needs_smtputf8() || load.to.needs_smtputf8();
        let parameters =
            MailParameters { body: utf8.then_some(Body::EightBitMime), ..MailParameters::default() };
        Ok(Self {
            settings,
            login,
            mail: Mail { from: ReversePath::Address(load.from.clone()), parameters },
            recipients: recipients(&load.to, load.recipients)?,
            letter: Letter::new(&load.from, &load.to, &jiff::Zoned::now(), run, size),
            connections: load.connections,
            messages: load.messages,
            rate: load.rate,
            keep: load.keep,
        })
    }

    pub(super) fn transaction(&self) -> Transaction {
        Transaction {
            mail: self.mail.clone(),
            recipients: self.recipients.clone(),
            length: self.letter.octets(),
        }
    }
}

fn check(load: &Load) -> Result<(), Failure> {
    if load.connections > MAX_CONNECTIONS {
        return Err(Failure::usage(format!("--connections: at most {MAX_CONNECTIONS}")));
    }
    if load.recipients > MAX_RECIPIENTS {
        return Err(Failure::usage(format!("--recipients: at most {MAX_RECIPIENTS}")));
    }
    if load.size > MAX_SIZE {
        return Err(Failure::usage("--size: at most 1 GiB"));
    }
    let files = net::raise_file_limit().files();
    if files.saturating_sub(OTHER_FILES) < load.connections.into() {
        return Err(Failure::no(format!(
            "{} connections need more open files than the {files} allowed: ask for fewer with --connections or raise `ulimit -n`",
            load.connections
        )));
    }
    Ok(())
}

fn settings(load: &Load) -> Result<Settings, Failure> {
    let unusable = || Failure::usage("--server: write HOST[:PORT], smtp://, smtps://, lmtp:// or unix:/path");
    let server: &Server = load.server.as_ref().ok_or_else(unusable)?;
    let port = match (load.tls, &load.auth) {
        (Tls::Smtps, _) => SMTPS_PORT,
        (_, Some(_)) => SUBMISSION_PORT,
        _ => SMTP_PORT,
    };
    let place = place_of(server, port).ok_or_else(unusable)?;
    let mut settings = Settings::new(place, Here::new(None).helo(None));
    settings.tls = load.tls;
    settings.implicit_tls = server.implicit_tls();
    if server.is_lmtp() {
        settings.protocol = Protocol::Lmtp;
    }
    settings.dns = load.dns.dns.into_iter().collect();
    // A password is for one server only, and whoever asks for TLS wants to know who answers.
    let asked = load.auth.is_some() || matches!(load.tls, Tls::Starttls | Tls::Smtps);
    settings.verified = asked && !load.insecure;
    Ok(settings)
}

fn login(load: &Load, user: &str, place: &Place) -> Result<Login, Failure> {
    let secret = output::password(&format!("password of {user}"), load.password.password_stdin)?;
    let server = match place {
        Place::Tcp(peer) => Some((peer.host.to_string(), peer.port)),
        Place::Unix(_) => None,
    };
    Ok(Login { user: user.to_owned(), secret, mechanism: None, server })
}

/// The address, or with more than one `name1@host`, `name2@host` and so on.
fn recipients(to: &Address, count: u32) -> Result<Vec<Rcpt>, Failure> {
    let rcpt = |address| Rcpt { to: ForwardPath::Address(address), parameters: RcptParameters::default() };
    if count == 1 {
        return Ok(vec![rcpt(to.clone())]);
    }
    let numbered = |number| {
        let local = LocalPart::from_value(&format!("{}{number}", to.local().as_str()))
            .map_err(|error| Failure::usage(format!("--to, numbered: {error}")))?;
        Ok(rcpt(Address::new(local, to.host().clone())))
    };
    (1..=count).map(numbered).collect()
}
