//! The words made ready: whom to call, how often, with what.

use super::Load;
use super::letter::Letter;
use crate::cli::values::Tls;
use crate::client::{Here, Login, Settings, random};
use crate::exit::Failure;
use address::{Address, ForwardPath, LocalPart, ReversePath};
use smtp::client::Transaction;
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{Body, MailParameters, RcptParameters};

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
    pub(super) mail: Mail,
    pub(super) recipients: Vec<Rcpt>,
    pub(super) letter: Letter,
    pub(super) connections: u32,
    pub(super) messages: u64,
    /// Messages a second.
    pub(super) rate: Option<u32>,
    pub(super) keep: bool,
    /// As it was asked for.
    pub(super) tls: Tls,
}

impl Plan {
    /// Checks the words, asks for the password, looks up the server's addresses.
    pub(super) async fn new(load: &Load) -> Result<Self, Failure> {
        check(load)?;
        let mut settings = settings(load)?;
        settings.look_up().await?;
        let size = usize::try_from(load.size).unwrap_or(usize::MAX);
        let run = u64::from_ne_bytes(random()?);
        let utf8 = load.from.needs_smtputf8() || load.to.needs_smtputf8();
        let parameters =
            MailParameters { body: utf8.then_some(Body::EightBitMime), ..MailParameters::default() };
        Ok(Self {
            settings,
            mail: Mail { from: ReversePath::Address(load.from.clone()), parameters },
            recipients: recipients(&load.to, load.recipients)?,
            letter: Letter::new(&load.from, &load.to, &jiff::Zoned::now(), run, size),
            connections: load.connections,
            messages: load.messages,
            rate: load.rate,
            keep: load.keep,
            tls: load.tls,
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
    let server = load.server.as_ref().ok_or_else(|| Failure::usage("--server: say which"))?;
    let helo = Here::new(None).helo(None);
    let settings = Settings::of_server(server, load.tls, load.auth.is_some(), helo);
    let mut settings = settings.map_err(Failure::usage)?;
    settings.dns = load.dns.dns.into_iter().collect();
    if let Some(user) = &load.auth {
        settings.login = Some(Login::ask(user, None, load.password, &settings.place)?);
    }
    settings.verify_if_asked(load.tls, load.insecure);
    Ok(settings)
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
