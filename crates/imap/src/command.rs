//! Commands, as parsed. A session acts on some itself; the rest become [`Event::Command`](crate::server::Event).

use crate::fetch::{FetchItem, FetchModifiers};
use crate::search::{Search, Sort, Thread};
use crate::{Flag, MailboxName, SeqNumber, SequenceSet};
use address::Secret;
use jiff::Timestamp;

/// What the client calls a command by: at most 64 of RFC 9051's tag characters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub(crate) String);

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A whole command. APPEND's and REPLACE's messages are not in it: they pass by as events.
#[derive(Debug, Clone)]
pub enum Command {
    // Any state.
    Capability,
    Noop,
    Logout,
    /// RFC 2971. Empty: `NIL`.
    Id(Vec<(String, Option<String>)>),

    // Not authenticated.
    StartTls,
    Login {
        user: String,
        password: Secret<String>,
    },
    Authenticate {
        mechanism: String,
        initial: Option<Secret<Vec<u8>>>,
    },

    // Authenticated.
    Enable(Vec<String>),
    Select(Select),
    /// `special_use`: `\Archive` … (RFC 6154 §3).
    Create {
        mailbox: MailboxName,
        special_use: Vec<String>,
    },
    Delete(MailboxName),
    Rename {
        from: MailboxName,
        to: MailboxName,
    },
    Subscribe(MailboxName),
    Unsubscribe(MailboxName),
    List(List),
    Lsub {
        reference: String,
        pattern: String,
    },
    Namespace,
    Status {
        mailbox: MailboxName,
        items: Vec<StatusItem>,
    },
    Idle,
    /// The client has sent all messages of its APPEND (one, or several: RFC 3502). Their data came before, as events.
    Append(MailboxName),
    GetQuota(String),
    GetQuotaRoot(MailboxName),
    SetQuota {
        root: String,
        limits: Vec<(String, u64)>,
    },
    GetMetadata(GetMetadata),
    /// `None` removes. An empty mailbox is the server (RFC 5464).
    SetMetadata {
        mailbox: Option<MailboxName>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    },
    /// RFC 5465. `None`: `NOTIFY NONE`.
    Notify(Option<Notify>),
    /// RFC 4978.
    CompressDeflate,
    /// RFC 8437.
    Unauthenticate,
    SetAcl {
        mailbox: MailboxName,
        identifier: String,
        change: RightsChange,
    },
    DeleteAcl {
        mailbox: MailboxName,
        identifier: String,
    },
    GetAcl(MailboxName),
    ListRights {
        mailbox: MailboxName,
        identifier: String,
    },
    MyRights(MailboxName),

    // Selected.
    Close,
    Unselect,
    /// RFC 3501's CHECK: nothing to do.
    Check,
    /// With a set: UID EXPUNGE.
    Expunge(Option<SequenceSet>),
    Search(Search),
    Sort(Sort),
    Thread(Thread),
    Fetch {
        uid: bool,
        set: SequenceSet,
        items: Vec<FetchItem>,
        modifiers: FetchModifiers,
    },
    Store(Store),
    Copy {
        uid: bool,
        set: SequenceSet,
        to: MailboxName,
    },
    Move {
        uid: bool,
        set: SequenceSet,
        to: MailboxName,
    },
    /// RFC 8508, after its message.
    Replace {
        uid: bool,
        number: SeqNumber,
        to: MailboxName,
    },
}

/// SELECT and EXAMINE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    pub mailbox: MailboxName,
    pub read_only: bool,
    /// RFC 7162 §3.1.8.
    pub condstore: bool,
    pub qresync: Option<Qresync>,
}

/// `(QRESYNC (uidvalidity modseq [known-uids [seq-match-data]]))`, RFC 7162 §3.2.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qresync {
    pub uidvalidity: u32,
    pub modseq: u64,
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that they had.
    pub seq_match: Option<(SequenceSet, SequenceSet)>,
}

/// LIST in its extended form (RFC 5258, RFC 5819, RFC 6154); the basic form is one pattern and no options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub reference: String,
    /// With `*` and `%`, decoded.
    pub patterns: Vec<String>,
    pub select: ListSelect,
    pub returns: ListReturn,
    /// Options or several patterns were written: the answer may have CHILDINFO and no \Noinferiors games.
    pub extended: bool,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListSelect {
    pub subscribed: bool,
    /// Read; there are no remote mailboxes.
    pub remote: bool,
    pub recursive_match: bool,
    pub special_use: bool,
}

/// What is said of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListReturn {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    pub status: Option<Vec<StatusItem>>,
    /// RFC 8440.
    pub my_rights: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    AppendLimit,
    MailboxId,
    /// RFC 9208.
    DeletedStorage,
}

impl StatusItem {
    pub(crate) const ALL: [(Self, &'static str); 11] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Deleted, "DELETED"),
        (Self::Size, "SIZE"),
        (Self::HighestModSeq, "HIGHESTMODSEQ"),
        (Self::AppendLimit, "APPENDLIMIT"),
        (Self::MailboxId, "MAILBOXID"),
        (Self::DeletedStorage, "DELETED-STORAGE"),
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }

    /// In any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(item, _)| *item)
    }
}

/// What comes before a message's literal in APPEND and REPLACE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendMessage {
    pub flags: Vec<Flag>,
    /// When it arrived, if the client says.
    pub date: Option<Timestamp>,
    /// Octets that follow.
    pub size: u64,
    /// Came as `~{…}`: may hold NUL (RFC 3516).
    pub binary: bool,
    /// Came as `UTF8 (~{…})` (RFC 6855 §4).
    pub utf8: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub uid: bool,
    pub set: SequenceSet,
    pub change: FlagChange,
    /// `.SILENT`.
    pub silent: bool,
    pub flags: Vec<Flag>,
    /// RFC 7162 §3.1.3.
    pub unchanged_since: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagChange {
    Replace,
    Add,
    Remove,
}

/// GETMETADATA (RFC 5464 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetMetadata {
    /// `None`: the server's.
    pub mailbox: Option<MailboxName>,
    pub entries: Vec<String>,
    pub max_size: Option<u64>,
    /// 0, 1, or `None` for infinity.
    pub depth: Option<u8>,
}

/// SETACL's rights (RFC 4314 §3.1): letters, checked to be such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RightsChange {
    Replace(String),
    Add(String),
    Remove(String),
}

/// `NOTIFY SET` (RFC 5465 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Answer with the STATUS of each mailbox that is watched.
    pub status: bool,
    pub groups: Vec<EventGroup>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventGroup {
    pub mailboxes: MailboxFilter,
    /// Empty: `NONE`.
    pub events: Vec<NotifyEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxFilter {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<MailboxName>),
    Mailboxes(Vec<MailboxName>),
}

/// All of RFC 5465 §5 but AnnotationChange: no message here has annotations (RFC 5257).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyEvent {
    /// With what is to be fetched of each new message.
    MessageNew(Vec<FetchItem>),
    MessageExpunge,
    FlagChange,
    MailboxName,
    SubscriptionChange,
    MailboxMetadataChange,
    ServerMetadataChange,
}

/// Where a message is to go: [`Command::Append`] or [`Command::Replace`] follows its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendTarget {
    Append(MailboxName),
    Replace { uid: bool, number: SeqNumber, to: MailboxName },
}
