//! A row of the store in the words of the protocol, and back.

use ::message::structure::Parsed;
use ::message::{first_message_id, message_ids};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use imap::{Flag, Keyword};
use jiff::Timestamp;
use store::mailbox::{Keywords, Summary, flag};

const SYSTEM: [(u32, Flag); 5] = [
    (flag::ANSWERED, Flag::Answered),
    (flag::FLAGGED, Flag::Flagged),
    (flag::DELETED, Flag::Deleted),
    (flag::SEEN, Flag::Seen),
    (flag::DRAFT, Flag::Draft),
];

/// A message's flags and keywords.
pub(super) fn flags_of(row: &Summary) -> Vec<Flag> {
    let system = SYSTEM.iter().filter(|(bit, _)| row.flags & bit != 0).map(|(_, flag)| flag.clone());
    system.chain(row.keywords.iter().filter_map(Keyword::new).map(Flag::Keyword)).collect()
}

/// The store's milliseconds since 1970.
pub(super) fn moment(unix_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(unix_ms).unwrap_or_default()
}

/// The bit of a system flag; 0 for a keyword.
pub(super) fn bit(flag: &Flag) -> u32 {
    SYSTEM.iter().find(|(_, system)| system == flag).map_or(0, |(bit, _)| *bit)
}

/// What the store keeps of a client's flags.
pub(super) fn bits_and_keywords(flags: &[Flag]) -> (u32, Keywords) {
    let bits = flags.iter().fold(0, |bits, flag| bits | bit(flag));
    let keywords = flags.iter().filter_map(|flag| match flag {
        Flag::Keyword(keyword) => Some(keyword.as_str()),
        _ => None,
    });
    (bits, keywords.collect())
}

/// RFC 8474: the same for all copies of a message.
pub(super) fn email_id(row: &Summary) -> String {
    format!("M{}", row.body)
}

/// RFC 8474 §5.2. Made of what the message itself says alone, so that it is the same for ever: of the message that the thread began
/// with, which is the first of the References, else the one that this answers, else this one. Without any it is by itself.
pub(super) fn thread_id(row: &Summary, parsed: &Parsed) -> String {
    /// Octets of the digest: more than anybody finds two of the same.
    const LENGTH: usize = 16;
    let envelope = &parsed.envelope;
    let begun = parsed.references().and_then(|text| first_message_id(&text));
    match begun.or_else(|| first_id(&envelope.in_reply_to)).or_else(|| message_id(parsed)) {
        Some(root) => {
            let digest = digest(&SHA256, root.as_bytes());
            format!("T{}", HEXLOWER.encode(&digest.as_ref()[..LENGTH]))
        }
        None => format!("T{}", row.body),
    }
}

/// RFC 5256 §3: the References, or else the first of In-Reply-To.
pub(super) fn references(parsed: &Parsed) -> Vec<String> {
    let named = parsed.references().map(|text| message_ids(&text)).unwrap_or_default();
    match named.is_empty() {
        true => first_id(&parsed.envelope.in_reply_to).into_iter().collect(),
        false => named,
    }
}

pub(super) fn message_id(parsed: &Parsed) -> Option<String> {
    first_id(&parsed.envelope.message_id)
}

fn first_id(field: &Option<Vec<u8>>) -> Option<String> {
    first_message_id(&String::from_utf8_lossy(field.as_deref()?))
}

/// RFC 8474.
pub(super) fn mailbox_id(mailbox: store::Id) -> String {
    format!("F{mailbox}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_both_ways() {
        let flags: Vec<Flag> =
            ["\\Seen", "\\Answered", "$Junk", "work"].iter().filter_map(|f| Flag::parse(f)).collect();
        let (bits, keywords) = bits_and_keywords(&flags);
        assert_eq!(bits, flag::SEEN | flag::ANSWERED);
        assert_eq!(keywords.iter().collect::<Vec<_>>(), ["$Junk", "work"]);
    }
}
