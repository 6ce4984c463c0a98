//! The message that `send` writes, and its form for the server at hand.

use super::Args;
use crate::client::{Here, random};
use crate::exit::Failure;
use address::{Address, ForwardPath, ReversePath};
use message::{Attach, Body as Class, Draft, Edit, Mailbox, Needs};
use smtp::client::Capabilities;
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{Body, EnvelopeId, MailParameters, Notify, RcptParameters, Ret};
use std::borrow::Cow;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

/// What is sent: a file as it is, or what a message is written from.
pub(super) enum Letter {
    Raw(Vec<u8>),
    Draft { draft: Draft, header: Vec<(String, String)> },
}

impl Letter {
    pub(super) fn new(args: &Args, sender: &Address, here: &Here) -> Result<Self, Failure> {
        if let Some(file) = &args.raw {
            let text = if file == Path::new("-") { standard_input()? } else { read(file)? };
            return Ok(Self::Raw(message::to_crlf(&text)));
        }
        let attach = |file: &std::path::PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Attach { media_type: message::media_type(&name).to_owned(), name, content: read(file)? })
        };
        let draft = Draft {
            from: sender.clone().into(),
            to: mailboxes(&args.to, here),
            cc: mailboxes(&args.cc, here),
            subject: args.subject.clone().unwrap_or_default(),
            text: text(args)?,
            attachments: args.attach.iter().map(attach).collect::<Result<_, Failure>>()?,
        };
        Ok(Self::Draft { draft, header: args.header.clone() })
    }

    /// The message, CRLF throughout; each one written has a Message-ID of its own.
    pub(super) fn write(&self, here: &Here) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Raw(text) => Ok(text.clone()),
            Self::Draft { draft, header } => {
                let written = draft.build(&jiff::Zoned::now(), random()?, &here.host);
                Ok(if header.is_empty() { written } else { with_fields(&written, header) })
            }
        }
    }
}

/// The message with these fields in place of those of the same names.
fn with_fields(written: &[u8], header: &[(String, String)]) -> Vec<u8> {
    let mut edit = Edit::new(written);
    let mut out = Vec::new();
    for (name, value) in header {
        edit.remove(name);
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(&edit.finish().to_vec(written));
    // Encoded words for what is not ASCII, folds for what is too long.
    message::downgrade(&out).map_or(out, |downgraded| downgraded.message)
}

fn text(args: &Args) -> Result<String, Failure> {
    let own = match args.body.as_deref() {
        Some("-") => None,
        Some(text) => Some(text.to_owned()),
        // Standard input has, or may have, something else to say.
        None if args.interactive || args.quit_after.is_some() || args.password.password_stdin => {
            Some(String::new())
        }
        None if std::io::stdin().is_terminal() => Some(String::new()),
        None => None,
    };
    match own {
        Some(text) => Ok(text),
        None => Ok(String::from_utf8_lossy(&standard_input()?).into_owned()),
    }
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut text);
    read.map_err(|error| Failure::no(format!("cannot read standard input: {error}")))?;
    Ok(text)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::no(format!("cannot read {}: {error}", file.display())))
}

/// Recipients for the header; a name alone is somebody of this host there.
fn mailboxes(paths: &[ForwardPath], here: &Here) -> Vec<Mailbox> {
    let address = |path: &ForwardPath| match path {
        ForwardPath::Address(address) => address.clone(),
        ForwardPath::Unqualified(local) => Address::new(local.clone(), here.host.clone()),
    };
    paths.iter().map(|path| address(path).into()).collect()
}

/// MAIL and RCPT as the words ask for them.
pub(super) struct Envelope {
    pub(super) mail: Mail,
    pub(super) recipients: Vec<Rcpt>,
}

impl Envelope {
    pub(super) fn new(args: &Args, from: ReversePath) -> Result<Self, Failure> {
        use crate::cli::values;
        let envid = args.envid.as_deref().map(EnvelopeId::new).transpose();
        let parameters = MailParameters {
            ret: args.ret.map(|ret| match ret {
                values::Ret::Full => Ret::Full,
                values::Ret::Hdrs => Ret::Headers,
            }),
            envid: envid.map_err(|error| Failure::usage(format!("--envid: {error}")))?,
            ..MailParameters::default()
        };
        let has = |when| args.notify.contains(&when);
        let notify = (!args.notify.is_empty()).then(|| Notify {
            success: has(values::Notify::Success),
            failure: has(values::Notify::Failure),
            delay: has(values::Notify::Delay),
        });
        let mut recipients: Vec<Rcpt> = Vec::new();
        for path in args.to.iter().chain(&args.cc).chain(&args.bcc) {
            if !recipients.iter().any(|known| known.to == *path) {
                let parameters = RcptParameters { notify, ..RcptParameters::default() };
                recipients.push(Rcpt { to: path.clone(), parameters });
            }
        }
        Ok(Self { mail: Mail { from, parameters }, recipients })
    }
}

/// A message in a form that the server takes, and what MAIL says of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Fitted<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) body: Option<Body>,
    pub(crate) smtputf8: bool,
}

/// As it is where the server takes that, else in 7-bit form (RFC 6152 §3). `message` has CRLF throughout.
pub(crate) fn fit<'a>(message: &'a [u8], capabilities: &Capabilities) -> Fitted<'a> {
    let needs = Needs::of(message);
    let body = match needs.body {
        Class::SevenBit => Some(None),
        Class::EightBit => capabilities.eight_bit_mime.then_some(Some(Body::EightBitMime)),
        Class::Binary => {
            (capabilities.binary_mime && capabilities.chunking).then_some(Some(Body::BinaryMime))
        }
    };
    match body {
        Some(body) if !needs.smtputf8 || capabilities.smtputf8 => {
            Fitted { bytes: Cow::Borrowed(message), body, smtputf8: needs.smtputf8 }
        }
        _ => {
            let bytes = message::downgrade(message)
                .map_or(Cow::Borrowed(message), |downgraded| Cow::Owned(downgraded.message));
            Fitted { bytes, body: None, smtputf8: false }
        }
    }
}
