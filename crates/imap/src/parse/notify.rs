//! NOTIFY (RFC 5465).

use super::cursor::{Cursor, Parsed};
use super::{Problem, fetch};
use crate::MailboxName;
use crate::command::{Command, EventGroup, MailboxFilter, Notify, NotifyEvent};

const MAX_GROUPS: usize = 64;
const MAX_EVENTS: usize = 32;
/// Mailboxes named in one group.
const MAX_MAILBOXES: usize = 1_000;

/// `notify = "NOTIFY" SP (notify-set / notify-none)`, `notify-none = "NONE"`
/// `notify-set = "SET" [SP "STATUS"] SP event-groups`, `event-groups = event-group *(SP event-group)`
pub(super) fn notify(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let at = cursor.mark();
    match cursor.word().as_str() {
        "NONE" => return Ok(Command::Notify(None)),
        "SET" => cursor.space()?,
        _ => return Err(cursor.expected_at(at, "SET or NONE")),
    }
    let status = cursor.peek_word() == "STATUS";
    if status {
        cursor.word();
        cursor.space()?;
    }
    let mut groups = vec![group(cursor)?];
    while cursor.take(b' ') && !cursor.is_end() {
        if groups.len() == MAX_GROUPS {
            return Err(Problem::TooMany { what: "groups of events", limit: MAX_GROUPS });
        }
        groups.push(group(cursor)?);
    }
    if groups.iter().filter(|group| is_selected(&group.mailboxes)).count() > 1 {
        return Err(Problem::Senseless("SELECTED and SELECTED-DELAYED stand once, and exclude each other"));
    }
    Ok(Command::Notify(Some(Notify { status, groups })))
}

fn is_selected(filter: &MailboxFilter) -> bool {
    matches!(filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
}

/// `event-group = "(" filter-mailboxes SP events ")"`
/// `events = ("(" event *(SP event) ")") / "NONE"`
fn group(cursor: &mut Cursor<'_>) -> Parsed<EventGroup> {
    cursor.expect(b'(', "`(`")?;
    let mailboxes = filter(cursor)?;
    cursor.space()?;
    let events = match cursor.peek_word().as_str() {
        "NONE" => {
            cursor.word();
            Vec::new()
        }
        "" => cursor.list("events", MAX_EVENTS, event)?,
        _ => bare_events(cursor)?,
    };
    cursor.expect(b')', "`)`")?;
    check(&mailboxes, &events)?;
    Ok(EventGroup { mailboxes, events })
}

/// `event *(SP event)` up to the group's end: how RFC 5465's own examples write them.
fn bare_events(cursor: &mut Cursor<'_>) -> Parsed<Vec<NotifyEvent>> {
    let mut events = vec![event(cursor)?];
    while cursor.take(b' ') {
        if events.len() == MAX_EVENTS {
            return Err(Problem::TooMany { what: "events", limit: MAX_EVENTS });
        }
        events.push(event(cursor)?);
    }
    Ok(events)
}

/// What of RFC 5465 §5 and §8 the grammar does not say.
fn check(mailboxes: &MailboxFilter, events: &[NotifyEvent]) -> Parsed<()> {
    let new = events.iter().any(|event| matches!(event, NotifyEvent::MessageNew(_)));
    let fetches =
        events.iter().any(|event| matches!(event, NotifyEvent::MessageNew(items) if !items.is_empty()));
    let gone = events.contains(&NotifyEvent::MessageExpunge);
    let of_messages = |event: &NotifyEvent| {
        matches!(event, NotifyEvent::MessageNew(_) | NotifyEvent::MessageExpunge | NotifyEvent::FlagChange)
    };
    let selected = is_selected(mailboxes);
    let problem = if new != gone {
        "MessageNew and MessageExpunge stand together"
    } else if !new && events.contains(&NotifyEvent::FlagChange) {
        "FlagChange needs MessageNew and MessageExpunge beside it"
    } else if selected && !events.iter().all(of_messages) {
        "a selected mailbox has events of messages only"
    } else if fetches && !selected {
        "MessageNew has items for the selected mailbox only"
    } else {
        return Ok(());
    };
    Err(Problem::Senseless(problem))
}

/// `filter-mailboxes-selected = "selected" / "selected-delayed"`
/// `filter-mailboxes-other = "inboxes" / "personal" / "subscribed" / ("subtree" SP one-or-more-mailbox) /
/// ("mailboxes" SP one-or-more-mailbox)`
fn filter(cursor: &mut Cursor<'_>) -> Parsed<MailboxFilter> {
    let at = cursor.mark();
    Ok(match cursor.word().as_str() {
        "SELECTED" => MailboxFilter::Selected,
        "SELECTED-DELAYED" => MailboxFilter::SelectedDelayed,
        "INBOXES" => MailboxFilter::Inboxes,
        "PERSONAL" => MailboxFilter::Personal,
        "SUBSCRIBED" => MailboxFilter::Subscribed,
        "SUBTREE" => MailboxFilter::Subtree(mailboxes(cursor)?),
        "MAILBOXES" => MailboxFilter::Mailboxes(mailboxes(cursor)?),
        _ => return Err(cursor.expected_at(at, "which mailboxes: SELECTED, PERSONAL, SUBTREE or others")),
    })
}

/// `one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"`
fn mailboxes(cursor: &mut Cursor<'_>) -> Parsed<Vec<MailboxName>> {
    cursor.space()?;
    match cursor.peek() {
        Some(b'(') => cursor.list("mailboxes", MAX_MAILBOXES, Cursor::mailbox),
        _ => Ok(vec![cursor.mailbox()?]),
    }
}

/// `event = message-event / mailbox-event / user-event / event-ext`
/// `message-event = ("MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"]) / …`
fn event(cursor: &mut Cursor<'_>) -> Parsed<NotifyEvent> {
    let at = cursor.mark();
    let word = cursor.word();
    Ok(match word.as_str() {
        "MESSAGENEW" => {
            let mut ahead = cursor.clone();
            let has_items = ahead.take(b' ') && ahead.peek() == Some(b'(');
            if has_items {
                cursor.space()?;
                NotifyEvent::MessageNew(fetch::items(cursor)?)
            } else {
                NotifyEvent::MessageNew(Vec::new())
            }
        }
        "MESSAGEEXPUNGE" => NotifyEvent::MessageExpunge,
        "FLAGCHANGE" => NotifyEvent::FlagChange,
        "MAILBOXNAME" => NotifyEvent::MailboxName,
        "SUBSCRIPTIONCHANGE" => NotifyEvent::SubscriptionChange,
        "MAILBOXMETADATACHANGE" => NotifyEvent::MailboxMetadataChange,
        "SERVERMETADATACHANGE" => NotifyEvent::ServerMetadataChange,
        "" => return Err(cursor.expected_at(at, "an event")),
        _ => return Err(Problem::Event(word.chars().take(40).collect())),
    })
}
