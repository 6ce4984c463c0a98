//! `waypost mail undelete`: what was removed is listed, and brought back.

use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use admin::Client;
use admin::mail::{Removed, RemovedMessage, Undelete};
use serde_json::json;
use store::Id;

/// Messages asked for at once.
const PAGE: u32 = 1_000;
/// Messages brought back with one request.
const SLICE: usize = 10_000;

/// Without ids and without `all`, what there is; without a folder, what was in any.
pub(super) async fn run(
    client: &Client,
    account: Address,
    folder: Option<String>,
    ids: &[String],
    all: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let ids = match (ids, all) {
        ([], false) => return print(&removed(client, &account, folder).await?, json),
        ([], true) => removed(client, &account, folder).await?.iter().map(|one| one.id).collect(),
        (ids, _) => ids.iter().map(|id| id.parse()).collect::<Result<Vec<Id>, _>>().map_err(|error| {
            Failure::usage(format!("{error}: `mail undelete` without an id prints those there are"))
        })?,
    };
    let (asked, mut back) = (ids.len(), 0);
    for slice in ids.chunks(SLICE) {
        back += client.call(Undelete { account: account.clone(), messages: slice.to_vec() }).await?;
    }
    match json {
        true => output::json(&json!({ "asked": asked, "back": back }))?,
        false => output::line(&format!("{back} of {asked} messages are back"))?,
    }
    Ok(if back == asked { Exit::Done } else { Exit::No })
}

/// Page by page.
async fn removed(
    client: &Client,
    account: &Address,
    folder: Option<String>,
) -> Result<Vec<RemovedMessage>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = Removed { account: account.clone(), folder: folder.clone(), after, limit: PAGE };
        let page = client.call(page).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id);
        all.extend(page);
    }
}

fn print(list: &[RemovedMessage], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&list)?;
        return Ok(Exit::Done);
    }
    let rows = list.iter().map(|one| {
        let removed = output::moment(one.removed);
        [
            one.id.to_string(),
            one.folder.clone(),
            removed,
            one.from.clone(),
            one.subject.clone(),
            show_size(one.size),
        ]
    });
    output::table(["id", "folder", "removed", "from", "subject", "size"], rows)?;
    Ok(Exit::Done)
}
