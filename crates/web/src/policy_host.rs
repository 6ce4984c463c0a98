//! The policy hosts of our domains: `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` (RFC 8461 §3.2), and nothing else.

use crate::guard;
use crate::server::converse;
use address::Domain;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mailauth::sts::{Mode, Policy};
use net::tls::TlsServer;
use net::{Connection, Listener, ServeOptions, Shutdown};
use std::sync::Arc;
use store::Store;

/// What is served.
#[derive(Clone)]
pub struct PolicyHost {
    pub store: Store,
    /// The host that takes the domains' mail, asked for at every request.
    pub mx: Arc<dyn Fn() -> Domain + Send + Sync>,
    /// Has a certificate for each `mta-sts.DOMAIN`.
    pub tls: TlsServer,
    /// Ends [`serve_policies`].
    pub shutdown: Shutdown,
}

/// Serves the policies over HTTPS until the host's `shutdown` is triggered.
pub async fn serve_policies(listener: Listener, options: ServeOptions, host: PolicyHost) {
    let (tls, shutdown) = (host.tls.clone(), host.shutdown.clone());
    let router = Router::new()
        .route("/.well-known/mta-sts.txt", get(policy))
        .layer(axum::middleware::from_fn(guard::add_headers))
        .with_state(host);
    net::serve(listener, options, move |connection| {
        let (router, tls, shutdown) = (router.clone(), tls.clone(), shutdown.clone());
        async move {
            let Connection { stream, guard } = connection;
            let peer = stream.peer();
            match stream.start_tls(&tls).await {
                Ok(stream) => converse(Connection { stream, guard }, router, &shutdown).await,
                Err(error) => tracing::debug!(%peer, %error, "an HTTPS connection was lost"),
            }
        }
    })
    .await;
}

async fn policy(State(host): State<PolicyHost>, headers: HeaderMap) -> Response {
    let asked = headers.get(header::HOST).and_then(|name| name.to_str().ok()).unwrap_or_default();
    match text(&host, asked) {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => (StatusCode::NOT_FOUND, "no domain here has a policy under this name\n").into_response(),
    }
}

/// The policy of the domain whose policy host is asked for.
fn text(host: &PolicyHost, asked: &str) -> Option<String> {
    let name = asked.rsplit_once(':').map_or(asked, |(name, _port)| name).to_ascii_lowercase();
    let domain = Domain::parse(name.strip_prefix("mta-sts.")?).ok()?;
    host.store.domain(&domain).ok()??;
    let own = host.store.own_sts(&domain).ok()??;
    Some(Policy::of_host(Mode::parse(&own.mode)?, &(host.mx)()).text)
}

impl std::fmt::Debug for PolicyHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyHost").finish_non_exhaustive()
    }
}
