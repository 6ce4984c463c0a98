//! TLS reports by HTTPS (RFC 8460 §5.4): posted, and for a day again where the web server does not take them.

use crate::ReportError;
use crate::post::MAX_MESSAGE;
use crate::run::Reports;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use mailauth::report::tls::{HttpsUri, MEDIA_TYPE};
use net::tls::TlsPolicy;
use std::time::Duration;
use store::report::{Post, Retry};
use transport::https::{Caller, Method, Request, exchange};

/// How often what is due is looked for, and the shortest wait after a failure; each further wait is twice as long (RFC 8460 §5.5).
pub(crate) const EVERY: Duration = Duration::from_secs(15 * 60);
/// For how long after the first attempt it is tried, in seconds (RFC 8460 §5.5).
const GIVEN_UP: i64 = 24 * 3600;
/// For one attempt.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most reports that are posted in one go; the others are in the next.
const MAX_POSTS: usize = 1_000;
/// Attempts at the same time: most of it is waiting.
const AT_ONCE: usize = 8;

impl Reports {
    /// Posts what is due.
    pub async fn post_due(&self, now: Timestamp) {
        let due = match self.store().due_posts(now.as_second(), MAX_POSTS) {
            Ok(due) => due,
            Err(error) => return tracing::warn!(%error, "reports wait to be posted"),
        };
        let post = |post: Post| async move {
            let domain = post.domain.clone();
            if let Err(error) = attempt(self, post, now).await {
                tracing::warn!(%domain, %error, "a report waits to be posted");
            }
        };
        futures_util::stream::iter(due).for_each_concurrent(AT_ONCE, post).await;
    }
}

async fn attempt(reports: &Reports, post: Post, now: Timestamp) -> Result<(), ReportError> {
    let Some(content) = reports.store().post_content(post.id)? else { return Ok(()) };
    let Post { id, domain, uri, retry } = post;
    let retry = match deliver(reports, &uri, &content).await {
        Ok(()) => {
            tracing::info!(%domain, to = uri, "a TLS report is posted");
            None
        }
        Err(why) => {
            let next = after_failure(retry, now.as_second());
            tracing::warn!(%domain, to = uri, why, given_up = next.is_none(), "a TLS report could not be posted");
            next
        }
    };
    Ok(reports.store().settle_post(id, retry).await?)
}

async fn deliver(reports: &Reports, uri: &str, content: &[u8]) -> Result<(), String> {
    let uri = HttpsUri::parse(uri).ok_or("the URL cannot be read")?;
    if content.len() as u64 > MAX_MESSAGE {
        return Err("the report is too large".to_owned());
    }
    let caller = Caller {
        dns: reports.dns(),
        tls: reports.tls_client(),
        // RFC 8460 §3: certificates need not be valid. §7 weighs it: the servers of a domain whose TLS is in disorder are to
        // hear of it all the same, and whoever could read a report in between saw the connections that it counts.
        policy: &TlsPolicy::Opportunistic,
        public_only: !reports.settings().post_anywhere,
        patience: PATIENCE,
    };
    let method = Method::Post { media_type: MEDIA_TYPE, content };
    let request = Request { host: &uri.host, port: uri.port, target: uri.target(), method };
    let answer = exchange(&caller, &request).await.map_err(|error| error.to_string())?;
    // §5.4: successful is, above all, 200 or 201; all else may be another time.
    if answer.is_success() { Ok(()) } else { Err(format!("the answer is {:?}", answer.line)) }
}

/// What comes after an attempt that failed at `now`; `None`: it is given up.
fn after_failure(retry: Retry, now: i64) -> Option<Retry> {
    let until = if retry.attempts == 0 { now.saturating_add(GIVEN_UP) } else { retry.until };
    // Seven waits fill a day.
    let wait = (EVERY.as_secs() as i64) << retry.attempts.min(7);
    let due = now.saturating_add(wait);
    (due <= until).then_some(Retry { due, attempts: retry.attempts.saturating_add(1), until })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8460 §5.5.
    #[test]
    fn waits_double_until_a_day_is_over() {
        let mut retry = Some(Retry { due: 0, attempts: 0, until: 0 });
        let (mut now, mut waits) = (1000, Vec::new());
        while let Some(next) = retry.and_then(|retry| after_failure(retry, now)) {
            waits.push((next.due - now) / 60);
            now = next.due;
            retry = Some(next);
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480]);
        assert!(now <= 1000 + GIVEN_UP);
    }
}
