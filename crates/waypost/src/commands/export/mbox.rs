//! Into mbox files, one a folder: `Archive.mbox`, and `Archive/2024.mbox` for what is below it. A file is there when it is
//! whole; one that is there is not written again.

use super::FolderReport;
use super::messages::{Messages, Ready, flags};
use crate::exit::Failure;
use admin::export::Outgoing;
use indicatif::ProgressBar;
use mailfile::Lf;
use mailfile::mbox::Writer;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Octets written at once.
const BUFFER: usize = 256 << 10;

pub(super) async fn write(
    root: &Path,
    messages: &Messages<'_>,
    bar: &ProgressBar,
) -> Result<FolderReport, Failure> {
    let folder = messages.folder;
    let path = file(root, &folder.name);
    let mut report =
        FolderReport { folder: folder.name.clone(), target: path.clone(), ..FolderReport::default() };
    if path.exists() {
        (report.messages, report.known) = (folder.messages, folder.messages);
        return Ok(report);
    }
    let failure = |error: std::io::Error| Failure::no(format!("cannot write {}: {error}", path.display()));
    let part = path.with_extension("mbox.part");
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failure)?;
    }
    let file = File::create(&part).map_err(failure)?;
    let mut writer = Writer::new(BufWriter::with_capacity(BUFFER, file));
    let (mut after, mut ready) = (0, Ready::new());
    loop {
        let page = messages.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.uid;
        for message in &page {
            bar.inc(1);
            let mut one = One { writer: &mut writer, message, lines: Lf::default(), begun: false };
            let read = messages.read(message, &mut ready, |piece| one.write(piece).map_err(failure));
            if read.await? {
                one.end().map_err(failure)?;
                (report.messages, report.exported) = (report.messages + 1, report.exported + 1);
                report.octets += message.size;
            }
        }
    }
    let file = writer.into_inner().into_inner().map_err(|error| failure(error.into_error()))?;
    file.sync_all().map_err(failure)?;
    std::fs::rename(&part, &path).map_err(failure)?;
    Ok(report)
}

/// A level that would be hidden, or mean another directory, gets `_` before it.
fn file(root: &Path, name: &str) -> PathBuf {
    let mut path = root.to_owned();
    for level in name.split('/') {
        path.push(if level.starts_with('.') { format!("_{level}") } else { level.to_owned() });
    }
    path.as_mut_os_string().push(".mbox");
    path
}

/// A message on its way into a file.
struct One<'a> {
    writer: &'a mut Writer<BufWriter<File>>,
    message: &'a Outgoing,
    lines: Lf,
    begun: bool,
}

impl One<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.writer.begin(&sender(piece), self.message.received, &flags(self.message))?;
        }
        let mut text = Vec::with_capacity(piece.len());
        self.lines.push(piece, &mut text);
        self.writer.write(&text)
    }

    fn end(mut self) -> std::io::Result<()> {
        if !self.begun {
            self.write(b"")?;
        }
        let mut rest = Vec::new();
        self.lines.finish(&mut rest);
        self.writer.write(&rest)?;
        self.writer.end()
    }
}

/// Whom a message came from: its Return-Path, which is above all others where there is one.
fn sender(message: &[u8]) -> String {
    let header = message::Header::parse(message);
    let path = header.get("Return-Path").map(|field| field.value().trim().to_owned()).unwrap_or_default();
    path.trim_start_matches('<').trim_end_matches('>').to_owned()
}
