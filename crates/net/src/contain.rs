//! A fault of this program in one session touches no other, and its client is told.

use futures_util::{FutureExt as _, TryFutureExt as _};
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// A session panicked: with these words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fault of this program: {0}")]
pub struct Panicked(pub String);

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(payload: Box<dyn Any + Send>) -> Self {
        let said = payload.downcast_ref::<&str>().map(|words| (*words).to_owned());
        Self(said.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default())
    }
}

/// Carries a session on to its end, or to where it panics. Whoever holds the stream outside of it can then say a last word
/// there; whatever else the session had may be half done and is only to be dropped.
pub fn contain<F: Future>(session: F) -> impl Future<Output = Result<F::Output, Panicked>> {
    AssertUnwindSafe(session).catch_unwind().map_err(Panicked::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_says_so_and_what_does_not_is_left_alone() {
        assert_eq!(contain(async { 7 }).await, Ok(7));
        let said = |words: &str| Err::<(), _>(Panicked(words.to_owned()));
        assert_eq!(contain(async { panic!("plain") }).await, said("plain"));
        assert_eq!(contain(async { panic!("with {}", 7) }).await, said("with 7"));
        assert_eq!(contain(async { std::panic::panic_any(7) }).await, said(""));
    }
}
