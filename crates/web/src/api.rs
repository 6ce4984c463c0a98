//! The same for programs, as JSON. `docs/dev.md` is its reference; keys stay.

use crate::captured::Key;
use crate::error::ApiError;
use crate::server::Site;
use crate::shown::{Envelope, Row, Shown};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use store::trail::Entry;

/// Messages in an answer when the request does not say.
const DEFAULT_LIMIT: usize = 50;
/// Most messages in an answer.
const MAX_LIMIT: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    before: Option<u32>,
    limit: Option<usize>,
    search: String,
}

pub(crate) async fn list(
    State(site): State<Site>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Row>>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let page = site.captured.page(query.before.unwrap_or(u32::MAX), limit, &query.search).await?;
    Ok(Json(page.rows))
}

#[derive(Debug, Serialize)]
pub(crate) struct Document {
    #[serde(flatten)]
    shown: Shown,
    envelope: Option<Envelope>,
    trail: Vec<Entry>,
}

pub(crate) async fn message(
    State(site): State<Site>,
    Path(key): Path<String>,
) -> Result<Json<Document>, ApiError> {
    let message = site.captured.message(key.parse()?).await?;
    let summary = message.summary.clone();
    let id = summary.id;
    let shown = site.captured.view(&message, move |bytes| Shown::read(&summary, bytes)).await?;
    let trail = site.captured.read(move |store| store.trail(id)).await?;
    Ok(Json(Document { shown, envelope: Envelope::of(&trail), trail }))
}

pub(crate) async fn delete(
    State(site): State<Site>,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    let key: Key = key.parse()?;
    site.captured.delete(key).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
pub(crate) struct Removed {
    removed: usize,
}

pub(crate) async fn delete_all(State(site): State<Site>) -> Result<Json<Removed>, ApiError> {
    Ok(Json(Removed { removed: site.captured.delete_all().await? }))
}
