//! `waypost backup`: all data into a folder, again and again, while it is served.

pub(super) mod source;

use super::administer;
use crate::cli::{Global, values::Json};
use crate::config::units::show_size;
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use crate::privileges;
use backup::{BackupError, Keep, PruneReport, Repository, RunReport, Source as _};
use serde::Serialize;
use source::Served;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The first time everything is copied, then what is new: run it as often as you like. It holds everybody's mail, password hashes
and DKIM keys: keep the directory as safe as the data. Not in it are the configuration file, certificates, removed messages
(`waypost mail undelete`), the trail and the index of words.

Examples:
  waypost backup /srv/backup
  waypost backup /srv/backup --keep 30 --keep-days 90
  waypost backup /srv/backup --verify";

/// Copy all data into a directory, while the server runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The directory; made if it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Then remove the back-ups before the newest N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Then remove the back-ups that are older; with --keep those that neither keeps
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
    /// Copy nothing: read everything that is there and say what is damaged
    #[arg(long, conflicts_with_all = ["keep", "keep_days"])]
    pub verify: bool,
    #[command(flatten)]
    pub json: Json,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        if matches!(error, BackupError::Temporary(_)) { Self::try_again(text) } else { Self::no(text) }
    }
}

pub fn run(global: &Global, args: Args) -> Result<Exit, Failure> {
    if args.verify {
        return verify(global, &args.folder, args.json.json);
    }
    let (_, config) = global.load()?;
    privileges::make_for(&args.folder, config.user.as_deref())?;
    let keep = Keep { newest: args.keep, days: args.keep_days };
    let json = args.json.json;
    administer::with_client(global, async move |client, _| {
        let source = Served(client);
        let facts = source.facts().await?;
        let mut repository = Repository::create(&args.folder, facts.installation)?;
        let bar = output::progress(0, "backing up", json);
        let progress = |read, of| {
            bar.set_length(of);
            bar.set_position(read);
        };
        let done = backup::run(&source, &facts, &mut repository, &progress).await;
        bar.finish_and_clear();
        let mut report = Report { run: done?, pruned: None };
        if keep != Keep::default() {
            report.pruned = Some(backup::prune(&mut repository, keep, report.run.at)?);
        }
        if json {
            output::json(&report)?;
        } else {
            report.print(&args.folder)?;
        }
        Ok(if report.run.damaged.is_empty() { Exit::Done } else { Exit::No })
    })
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    run: RunReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<PruneReport>,
}

impl Report {
    fn print(&self, folder: &Path) -> Result<(), Failure> {
        let run = &self.run;
        output::line(&format!(
            "{} messages, {} folders, {} accounts, {} messages in the queue, as they were at {}",
            run.messages,
            run.folders,
            run.accounts,
            run.queued,
            output::moment(run.at)
        ))?;
        output::line(&format!(
            "{} messages are new; {} written to {}",
            run.new_bodies,
            show_size(run.written),
            folder.display()
        ))?;
        if run.removed_meanwhile > 0 {
            output::line(&format!("{} messages were removed meanwhile and left out", run.removed_meanwhile))?;
        }
        for problem in &run.damaged {
            output::line(&format!("{} {problem}", output::tinted("left out:", Tone::Bad)))?;
        }
        if let Some(PruneReport { removed, kept, freed }) = &self.pruned {
            output::line(&format!(
                "{removed} old back-ups removed, {kept} kept, {} freed",
                show_size(*freed)
            ))?;
        }
        Ok(())
    }
}

/// Needs the back-ups alone, not the data.
fn verify(global: &Global, folder: &Path, json: bool) -> Result<Exit, Failure> {
    if let Some((_, config)) = global.load_if_any()? {
        privileges::become_reader(config.user.as_deref())?;
    }
    let repository = Repository::read(folder)?;
    let bar = output::progress(0, "reading", json);
    let report = backup::verify(&repository, &|read, of| {
        bar.set_length(of);
        bar.set_position(read);
    });
    bar.finish_and_clear();
    let report = report?;
    if json {
        output::json(&report)?;
    } else {
        for problem in &report.damaged {
            output::line(&format!("{} {problem}", output::tinted("wrong:", Tone::Bad)))?;
        }
        if report.more > 0 {
            output::line(&format!("and {} more", report.more))?;
        }
        let (word, tone) = if report.ok { ("good:", Tone::Good) } else { ("damaged:", Tone::Bad) };
        output::line(&format!(
            "{} {}: {} back-ups, {} bodies and rows, {}",
            output::tinted(word, tone),
            folder.display(),
            report.snapshots,
            report.objects,
            show_size(report.octets)
        ))?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::No })
}
