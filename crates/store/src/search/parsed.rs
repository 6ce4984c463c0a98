//! What messages consist of, kept parsed.

use super::{Wanted, extract, sqlite};
use crate::{Id, Store, StoreError};
use message::structure::Parsed;
use std::sync::Arc;

/// Bodies that are looked up in one read.
const PAGE: usize = 1_000;

impl Store {
    /// What a body consists of, by what its owner remembers of it: as it was kept, else read from the body. Offsets count from the body's
    /// first octet: a copy's prefix stands before that.
    ///
    /// # Errors
    /// What reading the body gives. Trouble with `search.db` is no error.
    pub fn parsed(&self, body: Id, size: u64) -> Result<Arc<Parsed>, StoreError> {
        let kept = self.kept_parsed(&[(body, size)]).pop().flatten();
        kept.map_or_else(|| self.parse(body, size), Ok)
    }

    /// The same of many, in the order of `bodies`. Each is in memory: a caller with many asks for some hundreds at a time.
    pub fn parsed_many(&self, bodies: &[(Id, u64)]) -> Result<Vec<Arc<Parsed>>, StoreError> {
        let kept = self.kept_parsed(bodies);
        let each = bodies.iter().zip(kept);
        each.map(|((body, size), kept)| kept.map_or_else(|| self.parse(*body, *size), Ok)).collect()
    }

    /// As many as `bodies`; the indexer is told of those that it should have kept.
    fn kept_parsed(&self, bodies: &[(Id, u64)]) -> Vec<Option<Arc<Parsed>>> {
        let search = &self.inner.search;
        let Some(readers) = search.readers() else { return vec![None; bodies.len()] };
        let mut all = Vec::with_capacity(bodies.len());
        for page in bodies.chunks(PAGE) {
            let read = readers.with(|db| {
                let each = page.iter().map(|(body, _)| sqlite::parsed(db, *body));
                each.collect::<Result<Vec<_>, _>>()
            });
            match read {
                Ok(found) => all.extend(found.into_iter().map(|parsed| parsed.map(Arc::new))),
                Err(error) => {
                    search.failed(&error);
                    break;
                }
            }
        }
        let missing = bodies.iter().zip(&all).filter(|(_, parsed)| parsed.is_none());
        search.want(missing.map(|((body, size), _)| Wanted::Parsed(*body, *size)));
        all.resize(bodies.len(), None);
        all
    }

    fn parse(&self, body: Id, size: u64) -> Result<Arc<Parsed>, StoreError> {
        extract::parse(&self.body(body, size)?).map(Arc::new)
    }
}
