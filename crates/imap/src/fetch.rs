//! What FETCH asks for.

use crate::section::{Partial, Section};

/// One `fetch-att`. The macros ALL, FAST and FULL are read as what they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    Uid,
    Flags,
    InternalDate,
    Envelope,
    /// `BODYSTRUCTURE`.
    BodyStructure,
    /// `BODY` without brackets: the structure without extension data.
    Body,
    /// `BODY[…]<…>`; `BODY.PEEK[…]` does not set \Seen.
    Section {
        section: Section,
        partial: Option<Partial>,
        peek: bool,
    },
    /// `BINARY[1.2]<…>` (RFC 9051 §6.4.5, RFC 3516): without the content-transfer-encoding.
    Binary {
        path: Vec<u32>,
        partial: Option<Partial>,
        peek: bool,
    },
    BinarySize(Vec<u32>),
    Rfc822Size,
    /// RFC 3501's `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`, whose responses have those names.
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    /// RFC 7162.
    ModSeq,
    /// RFC 8514.
    SaveDate,
    /// RFC 8474.
    EmailId,
    ThreadId,
    /// RFC 8970. `lazy`: only if it is known already.
    Preview {
        lazy: bool,
    },
}

impl FetchItem {
    /// Whether fetching it sets \Seen.
    pub fn sets_seen(&self) -> bool {
        match self {
            Self::Section { peek, .. } | Self::Binary { peek, .. } => !peek,
            Self::Rfc822 | Self::Rfc822Text => true,
            _ => false,
        }
    }
}

/// Behind the items, or behind a set: `(CHANGEDSINCE 5 VANISHED)`, `(PARTIAL -1:-100)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FetchModifiers {
    pub changed_since: Option<u64>,
    /// Only with `changed_since`, in UID FETCH, after ENABLE QRESYNC (RFC 7162 §3.2.6).
    pub vanished: bool,
    /// RFC 9394, UID FETCH only.
    pub partial: Option<PartialRange>,
}

/// `1:500`, or from the end `-1:-500` (RFC 9394): positions in a result. Both ends have the same sign and are not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialRange {
    /// The smaller first, without the sign.
    pub from: u32,
    pub to: u32,
    pub from_end: bool,
}
