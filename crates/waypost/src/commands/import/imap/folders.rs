//! Which folders there are, and which of them are read.

use crate::client::imap::{Connection, said};
use crate::exit::Failure;
use imap::client::{Command, Event, List, WireName};
use imap::command::StatusItem;
use imap::response::{Data, ListEntry, Namespace, StatusValue};

/// Special uses that folders here have too (RFC 6154).
const ROLES: [&str; 5] = ["\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"];
/// Folders that show the messages of others.
const VIEWS: [&str; 3] = ["\\All", "\\Flagged", "\\Important"];

/// A folder of the server.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) name: WireName,
    /// As people there see it.
    pub(super) shown: String,
    pub(super) levels: Vec<String>,
    pub(super) role: Option<String>,
    pub(super) subscribed: bool,
    pub(super) uidvalidity: u32,
}

/// The folders of the account itself, INBOX first. Of those that only show others' messages, the `wanted` ones.
pub(super) async fn list(connection: &mut Connection, wanted: &[String]) -> Result<Vec<Listed>, Failure> {
    let prefix = prefix(connection).await?;
    let extended = connection.session.has("LIST-EXTENDED") || connection.session.has("IMAP4rev2");
    let (unicode, special) = (connection.session.unicode(), connection.session.has("SPECIAL-USE"));
    let pattern = WireName::new("*", unicode);
    let list = List {
        pattern: pattern.clone(),
        subscribed: extended,
        special_use: extended && special,
        status: Vec::new(),
    };
    let all = connection.done(Command::List(list)).await?;
    let subscribed = if extended { Vec::new() } else { connection.done(Command::Lsub { pattern }).await? };
    let subscribed: Vec<WireName> =
        subscribed.into_iter().filter_map(|event| listed(event, true)).map(|one| one.1).collect();

    let mut folders = Vec::new();
    for (entry, name) in all.into_iter().filter_map(|event| listed(event, false)) {
        let has = |attribute: &str| entry.attributes.iter().any(|own| own.eq_ignore_ascii_case(attribute));
        let shown = name.decoded(unicode);
        let view = VIEWS.into_iter().any(has) && !wanted.contains(&shown);
        if has("\\Noselect") || has("\\NonExistent") || view {
            continue;
        }
        let Some(uidvalidity) = uidvalidity(connection, &name).await? else { continue };
        folders.push(Listed {
            levels: levels(&shown, &entry, &prefix),
            role: ROLES.into_iter().find(|role| has(role)).map(str::to_owned),
            subscribed: has("\\Subscribed") || subscribed.contains(&name),
            uidvalidity,
            name,
            shown,
        });
    }
    folders.sort_by_cached_key(|folder| (!folder.levels.is_empty(), folder.levels.clone()));
    Ok(folders)
}

fn listed(event: Event, of_lsub: bool) -> Option<(ListEntry, WireName)> {
    match event {
        Event::Listed { entry, name, lsub } if lsub == of_lsub => Some((entry, name)),
        _ => None,
    }
}

/// What stands before all of the account's own folders, `INBOX.` with Courier and Cyrus (RFC 2342).
async fn prefix(connection: &mut Connection) -> Result<String, Failure> {
    if !connection.session.has("NAMESPACE") {
        return Ok(String::new());
    }
    let answers = connection.done(Command::Namespace).await?;
    let own = answers.into_iter().find_map(|event| match event {
        Event::Data(Data::Namespace { personal, .. }) => personal.into_iter().next(),
        _ => None,
    });
    Ok(own.map(|Namespace { prefix, .. }| prefix).unwrap_or_default())
}

/// None: INBOX.
fn levels(shown: &str, entry: &ListEntry, prefix: &str) -> Vec<String> {
    if shown.eq_ignore_ascii_case("INBOX") {
        return Vec::new();
    }
    let own = shown.strip_prefix(prefix).filter(|rest| !rest.is_empty()).unwrap_or(shown);
    match entry.delimiter {
        Some(delimiter) => own.split(delimiter).map(str::to_owned).collect(),
        None => vec![own.to_owned()],
    }
}

/// None where the server does not let it be looked at.
async fn uidvalidity(connection: &mut Connection, name: &WireName) -> Result<Option<u32>, Failure> {
    let status = Command::Status { mailbox: name.clone(), items: vec![StatusItem::UidValidity] };
    let (answers, last) = connection.ask(status).await?;
    match last {
        Event::Done(_) => {}
        Event::Refused(_) => return Ok(None),
        other => return Err(said("STATUS", &other)),
    }
    let value = answers.into_iter().find_map(|event| match event {
        Event::Data(Data::MailboxStatus { items, .. }) => items.into_iter().find_map(|item| match item {
            (StatusItem::UidValidity, StatusValue::Number(number)) => u32::try_from(number).ok(),
            _ => None,
        }),
        _ => None,
    });
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_the_server_has_them() {
        let check = |shown: &str, delimiter: Option<char>, prefix: &str, expected: &[&str]| {
            let entry = ListEntry { delimiter, ..ListEntry::default() };
            assert_eq!(levels(shown, &entry, prefix), expected, "{shown}");
        };
        check("inbox", Some('.'), "INBOX.", &[]);
        check("INBOX.Sent.2024", Some('.'), "INBOX.", &["Sent", "2024"]);
        check("INBOX/a", Some('/'), "", &["INBOX", "a"]);
        check("a.b/c", Some('.'), "", &["a", "b/c"]);
        check("a.b", None, "", &["a.b"]);
    }
}
