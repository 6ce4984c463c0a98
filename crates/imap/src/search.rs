//! What SEARCH, SORT and THREAD ask for.

use crate::fetch::PartialRange;
use crate::{Flag, Keyword, SequenceSet};

/// Deepest nesting of NOT, OR and parentheses.
pub const MAX_DEPTH: usize = 32;
/// Keys in one search.
pub const MAX_KEYS: usize = 1_000;
/// Longest string searched for, in octets.
pub const MAX_NEEDLE: usize = 4_096;

/// `search-key` (RFC 9051 §6.4.4). Strings have been turned into UTF-8 from the charset that the client named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    All,
    /// Sequence numbers.
    Numbers(SequenceSet),
    Uid(SequenceSet),
    Flag(FlagKey),
    /// `BEFORE`, `ON`, `SINCE` by internal date; `SENT…` by the Date field; `SAVED…` by when it came into this folder.
    Date(DateOf, Comparison, Day),
    /// `YOUNGER`/`OLDER`: seconds (RFC 5032).
    Within {
        older: bool,
        seconds: u32,
    },
    Larger(u64),
    Smaller(u64),
    /// BCC, CC, FROM, SUBJECT, TO and HEADER; an empty `needle` asks for the field's presence (HEADER only).
    Header {
        name: String,
        needle: String,
    },
    Body(String),
    Text(String),
    Not(Box<Self>),
    Or(Box<(Self, Self)>),
    /// All of them: what stands side by side or in parentheses.
    And(Vec<Self>),
    /// RFC 7162 §3.1.5. The entry name and type are read and of no use.
    ModSeq(u64),
    /// RFC 8474.
    EmailId(String),
    ThreadId(String),
    /// RFC 8514: whether SAVED… can be answered at all.
    SaveDateSupported,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagKey {
    pub flag: SearchFlag,
    /// `UN…`: is not set.
    pub set: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchFlag {
    /// Never a keyword.
    System(Flag),
    Keyword(Keyword),
    /// RFC 3501's RECENT, NEW (`And[Recent, unseen]`), OLD.
    Recent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOf {
    Internal,
    Sent,
    Saved,
}

/// Against a whole day, without time and zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Before,
    On,
    Since,
}

/// `1-Feb-1994`: a day, as days are written. Valid by construction.
pub type Day = jiff::civil::Date;

/// `SEARCH`, `UID SEARCH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub uid: bool,
    /// `None`: no RETURN was given, which RFC 3501 clients expect to be answered by SEARCH, not ESEARCH.
    pub returns: Option<SearchReturn>,
    pub key: SearchKey,
}

/// `RETURN (…)` (RFC 4731, RFC 5182, RFC 9394). `RETURN ()` is `ALL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    pub save: bool,
    pub partial: Option<PartialRange>,
}

/// `SORT`, `UID SORT` (RFC 5256, ESORT of RFC 5267).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub uid: bool,
    pub returns: Option<SearchReturn>,
    /// Not empty.
    pub criteria: Vec<SortCriterion>,
    pub key: SearchKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortCriterion {
    pub by: SortBy,
    pub reverse: bool,
}

/// RFC 5256 §3, RFC 5957.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
}

/// `THREAD`, `UID THREAD` (RFC 5256).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    pub uid: bool,
    pub algorithm: ThreadAlgorithm,
    pub key: SearchKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
}
