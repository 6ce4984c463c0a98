//! `dovecot-uidlist`: which message has which UID. Read for the order alone.
//!
//! ```text
//! 3 V1795289400 N7 G…            version 3: a head, then UID, words of a letter and a value, and the name
//! 5 W130 :1795289400.M1P2.host
//! 1 1795289400 7                 version 1
//! 5 1795289400.M1P2.host
//! ```

use std::collections::HashMap;
use std::path::Path;

/// Those of a folder; none where there is no such file.
pub(super) fn read(folder: &Path) -> HashMap<Vec<u8>, u32> {
    parse(&std::fs::read(folder.join("dovecot-uidlist")).unwrap_or_default())
}

/// What such a file says: UIDs by [unique](super::Entry::unique) name. Lines that mean nothing are passed over.
pub fn parse(text: &[u8]) -> HashMap<Vec<u8>, u32> {
    text.split(|&byte| byte == b'\n').skip(1).filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<(Vec<u8>, u32)> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let uid = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let rest = &line[space + 1..];
    let name = match rest.windows(2).position(|two| two == b" :") {
        Some(at) => &rest[at + 2..],
        None => rest.strip_prefix(b":").unwrap_or(rest),
    };
    Some((super::unique(name).to_vec(), uid))
}
