//! What is said of mailboxes: LIST, STATUS, NAMESPACE, quotas, metadata, rights.

use super::Response;
use super::cursor::Cursor;
use crate::MailboxName;
use crate::client::WireName;
use crate::command::StatusItem;
use crate::response::{Data, ListEntry, Namespace, QuotaResource, StatusValue};
use bytes::Bytes;

/// LIST, LSUB and XLIST (RFC 9051 §7.3.1).
pub(super) fn listed(cursor: &mut Cursor<'_>, lsub: bool) -> Option<Response> {
    let attributes = cursor.list(|cursor| cursor.atom().map(str::to_owned))?;
    cursor.spaces();
    let delimiter = delimiter(cursor)?;
    cursor.spaces();
    let name = WireName::listed(cursor.astring()?);
    let mut entry =
        ListEntry { attributes, delimiter, mailbox: name.decoded(cursor.unicode()), ..ListEntry::default() };
    cursor.spaces();
    if cursor.peek() == Some(b'(') {
        let unicode = cursor.unicode();
        cursor.list(|cursor| {
            let label = cursor.astring_text()?.to_ascii_uppercase();
            cursor.spaces();
            match label.as_str() {
                "CHILDINFO" => entry.child_info = cursor.list(Cursor::astring_text)?,
                "OLDNAME" => {
                    let old = cursor.list(Cursor::astring)?.pop()?;
                    entry.old_name = Some(WireName::listed(old).decoded(unicode));
                }
                _ => cursor.skip_value()?,
            }
            Some(())
        })?;
    }
    Some(Response::Listed { entry, name, lsub })
}

fn delimiter(cursor: &mut Cursor<'_>) -> Option<Option<char>> {
    let text = cursor.nstring()?.map(|octets| String::from_utf8_lossy(&octets).into_owned());
    Some(text.and_then(|text| text.chars().next()))
}

/// The other responses.
pub(super) fn data(word: &str, cursor: &mut Cursor<'_>) -> Option<Data> {
    Some(match word {
        "STATUS" => {
            let mailbox = mailbox(cursor)?;
            let items = cursor.list(status_item)?;
            Data::MailboxStatus { mailbox, items: items.into_iter().flatten().collect() }
        }
        "NAMESPACE" => Data::Namespace {
            personal: namespaces(cursor)?,
            other_users: namespaces(cursor)?,
            shared: namespaces(cursor)?,
        },
        "QUOTA" => {
            let root = cursor.astring_text()?;
            cursor.spaces();
            Data::Quota { root, resources: cursor.list(quota_resource)? }
        }
        "QUOTAROOT" => {
            Data::QuotaRoot { mailbox: mailbox(cursor)?, roots: cursor.all(Cursor::astring_text)? }
        }
        "METADATA" => metadata(cursor)?,
        "ACL" => {
            let mailbox = mailbox(cursor)?;
            Data::Acl { mailbox, rights: cursor.all(|cursor| pair(cursor, Cursor::astring_text))? }
        }
        "LISTRIGHTS" => {
            let mailbox = mailbox(cursor)?;
            let (identifier, required) = pair(cursor, Cursor::astring_text)?;
            Data::ListRights { mailbox, identifier, required, optional: cursor.all(Cursor::astring_text)? }
        }
        "MYRIGHTS" => Data::MyRights { mailbox: mailbox(cursor)?, rights: cursor.astring_text()? },
        _ => return None,
    })
}

fn pair<'a, T>(
    cursor: &mut Cursor<'a>,
    second: impl FnOnce(&mut Cursor<'a>) -> Option<T>,
) -> Option<(String, T)> {
    let first = cursor.astring_text()?;
    cursor.spaces();
    Some((first, second(cursor)?))
}

/// With the spaces behind it.
fn mailbox(cursor: &mut Cursor<'_>) -> Option<MailboxName> {
    let name = WireName::listed(cursor.astring()?).decoded(cursor.unicode());
    cursor.spaces();
    Some(MailboxName::new(&name))
}

/// Within `None`: an item that is not known.
fn status_item(cursor: &mut Cursor<'_>) -> Option<Option<(StatusItem, StatusValue)>> {
    let item = StatusItem::parse(cursor.word()?);
    cursor.spaces();
    let Some(item) = item else { return cursor.skip_value().map(|()| None) };
    let value = match cursor.peek()? {
        b'(' => StatusValue::Id(cursor.list(Cursor::astring_text)?.pop()?),
        _ if cursor.nil() => StatusValue::None,
        _ => StatusValue::Number(cursor.number()?),
    };
    Some(Some((item, value)))
}

fn namespaces(cursor: &mut Cursor<'_>) -> Option<Vec<Namespace>> {
    cursor.spaces();
    if cursor.nil() {
        return Some(Vec::new());
    }
    let unicode = cursor.unicode();
    cursor.list(|cursor| {
        cursor.expect(b'(')?;
        cursor.spaces();
        let prefix = WireName::listed(cursor.string()?).decoded(unicode);
        cursor.spaces();
        let delimiter = delimiter(cursor)?;
        // Extensions (RFC 2342 §5).
        loop {
            cursor.spaces();
            if cursor.take(b')') {
                return Some(Namespace { prefix, delimiter });
            }
            cursor.skip_value()?;
        }
    })
}

fn quota_resource(cursor: &mut Cursor<'_>) -> Option<QuotaResource> {
    let name = cursor.word()?.to_owned();
    cursor.spaces();
    let usage = cursor.number()?;
    cursor.spaces();
    Some(QuotaResource { name, usage, limit: cursor.number()? })
}

/// RFC 5464 §4.4.
fn metadata(cursor: &mut Cursor<'_>) -> Option<Data> {
    let mailbox = mailbox(cursor)?;
    let mailbox = (!mailbox.as_str().is_empty()).then_some(mailbox);
    if cursor.peek() == Some(b'(') {
        let entries = cursor.list(|cursor| pair(cursor, |cursor| cursor.nstring()))?;
        let entries = entries.into_iter().map(|(name, value)| (name, value.map(Bytes::from))).collect();
        return Some(Data::Metadata { mailbox, entries });
    }
    Some(Data::MetadataChanged { mailbox, entries: cursor.all(Cursor::astring_text)? })
}
