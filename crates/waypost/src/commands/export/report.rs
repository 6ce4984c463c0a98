//! What was written.

use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) account: String,
    pub(super) folders: Vec<FolderReport>,
    /// What could not be written as it is.
    pub(super) differences: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct FolderReport {
    pub(super) folder: String,
    /// The directory or file.
    pub(super) target: PathBuf,
    pub(super) messages: u64,
    /// Those that were there before.
    pub(super) known: u64,
    pub(super) exported: u64,
    /// Of those that were written, as they are stored.
    pub(super) octets: u64,
}

impl Report {
    pub(super) fn print(&self) -> Result<(), Failure> {
        let rows = self.folders.iter().map(|one| {
            let (known, exported) = (one.known.to_string(), one.exported.to_string());
            [one.folder.clone(), one.target.display().to_string(), known, exported, show_size(one.octets)]
        });
        output::table(["folder", "to", "there before", "exported", "size"], rows)?;
        self.differences.iter().try_for_each(|text| output::line(&output::printable(text)))
    }

    pub(super) fn exit(&self) -> Exit {
        if self.differences.is_empty() { Exit::Done } else { Exit::No }
    }
}
