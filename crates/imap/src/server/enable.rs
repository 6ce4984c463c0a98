//! ENABLE, and the commands that switch CONDSTORE on (RFC 5161, RFC 9051 §6.3.1, RFC 7162 §3.1).

use crate::Enabled;
use crate::command::{Command, StatusItem};
use crate::fetch::FetchItem;
use crate::search::SearchKey;

/// Switches on what is named and known; gives the names of what was off before.
pub(super) fn enable(enabled: &mut Enabled, names: &[String]) -> Vec<String> {
    let mut newly = Vec::new();
    for name in names {
        let before = *enabled;
        let known = match name.to_ascii_uppercase().as_str() {
            "CONDSTORE" => {
                enabled.condstore = true;
                "CONDSTORE"
            }
            "QRESYNC" => {
                (enabled.condstore, enabled.qresync) = (true, true);
                "QRESYNC"
            }
            "IMAP4REV2" => {
                enabled.rev2 = true;
                "IMAP4rev2"
            }
            "UTF8=ACCEPT" => {
                enabled.utf8 = true;
                "UTF8=ACCEPT"
            }
            _ => continue,
        };
        if *enabled != before {
            newly.push(known.to_owned());
        }
    }
    newly
}

/// Whether the command shows that the client knows CONDSTORE (RFC 7162 §3.1; ENABLE apart).
pub(super) fn is_condstore_enabling(command: &Command) -> bool {
    let status = |items: &[StatusItem]| items.contains(&StatusItem::HighestModSeq);
    match command {
        Command::Select(select) => select.condstore,
        Command::Status { items, .. } => status(items),
        // A STATUS by another name (RFC 5819).
        Command::List(list) => list.returns.status.as_deref().is_some_and(status),
        Command::Fetch { items, modifiers, .. } => {
            modifiers.changed_since.is_some() || items.contains(&FetchItem::ModSeq)
        }
        Command::Search(search) => has_modseq(&search.key),
        Command::Sort(sort) => has_modseq(&sort.key),
        Command::Thread(thread) => has_modseq(&thread.key),
        Command::Store(store) => store.unchanged_since.is_some(),
        _ => false,
    }
}

/// The parser bounds the depth: [`crate::search::MAX_DEPTH`].
fn has_modseq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::Not(key) => has_modseq(key),
        SearchKey::Or(keys) => has_modseq(&keys.0) || has_modseq(&keys.1),
        SearchKey::And(keys) => keys.iter().any(has_modseq),
        _ => false,
    }
}

/// What the command uses without having enabled it.
pub(super) fn missing(command: &Command, enabled: Enabled) -> Option<&'static str> {
    match command {
        Command::Select(select) if select.qresync.is_some() && !enabled.qresync => {
            Some("QRESYNC is used before ENABLE QRESYNC")
        }
        Command::Fetch { modifiers, .. } if modifiers.vanished && !enabled.qresync => {
            Some("VANISHED is used before ENABLE QRESYNC")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_off_is_named() {
        let check = |enabled: &mut Enabled, names: &str, expected: &str| {
            let names: Vec<_> = names.split(' ').map(String::from).collect();
            assert_eq!(enable(enabled, &names).join(" "), expected);
        };
        let mut enabled = Enabled::default();
        check(&mut enabled, "X-GOOD-IDEA", "");
        check(&mut enabled, "condstore CONDSTORE IMAP4rev1", "CONDSTORE");
        check(&mut enabled, "QRESYNC imap4rev2", "QRESYNC IMAP4rev2");
        assert!(enabled.condstore && !enabled.utf8);
        check(&mut enabled, "CONDSTORE UTF8=ACCEPT QRESYNC", "UTF8=ACCEPT");
        check(&mut Enabled::default(), "QRESYNC CONDSTORE", "QRESYNC");
    }

    #[test]
    fn modseq_is_found_however_deep() {
        let modseq = || SearchKey::ModSeq(7);
        assert!(has_modseq(&SearchKey::Not(Box::new(modseq()))));
        assert!(has_modseq(&SearchKey::Or(Box::new((SearchKey::All, modseq())))));
        assert!(has_modseq(&SearchKey::And(vec![SearchKey::All, modseq()])));
        assert!(!has_modseq(&SearchKey::And(vec![SearchKey::All, SearchKey::Text("MODSEQ".into())])));
    }
}
