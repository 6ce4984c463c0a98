//! Work on many things in a thread each.

use crate::Error;

/// What came of each, in their order, or the first error.
pub(super) fn at_once<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        let panicked = |_| Error::Stuck("a session panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
    })
}
