//! What a client asks.

use super::write::Writer;
use super::{Error, WireName, search};
use crate::command::{FlagChange, StatusItem};
use crate::fetch::FetchItem;
use crate::search::SearchKey;
use crate::section::{Section, SectionText};
use crate::{Enabled, Encoder, Flag, SequenceSet};
use address::Secret;
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use jiff::Zoned;
use std::collections::VecDeque;

/// A command. Messages are named by UID.
#[derive(Debug, Clone)]
pub enum Command {
    Capability,
    Noop,
    Logout,
    /// RFC 2971. Empty: NIL.
    Id(Vec<(String, Option<String>)>),
    StartTls,
    Login {
        user: String,
        password: Secret<String>,
    },
    /// Goes with its initial response if the server has SASL-IR; else that is sent after the first challenge.
    Authenticate {
        mechanism: String,
        initial: Option<Secret<Vec<u8>>>,
    },
    Enable(Vec<String>),
    Namespace,
    List(List),
    Lsub {
        /// With `*` and `%`.
        pattern: WireName,
    },
    Status {
        mailbox: WireName,
        items: Vec<StatusItem>,
    },
    Create(WireName),
    Subscribe(WireName),
    Append {
        mailbox: WireName,
        flags: Vec<Flag>,
        date: Option<Box<Zoned>>,
        /// Octets of the message.
        size: u64,
    },
    Select {
        mailbox: WireName,
        /// EXAMINE.
        read_only: bool,
        condstore: bool,
    },
    Close,
    Unselect,
    /// UID SEARCH, in UTF-8 where it has to be. `extended`: RETURN (ALL), answered by ESEARCH.
    Search {
        key: SearchKey,
        extended: bool,
    },
    /// UID FETCH. `changed_since`: RFC 7162 §3.1.4.1.
    Fetch {
        uids: SequenceSet,
        items: Vec<FetchItem>,
        changed_since: Option<u64>,
    },
    /// UID STORE.
    Store {
        uids: SequenceSet,
        change: FlagChange,
        silent: bool,
        flags: Vec<Flag>,
    },
}

/// LIST. Only a server with LIST-EXTENDED takes more than a pattern; `special_use` and `status` are extensions more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// With `*` and `%`.
    pub pattern: WireName,
    /// Says which are subscribed.
    pub subscribed: bool,
    pub special_use: bool,
    pub status: Vec<StatusItem>,
}

/// What is remembered until the answer.
#[derive(Debug)]
pub(super) enum Asked {
    Simple,
    Logout,
    StartTls,
    Login,
    Authenticate { held_back: Option<Secret<Vec<u8>>> },
    Append { size: u64 },
    Select,
    Unselect,
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::StartTls => "STARTTLS",
            Self::Login { .. } => "LOGIN",
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Enable(_) => "ENABLE",
            Self::Namespace => "NAMESPACE",
            Self::List(_) => "LIST",
            Self::Lsub { .. } => "LSUB",
            Self::Status { .. } => "STATUS",
            Self::Create(_) => "CREATE",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Append { .. } => "APPEND",
            Self::Select { read_only: false, .. } => "SELECT",
            Self::Select { read_only: true, .. } => "EXAMINE",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Search { .. } => "UID SEARCH",
            Self::Fetch { .. } => "UID FETCH",
            Self::Store { .. } => "UID STORE",
        }
    }

    pub(super) fn asked(&self) -> Asked {
        match self {
            Self::Logout => Asked::Logout,
            Self::StartTls => Asked::StartTls,
            Self::Login { .. } => Asked::Login,
            Self::Authenticate { .. } => Asked::Authenticate { held_back: None },
            Self::Append { size, .. } => Asked::Append { size: *size },
            Self::Select { .. } => Asked::Select,
            Self::Close | Self::Unselect => Asked::Unselect,
            _ => Asked::Simple,
        }
    }

    /// After the tag. `sasl_ir`: an initial response may go with AUTHENTICATE.
    pub(super) fn write(&self, mut out: Writer, sasl_ir: bool) -> Result<VecDeque<Bytes>, Error> {
        out.word(self.name());
        match self {
            Self::Capability | Self::Noop | Self::Logout | Self::StartTls => {}
            Self::Namespace | Self::Close | Self::Unselect => {}
            Self::Id(parameters) => id(&mut out, parameters)?,
            Self::Login { user, password } => {
                out.string("user name", user.as_bytes())?;
                out.string("password", password.reveal().as_bytes())?;
            }
            Self::Authenticate { mechanism, initial } => {
                out.atom("mechanism", mechanism)?;
                if let Some(initial) = initial.as_ref().filter(|_| sasl_ir) {
                    let initial = initial.reveal();
                    out.word(&if initial.is_empty() { "=".to_owned() } else { BASE64.encode(initial) });
                }
            }
            Self::Enable(words) if words.is_empty() => return Err(Error::Nothing("ENABLE")),
            Self::Enable(words) => words.iter().try_for_each(|word| out.atom("extension", word))?,
            Self::List(list) => list.write(&mut out)?,
            Self::Lsub { pattern } => {
                out.word("\"\"");
                out.mailbox(pattern)?;
            }
            Self::Status { mailbox, items } => {
                out.mailbox(mailbox)?;
                out.word(&status_items(items)?);
            }
            Self::Create(mailbox) | Self::Subscribe(mailbox) => out.mailbox(mailbox)?,
            Self::Append { mailbox, flags, date, size } => {
                out.mailbox(mailbox)?;
                if !flags.is_empty() {
                    out.word(&flag_list(flags));
                }
                if let Some(date) = date {
                    out.word(&encoded(|encoder| encoder.date_time(date)));
                }
                return Ok(out.message(*size));
            }
            Self::Select { mailbox, condstore, .. } => {
                out.mailbox(mailbox)?;
                out.raw(if *condstore { " (CONDSTORE)" } else { "" });
            }
            Self::Search { key, extended } => {
                out.raw(if *extended { " RETURN (ALL)" } else { "" });
                search::program(&mut out, key)?;
            }
            Self::Fetch { uids, items, changed_since } => {
                out.set("UID FETCH", uids)?;
                fetch_items(&mut out, items)?;
                if let Some(modseq) = changed_since {
                    out.raw(&format!(" (CHANGEDSINCE {modseq})"));
                }
            }
            Self::Store { uids, change, silent, flags } => {
                out.set("UID STORE", uids)?;
                let sign = match change {
                    FlagChange::Replace => "",
                    FlagChange::Add => "+",
                    FlagChange::Remove => "-",
                };
                out.word(&format!("{sign}FLAGS{}", if *silent { ".SILENT" } else { "" }));
                out.word(&flag_list(flags));
            }
        }
        Ok(out.finish())
    }
}

impl List {
    fn write(&self, out: &mut Writer) -> Result<(), Error> {
        out.word("\"\"");
        out.mailbox(&self.pattern)?;
        let mut returns: Vec<String> = Vec::new();
        returns.extend(self.subscribed.then(|| "SUBSCRIBED".to_owned()));
        returns.extend(self.special_use.then(|| "SPECIAL-USE".to_owned()));
        if !self.status.is_empty() {
            returns.push(format!("STATUS {}", status_items(&self.status)?));
        }
        if !returns.is_empty() {
            out.word(&format!("RETURN ({})", returns.join(" ")));
        }
        Ok(())
    }
}

fn id(out: &mut Writer, parameters: &[(String, Option<String>)]) -> Result<(), Error> {
    if parameters.is_empty() {
        out.word("NIL");
        return Ok(());
    }
    out.open();
    for (name, value) in parameters {
        out.string("identification", name.as_bytes())?;
        match value {
            Some(value) => out.string("identification", value.as_bytes())?,
            None => out.word("NIL"),
        }
    }
    out.raw(")");
    Ok(())
}

fn status_items(items: &[StatusItem]) -> Result<String, Error> {
    if items.is_empty() {
        return Err(Error::Nothing("STATUS"));
    }
    Ok(format!("({})", items.iter().map(|item| item.as_str()).collect::<Vec<_>>().join(" ")))
}

fn flag_list(flags: &[Flag]) -> String {
    format!("({})", flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(" "))
}

/// What the server's side writes in the same way.
fn encoded(write: impl FnOnce(&mut Encoder<'_>)) -> String {
    let mut out = BytesMut::new();
    write(&mut Encoder::new(&mut out, Enabled::default()));
    String::from_utf8_lossy(&out).into_owned()
}

fn fetch_items(out: &mut Writer, items: &[FetchItem]) -> Result<(), Error> {
    if items.is_empty() {
        return Err(Error::Nothing("UID FETCH"));
    }
    let items = items.iter().map(fetch_item).collect::<Result<Vec<_>, _>>()?;
    out.word(&format!("({})", items.join(" ")));
    Ok(())
}

fn fetch_item(item: &FetchItem) -> Result<String, Error> {
    let peeks = |peek: &bool| if *peek { ".PEEK" } else { "" };
    let dotted = |path: &[u32]| path.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let part = |partial: &Option<crate::section::Partial>| {
        partial.map(|partial| format!("<{}.{}>", partial.offset, partial.length)).unwrap_or_default()
    };
    Ok(match item {
        FetchItem::Section { section, partial, peek } => {
            format!("BODY{}[{}]{}", peeks(peek), section_name(section)?, part(partial))
        }
        FetchItem::Binary { path, partial, peek } => {
            format!("BINARY{}[{}]{}", peeks(peek), dotted(path), part(partial))
        }
        FetchItem::BinarySize(path) => format!("BINARY.SIZE[{}]", dotted(path)),
        FetchItem::Uid => "UID".into(),
        FetchItem::Flags => "FLAGS".into(),
        FetchItem::InternalDate => "INTERNALDATE".into(),
        FetchItem::Envelope => "ENVELOPE".into(),
        FetchItem::BodyStructure => "BODYSTRUCTURE".into(),
        FetchItem::Body => "BODY".into(),
        FetchItem::Rfc822Size => "RFC822.SIZE".into(),
        FetchItem::Rfc822 => "RFC822".into(),
        FetchItem::Rfc822Header => "RFC822.HEADER".into(),
        FetchItem::Rfc822Text => "RFC822.TEXT".into(),
        FetchItem::ModSeq => "MODSEQ".into(),
        FetchItem::SaveDate => "SAVEDATE".into(),
        FetchItem::EmailId => "EMAILID".into(),
        FetchItem::ThreadId => "THREADID".into(),
        FetchItem::Preview { lazy } => if *lazy { "PREVIEW (LAZY)" } else { "PREVIEW" }.into(),
    })
}

fn section_name(section: &Section) -> Result<String, Error> {
    if let Some(SectionText::HeaderFields { names, .. }) = &section.text
        && (names.is_empty()
            || !names.iter().all(|name| !name.is_empty() && name.bytes().all(crate::is_atom_char)))
    {
        return Err(Error::Character("name of a header field"));
    }
    Ok(encoded(|encoder| encoder.section(section)))
}
