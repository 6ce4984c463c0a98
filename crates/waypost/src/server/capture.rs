//! `waypost dev`: the one mailbox that gets everything.

use crate::exit::Failure;
use address::{Address, Secret};
use directory::Verifier;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::{Id, Store};

/// Also the account's name and, without its domain, the password (DESIGN.md, the command line).
const ADDRESS: &str = "dev@localhost";
const PASSWORD: &str = "dev";

pub(super) fn address() -> Result<Address, Failure> {
    ADDRESS.parse().map_err(|e| Failure::no(format!("{ADDRESS}: {e}")))
}

/// The account, made when the data is new.
pub(super) async fn account(store: &Store) -> Result<Id, Failure> {
    let address = address()?;
    let failed = |e: store::StoreError| Failure::no(e.to_string());
    let Some(domain) = address.domain().cloned() else { return Err(Failure::no("dev has no domain")) };
    if let Some(found) = store.account(&domain, &address.local().folded()).map_err(failed)? {
        return Ok(found.id);
    }
    if store.domain(&domain).map_err(failed)?.is_none() {
        let record = DomainRecord {
            name: domain,
            kind: DomainKind::Local,
            catch_all: None,
            language: None,
            quota: None,
        };
        store.add_domain(record, Vec::new()).await.map_err(failed)?;
    }
    let verifier =
        tokio::task::spawn_blocking(|| Verifier::of_password(&Secret::new(PASSWORD.to_owned()), true))
            .await
            .map_err(|e| Failure::no(e.to_string()))?
            .map_err(|e| Failure::no(e.to_string()))?;
    let record = AccountRecord::new(address);
    let id = record.id;
    store.add_account(record, Some(verifier.to_storage())).await.map_err(failed)?;
    Ok(id)
}
