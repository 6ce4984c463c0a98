//! SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.

use super::Problem;
use super::cursor::{Cursor, Parsed};
use crate::MailboxName;
use crate::command::{Command, Qresync, Select, StatusItem};
use crate::name::DELIMITER;

/// There are eleven items, two parameters and seven special uses; who repeats them has this much room.
pub(super) const MAX_OPTIONS: usize = 64;

/// `select = "SELECT" SP mailbox [select-params]`
pub(super) fn select(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    open(cursor, false)
}

/// `examine = "EXAMINE" SP mailbox [select-params]`
pub(super) fn examine(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    open(cursor, true)
}

/// `select-params = SP "(" select-param *(SP select-param) ")"` (RFC 4466)
/// `select-param =/ "CONDSTORE" / "QRESYNC" SP "(" … ")"` (RFC 7162 §7)
fn open(cursor: &mut Cursor<'_>, read_only: bool) -> Parsed<Command> {
    // `SELECT ""` closes a mailbox for clients that know no UNSELECT: it is refused, not misunderstood.
    let mailbox = MailboxName::new(&cursor.mailbox_or_empty()?);
    let mut select = Select { mailbox, read_only, condstore: false, qresync: None };
    if cursor.take(b' ') && !cursor.is_end() {
        cursor.list("parameters", MAX_OPTIONS, |cursor| {
            let at = cursor.mark();
            match cursor.word().as_str() {
                "CONDSTORE" => select.condstore = true,
                "QRESYNC" if select.qresync.is_none() => {
                    cursor.space()?;
                    select.qresync = Some(qresync(cursor)?);
                }
                _ => return Err(cursor.expected_at(at, "CONDSTORE or QRESYNC")),
            }
            Ok(())
        })?;
    }
    Ok(Command::Select(select))
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
/// `seq-match-data = "(" known-sequence-set SP known-uid-set ")"`
fn qresync(cursor: &mut Cursor<'_>) -> Parsed<Qresync> {
    cursor.expect(b'(', "`(`")?;
    let uidvalidity = cursor.nz_number("a UIDVALIDITY")?;
    cursor.space()?;
    let modseq = cursor.number64("a mod-sequence")?;
    let (mut known_uids, mut seq_match) = (None, None);
    let mut more = cursor.take(b' ');
    if more && cursor.peek() != Some(b'(') {
        known_uids = Some(cursor.known_set()?);
        more = cursor.take(b' ');
    }
    if more {
        cursor.expect(b'(', "`(`")?;
        let numbers = cursor.known_set()?;
        cursor.space()?;
        let uids = cursor.known_set()?;
        cursor.expect(b')', "`)`")?;
        seq_match = Some((numbers, uids));
    }
    cursor.expect(b')', "`)`")?;
    Ok(Qresync { uidvalidity, modseq, known_uids, seq_match })
}

/// `create = "CREATE" SP mailbox [create-params]`
/// `create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")"` (RFC 6154 §6)
///
/// A delimiter at the name's end says that there will be more below it, which is no part of the name
/// (RFC 9051 §6.3.4).
pub(super) fn create(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let name = cursor.mailbox()?;
    let mailbox = match name.as_str().strip_suffix(DELIMITER) {
        Some(above) if !above.is_empty() => MailboxName::new(above),
        _ => name,
    };
    let mut special_use = Vec::new();
    if cursor.take(b' ') && !cursor.is_end() {
        cursor.expect(b'(', "`(`")?;
        let at = cursor.mark();
        if cursor.word() != "USE" {
            return Err(cursor.expected_at(at, "USE"));
        }
        cursor.space()?;
        special_use = cursor.list_or_empty("special uses", MAX_OPTIONS, |cursor| {
            cursor.expect(b'\\', "a special use like \\Archive")?;
            Ok(format!("\\{}", cursor.atom("a special use like \\Archive")?))
        })?;
        cursor.expect(b')', "`)`")?;
    }
    Ok(Command::Create { mailbox, special_use })
}

/// `delete = "DELETE" SP mailbox`
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::Delete)
}

/// `rename = "RENAME" SP mailbox SP mailbox`
pub(super) fn rename(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let from = cursor.mailbox()?;
    cursor.space()?;
    let to = cursor.mailbox()?;
    Ok(Command::Rename { from, to })
}

/// `subscribe = "SUBSCRIBE" SP mailbox`
pub(super) fn subscribe(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::Subscribe)
}

/// `unsubscribe = "UNSUBSCRIBE" SP mailbox`
pub(super) fn unsubscribe(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::Unsubscribe)
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Status { mailbox, items: status_items(cursor)? })
}

/// `"(" status-att *(SP status-att) ")"`, where
/// `status-att = "MESSAGES" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" / "DELETED" / "SIZE"`, with RECENT (RFC 3501),
/// HIGHESTMODSEQ (RFC 7162), APPENDLIMIT (RFC 7889), MAILBOXID (RFC 8474), DELETED-STORAGE (RFC 9208).
pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    cursor.list("items", MAX_OPTIONS, |cursor| {
        let at = cursor.mark();
        Ok(match cursor.word().as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "DELETED" => StatusItem::Deleted,
            "SIZE" => StatusItem::Size,
            "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "MAILBOXID" => StatusItem::MailboxId,
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            _ => return Err::<_, Problem>(cursor.expected_at(at, "an item of STATUS")),
        })
    })
}
