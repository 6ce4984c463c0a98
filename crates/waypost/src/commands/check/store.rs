//! `waypost check store`: whether the data is whole; and the index of words made anew.

use crate::cli::Global;
use crate::commands::administer;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use admin::{Client, system};
use std::time::Duration;

/// Between two looks how far the index is.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(super) fn run(global: &Global, json: bool) -> Result<Exit, Failure> {
    administer::with_client(global, async move |client, config| {
        let report = client.call(system::CheckStore {}).await?;
        if json {
            output::json(&report)?;
        } else {
            for problem in &report.problems {
                output::line(&format!("{} {problem}", output::tinted("wrong:", Tone::Bad)))?;
            }
            if report.ok {
                output::line(&format!("{} {}", output::tinted("good:", Tone::Good), config.data.display()))?;
            }
        }
        Ok(if report.ok { Exit::Done } else { Exit::No })
    })
}

/// Has the index made anew and waits until it is.
pub(super) fn rebuild(global: &Global, json: bool) -> Result<Exit, Failure> {
    administer::with_client(global, async move |client, _| {
        client.call(system::RebuildSearch {}).await?;
        let status = follow(client, json).await?;
        if let Some(trouble) = &status.trouble {
            return Err(Failure::no(format!("search.db cannot be made: {trouble}")));
        }
        let text = format!("the index of words was made anew from {} messages", status.copies);
        administer::done(json, &status, &text)
    })
}

/// Shows how far the index is until all messages are in it, or there is trouble with it.
async fn follow(client: &Client, json: bool) -> Result<store::search::SearchStatus, Failure> {
    let bar = output::progress(0, "indexing", json);
    loop {
        let status = client.call(system::SearchStatus {}).await?;
        bar.set_length(status.copies);
        bar.set_position(status.copies - status.waiting.min(status.copies));
        if status.waiting == 0 || status.trouble.is_some() {
            bar.finish_and_clear();
            return Ok(status);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
