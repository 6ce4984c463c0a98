//! What the administrative commands have in common: the way to the operations, and how answers are printed.

use crate::cli::Global;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::{output, privileges};
use admin::{AdminError, Client};
use message::Language;
use serde::Serialize;
use std::sync::Arc;

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let text = error.to_string();
        if error.is_temporary() { Self::try_again(text) } else { Self::no(text) }
    }
}

/// Reads the configuration, becomes its user, and does the work through the server or on the data.
pub(super) fn with_client(
    global: &Global,
    work: impl AsyncFnOnce(&Client, &Config) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    with_client_as(global, privileges::become_user, work)
}

/// As [`with_client`], for work that reads other people's files.
pub(super) fn with_client_reading(
    global: &Global,
    work: impl AsyncFnOnce(&Client, &Config) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    with_client_as(global, privileges::become_reader, work)
}

fn with_client_as(
    global: &Global,
    become_who: impl FnOnce(Option<&str>) -> Result<(), Failure>,
    work: impl AsyncFnOnce(&Client, &Config) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let (_, config) = global.load()?;
    // Before the runtime: the change must be that of all threads.
    become_who(config.user.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let settings = dns::Settings { servers: config.dns.servers.clone(), ..dns::Settings::default() };
        let zones = || dns::Resolver::new(&settings).ok().map(|resolver| Arc::new(resolver) as _);
        let client = Client::open(&config.data).await?.with_zones(zones);
        work(&client, &config).await
    })
}

/// Tells that something was done: a sentence, or with `--json` a document.
pub(super) fn done(json: bool, document: impl Serialize, text: &str) -> Result<Exit, Failure> {
    if json {
        output::json(&document)?
    } else {
        output::line(text)?
    }
    Ok(Exit::Done)
}

/// Prints what is known of one thing, a line each.
pub(super) fn facts<const N: usize>(facts: [(&str, String); N]) -> Result<Exit, Failure> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        output::line(&format!("{name:width$}  {}", output::printable(&value)))?;
    }
    Ok(Exit::Done)
}

/// The language of notifications as it was asked for. One without texts is kept, as a later version may have them.
pub(super) fn language(tag: Option<String>) -> Option<String> {
    if let Some(unknown) = tag.as_deref().filter(|tag| Language::find(tag).is_none()) {
        let there: Vec<&str> = Language::ALL.into_iter().map(Language::tag).collect();
        output::warn(&format!(
            "no notification is written in {} yet: English is used; there are {}",
            output::printable(unknown),
            there.join(", ")
        ));
    }
    tag
}

/// The value, or nothing for the word `none`.
pub(super) fn none_or(text: String) -> Option<String> {
    (text != "none").then_some(text)
}
