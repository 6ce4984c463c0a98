//! The list of subscribed folders: Dovecot's `subscriptions`, else Courier's `courierimapsubscribed`.

use crate::Error;
use std::path::Path;

const DOVECOT: &str = "subscriptions";
const COURIER: &str = "courierimapsubscribed";
/// Names that are read: more folders nobody has.
const MAX_NAMES: usize = 100_000;

/// The subscribed names, each as its levels on the disk.
pub fn read(root: &Path) -> Vec<Vec<String>> {
    if let Ok(text) = std::fs::read(root.join(DOVECOT)) {
        return dovecot(&text);
    }
    courier(&std::fs::read(root.join(COURIER)).unwrap_or_default())
}

/// What Dovecot's list says: version 1 has a name a line with dots between its levels, version 2 a head and then tabs.
pub fn dovecot(text: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(text);
    let (rest, delimiter) = match text.strip_prefix("V\t2\n") {
        Some(rest) => (rest, '\t'),
        None => (&*text, '.'),
    };
    let lines = rest.lines().filter(|line| !line.is_empty());
    lines.take(MAX_NAMES).map(|line| levels(line, delimiter)).collect()
}

/// What Courier's list says, a name a line.
pub fn courier(text: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(text);
    text.lines().take(MAX_NAMES).map(|line| below_inbox(line.trim())).collect()
}

/// `INBOX.Sent` is the folder Sent: Courier has all others in INBOX.
fn below_inbox(line: &str) -> Vec<String> {
    let mut all = levels(line, '.');
    if all.len() > 1 && all.first().is_some_and(|first| first == "INBOX") {
        all.remove(0);
    }
    all
}

fn levels(name: &str, delimiter: char) -> Vec<String> {
    name.split(delimiter).filter(|level| !level.is_empty()).map(str::to_owned).collect()
}

/// Writes Dovecot's list, in its version 2.
pub fn write(root: &Path, names: &[Vec<String>]) -> Result<(), Error> {
    let lines: String = names.iter().map(|levels| levels.join("\t") + "\n").collect();
    let path = root.join(DOVECOT);
    std::fs::write(&path, format!("V\t2\n\n{lines}")).map_err(Error::file(&path))
}
