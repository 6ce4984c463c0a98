//! What a server answers, as data. [`crate::encode`] writes it, the client's parser reads it.

use crate::command::StatusItem;
use crate::set::Runs;
use crate::{Flag, MailboxName};
use bytes::Bytes;
use jiff::{Timestamp, Zoned};
use message::structure::{Envelope, Part};
use std::sync::Arc;

/// The end of a command, or a word in between (RFC 9051 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub kind: StatusKind,
    pub code: Option<Code>,
    /// For people: one line.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    Ok,
    No,
    Bad,
    /// Untagged, as a greeting.
    PreAuth,
    /// Untagged; the connection closes.
    Bye,
}

impl Status {
    pub fn ok(text: impl Into<String>) -> Self {
        Self { kind: StatusKind::Ok, code: None, text: text.into() }
    }

    pub fn no(code: impl Into<Option<Code>>, text: impl Into<String>) -> Self {
        Self { kind: StatusKind::No, code: code.into(), text: text.into() }
    }

    pub fn bad(text: impl Into<String>) -> Self {
        Self { kind: StatusKind::Bad, code: None, text: text.into() }
    }

    #[must_use]
    pub fn with(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }
}

/// Response codes (RFC 9051 §7.1, RFC 5530 and the extensions').
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    Alert,
    AlreadyExists,
    AppendUid {
        uidvalidity: u32,
        uids: Runs,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset(Vec<String>),
    /// RFC 5465 §5: the events that can be told.
    BadEvent(Vec<String>),
    Cannot,
    Capability(Vec<String>),
    ClientBug,
    Closed,
    CompressionActive,
    ContactAdmin,
    /// The pairs in the order of their UIDs: the nth of one is the nth of the other.
    CopyUid {
        uidvalidity: u32,
        from: Runs,
        to: Runs,
    },
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    HighestModSeq(u64),
    /// RFC 9585: an estimate of how far a long command is.
    InProgress {
        tag: Option<String>,
        done: Option<u32>,
        total: Option<u32>,
    },
    InUse,
    Limit,
    MailboxId(String),
    /// RFC 5464.
    MetadataLongEntries(u64),
    MetadataMaxSize(u64),
    MetadataTooMany,
    /// RFC 7162: these were not stored; sequence numbers or UIDs, as the command named them.
    Modified(Runs),
    NoModSeq,
    Nonexistent,
    NoPerm,
    NotificationOverflow,
    NotSaved,
    OverQuota,
    Parse,
    PermanentFlags {
        flags: Vec<Flag>,
        any_keyword: bool,
    },
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNext(u32),
    UidNotSticky,
    UidValidity(u32),
    Unavailable,
    UnknownCte,
    /// RFC 3501: the sequence number of the first unseen message.
    Unseen(u32),
    UseAttr,
}

/// Untagged data (RFC 9051 §7.2 to §7.5).
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Status(Status),
    Capability(Vec<String>),
    Enabled(Vec<String>),
    Id(Vec<(String, Option<String>)>),
    Flags(Vec<Flag>),
    Exists(u32),
    Recent(u32),
    /// A sequence number.
    Expunge(u32),
    /// UIDs (RFC 7162 §3.2.10).
    Vanished {
        earlier: bool,
        uids: Runs,
    },
    List(ListEntry),
    Lsub(ListEntry),
    MailboxStatus {
        mailbox: MailboxName,
        items: Vec<(StatusItem, StatusValue)>,
    },
    /// RFC 3501's SEARCH, SORT with RFC 7162's MODSEQ.
    Search {
        numbers: Vec<u32>,
        modseq: Option<u64>,
    },
    Sort {
        numbers: Vec<u32>,
        modseq: Option<u64>,
    },
    Esearch(Esearch),
    Thread(Vec<ThreadNode>),
    Fetch {
        number: u32,
        items: Vec<FetchData>,
    },
    Namespace {
        personal: Vec<Namespace>,
        other_users: Vec<Namespace>,
        shared: Vec<Namespace>,
    },
    Quota {
        root: String,
        resources: Vec<QuotaResource>,
    },
    QuotaRoot {
        mailbox: MailboxName,
        roots: Vec<String>,
    },
    /// `None` values: the entry has none. An empty mailbox: the server's.
    Metadata {
        mailbox: Option<MailboxName>,
        entries: Vec<(String, Option<Bytes>)>,
    },
    /// What changed, without values (RFC 5464 §4.4.2).
    MetadataChanged {
        mailbox: Option<MailboxName>,
        entries: Vec<String>,
    },
    Acl {
        mailbox: MailboxName,
        rights: Vec<(String, String)>,
    },
    ListRights {
        mailbox: MailboxName,
        identifier: String,
        required: String,
        optional: Vec<String>,
    },
    MyRights {
        mailbox: MailboxName,
        rights: String,
    },
}

/// LIST's and LSUB's answer.
///
/// What RETURN (MYRIGHTS) and RETURN (STATUS …) ask for are responses of their own, after this one (RFC 8440 §3, RFC 5819 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// `\HasChildren`, `\Sent` …
    pub attributes: Vec<String>,
    /// In UTF-8; empty as the answer to `LIST "" ""`.
    pub mailbox: String,
    /// `("CHILDINFO" ("SUBSCRIBED"))`.
    pub child_info: Vec<String>,
    /// `("OLDNAME" ("name"))` (RFC 9051 §6.3.9.7).
    pub old_name: Option<String>,
    /// Between the levels of the name. `None`: it has none and never will. Here it is [`DELIMITER`](crate::name::DELIMITER).
    pub delimiter: Option<char>,
}

impl Default for ListEntry {
    fn default() -> Self {
        Self {
            attributes: Vec::new(),
            mailbox: String::new(),
            child_info: Vec::new(),
            old_name: None,
            delimiter: Some(crate::name::DELIMITER),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusValue {
    Number(u64),
    /// `NIL`.
    None,
    /// MAILBOXID's.
    Id(String),
}

/// RFC 9051 §7.3.4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Esearch {
    pub tag: Option<String>,
    pub uid: bool,
    pub min: Option<u32>,
    pub max: Option<u32>,
    /// An ordered list for SORT, runs otherwise. Never empty.
    pub all: Option<EsearchAll>,
    pub count: Option<u32>,
    pub modseq: Option<u64>,
    /// The range as asked, and what is in it.
    pub partial: Option<(crate::fetch::PartialRange, EsearchAll)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EsearchAll {
    Set(Runs),
    Ordered(Vec<u32>),
}

/// RFC 5256 §4: a message and those under it. `None`: a parent that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadNode {
    pub number: Option<u32>,
    pub children: Vec<Self>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub prefix: String,
    pub delimiter: Option<char>,
}

/// RFC 9208: STORAGE is in units of 1,024 octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaResource {
    pub name: String,
    pub usage: u64,
    pub limit: u64,
}

/// One item of FETCH.
#[derive(Debug, Clone, PartialEq)]
pub enum FetchData {
    Uid(u32),
    /// `recent`: with `\Recent`, which RFC 3501 has and RFC 9051 has not. No client sets it.
    Flags {
        flags: Vec<Flag>,
        recent: bool,
    },
    InternalDate(Zoned),
    Envelope(Arc<Envelope>),
    /// With (BODYSTRUCTURE) or without (BODY) extension data.
    Structure {
        part: Arc<Part>,
        extended: bool,
    },
    /// A section that is in memory; see [`crate::server::Session`] for those that are streamed.
    Content {
        name: ContentName,
        value: Option<Bytes>,
    },
    BinarySize {
        path: Vec<u32>,
        size: u64,
    },
    Rfc822Size(u64),
    ModSeq(u64),
    SaveDate(Option<Timestamp>),
    EmailId(String),
    ThreadId(Option<String>),
    Preview(Option<String>),
}

/// What a literal of FETCH is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentName {
    /// `BODY[…]<offset>`.
    Section {
        section: crate::section::Section,
        offset: Option<u64>,
    },
    /// `BINARY[…]<offset>`; the value is a `~{…}` literal when it holds NUL.
    Binary {
        path: Vec<u32>,
        offset: Option<u64>,
    },
    Rfc822,
    Rfc822Header,
    Rfc822Text,
}
