//! Bytes: a message's source, its attachments, and our own style and script.

use crate::error::WebError;
use crate::server::Site;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use std::fmt::Write as _;
use store::BodyReader;

/// A stranger's bytes may do nothing, whatever a browser takes them for.
const NOTHING_ALLOWED: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SourceQuery {
    /// Present (`?download`): to be saved as a file instead of shown.
    download: Option<String>,
}

/// The message as it is kept, streamed from disk.
pub(crate) async fn source(
    State(site): State<Site>,
    Path(key): Path<String>,
    Query(query): Query<SourceQuery>,
) -> Result<Response, WebError> {
    let message = site.captured.message(key.parse()?).await?;
    let (media_type, disposition) = match query.download {
        Some(_) => ("message/rfc822", format!("attachment; filename=\"{}.eml\"", message.summary.id)),
        None => ("text/plain; charset=utf-8", "inline".to_owned()),
    };
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (CONTENT_LENGTH, message.summary.size.to_string()),
        (CONTENT_SECURITY_POLICY, NOTHING_ALLOWED.to_owned()),
    ];
    let start = Some(message.prefix).filter(|prefix| !prefix.is_empty());
    let pieces = stream::unfold((start, message.body.reader()), |(start, mut reader)| async move {
        let piece = match start {
            Some(prefix) => Ok(prefix),
            None => next(&mut reader).await?,
        };
        Some((piece, (None, reader)))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn next(reader: &mut BodyReader) -> Option<std::io::Result<Bytes>> {
    reader.next().await.transpose()
}

pub(crate) async fn attachment(
    State(site): State<Site>,
    Path((key, part)): Path<(String, usize)>,
) -> Result<Response, WebError> {
    let message = site.captured.message(key.parse()?).await?;
    let found = site.captured.view(&message, move |bytes| {
        let view = message::View::read(bytes);
        let attachment = view.attachments.into_iter().find(|attachment| attachment.part == part)?;
        Some((attachment, message::content(bytes, part)?))
    });
    let missing = || WebError::NotFound("such attachment".into());
    let (attachment, content) = found.await?.ok_or_else(missing)?;
    let headers = [
        (CONTENT_TYPE, media_type(&attachment.media_type)),
        (CONTENT_DISPOSITION, disposition(&attachment.name)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(NOTHING_ALLOWED)),
    ];
    Ok((headers, content).into_response())
}

/// What the message calls it, if that is a media type at all.
fn media_type(claimed: &str) -> HeaderValue {
    let token = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let valid = claimed.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    let unknown = HeaderValue::from_static("application/octet-stream");
    if valid { HeaderValue::from_str(claimed).unwrap_or(unknown) } else { unknown }
}

/// To be saved under `name` (RFC 6266 §4.3), which is a safe file name already; old programs get an ASCII form of it.
fn disposition(name: &str) -> HeaderValue {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " .-_()".contains(c) { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        // attr-char of RFC 8187 §3.2.1, the letters and digits of it and some more.
        let written = match byte {
            b'.' | b'-' | b'_' => write!(value, "{}", byte as char),
            byte if byte.is_ascii_alphanumeric() => write!(value, "{}", byte as char),
            byte => write!(value, "%{byte:02X}"),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

pub(crate) async fn asset(Path(name): Path<String>) -> Result<impl IntoResponse, WebError> {
    let (media_type, content) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", include_str!("../assets/style.css")),
        "list.js" => ("text/javascript; charset=utf-8", include_str!("../assets/list.js")),
        "icon.svg" => ("image/svg+xml", include_str!("../assets/icon.svg")),
        _ => return Err(WebError::NotFound("such file".into())),
    };
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-cache")], content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let check = |name: &str, value: &str| assert_eq!(disposition(name), value, "{name}");
        check("a.pdf", "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf");
        check(
            "ü \"b\";\\.txt",
            "attachment; filename=\"_ _b___.txt\"; filename*=UTF-8''%C3%BC%20%22b%22%3B%5C.txt",
        );
    }

    #[test]
    fn only_media_types_are_passed_on() {
        assert_eq!(media_type("image/svg+xml"), "image/svg+xml");
        for claimed in ["", "text", "text/", "text/html; charset=x", "a/b\r\nX: y"] {
            assert_eq!(media_type(claimed), "application/octet-stream", "{claimed:?}");
        }
    }
}
