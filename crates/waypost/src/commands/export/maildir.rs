//! Into a Maildir. A message is named by UIDVALIDITY and UID, so that it is known when the export is run again; then only
//! its flags are made what they are now.

use super::messages::{Messages, Ready, flags};
use super::{FolderReport, Mailbox};
use crate::exit::Failure;
use admin::export::Outgoing;
use imap::name::encode_utf7;
use indicatif::ProgressBar;
use mailfile::Lf;
use mailfile::maildir::{self, FolderWriter, Meta};
use std::path::Path;
use store::mailbox::INBOX;

pub(super) async fn write(
    root: &Path,
    messages: &Messages<'_>,
    bar: &ProgressBar,
    differences: &mut Vec<String>,
) -> Result<FolderReport, Failure> {
    let folder = messages.folder;
    let levels = levels(&folder.name);
    let mut writer = FolderWriter::open(root, &levels).map_err(failure)?;
    let target =
        if levels.is_empty() { root.to_owned() } else { root.join(format!(".{}", levels.join("."))) };
    let mut report = FolderReport { folder: folder.name.clone(), target, ..FolderReport::default() };
    let (mut after, mut ready) = (0, Ready::new());
    loop {
        let page = messages.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.uid;
        for message in &page {
            let meta = Meta { flags: flags(message), received: message.received };
            let name = name(folder, message);
            bar.inc(1);
            report.messages += 1;
            if writer.refresh(&name, &meta).map_err(failure)? {
                report.known += 1;
                continue;
            }
            let (mut delivery, mut lines) = (writer.begin(&name).map_err(failure)?, Lf::default());
            let read = messages.read(message, &mut ready, |piece| {
                let mut text = Vec::with_capacity(piece.len());
                lines.push(piece, &mut text);
                delivery.write(&text).map_err(failure)
            });
            if read.await? {
                let mut rest = Vec::new();
                lines.finish(&mut rest);
                delivery.write(&rest).map_err(failure)?;
                writer.finish(delivery, &meta).map_err(failure)?;
                report.exported += 1;
                report.octets += message.size;
            }
        }
    }
    if writer.lost_keywords() > 0 {
        let (count, most) = (writer.lost_keywords(), maildir::MAX_LETTERS);
        differences
            .push(format!("{}: {count} keywords are not written: a Maildir has {most} of them", folder.name));
    }
    Ok(report)
}

/// Writes the names that are subscribed to.
pub(super) fn subscribe<'a>(root: &Path, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let names: Vec<Vec<String>> = names
        .map(|name| match levels(name) {
            none if none.is_empty() => vec![INBOX.to_owned()],
            levels => levels,
        })
        .collect();
    maildir::write_subscriptions(root, &names).map_err(failure)
}

/// INBOX is the Maildir itself. A dot is between levels and cannot be in one.
fn levels(name: &str) -> Vec<String> {
    if name == INBOX {
        return Vec::new();
    }
    name.split('/').map(|level| encode_utf7(level).replace('.', "_")).collect()
}

fn name(folder: &Mailbox, message: &Outgoing) -> String {
    let seconds = message.received.max(0) / 1_000;
    format!("{seconds}.V{}U{}.waypost", folder.uidvalidity, message.uid)
}

fn failure(error: mailfile::Error) -> Failure {
    Failure::no(error.to_string())
}
