//! The pages for people.

use crate::captured::{Key, Page};
use crate::error::WebError;
use crate::server::Site;
use crate::shown::{Envelope, File, Person, Row, Shown};
use crate::words::{self, Piece};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::response::{Html, IntoResponse, Redirect};
use serde::Deserialize;
use store::mailbox::Mailbox;

/// Messages on a page of the listing.
const PAGE: usize = 50;
/// People named in a line of the listing.
const MAX_NAMED: usize = 3;
/// Octets of the source shown in the page; the whole is a link away.
const MAX_SOURCE_SHOWN: usize = 128 << 10;
/// For a message's HTML: no script, nothing from elsewhere, no page around it but ours. The frame says `sandbox`
/// too; this holds also when the address is opened by itself.
const HTML_CSP: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                        img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    /// The UID below which the page begins.
    before: Option<u32>,
    search: String,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    title: String,
    search: String,
    first: bool,
    rows: Vec<Row>,
    older: Option<u32>,
    mailbox: Mailbox,
}

pub(crate) async fn list(
    State(site): State<Site>,
    Query(query): Query<ListQuery>,
) -> Result<Html<String>, WebError> {
    let before = query.before.unwrap_or(u32::MAX);
    let Page { rows, older, mailbox } = site.captured.page(before, PAGE, &query.search).await?;
    let first = query.before.is_none();
    let page = ListPage { title: site.title, search: query.search, first, rows, older, mailbox };
    Ok(Html(page.render()?))
}

impl ListPage {
    /// Some names of an address field.
    fn names(&self, people: &[Person]) -> String {
        let name = |person: &Person| person.name.as_ref().or(person.address.as_ref()).cloned();
        let mut names: Vec<_> = people.iter().filter_map(name).take(MAX_NAMED).collect();
        if people.len() > MAX_NAMED {
            names.push(format!("{} more", people.len() - MAX_NAMED));
        }
        names.join(", ")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MessageQuery {
    tab: Option<Tab>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tab {
    Text,
    Html,
    Headers,
    Source,
    Attachments,
    Trail,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    title: String,
    shown: Shown,
    date: Option<String>,
    envelope: Option<Envelope>,
    tab: Tab,
    /// The first octets of the source, and whether they are all.
    source: Option<(String, bool)>,
    trail: Vec<Step>,
}

/// A line of the trail.
struct Step {
    at: jiff::Timestamp,
    words: String,
}

impl MessagePage {
    fn tabs(&self) -> Vec<(Tab, &'static str, &'static str, Option<usize>)> {
        let files = self.shown.attachments.len();
        let html = self.shown.html.is_some().then_some((Tab::Html, "html", "HTML", None));
        let mut tabs = vec![(Tab::Text, "text", "Text", None)];
        tabs.extend(html);
        tabs.extend([
            (Tab::Headers, "headers", "Headers", None),
            (Tab::Source, "source", "Source", None),
            (Tab::Attachments, "attachments", "Attachments", Some(files)),
            (Tab::Trail, "trail", "Trail", None),
        ]);
        tabs
    }

    fn text(&self) -> Vec<Piece> {
        words::pieces(&self.shown.text)
    }

    fn files(&self) -> &[File] {
        &self.shown.attachments
    }
}

pub(crate) async fn message(
    State(site): State<Site>,
    Path(key): Path<String>,
    Query(query): Query<MessageQuery>,
) -> Result<Html<String>, WebError> {
    let message = site.captured.message(key.parse()?).await?;
    let summary = message.summary.clone();
    let (uid, id) = (summary.uid, summary.id);
    let trail = site.captured.read(move |store| store.trail(id)).await?;
    let read = site.captured.view(&message, move |bytes| {
        let shown = Shown::read(&summary, bytes);
        let default = if shown.html.is_some() { Tab::Html } else { Tab::Text };
        let tab = query.tab.filter(|tab| *tab != Tab::Html || shown.html.is_some()).unwrap_or(default);
        let start = &bytes[..bytes.len().min(MAX_SOURCE_SHOWN)];
        let source = || (String::from_utf8_lossy(start).into_owned(), start.len() as u64 == summary.size);
        (tab, (tab == Tab::Source).then(source), shown)
    });
    let (tab, source, shown) = read.await?;
    site.captured.mark_seen(uid).await?;
    let date = shown.headers.iter().find(|field| field.name.eq_ignore_ascii_case("Date"));
    let page = MessagePage {
        title: site.title,
        date: date.map(|field| field.value.clone()),
        envelope: Envelope::of(&trail),
        tab,
        source,
        trail: trail
            .iter()
            .map(|entry| Step { at: crate::shown::timestamp(entry.at), words: words::event(&entry.event) })
            .collect(),
        shown,
    };
    Ok(Html(page.render()?))
}

#[derive(Template)]
#[template(path = "html.html")]
struct HtmlPage {
    html: String,
}

/// A message's HTML, for the frame in its page.
pub(crate) async fn html(
    State(site): State<Site>,
    Path(key): Path<String>,
) -> Result<impl IntoResponse, WebError> {
    let message = site.captured.message(key.parse()?).await?;
    let summary = message.summary.clone();
    let html = site.captured.view(&message, move |bytes| Shown::read(&summary, bytes).html).await?;
    let html = html.ok_or_else(|| WebError::NotFound("HTML in this message".into()))?;
    let headers = [
        (CONTENT_SECURITY_POLICY, HTML_CSP),
        (X_FRAME_OPTIONS, "SAMEORIGIN"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Html(HtmlPage { html }.render()?)))
}

pub(crate) async fn delete(State(site): State<Site>, Path(key): Path<String>) -> Result<Redirect, WebError> {
    let key: Key = key.parse()?;
    match site.captured.delete(key).await {
        // Deleted in another window: it is gone, which is what was asked for.
        Ok(()) | Err(WebError::NotFound(_)) => Ok(Redirect::to("/")),
        Err(error) => Err(error),
    }
}

pub(crate) async fn delete_all(State(site): State<Site>) -> Result<Redirect, WebError> {
    site.captured.delete_all().await?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn nothing_here() -> WebError {
    WebError::NotFound("such page".into())
}

/// For monitors: whether messages can be kept.
pub(crate) async fn health(State(site): State<Site>) -> (StatusCode, &'static str) {
    match site.captured.is_well() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the store cannot write now\n"),
    }
}
