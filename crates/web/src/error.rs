//! What can go wrong with a request, and how it is said.

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error("there is no {0} here; it may have been deleted")]
    NotFound(String),
    #[error("{0:?} is not a name of this machine; use http://localhost with the port")]
    Host(String),
    #[error("this request came from another site; only pages of this server may change something")]
    Origin,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a message cannot be read from disk: {0}")]
    Io(#[from] std::io::Error),
    #[error("a page could not be made: {0}")]
    Bug(String),
}

impl WebError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::Store(StoreError::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Host(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Store(error) if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Io(_) | Self::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn told(&self) -> StatusCode {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %self, "a web page failed");
        }
        status
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    title: &'a str,
    reason: String,
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let status = self.told();
        let title = status.canonical_reason().unwrap_or("Error");
        let page = ErrorPage { title, reason: self.to_string() }.render();
        (status, page.map_err(|error| error.to_string()).map(Html)).into_response()
    }
}

/// The same for programs.
#[derive(Debug)]
pub(crate) struct ApiError(WebError);

impl<E: Into<WebError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(serde::Serialize)]
struct ErrorDocument {
    error: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0.told(), Json(ErrorDocument { error: self.0.to_string() })).into_response()
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Bug(error.to_string())
    }
}

impl From<tokio::task::JoinError> for WebError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Bug(error.to_string())
    }
}
