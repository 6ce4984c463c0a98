//! Who may ask, and what a browser may do with the answers.

use crate::error::WebError;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::IpAddr;

/// Everything from us, nothing inline, in nobody's frame.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                   connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// For each answer that does not say otherwise. Without `same-origin`, browsers would send `Origin: null` with our
/// own forms.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, CSP),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses names other than loopback's, and changes that come from elsewhere.
pub(crate) async fn only_from_here(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_loopback(host) {
        let host = host.chars().take(100).collect();
        return WebError::Host(host).into_response();
    }
    if !request.method().is_safe() && !is_same_origin(headers, host) {
        return WebError::Origin.into_response();
    }
    next.run(request).await
}

pub(crate) async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a Host field, with or without a port, is a name that always means this machine (RFC 6761 §6.3).
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Browsers name the page that asks; programs, which no page can make act for it, need not.
fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let asking = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    asking.is_some_and(|asking| asking.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_ours() {
        for host in
            ["localhost", "LocalHost:8025", "mail.localhost:1", "127.0.0.1:8025", "127.9.9.9", "[::1]:8025"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "example.org", "localhost.example.org", "192.0.2.1:8025", "[2001:db8::1]", "evillocalhost"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn changes_come_from_our_own_pages_or_from_programs() {
        let check = |fields: &[(&'static str, &'static str)], allowed| {
            let pairs = fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(is_same_origin(&pairs.collect(), "localhost:8025"), allowed, "{fields:?}");
        };
        check(&[], true);
        check(&[("origin", "http://localhost:8025"), ("sec-fetch-site", "same-origin")], true);
        check(&[("origin", "http://localhost:3000")], false);
        check(&[("origin", "null")], false);
        check(&[("origin", "http://evil.example")], false);
        check(&[("sec-fetch-site", "same-site")], false);
    }
}
