//! Look-ups that run beside the dialogue.

use std::future::Future;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A look-up that has begun. It ends with its time, or with whoever wanted it; what it held is then free, though nobody may
/// have asked for the answer yet.
#[derive(Debug)]
pub struct Pending<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Asked(JoinHandle<Option<T>>),
    /// `None`: it took too long.
    Known(Option<T>),
}

impl<T: Send + 'static> Pending<T> {
    /// Begins; there is an answer within `wait`, or none.
    pub fn begin(wait: Duration, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Asked(tokio::spawn(async move { timeout(wait, work).await.ok() })))
    }

    /// What is known already.
    pub fn known(value: T) -> Self {
        Self(State::Known(Some(value)))
    }

    /// The answer; `None` when it took too long.
    pub async fn get(&mut self) -> Option<&T> {
        if let State::Asked(task) = &mut self.0 {
            self.0 = State::Known(task.await.ok().flatten());
        }
        if let State::Known(value) = &self.0 { value.as_ref() } else { None }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let State::Asked(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_in_time_or_not_at_all() {
        let second = Duration::from_secs(1);
        let mut quick = Pending::begin(2 * second, async move {
            tokio::time::sleep(second).await;
            7
        });
        assert_eq!(quick.get().await, Some(&7));
        assert_eq!(quick.get().await, Some(&7));
        let mut slow = Pending::begin(second, std::future::pending::<()>());
        assert_eq!(slow.get().await, None);
        assert_eq!(slow.get().await, None);
    }
}
