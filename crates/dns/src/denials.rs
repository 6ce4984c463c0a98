//! "There is none", remembered for a moment: the library does not keep denials that it has validated, and most hosts have
//! no TLSA record.

use crate::DnsError;
use hickory_resolver::proto::rr::RecordType;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a denial holds, whatever the zone says: whoever has just published a record wants to see it used.
const AGE: Duration = Duration::from_secs(60);
/// Most that are remembered; more are asked about again.
const MAX_DENIALS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<HashMap<(String, RecordType), (DnsError, Instant)>>);

impl Denials {
    pub(crate) fn get(&self, name: &str, kind: RecordType) -> Option<DnsError> {
        self.with(|known| {
            let (denial, until) = known.get(&(name.to_owned(), kind))?;
            (*until > Instant::now()).then(|| denial.clone())
        })
    }

    /// Failures that may pass are not remembered.
    pub(crate) fn put(&self, name: &str, kind: RecordType, denial: &DnsError) {
        if denial.is_temporary() {
            return;
        }
        let now = Instant::now();
        self.with(|known| {
            if known.len() >= MAX_DENIALS {
                known.retain(|_, (_, until)| *until > now);
            }
            if known.len() < MAX_DENIALS {
                known.insert((name.to_owned(), kind), (denial.clone(), now + AGE));
            }
        });
    }

    pub(crate) fn clear(&self) {
        self.with(HashMap::clear);
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<(String, RecordType), (DnsError, Instant)>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
