//! What is decided about a step of a session.

use smtp::reply::Reply;

/// Go on, or the words to say instead. The reason is for the trail: it may name what the client is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    Accept,
    /// Not now: a 4xx reply.
    Defer {
        reply: Reply,
        reason: String,
    },
    /// Not ever: a 5xx reply.
    Reject {
        reply: Reply,
        reason: String,
    },
}

impl Verdict {
    /// Defers or rejects as the reply's code says; a reply that is neither 4xx nor 5xx, which no caller should
    /// pass, defers with 451.
    pub fn refuse(reply: Reply, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        if reply.is_permanent() {
            return Self::Reject { reply, reason };
        }
        debug_assert!(reply.is_transient(), "{reply} refuses nothing");
        let reply = if reply.is_transient() { reply } else { Reply::new(451, (4, 7, 0), "try again later") };
        Self::Defer { reply, reason }
    }

    pub fn is_accept(&self) -> bool {
        matches!(self, Self::Accept)
    }

    /// The words for the client, unless it may go on.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Accept => None,
            Self::Defer { reply, .. } | Self::Reject { reply, .. } => Some(reply),
        }
    }

    /// Why, unless it may go on.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Accept => None,
            Self::Defer { reason, .. } | Self::Reject { reason, .. } => Some(reason),
        }
    }

    /// This verdict if it refuses, else the next one.
    pub fn and_then(self, next: impl FnOnce() -> Self) -> Self {
        if self.is_accept() { next() } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_decides_between_later_and_never() {
        let later = Verdict::refuse(Reply::new(450, (4, 7, 1), "slow down"), "rate");
        assert!(matches!(&later, Verdict::Defer { reason, .. } if reason == "rate"));
        let never = Verdict::refuse(Reply::new(554, (5, 7, 1), "no"), "policy");
        assert!(matches!(never, Verdict::Reject { .. }));
        assert_eq!(Verdict::Accept.and_then(|| never.clone()), never);
        assert_eq!(never.clone().and_then(|| later), never);
        assert_eq!((Verdict::Accept.reply(), never.reason()), (None, Some("policy")));
    }
}
