//! What other servers report about a domain.

use super::find;
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::Domain;
use reports::view::Overview;
use serde::{Deserialize, Serialize};
use store::clock;

/// Most reports that are looked at: every day of a year from some of the largest senders.
const MAX_REPORTS: usize = 2000;
const DAY: i64 = 86_400 * 1000;

/// The reports about a domain that came in the last days, and what they come to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reports {
    pub domain: Domain,
    pub days: u32,
}

impl Operation for Reports {
    type Answer = Overview;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Overview, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            find(&store, &self.domain)?;
            let since = clock::millis().saturating_sub(i64::from(self.days) * DAY);
            Ok(Overview::of(&store.reports(&self.domain, since, MAX_REPORTS)?))
        })
        .await
    }
}
