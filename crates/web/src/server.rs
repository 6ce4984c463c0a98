//! The server: routes, and HTTP over the connections that `net` lets in.

use crate::captured::Captured;
use crate::{api, downloads, events, guard, pages};
use axum::Router;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use net::{Connection, LimitSettings, Limits, Listener, ServeOptions, Shutdown};
use std::pin::pin;
use std::time::Duration;
use store::{Id, Store};

/// Connections in all: some browsers, each with six at most, and a test suite.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take for a request's header, and an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Octets of a request's header; ours are short, cookies of other servers on localhost are not.
const MAX_REQUEST_HEADER: usize = 64 << 10;

/// What is shown.
#[derive(Debug, Clone)]
pub struct App {
    pub store: Store,
    /// Whose INBOX.
    pub account: Id,
    /// Ends [`serve`].
    pub shutdown: Shutdown,
    /// The name on top of each page.
    pub title: String,
}

/// What every request handler has.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) captured: Captured,
    pub(crate) shutdown: Shutdown,
    pub(crate) title: String,
}

/// Serves until the app's `shutdown` is triggered, then finishes the requests that are under way.
pub async fn serve(listener: Listener, app: App) {
    let settings =
        LimitSettings { total: MAX_CONNECTIONS, per_address: MAX_CONNECTIONS, ..LimitSettings::default() };
    let options = ServeOptions::new(Limits::new(settings), app.shutdown.clone());
    let shutdown = app.shutdown.clone();
    let router = router(app);
    net::serve(listener, options, move |connection| {
        let (router, shutdown) = (router.clone(), shutdown.clone());
        async move { converse(connection, router, &shutdown).await }
    })
    .await;
}

pub(crate) async fn converse(connection: Connection, router: Router, shutdown: &Shutdown) {
    let Connection { stream, guard: _guard } = connection;
    let peer = stream.peer();
    let mut conversation = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_REQUEST_HEADER)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = shutdown.wait() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an HTTP connection was lost");
    }
}

fn router(app: App) -> Router {
    let App { store, account, shutdown, title } = app;
    let site = Site { captured: Captured::new(store, account), shutdown, title };
    Router::new()
        .route("/", get(pages::list))
        .route("/delete-all", post(pages::delete_all))
        .route("/messages/{id}", get(pages::message))
        .route("/messages/{id}/delete", post(pages::delete))
        .route("/messages/{id}/html", get(pages::html))
        .route("/messages/{id}/source", get(downloads::source))
        .route("/messages/{id}/attachments/{part}", get(downloads::attachment))
        .route("/events", get(events::events))
        .route("/assets/{name}", get(downloads::asset))
        .route("/api/messages", get(api::list).delete(api::delete_all))
        .route("/api/messages/{id}", get(api::message).delete(api::delete))
        .route("/api/messages/{id}/source", get(downloads::source))
        .route("/api/messages/{id}/attachments/{part}", get(downloads::attachment))
        .fallback(pages::nothing_here)
        .layer(axum::middleware::from_fn(guard::only_from_here))
        // Health is asked for under any name, and says nothing that is not for everybody.
        .route("/healthz", get(pages::health))
        .layer(axum::middleware::from_fn(guard::add_headers))
        .with_state(site)
}
