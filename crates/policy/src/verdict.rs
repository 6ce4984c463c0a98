//! What is decided about a step of a session.

use smtp::reply::Reply;

/// Go on, or the words to say instead. The reason is for the trail: it may name what the client is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    Accept,
    /// Taken, and put aside: into the Junk folder of a mailbox here, with a mark for the next host.
    Quarantine {
        reason: String,
    },
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

    pub fn quarantine(reason: impl Into<String>) -> Self {
        Self::Quarantine { reason: reason.into() }
    }

    /// Whether the client may go on.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Accept | Self::Quarantine { .. })
    }

    /// The words for the client, unless it may go on.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Accept | Self::Quarantine { .. } => None,
            Self::Defer { reply, .. } | Self::Reject { reply, .. } => Some(reply),
        }
    }

    /// Why, unless nothing is wrong.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Accept => None,
            Self::Quarantine { reason } | Self::Defer { reason, .. } | Self::Reject { reason, .. } => {
                Some(reason)
            }
        }
    }

    /// The graver of two; of equals the first.
    pub fn or_graver(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    /// What will never do is not asked for again, so rejecting comes before deferring.
    fn gravity(&self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::Quarantine { .. } => 1,
            Self::Defer { .. } => 2,
            Self::Reject { .. } => 3,
        }
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
        assert_eq!((Verdict::Accept.reply(), never.reason()), (None, Some("policy")));
    }

    #[test]
    fn the_graver_one_stands() {
        let all = [
            Verdict::Accept,
            Verdict::quarantine("odd"),
            Verdict::refuse(Reply::new(451, (4, 4, 3), "later"), "dns"),
            Verdict::refuse(Reply::new(550, (5, 7, 1), "no"), "forged"),
        ];
        for (index, one) in all.iter().enumerate() {
            for (other_index, other) in all.iter().enumerate() {
                assert_eq!(one.clone().or_graver(other.clone()), all[index.max(other_index)]);
            }
        }
        let [first, second] = ["first", "second"].map(Verdict::quarantine);
        assert_eq!(first.clone().or_graver(second), first);
    }
}
