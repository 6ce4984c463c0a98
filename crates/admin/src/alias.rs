//! Aliases: addresses whose mail goes to others.

use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::{Address, Domain};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

/// Targets that one command may give; larger lists belong to list software (`directory::MAX_TARGETS`).
const MAX_TARGETS: usize = directory::MAX_TARGETS;

/// An alias with all its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    pub alias: Address,
    pub targets: Vec<Address>,
}

fn view(store: &Store, alias: &Address) -> Result<AliasView, AdminError> {
    let missing =
        || StoreError::NotFound(format!("alias {alias}; `waypost alias list` shows those there are"));
    let domain = alias.domain().ok_or_else(missing)?;
    let targets = store.alias_targets(domain, &alias.local().folded())?;
    if targets.is_empty() {
        return Err(missing().into());
    }
    Ok(AliasView { alias: alias.clone(), targets })
}

/// Adds targets to an alias, which is made when it is new.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Add {
    pub alias: Address,
    pub targets: Vec<Address>,
}

impl Operation for Add {
    type Answer = AliasView;

    fn changes(&self) -> Option<String> {
        Some(self.alias.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<AliasView, AdminError> {
        if self.targets.is_empty() || self.targets.len() > MAX_TARGETS {
            return Err(AdminError::Refused(format!("an alias has from 1 to {MAX_TARGETS} targets")));
        }
        operations.store.add_alias(self.alias.clone(), self.targets).await?;
        view(&operations.store, &self.alias)
    }
}

/// The aliases of one domain or of all, by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {
    pub domain: Option<Domain>,
}

impl Operation for List {
    type Answer = Vec<AliasView>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<AliasView>, AdminError> {
        let store = operations.store.clone();
        let rows = blocking(move || Ok(store.aliases(self.domain.as_ref())?)).await?;
        let mut list: Vec<AliasView> = Vec::new();
        for row in rows {
            match list.last_mut().filter(|last| last.alias == row.alias) {
                Some(last) => last.targets.push(row.target),
                None => list.push(AliasView { alias: row.alias, targets: vec![row.target] }),
            }
        }
        Ok(list)
    }
}

/// Where one alias goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Show {
    pub alias: Address,
}

impl Operation for Show {
    type Answer = AliasView;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<AliasView, AdminError> {
        view(&operations.store, &self.alias)
    }
}

/// Takes some targets of an alias away, or the whole of it when none are given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remove {
    pub alias: Address,
    pub targets: Vec<Address>,
}

impl Operation for Remove {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some(self.alias.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let (store, there) = (&operations.store, view(&operations.store, &self.alias)?.targets);
        if self.targets.is_empty() {
            return Ok(store.remove_alias(self.alias, None).await?);
        }
        if let Some(stranger) = self.targets.iter().find(|target| !there.contains(target)) {
            return Err(StoreError::NotFound(format!("target {stranger} of {}", self.alias)).into());
        }
        for target in self.targets {
            store.remove_alias(self.alias.clone(), Some(target)).await?;
        }
        Ok(())
    }
}
