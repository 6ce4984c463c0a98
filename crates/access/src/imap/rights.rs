//! What a user may do with a folder (RFC 4314).

use std::fmt;

/// A set of rights. Each is a letter in ACLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rights(u16);

/// RFC 2086's rights, and the newer ones that each stands for here (RFC 4314 §2.1.1).
const VIRTUAL: [(char, Rights); 2] = [('c', Rights::CREATE), ('d', Rights::TAKE_AWAY)];

/// RFC 4314 §2.1, in the order in which they are shown.
const LETTERS: [(char, Rights); 11] = [
    ('l', Rights::LOOKUP),
    ('r', Rights::READ),
    ('s', Rights::SEEN),
    ('w', Rights::WRITE),
    ('i', Rights::INSERT),
    ('p', Rights::POST),
    ('k', Rights::CREATE),
    ('x', Rights::DELETE),
    ('t', Rights::MARK_DELETED),
    ('e', Rights::EXPUNGE),
    ('a', Rights::ADMINISTER),
];

impl Rights {
    pub(super) const NONE: Self = Self(0);
    pub(super) const LOOKUP: Self = Self(1);
    pub(super) const READ: Self = Self(1 << 1);
    pub(super) const SEEN: Self = Self(1 << 2);
    pub(super) const WRITE: Self = Self(1 << 3);
    pub(super) const INSERT: Self = Self(1 << 4);
    pub(super) const POST: Self = Self(1 << 5);
    pub(super) const CREATE: Self = Self(1 << 6);
    pub(super) const DELETE: Self = Self(1 << 7);
    pub(super) const MARK_DELETED: Self = Self(1 << 8);
    pub(super) const EXPUNGE: Self = Self(1 << 9);
    pub(super) const ADMINISTER: Self = Self(1 << 10);
    /// What RFC 2086 had one letter for.
    const TAKE_AWAY: Self = Self(Self::DELETE.0 | Self::MARK_DELETED.0 | Self::EXPUNGE.0);
    /// The owner's.
    pub(super) const ALL: Self = Self((1 << 11) - 1);

    /// From letters, also the virtual `c` and `d`. Others name no right here: `None`.
    pub(super) fn parse(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |rights, letter| {
            let (_, named) = LETTERS.iter().chain(&VIRTUAL).find(|(known, _)| *known == letter)?;
            Some(rights | *named)
        })
    }

    pub(super) fn has(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether at least one is there.
    pub(super) fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each letter, as LISTRIGHTS shows them: none is tied to another.
    pub(super) fn letters() -> impl Iterator<Item = char> {
        LETTERS.into_iter().chain(VIRTUAL).map(|(letter, _)| letter)
    }

    /// As lists keep them: without `c` and `d`, of which one would be read as more than was given.
    pub(super) fn kept(self) -> String {
        LETTERS.iter().filter(|(_, right)| self.has(*right)).map(|(letter, _)| letter).collect()
    }
}

impl std::ops::BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// As clients are told: whoever has a part of a virtual right is shown that as well (RFC 4314 §2.1.1).
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_str(&self.kept())?;
        VIRTUAL.iter().filter(|(_, of)| self.has_any(*of)).try_for_each(|(letter, _)| f.write_char(*letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_letters() {
        assert_eq!(Rights::parse("ral").unwrap().to_string(), "lra");
        assert_eq!(Rights::ALL.to_string(), "lrswipkxteacd");
        assert_eq!(Rights::parse("cd").unwrap().to_string(), "kxtecd");
        assert_eq!(Rights::parse("lt").unwrap().to_string(), "ltd");
        assert_eq!(Rights::parse("ltk").unwrap().kept(), "lkt");
        assert_eq!(Rights::parse("lz"), None);
        assert!(Rights::parse("lr").unwrap().has(Rights::READ) && !Rights::READ.has(Rights::LOOKUP));
    }
}
