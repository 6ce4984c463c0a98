//! Over the socket of the running server, which knows by itself who calls.

use super::{Invocation, Notify as When, Ret as What, input};
use crate::client::{self, Error, Here, Place, Sent, Settings, Transcript};
use crate::commands::send::dialogue::transact;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::server::SUBMIT_SOCKET;
use address::{Address, ForwardPath, ReversePath};
use message::Header;
use net::{Endpoint, NetError};
use smtp::client::{Fate, TooMany};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{EnvelopeId, MailParameters, Notify, RcptParameters, Ret};
use std::io::{Read as _, Write as _};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// How long the server may take to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Octets passed on at once.
const PIECE: usize = 64 * 1024;

/// Takes the message from standard input and submits it.
pub(super) fn deliver(config: &Config, invocation: &Invocation) -> Result<Exit, Failure> {
    let here = Here::new(Some(config));
    let mut stdin = std::io::stdin().lock();
    let text = input::read(&mut stdin, invocation.ignore_dot, config.limits.message_size)?;
    let (mail, recipients) = envelope(invocation, &text, &here)?;
    let author = mail.from.address().cloned().or_else(|| here.address());
    let author = author
        .ok_or_else(|| Failure::usage(format!("{:?} makes no address: give one with -f", here.user)))?;
    let message = input::complete(&text, invocation, author, &here)?;
    let settings = Settings::new(Place::Unix(config.data.join(SUBMIT_SOCKET)), here.helo(None));
    client::block_on(submit(&settings, &message, &mail, recipients, invocation.verbose))
}

/// Who sends to whom.
fn envelope(invocation: &Invocation, text: &[u8], here: &Here) -> Result<(Mail, Vec<Rcpt>), Failure> {
    let from = match invocation.sender.as_deref() {
        Some("" | "<>") => ReversePath::Null,
        Some(sender) => ReversePath::Address(address(sender, here)?),
        None => here.address().map_or(ReversePath::Null, ReversePath::Address),
    };
    let envid = invocation.envid.as_deref().map(EnvelopeId::new).transpose();
    let parameters = MailParameters {
        ret: invocation.ret.map(|ret| match ret {
            What::Full => Ret::Full,
            What::Hdrs => Ret::Headers,
        }),
        envid: envid.map_err(|error| Failure::usage(format!("-V: {error}")))?,
        ..MailParameters::default()
    };
    let notify = invocation.notify.map(|when| match when {
        When::Never => Notify::NEVER,
        When::On { success, failure, delay } => Notify { success, failure, delay },
    });
    let mut paths = Vec::new();
    for word in &invocation.recipients {
        let listed = message::parse_list(word).map_err(|error| Failure::usage(error.to_string()))?;
        for one in listed {
            paths.push(one.path.map_err(|error| Failure::usage(format!("recipient {word:?}: {error}")))?);
        }
    }
    if invocation.recipients_from_header {
        let named = message::header_recipients(&Header::parse(text));
        paths.extend(named.map_err(|error| Failure::usage(format!("the header's recipients: {error}")))?);
    }
    let mut recipients: Vec<Rcpt> = Vec::new();
    for to in paths {
        if !recipients.iter().any(|known| known.to == to) {
            recipients.push(Rcpt { to, parameters: RcptParameters { notify, ..RcptParameters::default() } });
        }
    }
    if recipients.is_empty() {
        return Err(Failure::usage("the header names no recipient in To, Cc or Bcc"));
    }
    Ok((Mail { from, parameters }, recipients))
}

/// An address, or a name of this host.
fn address(text: &str, here: &Here) -> Result<Address, Failure> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    match bare.parse() {
        Ok(address) => Ok(address),
        Err(error) => here
            .qualify(bare)
            .filter(|_| !bare.contains('@'))
            .ok_or_else(|| Failure::usage(format!("-f: {error}"))),
    }
}

/// In as many transactions as the server's limits ask for.
async fn submit(
    settings: &Settings,
    message: &[u8],
    mail: &Mail,
    mut left: Vec<Rcpt>,
    verbose: bool,
) -> Result<Exit, Failure> {
    let opened = settings.open(&Transcript::new(verbose, false)).await;
    let mut client = opened.map_err(|error| match error {
        Error::Net(error) => no_server(&settings.place, &error),
        error => error.into(),
    })?;
    let mut exit = Exit::Done;
    while !left.is_empty() {
        let Sent::Done(outcome) = transact(&mut client, message, mail, left.clone()).await? else { break };
        let anybody = outcome.recipients.iter().any(|one| !matches!(one.fate, Fate::NotTried(_)));
        let mut later = Vec::new();
        for (rcpt, one) in left.iter().zip(&outcome.recipients) {
            match &one.fate {
                Fate::NotTried(_) if anybody => later.push(rcpt.clone()),
                fate => exit = worse(exit, told(&rcpt.to, fate)),
            }
        }
        left = later;
        if outcome.ended.is_some() && !left.is_empty() {
            return Err(Failure::try_again("the connection was lost before everybody was served"));
        }
    }
    client.quit().await;
    Ok(exit)
}

/// What became of a recipient, on standard error when it is not good.
fn told(to: &ForwardPath, fate: &Fate) -> Exit {
    let (exit, why) = match fate {
        Fate::Accepted(_) => return Exit::Done,
        Fate::Refused { reply, .. } => {
            (if reply.is_permanent() { Exit::No } else { Exit::TryAgain }, reply.to_string())
        }
        Fate::NotTried(TooMany::Refused(reply)) => (Exit::TryAgain, reply.to_string()),
        Fate::NotTried(_) => (Exit::TryAgain, "the server takes no more recipients".to_owned()),
        Fate::Broken { .. } | Fate::Unknown => (Exit::TryAgain, "the connection was lost".to_owned()),
    };
    output::warn(&format!("{to} was not accepted: {}", output::printable(&why)));
    exit
}

/// For good is worse than for now.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Done, other) => other,
        (Exit::TryAgain, Exit::No) => Exit::No,
        (one, _) => one,
    }
}

fn no_server(place: &Place, error: &impl std::fmt::Display) -> Failure {
    Failure::try_again(format!("no server takes mail at {place} ({error}): start `waypost serve`"))
}

/// `-bs`: standard input and output are the dialogue.
pub(super) fn converse(config: &Config) -> Result<Exit, Failure> {
    let place = Place::Unix(config.data.join(SUBMIT_SOCKET));
    let socket = Endpoint::Unix(config.data.join(SUBMIT_SOCKET));
    client::block_on(async move {
        let connected = net::connect(&socket, None, CONNECT_TIMEOUT).await;
        let stream = connected.map_err(|error: NetError| no_server(&place, &error))?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut typed = pieces();
        let sending = async move {
            // A server that has closed is no error of ours: its last words, which the other half waits for, say why.
            while let Some(piece) = typed.recv().await {
                if writer.write_all(&piece).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
            std::future::pending::<()>().await;
        };
        let receiving = async move {
            let mut piece = vec![0; PIECE];
            loop {
                let count = reader.read(&mut piece).await?;
                if count == 0 {
                    return Ok(());
                }
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(piece.get(..count).unwrap_or_default())?;
                stdout.flush()?;
            }
        };
        let ended: std::io::Result<()> = tokio::select! {
            () = sending => Ok(()),
            ended = receiving => ended,
        };
        ended.map_err(|error| Failure::try_again(format!("the connection was lost: {error}")))?;
        Ok(Exit::Done)
    })
}

/// Standard input, piece by piece. The thread that reads it ends with the program.
fn pieces() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut piece) {
            if sender.blocking_send(piece.get(..count).unwrap_or_default().to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
