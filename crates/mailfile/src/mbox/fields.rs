//! Fields in which programs note a message's state in an mbox. They are no part of the message.

use crate::Flags;
use crate::flags::FORWARDED;

/// Of c-client, Dovecot, mutt; lengths, which are wrong as soon as something is quoted; Mozilla.
const NAMES: [&str; 10] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "Content-Length",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
];
/// The subject of what c-client keeps its own state in.
const INTERNAL: &str = "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA";
/// Bits of `X-Mozilla-Status`.
const MOZILLA: [u32; 3] = [1, 2, 4];
const MOZILLA_EXPUNGED: u32 = 8;
const MOZILLA_FORWARDED: u32 = 0x1000;

/// Whether the line begins one of those fields.
pub(super) fn is_state(line: &[u8]) -> bool {
    name_and_value(line).is_some_and(|(name, _)| NAMES.iter().any(|known| known.eq_ignore_ascii_case(&name)))
}

fn name_and_value(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some((text(&line[..colon]), text(&line[colon + 1..])))
}

/// What a header tells of the message's state.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) flags: Flags,
    /// It is not shown to anybody: deleted and not removed yet, or a program's own notes.
    pub(super) hidden: bool,
}

impl State {
    /// Takes in one line of the header.
    pub(super) fn add(&mut self, line: &[u8]) {
        let Some((name, value)) = name_and_value(line) else { return };
        match name.to_ascii_lowercase().as_str() {
            "status" => self.flags.seen |= value.contains('R'),
            "x-status" => {
                self.flags.answered |= value.contains('A');
                self.flags.flagged |= value.contains('F');
                self.flags.deleted |= value.contains('D');
                self.flags.draft |= value.contains('T');
            }
            "x-keywords" | "x-mozilla-keys" => {
                value.split([' ', ',']).for_each(|word| self.flags.add_keyword(word));
            }
            "x-mozilla-status" => self.mozilla(u32::from_str_radix(&value, 16).unwrap_or_default()),
            "subject" => self.hidden |= value.starts_with(INTERNAL),
            _ => {}
        }
    }

    fn mozilla(&mut self, bits: u32) {
        let [seen, answered, flagged] = MOZILLA.map(|bit| bits & bit != 0);
        self.flags.seen |= seen;
        self.flags.answered |= answered;
        self.flags.flagged |= flagged;
        self.hidden |= bits & MOZILLA_EXPUNGED != 0;
        if bits & MOZILLA_FORWARDED != 0 {
            self.flags.add_keyword(FORWARDED);
        }
    }
}

/// The fields for these flags, as c-client, Dovecot and mutt read them.
pub(super) fn write(flags: &Flags) -> String {
    let mut text = format!("Status: {}O\n", if flags.seen { "R" } else { "" });
    let marks = [(flags.answered, 'A'), (flags.flagged, 'F'), (flags.draft, 'T'), (flags.deleted, 'D')];
    let letters: String = marks.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
    if !letters.is_empty() {
        text += &format!("X-Status: {letters}\n");
    }
    if !flags.keywords.is_empty() {
        text += &format!("X-Keywords: {}\n", flags.keywords.join(" "));
    }
    text
}
