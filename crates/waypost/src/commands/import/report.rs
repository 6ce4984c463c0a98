//! The account of an import: for each folder, and for each message that could not be brought.

use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use serde::Serialize;

/// Messages that are named; those that follow are counted.
const MAX_NAMED: usize = 1_000;
/// Of these, those that are printed where no program reads it.
const MAX_PRINTED: usize = 50;

/// What was done for one account.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) account: String,
    pub(super) dry_run: bool,
    pub(super) folders: Vec<FolderReport>,
    /// Messages that are there and could not be brought.
    pub(super) failed: u64,
    /// The first of them.
    pub(super) failures: Vec<FailedMessage>,
    /// What is not as it should be beside these.
    pub(super) differences: Vec<String>,
    /// Why it ended before all was done.
    pub(super) stopped: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct FolderReport {
    /// Its name there.
    pub(super) source: String,
    /// Its name here.
    pub(super) folder: String,
    /// It was made for this.
    pub(super) new: bool,
    /// Messages there.
    pub(super) messages: u64,
    /// Octets there, where it is known.
    pub(super) octets: Option<u64>,
    /// Those that were brought before.
    pub(super) known: u64,
    /// Of these, those whose flags had changed there and were given to the message here.
    pub(super) changed: u64,
    /// Messages that had gone there and were removed here.
    pub(super) removed: u64,
    pub(super) imported: u64,
    pub(super) imported_octets: u64,
    pub(super) failed: u64,
    /// Whether number and octets are the same here and there, where the other side says them.
    pub(super) verified: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct FailedMessage {
    pub(super) folder: String,
    pub(super) message: String,
    pub(super) why: String,
}

impl Report {
    pub(super) fn fail(&mut self, folder: &mut FolderReport, message: String, why: String) {
        self.failed += 1;
        folder.failed += 1;
        if self.failures.len() < MAX_NAMED {
            self.failures.push(FailedMessage { folder: folder.source.clone(), message, why });
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.failed == 0 && self.differences.is_empty() && self.stopped.is_none()
    }

    /// For people.
    pub(super) fn print(&self) -> Result<(), Failure> {
        let number = |value: u64| value.to_string();
        let rows = self.folders.iter().map(|one| {
            let (source, folder) = (one.source.clone(), one.folder.clone());
            let to_come = one.messages - one.known.min(one.messages);
            let imported = if self.dry_run { to_come } else { one.imported };
            let sizes = if self.dry_run { one.octets } else { Some(one.imported_octets) };
            let size = sizes.map(show_size).unwrap_or_default();
            [
                source,
                folder,
                number(one.messages),
                number(one.known),
                number(imported),
                size,
                number(one.failed),
            ]
        });
        let imported = if self.dry_run { "to import" } else { "imported" };
        output::table(["from", "to", "messages", "there before", imported, "size", "failed"], rows)?;
        for one in self.folders.iter().filter(|one| one.changed + one.removed > 0) {
            let FolderReport { folder, changed, removed, .. } = one;
            output::line(&output::printable(&format!(
                "{folder}: {changed} with changed flags, {removed} removed"
            )))?;
        }
        for one in self.failures.iter().take(MAX_PRINTED) {
            let text = format!("not imported: {}: {}: {}", one.folder, one.message, one.why);
            output::line(&output::printable(&text))?;
        }
        if self.failed > MAX_PRINTED as u64 {
            output::line(&format!(
                "and {} more (--json names up to {MAX_NAMED})",
                self.failed - MAX_PRINTED as u64
            ))?;
        }
        for text in self.differences.iter().chain(&self.stopped) {
            output::line(&output::printable(text))?;
        }
        Ok(())
    }

    pub(super) fn exit(&self) -> Exit {
        if self.is_complete() { Exit::Done } else { Exit::No }
    }
}
