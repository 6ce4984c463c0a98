//! `-bp` (`mailq`) and `-q`: the queue, as `waypost queue` has it.

use super::Flush;
use crate::cli::Global;
use crate::commands::administer;
use crate::exit::{Exit, Failure};
use crate::output;
use admin::queue::{Action, Change, Entry, Filter, List};

/// Prints what waits, a recipient below the other, with the reason of the last failure.
pub(super) fn print(global: &Global) -> Result<Exit, Failure> {
    administer::with_client(global, async |client, _| {
        let entries = client.call(List { filter: Filter::default(), limit: None }).await?;
        if entries.is_empty() {
            output::line("Mail queue is empty")?;
            return Ok(Exit::Done);
        }
        output::line("queue id            size  arrived                     sender / recipients")?;
        entries.iter().try_for_each(show)?;
        output::line(&format!("-- {} messages", entries.len()))?;
        Ok(Exit::Done)
    })
}

fn show(entry: &Entry) -> Result<(), Failure> {
    let Entry { id, size, .. } = entry;
    let sender = if entry.sender.is_empty() { "<>" } else { &entry.sender };
    let arrived = output::moment(entry.received);
    output::line(&output::printable(&format!(
        "{id:<16} {size:>8}  {arrived}  {sender}",
        id = id.to_string()
    )))?;
    for recipient in &entry.recipients {
        if let Some(reason) = &recipient.reason {
            output::line(&output::printable(&format!("{:27}({reason})", "")))?;
        }
        output::line(&output::printable(&format!("{:27}{}", "", recipient.address)))?;
    }
    Ok(())
}

/// Tries it again now.
pub(super) fn flush(global: &Global, flush: &Flush) -> Result<Exit, Failure> {
    let mut change = Change { action: Action::Retry, ids: None, filter: Filter::default() };
    match flush {
        Flush::All => {}
        Flush::Message(id) => {
            let id = id.parse().map_err(|_| Failure::usage(format!("-qI: {id:?} is no queue id")))?;
            change.ids = Some(vec![id]);
        }
        Flush::Site(domain) => {
            let domain = domain.trim_start_matches('@').parse();
            change.filter.domain = Some(domain.map_err(|error| Failure::usage(format!("-qR: {error}")))?);
        }
    }
    administer::with_client(global, async |client, _| {
        client.call(change).await?;
        Ok(Exit::Done)
    })
}
