//! What messages consist of, kept parsed.

use super::{Wanted, extract, sqlite};
use crate::{Body, Id, Store, StoreError};
use message::structure::Parsed;
use rusqlite::Connection;
use std::sync::Arc;

/// Bodies that are looked up in one read.
const PAGE: usize = 1_000;

impl Store {
    /// What a body consists of, by what its owner remembers of it: as it was kept, else read from the body. Offsets count from the
    /// body's first octet: a copy's prefix stands before that.
    ///
    /// # Errors
    /// What reading the body gives. Trouble with `search.db` is no error.
    pub fn parsed(&self, body: Id, size: u64) -> Result<Arc<Parsed>, StoreError> {
        let kept = self.kept(&[(body, size)], sqlite::parsed).pop().flatten();
        kept.map_or_else(|| extract::parse(&self.body(body, size)?), Ok).map(Arc::new)
    }

    /// The same of many, in the order of `bodies`. All are in memory: a caller with many asks for some hundreds at a time.
    pub fn parsed_many(&self, bodies: &[(Id, u64)]) -> Result<Vec<Arc<Parsed>>, StoreError> {
        let all = self.many(bodies, sqlite::parsed, extract::parse)?;
        Ok(all.into_iter().map(Arc::new).collect())
    }

    /// The first words of many, in the order of `bodies` (RFC 8970).
    pub fn previews(&self, bodies: &[(Id, u64)]) -> Result<Vec<String>, StoreError> {
        self.many(bodies, sqlite::preview, |body| Ok(extract::read(body)?.2))
    }

    /// As they are kept, else read from the bodies.
    fn many<T: Clone>(
        &self,
        bodies: &[(Id, u64)],
        kept: impl Fn(&Connection, Id) -> Result<Option<T>, StoreError>,
        read: impl Fn(&Body) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let kept = self.kept(bodies, kept);
        let each = bodies.iter().zip(kept);
        each.map(|((body, size), kept)| kept.map_or_else(|| read(&self.body(*body, *size)?), Ok)).collect()
    }

    /// As many as `bodies`; the indexer is told of those that it should have kept.
    fn kept<T: Clone>(
        &self,
        bodies: &[(Id, u64)],
        kept: impl Fn(&Connection, Id) -> Result<Option<T>, StoreError>,
    ) -> Vec<Option<T>> {
        let search = &self.inner.search;
        let Some(readers) = search.readers() else { return vec![None; bodies.len()] };
        let mut all = Vec::with_capacity(bodies.len());
        for page in bodies.chunks(PAGE) {
            let read = readers.with(|db| page.iter().map(|(body, _)| kept(db, *body)).collect());
            match read {
                Ok(found) => all.extend::<Vec<_>>(found),
                Err(error) => {
                    search.failed(&error);
                    break;
                }
            }
        }
        let missing = bodies.iter().zip(&all).filter(|(_, kept)| kept.is_none());
        search.want(missing.map(|((body, size), _)| Wanted::Parsed(*body, *size)));
        all.resize(bodies.len(), None);
        all
    }
}
