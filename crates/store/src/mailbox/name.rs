//! What a folder may be called.

use super::{DELIMITER, INBOX};
use crate::StoreError;

/// Octets of a name with all that it is in.
pub const MAX_NAME: usize = 1_000;
/// Folders in folders: each level costs everybody who lists them.
pub const MAX_DEPTH: usize = 32;
/// Folders of an account, and names it subscribes to: a list of them is read and sorted in one piece.
pub const MAX_FOLDERS: usize = 10_000;

/// # Errors
/// [`StoreError::Refused`] for a name that no folder may have, [`StoreError::Limit`] for one too long or too deep.
pub(super) fn check(name: &str) -> Result<(), StoreError> {
    let refused = |why: &str| Err(StoreError::Refused(format!("{name:?} cannot be a folder: {why}")));
    if name.len() > MAX_NAME {
        return Err(StoreError::Limit(format!("a folder's name has at most {MAX_NAME} octets")));
    }
    if name.split(DELIMITER).count() > MAX_DEPTH {
        return Err(StoreError::Limit(format!("folders are at most {MAX_DEPTH} deep")));
    }
    if name.split(DELIMITER).any(str::is_empty) {
        return refused("a part of the name is empty");
    }
    if name.chars().any(char::is_control) {
        return refused("it has a control character");
    }
    // RFC 6855 §3.
    if name.contains(['\u{2028}', '\u{2029}']) {
        return refused("it has a line or paragraph separator");
    }
    let top = name.split(DELIMITER).next().unwrap_or_default();
    if top.eq_ignore_ascii_case(INBOX) && top != INBOX {
        return refused("INBOX is written in capitals");
    }
    Ok(())
}

/// The names that a folder is in, outermost first.
pub(super) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).map(|(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let (deep, deeper) = (vec!["a"; MAX_DEPTH].join("/"), vec!["a"; MAX_DEPTH + 1].join("/"));
        for name in ["INBOX", "INBOX/a", "Grüße", "a b/c*%", &deep, &"x".repeat(MAX_NAME)] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in
            ["", "/", "a/", "/a", "a//b", "a\r\nb", "Inbox", "inbox/a", "a\u{85}b", "a\u{2028}b", "a\u{2029}"]
        {
            assert!(matches!(check(name), Err(StoreError::Refused(_))), "{name:?}");
        }
        for name in [&deeper, &"x".repeat(MAX_NAME + 1)] {
            assert!(matches!(check(name), Err(StoreError::Limit(_))), "{name:?}");
        }
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
