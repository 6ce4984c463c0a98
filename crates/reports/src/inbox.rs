//! Reports that come: the mailboxes behind the addresses for reports are read, each message once.

use crate::run::Reports;
use crate::{ReportError, keep};
use address::Address;
use directory::{Resolution, Target};
use message::Header;
use net::Shutdown;
use std::collections::BTreeSet;
use std::time::Duration;
use store::directory::DomainKind;
use store::mailbox::Message;
use store::report::FolderMark;
use store::{Change, Id, MailboxChange};
use tokio::sync::broadcast::error::RecvError;

/// How often it is looked anew which mailboxes these are, besides when domains change.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// Messages read from a folder before the next folder's turn.
const PAGE: usize = 100;
/// Largest message that is searched for a report, in octets: the largest part that is decoded, in base64, with its frame.
const MAX_MESSAGE: u64 = 24 * 1024 * 1024;

/// Until the server stops.
pub(crate) async fn keep_reading(reports: &Reports, shutdown: &Shutdown) {
    let mut changes = reports.store().changes();
    loop {
        let folders = look(reports).await;
        for folder in &folders {
            read(reports, *folder, shutdown).await;
        }
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        tokio::pin!(look_again);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                () = &mut look_again => break,
                change = changes.recv() => match change {
                    Ok(Change::Mailbox { mailbox, kind: MailboxChange::Delivered { .. }, .. }) => {
                        if folders.contains(&mailbox) {
                            read(reports, mailbox, shutdown).await;
                        }
                    }
                    Ok(Change::Domains) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}

/// With many domains this takes a while.
async fn look(reports: &Reports) -> BTreeSet<Id> {
    let reports = reports.clone();
    let found = tokio::task::spawn_blocking(move || folders(&reports)).await;
    match found {
        Ok(Ok(folders)) => folders,
        Ok(Err(error)) => {
            tracing::warn!(%error, "which mailboxes are read for reports is not known now");
            BTreeSet::new()
        }
        Err(_) => BTreeSet::new(),
    }
}

/// The INBOX of every account that gets mail for an address for reports.
pub(crate) fn folders(reports: &Reports) -> Result<BTreeSet<Id>, ReportError> {
    let store = reports.store();
    let mut folders = BTreeSet::new();
    for address in addresses(reports)? {
        let Resolution::Here(targets) = reports.directory().resolve(&address)? else { continue };
        for target in targets {
            if let Target::Account { account, .. } = target {
                folders.insert(store.inbox(account.id)?.id);
            }
        }
    }
    Ok(folders)
}

fn addresses(reports: &Reports) -> Result<Vec<Address>, ReportError> {
    let settings = reports.settings();
    let (whole, locals): (Vec<&String>, Vec<&String>) =
        settings.read.iter().partition(|name| name.contains('@'));
    let mut addresses: Vec<Address> = whole.into_iter().filter_map(|name| name.parse().ok()).collect();
    for domain in reports.store().domains()? {
        if domain.kind == DomainKind::Local {
            let here = |local: &&String| format!("{local}@{}", domain.name).parse().ok();
            addresses.extend(locals.iter().filter_map(here));
        }
    }
    Ok(addresses)
}

/// Reads what is new in a folder.
async fn read(reports: &Reports, folder: Id, shutdown: &Shutdown) {
    loop {
        match read_page(reports, folder).await {
            Ok(true) if !shutdown.is_triggered() => {}
            Ok(_) => return,
            Err(error) => return tracing::warn!(%error, "reports in a mailbox are not read yet"),
        }
    }
}

/// Whether there is more.
pub(crate) async fn read_page(reports: &Reports, folder: Id) -> Result<bool, ReportError> {
    let store = reports.store();
    let Some(mailbox) = store.mailbox(folder)? else { return Ok(false) };
    let after = match store.report_mark(folder)? {
        Some(mark) if mark.uidvalidity == mailbox.uidvalidity => mark.uid,
        _ => 0,
    };
    let page = store.messages(folder, after, PAGE)?;
    let Some(last) = page.last().map(|summary| summary.uid) else { return Ok(false) };
    for summary in &page {
        if summary.body_size() <= MAX_MESSAGE
            && let Some(message) = store.message(folder, summary.uid)?
            && is_for_reports(reports, &message)
        {
            let body = message.body.read(MAX_MESSAGE as usize).await.map_err(ReportError::Body)?;
            keep::keep(reports, &message.prefix, &body, summary.received).await?;
        }
    }
    store
        .set_report_mark(FolderMark { mailbox: folder, uidvalidity: mailbox.uidvalidity, uid: last })
        .await?;
    Ok(page.len() == PAGE)
}

/// Whether the copy came to an address for reports, and not only to the same person.
fn is_for_reports(reports: &Reports, message: &Message) -> bool {
    let header = Header::parse(&message.prefix);
    let recipient = header.get("Delivered-To").and_then(|field| field.value().trim().parse::<Address>().ok());
    recipient.is_some_and(|recipient| reports.settings().reads(&recipient))
}
