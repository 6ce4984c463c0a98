//! What happens, as it happens: server-sent events.

use crate::error::WebError;
use crate::server::Site;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use store::{Change, Changes, Id, MailboxChange};
use tokio::sync::broadcast::error::RecvError;

struct Watch {
    site: Site,
    mailbox: Id,
    changes: Changes,
}

/// `message` with a message as in the listing, `removed`, and `changed` when too much happened to tell it singly.
pub(crate) async fn events(
    State(site): State<Site>,
) -> Result<Sse<impl Stream<Item = Result<Event, WebError>>>, WebError> {
    // Listening begins before the answer does, so that what arrives after it is never missed.
    let changes = site.captured.changes();
    let watch = Watch { mailbox: site.captured.inbox().await?.id, site, changes };
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((event, watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Watch {
    /// The next event for this mailbox; `None` when the server stops.
    async fn next(&mut self) -> Option<Result<Event, WebError>> {
        loop {
            let change = tokio::select! {
                () = self.site.shutdown.wait() => return None,
                change = self.changes.recv() => change,
            };
            match change {
                Ok(Change::Mailbox { mailbox, kind, .. }) if mailbox == self.mailbox => {
                    if let Some(event) = self.changed(kind).await.transpose() {
                        return Some(event);
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(Ok(bare("changed"))),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn changed(&self, kind: MailboxChange) -> Result<Option<Event>, WebError> {
        match kind {
            MailboxChange::Delivered { first, last } if first == last => self.delivered(first).await,
            MailboxChange::Delivered { .. } => Ok(Some(bare("changed"))),
            MailboxChange::Expunged { .. } => Ok(Some(bare("removed"))),
            MailboxChange::Flags { .. } | MailboxChange::Annotated | MailboxChange::Gone => Ok(None),
        }
    }

    async fn delivered(&self, uid: u32) -> Result<Option<Event>, WebError> {
        let Some(row) = self.site.captured.row(self.mailbox, uid).await? else { return Ok(None) };
        let event = Event::default().event("message").json_data(row);
        event.map(Some).map_err(|error| WebError::Bug(error.to_string()))
    }
}

fn bare(name: &str) -> Event {
    Event::default().event(name).data("{}")
}
